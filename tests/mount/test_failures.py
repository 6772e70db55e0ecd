"""D5, D7: the service refuses. Who wrote gets an error, nothing is changed, nothing is lost."""

import errno
import itertools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import oss2
import pytest

from tests.emulated import Emulator
from tests.mount.conftest import ALL, Faults, MountFactory
from tests.mounting import Mounted, mounted, wait_for

PART = {"oss": 100 * 1024, "obs": 100 * 1024, "s3": 5_300_000}
"""About the smallest parts that a service takes, and no multiple of what the kernel writes."""

TAGS = {"k": "v"}
NUMBERS = itertools.count()

Change = Callable[[int, int], object]
"""Gets a descriptor and the bytes of a part."""


@pytest.fixture
def mount(mount_with: MountFactory, kind: str) -> Mounted:
    return mount_with(f"part_size={PART[kind]},timeout=1")


@pytest.fixture(scope="module")
def shared(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    path = tmp_path_factory.mktemp("failures") / "mnt"
    options = f"part_size={PART[service.service]},timeout=1"
    with mounted(service, service.take(), path, options) as running:
        yield running


def rewrite(fd: int, part: int) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"new" * part, 0)


def edit(fd: int, _: int) -> None:
    os.pwrite(fd, b"new", 0)


@dataclass(frozen=True)
class Step:
    """A request on the way of a change to the service, which refuses it."""

    where: str
    size: str
    change: Change

    def old(self, mount: Mounted) -> bytes:
        return b"old" * (PART[mount.kind] if self.size == "large" else 10)

    def new(self, mount: Mounted) -> bytes:
        if self.change is rewrite:
            return b"new" * PART[mount.kind]
        return b"new" + self.old(mount)[3:]

    def begin(self, mount: Mounted, key: str) -> int:
        mount.judge.put(key, self.old(mount), TAGS)
        return os.open(mount.path / key, os.O_RDWR)

    def go(self, mount: Mounted, fd: int) -> None:
        self.change(fd, PART[mount.kind])


STEPS = [
    Step("op=PutObject", "small", edit),
    Step("op=GetObject", "large", edit),
    Step("op=InitiateMultipartUpload", "large", edit),
    Step("op=UploadPart", "large", edit),
    Step("op=UploadPartCopy", "large", edit),
    Step("op=CompleteMultipartUpload", "large", edit),
    Step("op=InitiateMultipartUpload", "small", rewrite),
    Step("op=UploadPart:after=1", "small", rewrite),
    Step("op=CompleteMultipartUpload", "small", rewrite),
]

REFUSALS = [("deny", errno.EACCES), ("status=503:code=ServiceUnavailable", errno.EIO)]


def errno_of(*calls: Callable[[], object]) -> int | None:
    """Return the errno of the last call; those before may fail as well."""
    number = None
    for call in calls:
        try:
            call()
        except OSError as error:
            number = error.errno
        else:
            number = None
    return number


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.change.__name__}, {step.where}")
class TestRefusedUploads:
    """D5. A failed upload is reported by `fsync`/`close`, the old object stays as it was, and the
    staged content stays on disk, named in the log."""

    @ALL
    def test_fsync(self, shared: Mounted, refusals: Faults, step: Step) -> None:
        mount, key = shared, f"f{next(NUMBERS)}"
        fd = step.begin(mount, key)
        refusals.set(f"deny:{step.where}")
        assert errno_of(lambda: step.go(mount, fd), lambda: os.fsync(fd)) == errno.EACCES
        refusals.clear()
        assert mount.content(key) == step.old(mount)
        assert mount.tags(key) == {"k": "v"}
        step.go(mount, fd)
        os.fsync(fd)
        assert mount.content(key) == step.new(mount)
        os.close(fd)
        assert mount.tags(key) == {"k": "v"}
        assert mount.judge.uploads() == []

    @pytest.mark.parametrize("refusal", REFUSALS, ids=["denied", "unavailable"])
    def test_close(
        self, shared: Mounted, refusals: Faults, step: Step, refusal: tuple[str, int]
    ) -> None:
        mount, key = shared, f"g{next(NUMBERS)}"
        fd = step.begin(mount, key)
        refusals.set(f"{refusal[0]}:{step.where}")
        assert errno_of(lambda: step.go(mount, fd), lambda: os.close(fd)) == refusal[1]
        refusals.clear()
        assert mount.content(key) == step.old(mount)
        assert mount.tags(key) == {"k": "v"}
        named = re.search(rf"/{key}: not uploaded .* is kept in (\S+\.data)", mount.log())
        assert named is not None
        assert Path(named[1]).read_bytes().startswith(b"new")
        fd = os.open(mount.path / key, os.O_RDWR)
        step.go(mount, fd)
        os.close(fd)
        assert mount.content(key) == step.new(mount)
        assert mount.tags(key) == {"k": "v"}
        assert Path(named[1]).exists()


@ALL
def test_the_old_object_is_read_after_a_failed_close(mount: Mounted, refusals: Faults) -> None:
    mount.judge.put("f", b"old")
    refusals.set("deny:op=PutObject")
    with pytest.raises(PermissionError):
        (mount.path / "f").write_bytes(b"newer")
    wait_for(lambda: (mount.path / "f").stat().st_size == 3)
    assert (mount.path / "f").read_bytes() == b"old"


@ALL
def test_a_file_that_could_not_be_created_is_not_there(mount: Mounted, refusals: Faults) -> None:
    refusals.set("deny:op=PutObject")
    with pytest.raises(PermissionError):
        (mount.path / "f").write_bytes(b"new")
    wait_for(lambda: os.listdir(mount.path) == [])
    with pytest.raises(PermissionError):
        (mount.path / "d").mkdir()
    with pytest.raises(PermissionError):
        os.mkfifo(mount.path / "p")
    assert os.listdir(mount.path) == []


def test_upload_left_behind_is_named(mount: Mounted, refusals: Faults) -> None:
    """An upload that cannot even be aborted is named in the log: it costs money."""
    mount.judge.put("f", b"old" * PART["oss"])
    refusals.set("deny:op=UploadPart", "deny:op=AbortMultipartUpload")
    with pytest.raises(PermissionError), (mount.path / "f").open("r+b") as file:
        file.write(b"new")
    (upload,) = oss2.MultipartUploadIterator(mount.sdk)
    assert upload.upload_id in mount.log()


@ALL
class TestRefusedRenames:
    """D7. ... an error midway leaves the source whole and removes the partial copy."""

    @pytest.fixture
    def keys(self, mount: Mounted) -> list[str]:
        keys = [f"d/{number}" for number in range(10)] + ["d/e/f"]
        for key in keys:
            mount.judge.put(key, key.encode(), TAGS)
        mount.judge.put("d/", b"", {"own": "d"})
        return sorted([*keys, "d/"])

    @pytest.mark.parametrize(
        "where",
        ["op=CopyObject:after=5", "op=CopyObject:key=t/9", "op=DeleteMultipleObjects:times=1"],
    )
    def test_of_a_directory(
        self, mount: Mounted, refusals: Faults, keys: list[str], where: str
    ) -> None:
        refusals.set(f"deny:{where}")
        with pytest.raises(PermissionError):
            (mount.path / "d").rename(mount.path / "t")
        refusals.clear()
        assert mount.keys() == keys
        assert sorted(os.listdir(mount.path)) == ["d"]
        (mount.path / "d").rename(mount.path / "t")
        assert mount.keys() == [f"t{key[1:]}" for key in keys]
        assert mount.tags("t/e/f") == {"k": "v"}
        assert mount.tags("t/") == {"own": "d"}

    def test_over_a_directory(self, mount: Mounted, refusals: Faults, keys: list[str]) -> None:
        mount.judge.put("t/", b"", {"own": "t"})
        refusals.set("deny:op=CopyObject:key=t/9")
        with pytest.raises(PermissionError):
            (mount.path / "d").rename(mount.path / "t")
        refusals.clear()
        assert mount.keys() == [*keys, "t/"]
        assert mount.tags("t/") == {"own": "t"}

    @pytest.mark.parametrize("operation", ["CopyObject", "DeleteObject"])
    def test_of_a_file(self, mount: Mounted, refusals: Faults, operation: str) -> None:
        mount.judge.put("f", b"f", TAGS)
        mount.judge.put("g", b"g", {"own": "g"})
        refusals.set(f"deny:op={operation}")
        with (mount.path / "g").open("r+b", buffering=0) as target:
            target.write(b"G")
            with pytest.raises(PermissionError):
                (mount.path / "f").rename(mount.path / "g")
            mount.forget()
            if operation == "CopyObject":
                assert (mount.path / "g").read_bytes() == b"G", "not the file that is open"
        refusals.clear()
        assert mount.content("f") == b"f"
        assert mount.tags("f") == {"k": "v"}
        assert mount.content("g") == b"G"
        assert mount.tags("g") == {"own": "g"}
