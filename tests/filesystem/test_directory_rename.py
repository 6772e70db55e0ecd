"""A directory renamed by copies: until the last is there nothing is deleted, and a failure leaves
it whole at one place."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    CrossDevice,
    TagfsError,
    Unreachable,
)
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.tree import directory_copy
from tagfs.store.objects import BytesSource, Denied, NewObject, ObjectType
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

KEYS = ["d/", "d/f", "d/s/", "d/s/g", "d/t"]
MOVED = ["o/", "o/f", "o/s/", "o/s/g", "o/t"]


class Bucket(MemoryBucket):
    """Refuses what a test names.

    Attributes:
        stays: keys that a batch does not delete, with the reasons.
        refuses: operation and key, and how they fail.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stays: dict[str, str] = {}
        self.refuses: dict[tuple[str, str], TagfsError] = {}
        self.before = self._refuse
        for key in KEYS:
            data = b"" if key.endswith("/") else key.encode()
            self.put(key, BytesSource(data), NewObject(tags=TagSet({"key": "k"})))

    def _refuse(self, operation: str, key: str) -> None:
        if (failure := self.refuses.get((operation, key))) is not None:
            raise failure

    def delete_many(self, keys, **chosen):
        failed = {key: reason for key, reason in self.stays.items() if key in keys}
        return failed | dict(
            super().delete_many([key for key in keys if key not in failed], **chosen)
        )

    @property
    def keys(self) -> list[str]:
        self.before = None
        try:
            return [info.key for info in self.list("", delimiter="").objects]
        finally:
            self.before = self._refuse


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def tree(bucket: Bucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


def notes(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.iterdir() if path.suffix == ".json"]


def test_all_of_it_is_there_with_its_tags(tree: FileSystem, bucket: Bucket, tmp_path: Path) -> None:
    tree.rename("/d", "/o")
    assert bucket.keys == MOVED
    assert bucket.get_tags("o/s/g") == {"key": "k"}
    assert notes(tmp_path) == []


@pytest.mark.parametrize("failing", ["d/f", "d/s/g", "d/"])
@pytest.mark.parametrize("failure", [AccessDenied("no"), Unreachable("silent")])
def test_a_copy_that_fails_leaves_all_as_it_was(
    tree: FileSystem, bucket: Bucket, tmp_path: Path, failing: str, failure: TagfsError
) -> None:
    bucket.refuses["copy", f"o{failing[1:]}"] = failure
    with pytest.raises(type(failure)):
        tree.rename("/d", "/o")
    assert bucket.keys == KEYS
    assert notes(tmp_path) == []


def test_copies_that_cannot_be_taken_away_are_left_to_recovery(
    tree: FileSystem, bucket: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.refuses["copy", "o/t"] = Unreachable("silent")
    bucket.stays["o/f"] = "InternalError"
    with pytest.raises(Unreachable):
        tree.rename("/d", "/o")
    assert bucket.keys == [*KEYS, "o/f"]
    assert len(notes(tmp_path)) == 1
    assert "o/f: a copy left over from a failed rename: InternalError" in caplog.text


def test_nothing_is_copied_that_may_not_be_deleted(tree: FileSystem, bucket: Bucket) -> None:
    bucket.may_delete = lambda *_, **__: False  # type: ignore[method-assign]
    with pytest.raises(AccessDenied):
        tree.rename("/d", "/o")
    assert bucket.keys == KEYS
    assert bucket.count("copy") == 0


def deny(bucket: Bucket, *keys: str) -> None:
    bucket.stays |= {key: Denied("AccessDenied") for key in keys}


def test_what_may_not_be_deleted_stays_whole(
    tree: FileSystem, bucket: Bucket, tmp_path: Path
) -> None:
    """What was deleted before is copied back, and the copies go."""
    deny(bucket, "d/f")
    with pytest.raises(AccessDenied):
        tree.rename("/d", "/o")
    assert bucket.keys == KEYS
    assert bucket.get("d/s/g").data == b"d/s/g"
    assert bucket.get_tags("d/s/g") == {"key": "k"}
    assert notes(tmp_path) == []


def test_what_cannot_be_brought_back_stays_at_the_new_place(
    tree: FileSystem, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    deny(bucket, "d/f")
    copy = bucket.copy

    def once(source, key, **chosen):
        if key == "d/t":
            raise Unreachable("silent")
        return copy(source, key, **chosen)

    bucket.copy = once  # type: ignore[method-assign]
    with pytest.raises(AccessDenied):
        tree.rename("/d", "/o")
    assert bucket.keys == [*KEYS[:-1], "o/t"]
    assert "d/t: is now below o/ alone: silent" in caplog.text


@pytest.mark.parametrize("failure", [AccessDenied("no"), BadCredentials("expired")])
def test_where_nothing_at_all_may_be_deleted_the_copies_go(
    tree: FileSystem, bucket: Bucket, failure: TagfsError
) -> None:
    delete_many = bucket.delete_many

    def refuse(keys, **chosen):
        if "d/f" in keys:
            raise failure
        return delete_many(keys, **chosen)

    bucket.delete_many = refuse  # type: ignore[method-assign]
    with pytest.raises(type(failure)):
        tree.rename("/d", "/o")
    assert bucket.keys == KEYS


def test_a_service_that_falls_silent_while_deleting_leaves_it_to_recovery(
    tree: FileSystem, bucket: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def silent(keys: Any, **_: Any) -> Any:
        raise Unreachable(f"silent: {keys}")

    bucket.delete_many = silent  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        tree.rename("/d", "/o")
    assert bucket.keys == sorted([*KEYS, *MOVED])
    assert len(notes(tmp_path)) == 1
    assert "`tagfs recover` deletes what is left of it" in caplog.text


def test_what_fails_to_be_deleted_is_reported(
    tree: FileSystem, bucket: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.stays["d/f"] = "InternalError"
    with pytest.raises(TagfsError, match="1 keys of it could not be deleted"):
        tree.rename("/d", "/o")
    assert bucket.keys == ["d/f", *MOVED]
    assert "d/f: moved to o/ but not deleted" in caplog.text
    assert notes(tmp_path) == []


def test_too_many_keys_are_left_to_mv(
    tree: FileSystem, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_copy, "LIMIT", len(KEYS) - 1)
    with pytest.raises(CrossDevice):
        tree.rename("/d", "/o")
    assert bucket.keys == KEYS


def test_links_are_written_anew(tree: FileSystem, bucket: Bucket) -> None:
    """... for what a link stores is relative to nothing: its text stays, its target changes."""
    tree.symlink("/d/s/link", "../f")
    tree.rename("/d", "/o")
    assert tree.readlink("/o/s/link") == "../f"
    found = bucket.head("o/s/link")
    assert (found.type, found.detail and found.detail.target) == (ObjectType.SYMLINK, "o/f")


def test_links_come_back_too(tree: FileSystem, bucket: Bucket) -> None:
    tree.symlink("/d/s/link", "../f")
    deny(bucket, "d/f")
    with pytest.raises(AccessDenied):
        tree.rename("/d", "/o")
    assert tree.readlink("/d/s/link") == "../f"
    found = bucket.head("d/s/link")
    assert (found.type, found.detail and found.detail.target) == (ObjectType.SYMLINK, "d/f")


def writer(tree: FileSystem) -> int:
    fh, _ = tree.open("/d/f", os.O_RDWR)
    tree.write(fh, 0, b"D")
    return fh


def reader(tree: FileSystem) -> int:
    return tree.open("/d/f", os.O_RDONLY)[0]


@pytest.mark.parametrize("opened", [writer, reader])
def test_open_files_go_on_under_their_new_paths(
    tree: FileSystem, bucket: Bucket, opened: Callable[[FileSystem], int]
) -> None:
    fh = opened(tree)
    tree.rename("/d", "/o")
    first = b"D" if opened is writer else b"d"
    assert bytes(tree.read(fh, 0, 10)) == first + b"/f"
    tree.flush(fh)
    tree.release(fh)
    assert bucket.get("o/f").data == first + b"/f"
    assert bucket.keys == MOVED


def test_an_open_file_that_may_not_be_looked_at_goes_on(tree: FileSystem, bucket: Bucket) -> None:
    fh = reader(tree)
    bucket.refuses["head", "o/f"] = AccessDenied("no")
    tree.rename("/d", "/o")
    assert bytes(tree.read(fh, 0, 10)) == b"d/f"
    tree.release(fh)
