"""The promise where a service is not what its manual says: judged by the vendor's SDK all the same.

Ceph RGW 16 drops tags without a word, OBS keeps percent-encoded tags as they come or has no links
yet, and parallel file systems have no tags at all.
"""

import errno
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.emulated import emulator
from tests.mounting import Mounted, getfattr, mounted, run

VARIANTS = {
    "ceph": ("s3", "mimic=rgw"),
    "s3 without conditions or counts": ("s3", "tagging_count=off"),
    "obs that keeps what is encoded": ("obs", "tag_encoding=keep"),
    "obs without links": ("obs", "symlinks=ignored"),
}
TAGS = {"team": "blue", "odd +é": "中 :"}


@pytest.fixture(scope="module", params=VARIANTS)
def mount(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mounted]:
    service, option = VARIANTS[request.param]
    directory = tmp_path_factory.mktemp("variant")
    with (
        emulator(directory, 1, service=service, options=[option]) as running,
        mounted(running, running.take(), directory / "mnt", "part_size=5M") as one,
    ):
        yield one


@pytest.fixture
def home(mount: Mounted, request: pytest.FixtureRequest) -> Path:
    """A directory of the test's own."""
    path = mount.path / str(abs(hash(request.node.name)))
    path.mkdir()
    return path


def key(home: Path, name: str) -> str:
    return f"{home.name}/{name}"


def set_tags(path: Path, prefix: str = "user.tag.") -> None:
    for name, value in TAGS.items():
        os.setxattr(path, prefix + name, value.encode(), follow_symlinks=False)


def seen_tags(mount: Mounted, home: Path, name: str) -> dict[str, str]:
    """Return an object's tags through the mount, which decodes what OBS may keep encoded."""
    mount.forget()
    listed = getfattr(home / name, link=(home / name).is_symlink())
    return {
        name.removeprefix("user.").removeprefix("tag."): value for name, value in listed.items()
    }


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def overwrite_large(path: Path) -> None:
    path.write_bytes(os.urandom(11 << 20))


def edit_in_place(path: Path) -> None:
    subprocess.run(["sed", "-i", "s/o/0/", path], check=True)


def change_mode(path: Path) -> None:
    path.chmod(stat.S_IMODE(path.stat().st_mode) ^ 0o111)


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


@pytest.mark.parametrize("change", [append, overwrite_large, edit_in_place, change_mode, touch])
def test_tags_survive_everything_that_changes_the_object(
    mount: Mounted, home: Path, change: Callable[[Path], None]
) -> None:
    """G4. Tags survive everything that changes the object in place."""
    file = home / "file"
    file.write_bytes(b"old content")
    set_tags(file)
    before = mount.tags(key(home, "file"))
    for _ in range(2):
        change(file)
        assert mount.tags(key(home, "file")) == before
    assert seen_tags(mount, home, "file") == TAGS


def test_tags_follow_a_move(mount: Mounted, home: Path) -> None:
    """G4. ... and they follow mv (file, symlink, directory tree)."""
    (home / "d").mkdir()
    (home / "d/file").write_bytes(b"x")
    (home / "d/big").write_bytes(os.urandom(11 << 20))
    (home / "d/link").symlink_to("file")
    set_tags(home / "d/file")
    set_tags(home / "d/big")
    set_tags(home / "d/link", "tag.")
    run("mv", home / "d/file", home / "d/file2")
    run("mv", home / "d", home / "e")
    for name in ("file2", "big", "link"):
        assert seen_tags(mount, home, f"e/{name}") == TAGS
    assert (home / "e/link").readlink() == Path("file")


def test_tags_given_before_the_upload_are_there_after_it(mount: Mounted, home: Path) -> None:
    """G6. Tags set on a file that is not uploaded yet travel in the creating request."""
    for name, size in (("small", 1), ("large", 11 << 20)):
        with (home / name).open("wb") as file:
            file.write(os.urandom(size))
            for tag, value in TAGS.items():
                os.setxattr(file.fileno(), f"user.tag.{tag}", value.encode())
        assert mount.tags(key(home, name)) == TAGS


@pytest.mark.parametrize("text", ["file", "../up", "/absolute", "a b ", "ü/日本"])
def test_links_read_as_they_were_written(mount: Mounted, home: Path, text: str) -> None:
    """L2. readlink returns byte for byte what symlink was given."""
    link = home / "link"
    os.symlink(text, link)
    for _ in range(2):
        assert os.readlink(link) == text
        assert link.lstat().st_size == len(text.encode())
        mount.forget()
    assert os.listdir(home) == ["link"]


def test_exclusive_creation(home: Path) -> None:
    """D2. O_EXCL holds."""
    os.close(os.open(home / "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    with pytest.raises(FileExistsError):
        os.open(home / "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


def test_a_parallel_file_system_has_files_and_links_and_no_tags(tmp_path: Path) -> None:
    """G8. What the service would refuse is refused, and the log says why."""
    with (
        emulator(tmp_path, 1, service="obs", options=["posix=bucket-0"]) as one,
        mounted(one, "bucket-0", tmp_path / "mnt") as mount,
    ):
        home = mount.path / "d"
        home.mkdir()
        (home / "file").write_bytes(b"x")
        append(home / "file")
        change_mode(home / "file")
        (home / "file").rename(home / "moved")
        os.symlink("moved", home / "link")
        assert (home / "link").read_bytes() == b"xmore"
        with (home / "new").open("wb") as new:
            for target in (home / "moved", new.fileno()):
                with pytest.raises(OSError) as caught:
                    os.setxattr(target, "user.tag.a", b"1")
                assert caught.value.errno == errno.EOPNOTSUPP
        os.setxattr(mount.path, "user.tag.a", b"1")
        assert mount.judge.bucket_tags() == {"a": "1"}
        assert "parallel file system" in mount.log()


@pytest.mark.parametrize(("listing", "lists_tags"), [("minio", True), ("yandex", False)])
def test_attributes_and_tags_come_with_the_listing(
    tmp_path: Path, listing: str, *, lists_tags: bool
) -> None:
    """Of MinIO and those that do as it does: `ls -l` and `getfattr -R` are the listing's requests.

    Besides these, one object is compared with what a HEAD and its tags say. Of Yandex `ls -l` is,
    for it lists no tags.
    """
    count = 60
    with emulator(
        tmp_path, 1, service="s3", options=[f"listing={listing}", "access=on"]
    ) as running:
        bucket = running.take()
        client = running.open(bucket)
        for number in range(count):
            metadata = {"mode": str(stat.S_IFREG | 0o600), "uid": "7", "mtime": str(10**9 + number)}
            headers = {"content-type": "text/x-note"}
            new = NewObject(
                metadata=metadata, headers=headers, tags=TagSet({**TAGS, "n": str(number)})
            )
            client.put(f"d/{number:02}", BytesSource(b"x" * number), new)
        client.put("e/cold", BytesSource(b"x"), NewObject(tags=TagSet(TAGS)))
        client.close()
        with mounted(running, bucket, tmp_path / "mnt") as mount:
            log = mount.requests()
            found = run("ls", "-ln", "--time-style=+%s", mount.path / "d").splitlines()[1:]
            assert [line.split()[:1] + line.split()[2:3] + line.split()[4:] for line in found] == [
                ["-rw-------", "7", str(n), str(10**9 + n), f"{n:02}"] for n in range(count)
            ]
            # The directory itself and the one object; nothing for each file.
            kinds = log.kinds()
            assert kinds["HEAD"] <= 5, kinds
            assert kinds["GET list"] <= 4
            tags = run("getfattr", "-R", "-d", "--absolute-names", mount.path / "d")
            assert tags.count('user.tag.team="blue"') == count
            assert [f'user.tag.n="{n}"' in tags for n in range(count)] == [True] * count
            kinds = log.kinds()
            assert kinds["HEAD"] + kinds["GET tagging"] <= 6 + (0 if lists_tags else count), kinds
            # Of a file that was not listed, a HEAD tells the tags as well.
            before = log.kinds()
            assert getfattr(mount.path / "e/cold")["user.tag.team"] == "blue"
            assert (log.kinds() - before)["GET tagging"] == (0 if lists_tags else 1)
            # What is changed is asked for as ever, and keeps all that it had.
            os.setxattr(mount.path / "d/07", "user.tag.n", b"other")
            (mount.path / "d/08").write_bytes(b"new")
            (mount.path / "d/09").chmod(0o640)
            (mount.path / "d/10").rename(mount.path / "d/renamed")
            (mount.path / "d/11").rename(mount.path / "d/12")
            assert mount.judge.tags("d/07") == {**TAGS, "n": "other"}
            assert getfattr(mount.path / "d/07")["user.tag.n"] == "other"
            for name, number in [("08", 8), ("09", 9), ("renamed", 10), ("12", 11)]:
                assert mount.judge.tags(f"d/{name}") == {**TAGS, "n": str(number)}
                assert mount.judge.head(f"d/{name}").content_type == "text/x-note"
