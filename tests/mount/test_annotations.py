"""Annotations of S3 objects: as extended attributes, and kept by whatever rewrites an object.

The service is asked by boto3, never through the mount.
"""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.emulated import Emulator, emulator
from tests.mount.conftest import Faults, MountFactory
from tests.mount.test_budgets import round_trips
from tests.mount.test_recover import recovered
from tests.mounting import KEYS, Mounted, mounted, run, wait_for

S3 = pytest.mark.services("s3")
pytestmark = S3
PART = 100 * 1024


class StoredAnnotations:
    """The annotations that the service has, as the SDK reads them."""

    def __init__(self, mount: Mounted) -> None:
        self._bucket = mount.bucket
        self._s3 = boto3.client(
            "s3",
            endpoint_url=mount.service.url,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )

    def of(self, key: str) -> dict[str, bytes]:
        asked = {"Bucket": self._bucket, "Key": key}
        listed = self._s3.list_object_annotations(**asked).get("Annotations", [])
        return {name: self._read(name, asked) for name in (e["AnnotationName"] for e in listed)}

    def _read(self, name: str, asked: dict[str, str]) -> bytes:
        found: Any = self._s3.get_object_annotation(**asked, AnnotationName=name)
        payload = found["AnnotationPayload"].read()
        assert isinstance(payload, bytes)
        return payload

    def annotate(self, key: str, name: str = "note", data: bytes = b"of the object") -> None:
        self._s3.put_object_annotation(
            Bucket=self._bucket, Key=key, AnnotationName=name, AnnotationPayload=data
        )


NOTE = {"note": b"of the object"}


@pytest.fixture(scope="module")
def shared(
    services: Callable[[str], Emulator], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mounted]:
    """One mount for all rewrites: each test has a directory of its own."""
    service = services("s3")
    options = f"part_size={5 * 1024**2}"
    path = tmp_path_factory.mktemp("annotations") / "mnt"
    with mounted(service, service.take(), path, options) as running:
        yield running


def _write(path: Path) -> None:
    path.write_bytes(b"another content")


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _truncate(path: Path) -> None:
    os.truncate(path, 3)


def _multipart(path: Path) -> None:
    path.write_bytes(os.urandom(1024) * (12 * 1024))


def _chmod(path: Path) -> None:
    path.chmod(0o600)


def _touch(path: Path) -> None:
    os.utime(path, (1, 1))


def _tag(path: Path) -> None:
    os.setxattr(path, "user.tag.k", b"v")


def _metadata(path: Path) -> None:
    os.setxattr(path, "user.meta.k", b"v")


def _sed(path: Path) -> None:
    run("sed", "-i", "s/x/y/", path)


def _renamed_over(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"other")
    other.rename(path)


def _moved_away_and_back(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.with_name("elsewhere").rename(path)


def _directory_moved(path: Path) -> None:
    moved = path.parent.with_name(path.parent.name + "-moved")
    path.parent.rename(moved)
    moved.rename(path.parent)


def _copied_over(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"other")
    run("cp", other, path)


def _saved_with_a_backup(path: Path) -> None:
    backup = path.with_name("f~")
    path.rename(backup)
    path.write_bytes(b"another content")
    backup.unlink()


def _saved_by_two_renames(path: Path) -> None:
    other, backup = path.with_name("other"), path.with_name("f~")
    other.write_bytes(b"another content")
    path.rename(backup)
    other.rename(path)
    backup.unlink()


REWRITES = [
    _write,
    _append,
    _truncate,
    _multipart,
    _chmod,
    _touch,
    _tag,
    _metadata,
    _sed,
    _renamed_over,
    _moved_away_and_back,
    _directory_moved,
    _copied_over,
    _saved_with_a_backup,
    _saved_by_two_renames,
]


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda one: one.__name__)
def test_a_rewrite_keeps_them(shared: Mounted, rewrite: Callable[[Path], None]) -> None:
    directory = shared.path / rewrite.__name__
    directory.mkdir()
    path, key = directory / "f", f"{rewrite.__name__}/f"
    path.write_bytes(b"x" * 10)
    told = StoredAnnotations(shared)
    told.annotate(key)
    rewrite(path)
    shared.released()
    assert told.of(key) == NOTE


@pytest.mark.parametrize(
    "rewrite", [_write, _sed, _saved_with_a_backup, _saved_by_two_renames], ids=lambda o: o.__name__
)
def test_a_rewrite_that_is_uploaded_late_keeps_them(
    mount_with: MountFactory, rewrite: Callable[[Path], None]
) -> None:
    """Also where the backup is gone by then."""
    mount = mount_with("durability=local")
    path, told = mount.path / "f", StoredAnnotations(mount)
    path.write_bytes(b"x" * 10)
    run("sync", path)
    told.annotate("f")
    rewrite(path)
    run("sync", path)
    assert told.of("f") == NOTE


def test_cp_takes_them_along(shared: Mounted) -> None:
    """The service makes the copy."""
    (shared.path / "from").write_bytes(b"x" * 10)
    told = StoredAnnotations(shared)
    told.annotate("from")
    run("cp", shared.path / "from", shared.path / "to")
    shared.released()
    assert told.of("from") == NOTE


def test_they_are_attributes(shared: Mounted) -> None:
    told = StoredAnnotations(shared)
    path = shared.path / "attributes"
    path.write_bytes(b"x")
    name = "user.annotation.note.1"
    os.setxattr(path, name, "ä text".encode())
    assert told.of("attributes") == {"note.1": "ä text".encode()}
    assert os.getxattr(path, name) == "ä text".encode()
    told.annotate("attributes", "theirs", b"2")
    assert os.getxattr(path, "user.annotation.theirs") == b"2"
    with pytest.raises(OSError, match=str(errno.EEXIST)):
        os.setxattr(path, name, b"2", os.XATTR_CREATE)
    os.setxattr(path, name, b"2", os.XATTR_REPLACE)
    os.removexattr(path, name)
    assert told.of("attributes") == {"theirs": b"2"}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda path: os.getxattr(path, "user.annotation.none"), errno.ENODATA),
        (lambda path: os.removexattr(path, "user.annotation.none"), errno.ENODATA),
        (lambda path: os.getxattr(path, "user.annotation.a b"), errno.ENODATA),
        (lambda path: os.setxattr(path, "user.annotation.a b", b"1"), errno.EINVAL),
        (lambda path: os.setxattr(path, "user.annotation.aws.x", b"1"), errno.EINVAL),
        (lambda path: os.setxattr(path, "user.annotation.x", b""), errno.EINVAL),
        (lambda path: os.setxattr(path, "user.annotation.x", b"\xff"), errno.EINVAL),
        (lambda path: os.setxattr(path, "user.annotation.x", b"1", 2), errno.ENODATA),
        (lambda path: os.getxattr(path, "user.annotation.large"), errno.E2BIG),
    ],
)
def test_what_cannot_be(shared: Mounted, call: Callable[[Path], object], code: int) -> None:
    path = shared.path / "odd"
    if not path.exists():
        path.write_bytes(b"x")
        StoredAnnotations(shared).annotate("odd", "large", b"x" * 65537)
    with pytest.raises(OSError) as raised:
        call(path)
    assert raised.value.errno == code


def test_of_a_directory_and_of_a_file_that_is_open(shared: Mounted) -> None:
    told = StoredAnnotations(shared)
    with (shared.path / "open").open("wb") as file:
        file.write(b"before")
        file.flush()
        os.setxattr(file.fileno(), "user.annotation.note", NOTE["note"])
        file.write(b"after")
    shared.released()
    assert (shared.content("open"), told.of("open")) == (b"beforeafter", NOTE)
    (shared.path / "dir").mkdir()
    os.setxattr(shared.path / "dir", "user.annotation.note", NOTE["note"])
    (shared.path / "dir").chmod(0o700)
    assert told.of("dir/") == NOTE


def test_they_are_listed_where_that_is_chosen(mount_with: MountFactory) -> None:
    mount = mount_with("annotations=on")
    (mount.path / "f").write_bytes(b"x")
    told = StoredAnnotations(mount)
    for name, data in ("note", b"1"), ("n" * 300, b"1"), ("large", b"x" * 65537):
        told.annotate("f", name, data)
    os.setxattr(mount.path / "f", "user.tag.k", b"v")
    assert os.listxattr(mount.path / "f") == ["user.tag.k", "user.annotation.note"]
    log = mount.requests()
    assert os.listxattr(mount.path / "f") == ["user.tag.k", "user.annotation.note"]
    assert not log.kinds()


def test_off_they_are_attributes_like_any_other(mount_with: MountFactory) -> None:
    mount = mount_with("annotations=off")
    (mount.path / "f").write_bytes(b"x")
    os.setxattr(mount.path / "f", "user.annotation.note", b"\xff")
    assert os.getxattr(mount.path / "f", "user.annotation.note") == b"\xff"
    assert StoredAnnotations(mount).of("f") == {}
    log = mount.requests()
    (mount.path / "f").write_bytes(b"y")
    assert "GET annotation" not in log.kinds()


def test_what_it_costs(shared: Mounted) -> None:
    """An overwrite asks once, beside the tags; new files never, nor who wrote just now."""
    shared.judge.put("cost", b"x")
    (shared.path / "cost").stat()
    log = shared.requests()
    (shared.path / "cost").write_bytes(b"new")
    assert log.kinds()["GET annotation"] == 1
    log = shared.requests()
    (shared.path / "cost-new").write_bytes(b"new")
    (shared.path / "cost-new").chmod(0o600)
    (shared.path / "cost-new").rename(shared.path / "cost-renamed")
    assert "GET annotation" not in log.kinds()


def test_an_edit_of_a_large_object_takes_no_round_trip_for_them(tmp_path: Path) -> None:
    """They are asked for beside the parts; only what is there is read before the upload ends."""
    with (
        emulator(tmp_path, buckets=1, latency=0.05, service="s3") as service,
        mounted(service, service.take(), tmp_path / "mnt") as mount,
    ):
        stored, trips = StoredAnnotations(mount), {}
        for key in ("without", "with"):
            mount.judge.put(key, bytes(20 * 1024**2))
            if key == "with":
                stored.annotate(key)
            (mount.path / key).stat()
            log = mount.requests()
            with (mount.path / key).open("ab") as file:
                file.write(b"more")
            assert log.kinds()["GET annotation"] == (1 if key == "without" else 2)
            trips[key] = round_trips(log)
        # Tags (the mount's first), the beginning, the parts, the end.
        assert trips["without"] <= 4
        # The beginning, the parts, the annotation's value, the end, and setting it again.
        assert trips["with"] <= 5 + 1  # a busy machine may look at the file once more
        assert stored.of("with") == NOTE
        assert mount.content("with") == bytes(20 * 1024**2) + b"more"


def test_without_the_right(mount: Mounted, refusals: Faults) -> None:
    """A rewrite goes on without them, and the log says so once."""
    told = StoredAnnotations(mount)
    for name in ("f", "g"):
        (mount.path / name).write_bytes(b"x")
        told.annotate(name)
    refusals.set("deny_annotations")
    (mount.path / "f").write_bytes(b"new")
    (mount.path / "g").chmod(0o600)
    (mount.path / "g").rename(mount.path / "h")
    with pytest.raises(PermissionError):
        os.getxattr(mount.path / "h", "user.annotation.note")
    assert "user.annotation.note" not in os.listxattr(mount.path / "h")
    refusals.clear()
    assert (mount.content("f"), mount.content("h")) == (b"new", b"x")
    log = mount.log()
    assert log.count("annotations may not be read") == 1
    assert log.count("annotations may not be copied") == 1


def killed_while_written(mount: Mounted, refusals: Faults, request_name: str) -> None:
    """Have a program write `f` anew, and end the mount when it waits for a request."""
    refusals.set(f"hang=30:op={request_name}")
    script = 'import sys; open(sys.argv[1], "wb").write(b"new")'
    with subprocess.Popen(["python3", "-c", script, str(mount.path / "f")]) as writer:
        try:
            wait_for(lambda: refusals.hits() > 0)
            mount.kill()
        finally:
            refusals.clear()
            with suppress(ProcessLookupError):
                writer.kill()


@pytest.mark.parametrize("request_name", ["PutObject", "PutObjectAnnotation"])
def test_a_crash_of_a_save_with_a_backup_loses_none(
    mount_with: MountFactory, refusals: Faults, request_name: str
) -> None:
    """D5: what the old file leaves to the new one, by the note or as it was saved, is the new's."""
    mount = mount_with()
    told = StoredAnnotations(mount)
    (mount.path / "f").write_bytes(b"x")
    told.annotate("f")
    (mount.path / "f").rename(mount.path / "f~")
    killed_while_written(mount, refusals, request_name)
    recovered(mount)
    assert (mount.content("f"), told.of("f"), told.of("f~")) == (b"new", NOTE, NOTE)


def test_a_crash_between_the_content_and_them_loses_none(
    mount_with: MountFactory, refusals: Faults
) -> None:
    """D5: `tagfs recover` sets them, whether or not the staged file was found to be uploaded."""
    mount = mount_with()
    told = StoredAnnotations(mount)
    (mount.path / "f").write_bytes(b"x")
    told.annotate("f")
    killed_while_written(mount, refusals, "PutObjectAnnotation")
    assert (mount.content("f"), told.of("f")) == (b"new", {})
    assert "1 annotation" in recovered(mount)
    assert told.of("f") == NOTE
    assert not recovered(mount).strip() or "nothing" in recovered(mount)
