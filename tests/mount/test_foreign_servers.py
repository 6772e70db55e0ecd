"""The promise on S3 servers of others: SeaweedFS, JuiceFS's gateway, Swift, ministack, and those
that the emulator mimics. What a server lacks is said, and loses nothing."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from tests.mount.conftest import MountFactory
from tests.mounting import Mounted, run

DIRECTORIES = pytest.mark.services(
    "seaweedfs", "juicefs", "s3 directories=seaweedfs", "s3 directories=minio"
)
ALL = pytest.mark.services(
    "seaweedfs",
    "juicefs",
    "swift",
    "ministack",
    "s3 directories=seaweedfs",
    "s3 directories=minio",
    "s3 tagging=none",
    "s3 tagging=no_delete",
    "s3 part_copies=off",
    "s3 etags=other",
)
NO_TAGS = pytest.mark.services("swift", "s3 tagging=none")


def failing(call, *words) -> int | None:
    with pytest.raises(OSError) as caught:
        call(*words)
    return caught.value.errno


def tagged(path: Path) -> bool:
    """Set a tag, and say whether there is such a thing: anything else is a failure."""
    try:
        os.setxattr(path, "user.tag.team", b"blue")
    except OSError as refused:
        if refused.errno == errno.EOPNOTSUPP:
            return False
        raise
    return True


def tree(top: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(top)): path.read_bytes() if path.is_file() else None
        for path in sorted(top.rglob("*"))
    }


def plant(top: Path) -> dict[str, bytes | None]:
    """Make a small tree of files and directories, one of them empty."""
    for name in ("a/b/c", "a/empty"):
        (top / name).mkdir(parents=True)
    for number, name in enumerate(("a/one", "a/b/two", "a/b/c/three")):
        (top / name).write_bytes(b"x" * number)
    return tree(top)


@pytest.fixture
def mount(mount_with: MountFactory) -> Mounted:
    """A bucket, mounted by a user who does not wait a minute for what never works."""
    return mount_with("timeout=4")


@pytest.fixture
def local(tmp_path: Path) -> Path:
    made = tmp_path / "local"
    made.mkdir()
    return made


@DIRECTORIES
class TestDirectories:
    def test_mode_and_times(self, mount: Mounted) -> None:
        (mount.path / "d").mkdir()
        (mount.path / "d/f").write_bytes(b"1")
        (mount.path / "d").chmod(0o750)
        os.utime(mount.path / "d", (1, 1))
        os.chown(mount.path / "d", 0, 0)
        assert (mount.path / "d/f").read_bytes() == b"1"

    def test_a_tree_is_renamed(self, mount: Mounted) -> None:
        (mount.path / "old").mkdir()
        before = plant(mount.path / "old")
        run("mv", "old", "new", cwd=mount.path)
        assert tree(mount.path / "new") == before
        assert os.listdir(mount.path) == ["new"]
        mount.forget()
        assert tree(mount.path / "new") == before
        assert os.listdir(mount.path) == ["new"]
        assert not [key for key in mount.judge.keys("old") if key.startswith("old")]

    def test_a_tree_is_removed(self, mount: Mounted) -> None:
        (mount.path / "d").mkdir()
        plant(mount.path / "d")
        shutil.rmtree(mount.path / "d")
        mount.forget()
        assert os.listdir(mount.path) == []
        assert mount.judge.keys() == []
        (mount.path / "d").mkdir()
        assert os.listdir(mount.path / "d") == []

    def test_a_tree_is_copied(self, mount: Mounted, local: Path) -> None:
        before = plant(local)
        run("cp", "-a", f"{local}/.", "copied", cwd=mount.path)
        assert tree(mount.path / "copied") == before
        for _ in range(2):
            run("rsync", "-a", f"{local}/", "synced", cwd=mount.path)
        mount.forget()
        assert tree(mount.path / "synced") == before

    def test_the_last_file_of_a_directory_of_others_is_replaced(
        self, mount: Mounted, local: Path
    ) -> None:
        """There is no marker: the server would have the directory go with it."""
        (local / "new").write_bytes(b"new")
        for number, tool in enumerate(("install", "cp --remove-destination")):
            mount.judge.put(f"q{number}/f", b"old")
            run(*tool.split(), local / "new", f"q{number}/f", cwd=mount.path)
            assert mount.content(f"q{number}/f") == b"new"
            (mount.path / f"q{number}/f").unlink()
            assert os.listdir(mount.path / f"q{number}") == []
            (mount.path / f"q{number}").rmdir()
        assert os.listdir(mount.path) == []

    def test_tags_of_a_directory(self, mount: Mounted) -> None:
        """They are there, or are refused at once."""
        (mount.path / "d").mkdir()
        if tagged(mount.path / "d"):
            assert mount.tags("d/") == {"team": "blue"}
            run("mv", "d", "e", cwd=mount.path)
            assert mount.tags("e/") == {"team": "blue"}

    def test_emptied_by_others(self, mount: Mounted) -> None:
        """What is left of a directory whose files others deleted can be used, and removed."""
        mount.judge.put("q/x", b"1")
        assert os.listdir(mount.path) == ["q"]
        mount.judge.delete("q/x")
        mount.forget()
        if os.listdir(mount.path) == ["q"]:
            assert os.listdir(mount.path / "q") == []
            (mount.path / "q/y").write_bytes(b"2")
            (mount.path / "q/y").unlink()
            (mount.path / "q").rmdir()
        assert os.listdir(mount.path) == []


@pytest.mark.services("s3 directories=files", "s3 directories=refused")
class TestWithoutMarkers:
    """Directories live in the memory of the mount until there is a file in them."""

    def test_a_directory_is_made_used_and_removed(self, mount: Mounted) -> None:
        top = mount.path / "d"
        top.mkdir(mode=0o750)
        os.utime(top, (1, 1))
        assert mount.keys() == []
        mount.forget()
        assert (top.stat().st_mode & 0o777, top.stat().st_mtime) == (0o750, 1)
        assert failing(os.mkdir, top) == errno.EEXIST
        assert failing(os.setxattr, top, "user.tag.a", b"b") == errno.EOPNOTSUPP
        (top / "x").write_bytes(b"1")
        (top / "below").mkdir()
        assert mount.keys() == ["d/x"]
        mount.forget()
        assert sorted(os.listdir(top)) == ["below", "x"]
        assert failing(os.rmdir, top) == errno.ENOTEMPTY
        (top / "x").unlink()
        (top / "below").rmdir()
        assert os.listdir(top) == []
        top.rmdir()
        assert os.listdir(mount.path) == []
        assert "keeps no markers" in mount.log()

    def test_trees(self, mount: Mounted, local: Path) -> None:
        before = plant(local)
        run("cp", "-a", f"{local}/.", "copied", cwd=mount.path)
        for _ in range(2):
            run("rsync", "-a", f"{local}/", "synced", cwd=mount.path)
        run("mv", "copied", "moved", cwd=mount.path)
        mount.forget()
        assert tree(mount.path / "moved") == tree(mount.path / "synced") == before
        assert sorted(os.listdir(mount.path)) == ["moved", "synced"]
        run("rm", "-r", "moved", "synced", cwd=mount.path)
        mount.forget()
        assert os.listdir(mount.path) == []
        assert mount.judge.keys() == []

    def test_a_directory_of_others_outlives_its_last_file(self, mount: Mounted) -> None:
        mount.judge.put("q/x", b"1")
        (mount.path / "q/x").unlink()
        mount.forget()
        assert os.listdir(mount.path / "q") == []
        (mount.path / "q").rmdir()
        assert os.listdir(mount.path) == []

    def test_a_file_beside(self, mount: Mounted) -> None:
        """What is tried strikes no object, and an object without content is a file."""
        mount.judge.put("empty", b"")
        (mount.path / "d").mkdir()
        assert mount.keys() == ["empty"]
        assert (mount.path / "empty").read_bytes() == b""


@ALL
class TestFiles:
    def test_edits(self, mount: Mounted) -> None:
        content = os.urandom(300_000)
        (mount.path / "f").write_bytes(content)
        with (mount.path / "f").open("ab") as file:
            file.write(b"more")
        with (mount.path / "f").open("r+b") as file:
            file.seek(7)
            file.write(b"!")
        content = content[:7] + b"!" + content[8:] + b"more"
        assert mount.content("f") == content
        mount.forget()
        assert (mount.path / "f").read_bytes() == content
        os.truncate(mount.path / "f", 5)
        assert mount.content("f") == content[:5]

    def test_large_edits(self, mount_with: MountFactory) -> None:
        mount = mount_with("part_size=5242880")
        content = bytearray(os.urandom(12 * 1024**2))
        mount.judge.put("f", bytes(content))
        with (mount.path / "f").open("r+b") as file:
            file.seek(11 * 1024**2)
            file.write(b"!")
        content[11 * 1024**2] = ord("!")
        assert mount.content("f") == content
        with (mount.path / "f").open("ab") as file:
            file.write(b"more")
        assert mount.content("f") == content + b"more"
        (mount.path / "f").chmod(0o600)
        run("mv", "f", "g", cwd=mount.path)
        mount.forget()
        assert (mount.path / "g").read_bytes() == content + b"more"

    def test_tools(self, mount: Mounted) -> None:
        (mount.path / "f").write_text("old\n")
        run("sed", "-i", "s/old/new/", "f", cwd=mount.path)
        run("sh", "-c", "echo more >> f; cp -p f g; mv g h; install -m 600 h f", cwd=mount.path)
        mount.forget()
        assert (mount.path / "f").read_text() == "new\nmore\n"
        assert sorted(os.listdir(mount.path)) == ["f", "h"]

    def test_what_others_wrote(self, mount: Mounted) -> None:
        for size in (0, 1, 100_000, 9_000_000):
            mount.judge.put(f"f{size}", b"x" * size)
        for size in (0, 1, 100_000, 9_000_000):
            assert (mount.path / f"f{size}").read_bytes() == b"x" * size

    def test_tags_are_kept_or_refused(self, mount: Mounted) -> None:
        """By every way that may carry them."""
        (mount.path / "f").write_bytes(b"1")
        if not tagged(mount.path / "f"):
            return
        for change in (
            "chmod 600 f",
            "echo more >> f",
            "echo new > f",
            "mv f g; mv g f",
            "touch f",
        ):
            run("sh", "-ec", change, cwd=mount.path)
            assert mount.tags("f") == {"team": "blue"}, change
        with (mount.path / "early").open("wb") as file:
            file.write(b"1")
            os.setxattr(mount.path / "early", "user.tag.team", b"blue")
        assert mount.tags("early") == {"team": "blue"}
        run("cp", "--preserve=xattr", "f", "copied", cwd=mount.path)
        assert mount.tags("copied") == {"team": "blue"}
        os.removexattr(mount.path / "f", "user.tag.team")
        assert mount.tags("f") == {}
        os.setxattr(mount.path / "f", "user.tag.team", b"red")
        assert mount.tags("f") == {"team": "red"}

    def test_links(self, mount: Mounted) -> None:
        (mount.path / "f").write_bytes(b"1")
        (mount.path / "ln").symlink_to("f")
        mount.forget()
        assert os.readlink(mount.path / "ln") == "f"


@pytest.mark.services("rgw", "rgw20")
def test_tags_beyond_the_rules_of_amazon(mount: Mounted) -> None:
    """What is there was allowed by its server, and goes wherever tags go."""
    odd = {"note": "R&D, (Munich)", "x;y": "a=b#c"}
    mount.judge.put("f", b"old", odd)
    os.rename(mount.path / "f", mount.path / "f~")
    (mount.path / "f").write_bytes(b"an editor's")
    run("cp", "-a", "f~", "copied", cwd=mount.path)
    run("rsync", "-aX", "f~", "synced", cwd=mount.path)
    (mount.path / "copied").write_bytes(b"new")
    run("sed", "-i", "s/old/new/", "synced", cwd=mount.path)
    with (mount.path / "synced").open("ab") as file:
        file.write(b"more")
    os.setxattr(mount.path / "copied", "user.tag.more", b"1")
    assert mount.content("f") == b"an editor's"
    names = os.listdir(mount.path)
    assert {name: mount.tags(name) for name in names} == {
        "f": odd,
        "f~": odd,
        "copied": {**odd, "more": "1"},
        "synced": odd,
    }


@NO_TAGS
class TestWithoutTags:
    def test_the_first_tagged_file(self, mount: Mounted) -> None:
        """The tag is refused, and the content is there."""
        with (mount.path / "first").open("wb") as file:
            file.write(b"precious")
            assert failing(os.setxattr, file.fileno(), "user.tag.a", b"b") == errno.EOPNOTSUPP
        assert mount.content("first") == b"precious"
        assert "no object tags" in mount.log()

    def test_copies_of_tagged_files(self, mount: Mounted, local: Path) -> None:
        (local / "tagged").write_bytes(b"1")
        try:
            os.setxattr(local / "tagged", "user.tag.a", b"b")
        except OSError:
            pytest.skip("the local file system has no attributes")
        run("cp", "-a", local / "tagged", mount.path / "copied")
        assert mount.content("copied") == b"1"

    def test_exclusive_creation_is_still_there(self, mount: Mounted) -> None:
        (mount.path / "f").write_bytes(b"1")
        assert mount.status()["capabilities"]["exclusive"]


@pytest.mark.services("s3 metadata=dropped")
class TestWithoutMetadata:
    def test_no_link_reads_as_a_file(self, mount: Mounted) -> None:
        assert failing(os.symlink, "f", mount.path / "ln") == errno.EPERM
        assert mount.judge.keys() == []
        assert "keeps no metadata" in mount.log()

    def test_files(self, mount: Mounted) -> None:
        (mount.path / "f").write_bytes(b"1")
        (mount.path / "f").chmod(0o600)
        assert failing(os.setxattr, mount.path / "f", "user.meta.a", b"b") == errno.EOPNOTSUPP
        run("cp", "-a", "f", "g", cwd=mount.path)
        assert mount.content("g") == b"1"
        assert "keeps no metadata" in mount.log()


@pytest.mark.services("s3 etags=none")
def test_no_etags_are_said_at_once(mount: Mounted) -> None:
    mount.judge.put("f", b"1")
    assert failing((mount.path / "f").read_bytes) == errno.EOPNOTSUPP
    assert "sends no ETag" in mount.log()


@pytest.mark.services("s3 etags=none")
def test_no_etags_are_said_when_mounting(mount_with: MountFactory) -> None:
    mount_with().judge.put("f", b"1")
    assert "sends no ETag" in mount_with().log()
