"""The file system called directly, where a mount cannot bring a case about."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tagfs.errors import AccessDenied, AlreadyExists, NotFound, ObjectChanged, Unreachable
from tagfs.fs.content.journal_entries import RenameEntry, parse_note
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import Root
from tagfs.fs.openfiles.open_file import Handle
from tagfs.fs.tree.replaced_files import GRACE
from tagfs.recovery.finish_rename import RenameFinisher
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo
from tagfs.store.tags import TagSet
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of, tree_of, write
from tests.waiting import wait_for

ALIAS = "/without a name"


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path, clock: FakeClock) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path, clock) as filesystem:
        yield filesystem


def put(bucket: MemoryBucket, key: str, data: bytes, **tags: str) -> None:
    bucket.put(key, BytesSource(data), NewObject(tags=TagSet(tags)))


def grace_is_over(tree: FileSystem, clock: FakeClock) -> None:
    """Let a deletion of /f be made that was deferred, if there is one."""
    clock.advance(3 * GRACE)
    wait_for(lambda: "/f" not in tree.replaced)


def test_a_rename_over_an_open_file_keeps_its_tags(
    tree: FileSystem, bucket: MemoryBucket, clock: FakeClock
) -> None:
    put(bucket, "f", b"old", team="blue")
    put(bucket, "new", b"new")
    fh, _ = tree.open("/f", os.O_RDONLY)
    tree.unlink_open("/f", ALIAS, is_replaced=None)
    assert bucket.get("f").data == b"old"
    tree.rename("/new", "/f")
    grace_is_over(tree, clock)
    assert bucket.get("f").data == b"new"
    assert bucket.get_tags("f") == {"team": "blue"}
    assert tree.read(fh, 0, 10) == b"old"
    tree.forget_unlinked(ALIAS)
    tree.release(fh)
    assert bucket.get("f").data == b"new"


def test_an_unlinked_open_file_is_gone_and_readable(
    tree: FileSystem, bucket: MemoryBucket, clock: FakeClock
) -> None:
    put(bucket, "f", b"old")
    fh, _ = tree.open("/f", os.O_RDONLY)
    tree.unlink_open("/f", ALIAS, is_replaced=None)
    with pytest.raises(NotFound):
        tree.getattr("/f")
    assert [name for name, *_ in tree.readdir(tree.opendir("/"))] == [".", ".."]
    clock.advance_when_waited_for(GRACE)
    wait_for(lambda: "f" not in {item.key for item in bucket.list("").objects})
    assert tree.read(fh, 0, 10) == b"old"
    tree.release(fh)


def test_what_is_made_in_its_place_is_new(
    tree: FileSystem, bucket: MemoryBucket, clock: FakeClock
) -> None:
    put(bucket, "f", b"old", team="blue")
    fh, _ = tree.open("/f", os.O_RDONLY)
    tree.unlink_open("/f", ALIAS, is_replaced=None)
    made = tree.create("/f", 0o644, os.O_WRONLY)
    tree.write(made, 0, b"made")
    tree.flush(made)
    tree.release(made)
    grace_is_over(tree, clock)
    assert bucket.get("f").data == b"made"
    assert bucket.get_tags("f") == {}
    tree.release(fh)


def test_at_the_end_it_is_deleted(tree: FileSystem, bucket: MemoryBucket) -> None:
    put(bucket, "f", b"old")
    fh, _ = tree.open("/f", os.O_RDONLY)
    tree.unlink_open("/f", ALIAS, is_replaced=None)
    tree.release(fh)
    tree.close()
    with pytest.raises(NotFound):
        bucket.head("f")


def test_opened_in_the_moment_of_the_last_close(
    tree: FileSystem, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was here when the lookup began is closed before it ends: the service counts again."""
    made = tree.create("/f", 0o644, os.O_WRONLY)
    tree.write(made, 0, b"0123456789")
    look = tree.files.dirty

    def close_after_look(path: str) -> object:
        found = look(path)
        if found is not None:
            tree.flush(made)
            tree.release(made)
        return found

    monkeypatch.setattr(tree.files, "dirty", close_after_look)
    fh, _ = tree.open("/f", os.O_RDWR)
    monkeypatch.undo()
    tree.write(fh, 2, b"!")
    tree.flush(fh)
    tree.release(fh)
    assert bucket.get("f").data == b"01!3456789"


def test_attributes_set_by_many_at_once_are_all_kept(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    put(bucket, "f", b"x", team="blue")
    bucket.before = lambda operation, _key: time.sleep(0.005 * (operation == "set_metadata"))
    with ThreadPoolExecutor(8) as pool:
        for done in [
            pool.submit(tree.chmod, "/f", 0o751),
            pool.submit(tree.chown, "/f", 12, 34),
            pool.submit(tree.utimens, "/f", 1, 2),
            *[pool.submit(tree.setxattr, "/f", f"user.meta.m{n}", b"%d" % n, 0) for n in range(12)],
        ]:
            done.result()
    found = tree.getattr("/f")
    assert found["st_mode"] & 0o777 == 0o751
    assert (found["st_uid"], found["st_gid"], found["st_mtime"]) == (12, 34, 2)
    names = tree.listxattr("/f")
    assert sorted(names) == sorted(["user.tag.team", *[f"user.meta.m{n}" for n in range(12)]])


@pytest.mark.parametrize(
    ("lists", "size", "reported"),
    [
        (True, 0, False),
        (True, 152, False),
        (True, 1024, False),
        (False, 0, True),
        (False, 152, True),
        (False, 1024, True),
        (None, 0, True),
        (None, 152, False),  # gnulib's look for an ACL
        (None, 1024, True),
    ],
)
def test_who_lists_a_directory_gets_no_names(
    bucket: MemoryBucket, tmp_path: Path, *, lists: bool | None, size: int, reported: bool
) -> None:
    """G15. Of a process in another PID namespace nothing but the size of its buffer shows it."""
    put(bucket, "f", b"x", team="blue")
    asked: list[str] = []
    bucket.before = lambda operation, _key: asked.append(operation)
    with ThreadPoolExecutor(1) as executor:
        env = replace(environment_of(bucket, tmp_path, executor), caller_lists=lambda: lists)
        tree = FileSystem(env, dict)
        assert tree.listxattr("/f", size) == (["user.tag.team"] if reported else [])
        assert ("get_tags" in asked) is reported
        tree.close()


def test_a_directory_rename_refused_after_its_deletes_keeps_the_copies(
    tree: FileSystem, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7. Whatever is refused midway, one of the two copies is always there."""
    put(bucket, "d/gone", b"1", team="blue")
    put(bucket, "d/stays", b"2")

    def delete_half(_keys: object, **_meant: object) -> object:
        bucket.delete("d/gone")
        raise AccessDenied("the second batch")

    with monkeypatch.context() as patch:
        patch.setattr(bucket, "delete_many", delete_half, raising=True)
        patch.setattr(
            "tagfs.fs.tree.directory_copy.CopyingRename._delete", lambda _s, keys: kept(keys)
        )
        undone: list[str] = []

        def kept(keys: list[str]) -> dict[str, str]:
            undone.extend(keys)
            return {}

        with pytest.raises(AccessDenied):
            tree.rename("/d", "/e")
    assert undone == ["e/stays"]
    assert bucket.get("e/gone").data == b"1"
    assert bucket.get_tags("e/gone") == {"team": "blue"}


def test_a_directory_rename_that_hears_nothing_of_its_deletes_is_left_to_recover(
    tree: FileSystem, bucket: MemoryBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, "d/gone", b"1")
    put(bucket, "d/stays", b"2")

    def delete_half(_keys: object, **_meant: object) -> object:
        bucket.delete("d/gone")
        raise Unreachable("the second batch")

    with monkeypatch.context() as patch:
        patch.setattr(bucket, "delete_many", delete_half, raising=True)
        with pytest.raises(Unreachable):
            tree.rename("/d", "/e")
    (note,) = tmp_path.glob("rename-*.json")
    with ThreadPoolExecutor(2) as executor:
        entry = parse_note(note.read_text())
        assert isinstance(entry, RenameEntry)
        undone = RenameFinisher(bucket, Root(), executor).finish(entry)
    assert (undone.deleted, undone.kept) == (1, [])
    assert [info.key for info in bucket.list("", delimiter="").objects] == ["e/gone", "e/stays"]


def test_two_writers_released_at_once_upload_late_pages(
    tree: FileSystem, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of a mapping may be written after the last close; some release uploads them."""
    put(bucket, "f", b"old")
    first, second = (tree.open("/f", os.O_RDWR)[0] for _ in range(2))
    tree.write(first, 0, b"new", mapped=True)
    together, drop = threading.Barrier(2), tree.files._drop

    def drop_together(handle: Handle) -> bool:
        together.wait(60)  # both have looked for other writers by now
        return drop(handle)

    monkeypatch.setattr(tree.files, "_drop", drop_together)
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(tree.release, (first, second)))
    assert bucket.get("f").data == b"new"


class Deletions(MemoryBucket):
    """Notes which versions are meant by deletions."""

    def __init__(self) -> None:
        super().__init__()
        self.meant: dict[str, str | None] = {}

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        self.meant[key] = None if meant is None else meant.etag
        super().delete(key, meant=meant)


def test_what_is_deleted_says_which_version_is_meant(tmp_path: Path) -> None:
    """F8. Sent again after an answer was lost, a deletion strikes nothing that is newer."""
    bucket = Deletions()
    with tree_of(CachedBucket(bucket, ttl=60, tag_ttl=60), tmp_path) as tree:
        tree.mkdir("/d", 0o755)
        write(tree, "/d/f", b"content")
        made = {key: bucket.head(key).etag for key in ("d/f", "d/")}
        tree.unlink("/d/f")
        tree.rmdir("/d")
    assert bucket.meant == made


@pytest.mark.parametrize("asked", [False, True])
def test_a_mode_set_along_with_an_owner_leaves_the_sticky_bit(
    tree: FileSystem,
    bucket: MemoryBucket,
    asked: bool,  # noqa: FBT001
) -> None:
    """... which libfuse makes two calls of; after a program's chmod it asks for the attributes."""
    put(bucket, "f", b"content")
    tree.chmod("/f", 0o7777)
    tree.getattr("/f")
    tree.chmod("/f", 0o777)
    if asked:
        tree.getattr("/f")
    tree.chown("/f", 5, 5)
    assert tree.getattr("/f")["st_mode"] & 0o7777 == (0o777 if asked else 0o1777)


def meddle(bucket: MemoryBucket, operation: str, work: Callable[[], object]) -> None:
    """Let another host do something just before the next request of a kind."""

    def before(asked: str, _key: str) -> None:
        if asked == operation:
            bucket.before = None
            work()

    bucket.before = before


def test_a_rename_over_what_was_just_made_replaces_it_as_such(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    """Its tags are kept, though nothing was there when this host looked."""
    put(bucket, "f", b"content")
    with pytest.raises(NotFound):
        tree.getattr("/new")
    meddle(bucket, "copy", lambda: put(bucket, "new", b"made meanwhile", team="blue"))
    tree.rename("/f", "/new")
    assert bucket.get("new").data == b"content"
    assert bucket.get_tags("new") == {"team": "blue"}
    with pytest.raises(NotFound):
        bucket.head("f")


@pytest.mark.parametrize("theirs", ["team", ""])
def test_a_rename_over_what_was_just_replaced_replaces_it_as_such(
    tree: FileSystem, bucket: MemoryBucket, theirs: str
) -> None:
    """The tags of the version that is really replaced are kept, or nothing is there any more."""
    put(bucket, "f", b"content")
    put(bucket, "new", b"seen", old="tag")
    tree.getattr("/new")

    def meanwhile() -> None:
        if theirs:
            put(bucket, "new", b"made meanwhile", team="blue")
        else:
            bucket.delete("new")

    meddle(bucket, "copy", meanwhile)
    tree.rename("/f", "/new")
    assert bucket.get("new").data == b"content"
    assert bucket.get_tags("new") == ({"team": "blue"} if theirs else {})
    with pytest.raises(NotFound):
        bucket.head("f")


def test_a_rename_whose_source_was_just_replaced_is_none(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    put(bucket, "f", b"content")
    put(bucket, "new", b"seen")
    meddle(bucket, "copy", lambda: put(bucket, "f", b"written meanwhile"))
    with pytest.raises(ObjectChanged):
        tree.rename("/f", "/new")
    assert bucket.get("f").data == b"written meanwhile"
    assert bucket.get("new").data == b"seen"


def test_an_exclusive_rename_replaces_nothing_that_was_just_made(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    put(bucket, "f", b"content")
    meddle(bucket, "copy", lambda: put(bucket, "new", b"made meanwhile"))
    with pytest.raises(AlreadyExists):
        tree.rename("/f", "/new", exclusive=True)
    assert bucket.get("new").data == b"made meanwhile"
    assert bucket.get("f").data == b"content"


def test_a_rename_deletes_no_newer_version(tree: FileSystem, bucket: MemoryBucket) -> None:
    """What another host writes to the old name while it is copied stays, and is seen."""
    put(bucket, "f", b"content")
    meddle(bucket, "delete", lambda: put(bucket, "f", b"written meanwhile"))
    tree.rename("/f", "/new")
    assert bucket.get("new").data == b"content"
    assert bucket.get("f").data == b"written meanwhile"
    assert tree.getattr("/f")["st_size"] == len(b"written meanwhile")


def test_a_directory_rename_deletes_no_newer_version(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    for key in ("d/a", "d/b"):
        put(bucket, key, b"content")
    meddle(bucket, "delete_many", lambda: put(bucket, "d/b", b"written meanwhile"))
    tree.rename("/d", "/e")
    assert bucket.get("e/a").data == bucket.get("e/b").data == b"content"
    assert bucket.get("d/b").data == b"written meanwhile"
    with pytest.raises(NotFound):
        bucket.head("d/a")
    assert [name for name, *_ in tree.readdir(tree.opendir("/d"))] == [".", "..", "b"]
