"""Attributes set on a temporary file wait for its rename, and nothing of them is lost."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagfs.errors import AccessDenied, TagfsError
from tagfs.fs.context import FRESH_WITHIN
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.temp_names import destination
from tagfs.fs.openfiles.deferred_attributes import GRACE
from tagfs.fs.pending.failures import FIRST_RETRY
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write
from tests.waiting import until_blocked, wait_for

TEMPORARY = "/d/.f.Ab12xY"


class Bucket(MemoryBucket):
    """Counts copies and changes of metadata, and refuses them on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.refuses = False
        self.holds = False  # what is sent late stops before it gets there
        self.reached, self.go_on = threading.Event(), threading.Event()

    def copy(self, source: ObjectInfo, key: str, **chosen: object) -> ObjectInfo:
        self._note(f"copy {key}")
        return super().copy(source, key, **chosen)  # type: ignore[arg-type]

    def set_metadata(self, info: ObjectInfo, *what: object, **chosen: object) -> ObjectInfo:
        self._note(f"edit {info.key}")
        return super().set_metadata(info, *what, **chosen)  # type: ignore[arg-type]

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.holds and threading.current_thread().name.startswith("tagfs-pend"):
            self.reached.set()
            assert self.go_on.wait(60)
        if self.refuses:
            raise AccessDenied(call)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tree(bucket: Bucket, tmp_path: Path, clock: FakeClock) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path, clock) as filesystem:
        filesystem.mkdir("/d", 0o755)
        yield filesystem
        bucket.refuses = False


def edit(tree: FileSystem, path: str = TEMPORARY) -> None:
    tree.utimens(path, 5 * 10**9, 7 * 10**9)
    tree.chown(path, 12, 34)
    tree.chmod(path, 0o640)


def kept(bucket: Bucket, key: str) -> dict[str, str]:
    detail = bucket.head(key).detail
    assert detail is not None
    wanted = ("mode", "uid", "gid", "mtime", "atime")
    return {name: value for name, value in detail.metadata.items() if name in wanted}


ALL = {"mode": str(stat.S_IFREG | 0o640), "uid": "12", "gid": "34", "mtime": "7", "atime": "5"}


def test_they_go_along_with_the_rename(tree: FileSystem, bucket: Bucket) -> None:
    write(tree, TEMPORARY)
    edit(tree)
    assert stat.S_IMODE(tree.getattr(TEMPORARY)["st_mode"]) == 0o640, "shown at once"
    tree.rename(TEMPORARY, "/d/f")
    assert bucket.calls == ["copy d/f"]
    assert kept(bucket, "d/f") == ALL
    shown = tree.getattr("/d/f")
    assert (shown["st_mtime"], shown["st_uid"]) == (7 * 10**9, 12)


def test_without_a_rename_they_are_sent_soon(
    tree: FileSystem, bucket: Bucket, clock: FakeClock
) -> None:
    write(tree, TEMPORARY)
    edit(tree)
    assert bucket.calls == []
    clock.advance_when_waited_for(GRACE)
    wait_for(lambda: bool(bucket.calls) and kept(bucket, TEMPORARY[1:]) == ALL)
    assert bucket.calls == ["edit d/.f.Ab12xY"]
    tree.chmod(TEMPORARY, 0o600)
    assert len(bucket.calls) == 2, "it is no file on its way any more"


@pytest.mark.parametrize(
    "look",
    [
        lambda tree: tree.release(tree.open(TEMPORARY, os.O_RDWR)[0]),
        lambda tree: tree.truncate(TEMPORARY, 1),
        lambda tree: tree.setxattr(TEMPORARY, "user.meta.a", b"1", 0),
        lambda tree: tree.rename("/d", "/e"),
        lambda tree: tree.close(),
    ],
)
def test_they_are_sent_before_the_object_is_changed_otherwise(
    tree: FileSystem, bucket: Bucket, look: Callable[[FileSystem], None]
) -> None:
    write(tree, TEMPORARY)
    edit(tree)
    look(tree)
    assert bucket.calls[0] == "edit d/.f.Ab12xY"
    moved = "e/.f.Ab12xY" if any(c.startswith("copy") for c in bucket.calls) else TEMPORARY[1:]
    assert kept(bucket, moved) == ALL


def test_an_open_handle_sends_them_when_it_goes_on_writing(
    tree: FileSystem, bucket: Bucket, clock: FakeClock
) -> None:
    fh = tree.create(TEMPORARY, 0o600, os.O_WRONLY | os.O_EXCL)
    tree.write(fh, 0, b"x")
    tree.flush(fh)
    edit(tree)
    tree.fsync(fh)
    assert kept(bucket, TEMPORARY[1:]) == ALL
    tree.utimens(TEMPORARY, 1, 1)
    tree.write(fh, 1, b"y")
    tree.flush(fh)
    tree.release(fh)
    clock.advance_when_waited_for(2 * GRACE)
    assert bucket.get(TEMPORARY[1:]).data == b"xy"
    assert kept(bucket, TEMPORARY[1:])["mtime"] != "1", "the write came after it"


def test_the_rename_reports_a_failure_and_they_wait_on(tree: FileSystem, bucket: Bucket) -> None:
    write(tree, TEMPORARY)
    edit(tree)
    bucket.refuses = True
    with pytest.raises(TagfsError):
        tree.rename(TEMPORARY, "/d/f")
    bucket.refuses = False
    tree.rename(TEMPORARY, "/d/f")
    assert kept(bucket, "d/f") == ALL


def fail(
    tree: FileSystem, bucket: Bucket, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Let attributes be set that are refused when they are sent."""
    write(tree, TEMPORARY)
    edit(tree)
    bucket.refuses = True
    clock.advance_when_waited_for(GRACE)
    wait_for(lambda: "mode, owner and times not set yet" in caplog.text)


def test_what_fails_is_tried_again_and_nothing_else_waits_meanwhile(
    tree: FileSystem, bucket: Bucket, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    fail(tree, bucket, clock, caplog)
    assert [r.levelname for r in caplog.records if "not set" in r.message] == ["ERROR"]
    write(tree, "/d/.g.Ab12xY")
    with pytest.raises(AccessDenied):
        tree.chmod("/d/.g.Ab12xY", 0o640)
    with pytest.raises(AccessDenied):
        tree.chmod(TEMPORARY, 0o600)
    assert stat.S_IMODE(tree.getattr(TEMPORARY)["st_mode"]) == 0o640, "as the program set it"
    bucket.refuses = False
    clock.advance(FIRST_RETRY * 2)
    wait_for(lambda: kept(bucket, TEMPORARY[1:]) == ALL)
    wait_for(lambda: tree._due.changes.is_trusted)
    bucket.calls.clear()
    write(tree, "/d/.h.Ab12xY")
    tree.chmod("/d/.h.Ab12xY", 0o640)
    assert bucket.calls == [], "trusted again"


@pytest.mark.parametrize("way", ["chmod", "rename", "end"])
def test_what_failed_is_done_by_whatever_comes_next(
    tree: FileSystem,
    bucket: Bucket,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    fail(tree, bucket, clock, caplog)
    bucket.refuses = False
    if way == "chmod":
        tree.chmod(TEMPORARY, 0o751)
    elif way == "rename":
        tree.rename(TEMPORARY, "/d/f")
    else:
        tree.close()
    mode = {"mode": str(stat.S_IFREG | 0o751)} if way == "chmod" else {}
    assert kept(bucket, "d/f" if way == "rename" else TEMPORARY[1:]) == {**ALL, **mode}


def test_what_fails_and_comes_late_spares_what_another_host_made(
    tree: FileSystem, bucket: Bucket, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """F8."""
    fail(tree, bucket, clock, caplog)
    bucket.put(TEMPORARY[1:], BytesSource(b"another host's"), NewObject(metadata={"mode": "33188"}))
    bucket.refuses = False
    clock.advance(FRESH_WITHIN + FIRST_RETRY)
    wait_for(lambda: "another client has made it anew" in caplog.text)
    assert kept(bucket, TEMPORARY[1:]) == {"mode": "33188"}
    assert stat.S_IMODE(tree.getattr(TEMPORARY)["st_mode"]) == 0o644


def test_an_object_that_is_gone_is_no_failure(
    tree: FileSystem, bucket: Bucket, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    write(tree, TEMPORARY)
    edit(tree)
    bucket.delete(TEMPORARY[1:])
    clock.advance_when_waited_for(GRACE)
    wait_for(lambda: tree._due.attributes.attributes(TEMPORARY) is None)
    assert caplog.records == []


def test_edits_of_all_other_files_do_not_wait(tree: FileSystem, bucket: Bucket) -> None:
    write(tree, "/d/f")
    tree.chmod("/d/f", 0o640)
    assert bucket.calls == ["edit d/f"]
    bucket.refuses = True
    with pytest.raises(AccessDenied):
        tree.chmod("/d/f", 0o600)


def test_what_was_not_made_here_does_not_wait(tree: FileSystem, bucket: Bucket) -> None:
    write(tree, TEMPORARY)
    tree.rename(TEMPORARY, "/d/f")
    tree.rename("/d/f", TEMPORARY)
    bucket.calls.clear()
    tree.chmod(TEMPORARY, 0o640)
    assert bucket.calls == ["edit d/.f.Ab12xY"]


def test_an_unlinked_one_takes_them_with_it(
    tree: FileSystem, bucket: Bucket, clock: FakeClock
) -> None:
    write(tree, TEMPORARY)
    edit(tree)
    tree.unlink(TEMPORARY)
    clock.advance_when_waited_for(2 * GRACE)
    assert tree._due.attributes.attributes(TEMPORARY) is None
    assert bucket.calls == []


def remove_and_write(tree: FileSystem, _bucket: Bucket) -> None:
    tree.unlink(TEMPORARY)
    write(tree, TEMPORARY, b"same")


def rename_over(tree: FileSystem, _bucket: Bucket) -> None:
    write(tree, "/d/other", b"same")
    tree.rename("/d/other", TEMPORARY)


def rename_and_write(tree: FileSystem, _bucket: Bucket) -> None:
    tree.rename(TEMPORARY, "/d/f")
    write(tree, TEMPORARY, b"same")


def removed_elsewhere(tree: FileSystem, bucket: Bucket) -> None:
    bucket.delete(TEMPORARY[1:])
    write(tree, TEMPORARY, b"same")


@pytest.mark.parametrize(
    "make", [remove_and_write, rename_over, rename_and_write, removed_elsewhere]
)
def test_what_is_made_meanwhile_does_not_get_them(
    tree: FileSystem,
    bucket: Bucket,
    clock: FakeClock,
    make: Callable[[FileSystem, Bucket], None],
) -> None:
    """F8. They are being sent, slowly, while another file takes that name."""
    write(tree, TEMPORARY, b"same")
    bucket.holds = True
    edit(tree)
    clock.advance_when_waited_for(GRACE)
    assert bucket.reached.wait(60)
    making = threading.Thread(target=make, args=(tree, bucket))
    making.start()
    until_blocked(making)
    bucket.go_on.set()
    making.join(60)
    assert not making.is_alive()
    clock.advance(3 * GRACE)
    assert bucket.get(TEMPORARY[1:]).data == b"same"
    assert kept(bucket, TEMPORARY[1:])["mode"] == str(stat.S_IFREG | 0o600)
    assert kept(bucket, TEMPORARY[1:])["mtime"] != "7"
    if make is rename_and_write:
        assert kept(bucket, "d/f") == ALL


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/d/.f.Ab12xY", "/d/f"),
        ("/.a.b.c.123456", "/a.b.c"),
        ("/d/f.Ab12xY", None),
        ("/d/.f.Ab12x", None),
        ("/d/.Ab12xY", None),
        ("/d/..Ab12xY", None),
    ],
)
def test_names(path: str, target: str | None) -> None:
    assert destination(path) == target
