"""An S3 server that knows less: rclone's. No step changes a byte that it should not.

It ignores sub-resources (PUT key?tagging is PutObject there, DELETE key?tagging DeleteObject) and
conditions, answers ranges with 200, copies no parts, and keeps a directory's marker as a file. Its
buckets are plain directories, which are the judge here.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import zygote
from tests.emulated import Emulator
from tests.former_trials import FORMER
from tests.mounting import KEYS, Mounted, mounted, run
from tests.rclone import find_rclone, rclone

pytestmark = pytest.mark.skipif(find_rclone() is None, reason="rclone is not installed")

LARGE = 30 * 1024**2
HASHES = {"MD5": (), "SHA1": ("--etag-hash", "SHA1")}
"""What its ETags are; of the latter nothing can be verified."""


@pytest.fixture(scope="module", params=HASHES)
def foreign(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Emulator, Path]]:
    directory = tmp_path_factory.mktemp("rclone")
    with rclone(directory, options=HASHES[request.param]) as running:
        yield running, directory / "data"


@pytest.fixture
def here(foreign: tuple[Emulator, Path]) -> tuple[Emulator, str, Path]:
    """A server, the name of an empty bucket of its, and the directory that is that bucket."""
    running, data = foreign
    bucket = running.take()
    return running, bucket, data / bucket


@pytest.fixture
def there(here: tuple[Emulator, str, Path]) -> Path:
    """The bucket as its server has it."""
    return here[2]


@pytest.fixture
def mount(here: tuple[Emulator, str, Path], there: Path, tmp_path: Path) -> Iterator[Mounted]:
    (there / "doc").write_text("precious\n")
    (there / "large").write_bytes(os.urandom(LARGE))
    (there / "small").write_bytes(os.urandom(3_000_000))
    running, bucket, _ = here
    with mounted(running, bucket, tmp_path / "mnt", "timeout=3") as one:
        yield one


def contents(there: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in there.iterdir()}


TAGGING = [("user.tag.team", b"blue"), ("user.tagging", b"team=blue"), ("user.tagging", b"")]


class TestTags:
    @pytest.fixture(autouse=True)
    def _once(self, request: pytest.FixtureRequest) -> None:
        if "SHA1" in request.node.name:
            pytest.skip("the same whatever the ETags are")

    def test_setting_tags_is_refused(self, mount: Mounted, there: Path) -> None:
        (mount.path / "empty").touch()
        before = contents(there)
        for name, value in TAGGING:
            for file in ("doc", "empty", "large"):
                with pytest.raises(OSError) as caught:
                    os.setxattr(mount.path / file, name, value)
                assert caught.value.errno == errno.EOPNOTSUPP
        assert contents(there) == before
        assert "sub-resources are ignored" in mount.log()

    def test_before_the_first_close(self, mount: Mounted, there: Path) -> None:
        with (mount.path / "new").open("wb") as file:
            file.write(b"precious")
            with pytest.raises(OSError) as caught:
                os.setxattr(mount.path / "new", "user.tag.team", b"blue")
        assert caught.value.errno == errno.EOPNOTSUPP
        assert (there / "new").read_bytes() == b"precious"

    def test_of_the_bucket(self, mount: Mounted, there: Path) -> None:
        before = contents(there)
        for name, value in TAGGING:
            with pytest.raises(OSError) as caught:
                os.setxattr(mount.path, name, value)
            assert caught.value.errno == errno.EOPNOTSUPP
        assert contents(there) == before

    @pytest.mark.parametrize(
        "words",
        [
            ("replace", "team=blue", "{}/doc"),
            ("replace", "team=blue", "-R", "{}"),
            ("replace", "team=blue", "{}/small"),
            ("set", "team=blue", "{}/doc"),
            ("set", "team=blue", "{}/empty"),
            ("set", "team=blue", "{}"),
            ("set", "team=blue", "{}/dir/"),
            ("rm", "--all", "{}/doc"),
            ("rm", "team", "-R", "{}"),
            ("get", "{}/doc"),
            ("get", "{}/forged"),
        ],
        ids=" ".join,
    )
    def test_the_tag_command_is_refused(
        self, here: tuple[Emulator, str, Path], words: tuple[str, ...]
    ) -> None:
        service, bucket, there = here
        (there / "doc").write_text("precious\n")
        (there / "empty").touch()
        (there / "forged").write_text("<Tagging><TagSet/></Tagging>")
        (there / "small").write_bytes(os.urandom(3_000_000))
        (there / "dir").mkdir()
        (there / "dir/file").write_text("precious\n")
        before = {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}
        command = [word.format(f"s3://{bucket}") for word in words]
        done = tagfs(service, "tag", *command)
        assert done.returncode == 1, done.stderr
        assert "has no object tags" in done.stderr or "has no bucket tags" in done.stderr
        assert before == {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}

    def test_doctor_says_so(self, here: tuple[Emulator, str, Path]) -> None:
        service, bucket, there = here
        (there / "doc").write_text("precious\n")
        done = tagfs(service, "doctor", "--write", f"s3://{bucket}")
        assert "right to put: given" in done.stdout
        assert "right to get tagging: the bucket cannot do it" in done.stdout
        assert "right to put tagging: given" not in done.stdout
        assert contents(there) == {"doc": b"precious\n"}

    def test_doctor_strikes_no_object(self, here: tuple[Emulator, str, Path]) -> None:
        service, bucket, there = here
        for name in FORMER:
            (there / name).write_text(name)
        done = tagfs(service, "doctor", "--write", f"s3://{bucket}")
        assert "right to put: given" in done.stdout
        assert contents(there) == {name: name.encode() for name in FORMER}


def tagfs(service: Emulator, *words: str) -> subprocess.CompletedProcess[str]:
    options = f"endpoint={service.url},region=us-east-1"
    return zygote.run(*words, "-o", options, env=KEYS)


class TestContent:
    def test_files_arrive_whole(self, mount: Mounted, there: Path, tmp_path: Path) -> None:
        for name in ("large", "small"):
            shutil.copy(mount.path / name, tmp_path / name)
            assert (tmp_path / name).read_bytes() == (there / name).read_bytes()
            run("cp", mount.path / name, mount.path / "copy")
            run("rsync", "-a", mount.path / name, mount.path / "synced")
            assert (there / "copy").read_bytes() == (there / name).read_bytes()
            assert (there / "synced").read_bytes() == (there / name).read_bytes()

    def test_what_is_tried_strikes_no_object(
        self, here: tuple[Emulator, str, Path], there: Path, tmp_path: Path
    ) -> None:
        """Not even one of the names that trials once had."""
        for name in (*FORMER, "doc", "over"):
            (there / name).write_text(name)
        (there / "large").write_bytes(b"x" * LARGE)
        service, bucket, _ = here
        with mounted(service, bucket, tmp_path / "mnt", "timeout=3") as mount:
            (mount.path / "doc").replace(mount.path / "over")
            (mount.path / "over").rename(mount.path / "free")
            (mount.path / "free").chmod(0o600)
            with (mount.path / "large").open("r+b") as file:
                file.write(b"Z")
        whole = b"Z" + b"x" * (LARGE - 1)
        kept = {name: name.encode() for name in FORMER}
        assert contents(there) == {**kept, "free": b"doc", "large": whole}

    def test_edits_change_what_they_should(self, mount: Mounted, there: Path) -> None:
        whole = (there / "large").read_bytes()
        with (mount.path / "large").open("r+b") as file:
            file.seek(5_000_000)
            file.write(b"Z")
        whole = whole[:5_000_000] + b"Z" + whole[5_000_001:]
        assert (there / "large").read_bytes() == whole
        small = (there / "small").read_bytes()
        with (mount.path / "small").open("ab") as file:
            file.write(b"tail")
        assert (there / "small").read_bytes() == small + b"tail"
        run("sed", "-i", "1s/^/X/", mount.path / "small")
        assert (there / "small").read_bytes() == b"X" + small + b"tail"
        os.truncate(mount.path / "small", 1_000_000)
        assert (there / "small").read_bytes() == (b"X" + small)[:1_000_000]

    def test_small_files(self, mount: Mounted, there: Path) -> None:
        path = mount.path / "doc"
        path.write_text("a\nb\n")
        run("sed", "-i", "s/a/X/", path)
        with path.open("a") as file:
            file.write("c\n")
        assert (there / "doc").read_text() == "X\nb\nc\n"
        path.chmod(0o640)
        os.utime(path, (1, 1))
        assert (there / "doc").read_text() == "X\nb\nc\n"
        os.truncate(path, 3)
        (mount.path / "moved").write_text("old")
        path.rename(mount.path / "moved")
        assert (there / "moved").read_text() == "X\nb"
        (mount.path / "moved").unlink()
        assert set(contents(there)) == {"large", "small"}

    def test_a_directory_costs_no_file(self, mount: Mounted, there: Path) -> None:
        """Its marker would be a file there: it lives in the mount until there is a file in it."""
        before = contents(there)
        (mount.path / "dir").mkdir()
        assert contents(there) == before
        (mount.path / "dir/x").write_text("x")
        (mount.path / "dir").rename(mount.path / "moved")
        assert (there / "moved/x").read_text() == "x"
        (mount.path / "moved/x").unlink()
        (mount.path / "moved").rmdir()
        assert set(os.listdir(mount.path)) == set(before)
        found = {path.name for path in there.iterdir() if path.is_file()}
        assert found == set(before)
