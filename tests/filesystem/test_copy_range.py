"""copy_file_range(2): the service copies, and whatever happens meanwhile the content is right."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tagfs.errors import BadHandle, NotFound, ObjectChanged, TagfsError, Unsupported
from tagfs.fs.filesystem import FileSystem
from tagfs.store.bucket import Capabilities
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

PART = 100 * 1024
DATA = bytes(range(256)) * (3 * PART // 256)
SIZE = len(DATA)


@pytest.fixture
def bucket() -> MemoryBucket:
    made = MemoryBucket()
    put(made, "d/source", DATA, team="blue")
    return made


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path, part_size=PART) as filesystem:
        yield filesystem


def put(bucket: MemoryBucket, key: str, data: bytes, **tags: str) -> None:
    bucket.put(key, BytesSource(data), NewObject(tags=TagSet(tags)))


def opened(tree: FileSystem, path: str = "/d/source", flags: int = os.O_RDONLY) -> int:
    return tree.open(path, flags)[0]


def made(tree: FileSystem, path: str = "/copy") -> int:
    return tree.create(path, 0o644, os.O_WRONLY | os.O_EXCL)


def close(tree: FileSystem, *handles: int) -> None:
    for fh in handles:
        try:
            tree.flush(fh)
        finally:
            tree.release(fh)


def sent(bucket: MemoryBucket, since: int) -> list[str]:
    writes = {"put", "upload_part", "copy_part", "start_upload", "complete_upload", "copy"}
    return [r.operation for r in bucket.requests[since:] if r.operation in writes | {"get"}]


COPIED = ["start_upload", "copy_part", "complete_upload"]


def test_a_copy_of_a_whole_file_moves_no_byte(tree: FileSystem, bucket: MemoryBucket) -> None:
    source, copy = opened(tree), made(tree)
    begin = len(bucket.requests)
    assert tree.copy_file_range(source, 0, copy, 0, 2**40) == SIZE
    assert tree.copy_file_range(source, SIZE, copy, SIZE, 2**40) == 0
    assert tree.getattr("/copy", copy)["st_size"] == SIZE
    close(tree, source, copy)
    assert sent(bucket, begin) == COPIED
    assert bucket.get("copy").data == DATA
    assert bucket.get_tags("copy") == {}


def test_in_several_pieces_and_with_what_the_program_sets(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    """G6, D8: `cp -a` sets tags, mode and times before it closes."""
    source, copy = opened(tree), made(tree)
    begin = len(bucket.requests)
    for at in range(0, SIZE, PART):
        assert tree.copy_file_range(source, at, copy, at, PART) == PART
    tree.setxattr("/copy", "user.tag.team", b"blue", 0)
    tree.chmod("/copy", 0o640)
    tree.utimens("/copy", 1, 2)
    close(tree, source, copy)
    assert sent(bucket, begin) == COPIED
    assert bucket.get("copy").data == DATA
    assert bucket.get_tags("copy") == {"team": "blue"}
    found = tree.getattr("/copy")
    assert (found["st_mode"] & 0o777, found["st_mtime"]) == (0o640, 2)


def test_over_a_tagged_file_keeps_its_tags(tree: FileSystem, bucket: MemoryBucket) -> None:
    """G4."""
    put(bucket, "copy", b"old", keep="me")
    source, copy = opened(tree), opened(tree, "/copy", os.O_WRONLY)
    tree.truncate("/copy", 0, copy)
    assert tree.copy_file_range(source, 0, copy, 0, SIZE) == SIZE
    close(tree, copy, source)
    assert bucket.get("copy").data == DATA
    assert bucket.get_tags("copy") == {"keep": "me"}


def test_a_part_of_a_file(tree: FileSystem, bucket: MemoryBucket) -> None:
    source, copy = opened(tree), made(tree)
    assert tree.copy_file_range(source, 0, copy, 0, 2 * PART + 7) == 2 * PART + 7
    close(tree, copy, source)
    assert bucket.get("copy").data == DATA[: 2 * PART + 7]


def _replaced(tree: FileSystem) -> None:
    close(tree, made(tree, "/other"))
    tree.rename("/other", "/d/source")


MEANWHILE: dict[str, Callable[[FileSystem], object]] = {
    "unlinked": lambda tree: tree.unlink("/d/source"),
    "unlinked while open": lambda tree: tree.unlink_open(
        "/d/source", "/no name", is_replaced=False
    ),
    "renamed": lambda tree: tree.rename("/d/source", "/elsewhere"),
    "its directory renamed": lambda tree: tree.rename("/d", "/e"),
    "replaced": _replaced,
    "emptied": lambda tree: tree.truncate("/d/source", 0),
    "written": lambda tree: close(tree, _written(tree)),
    "given another mode": lambda tree: tree.chmod("/d/source", 0o600),
    "given another time": lambda tree: tree.utimens("/d/source", 5, 5),
    "given metadata": lambda tree: tree.setxattr("/d/source", "user.meta.a", b"b", 0),
    "given a tag": lambda tree: tree.setxattr("/d/source", "user.tag.a", b"b", 0),
}


def _written(tree: FileSystem) -> int:
    fh = opened(tree, "/d/source", os.O_WRONLY)
    tree.write(fh, 0, b"changed")
    return fh


@pytest.mark.parametrize("change", MEANWHILE)
def test_the_source_is_changed_before_the_copy_is_closed(
    tree: FileSystem, bucket: MemoryBucket, change: str
) -> None:
    """Nothing is lost: on a local disk the copy would be there by then."""
    source, copy = opened(tree), made(tree)
    assert tree.copy_file_range(source, 0, copy, 0, SIZE) == SIZE
    MEANWHILE[change](tree)
    close(tree, copy, source)
    assert bucket.get("copy").data == DATA


@pytest.mark.parametrize("change", MEANWHILE)
def test_and_the_copy_has_lost_its_name(tree: FileSystem, change: str) -> None:
    source, copy = opened(tree), tree.create("/copy", 0o644, os.O_RDWR)
    assert tree.copy_file_range(source, 0, copy, 0, SIZE) == SIZE
    tree.unlink_open("/copy", "/gone", is_replaced=False)
    MEANWHILE[change](tree)
    assert tree.read(copy, 0, SIZE) == DATA
    close(tree, copy, source)


EDITS: dict[str, tuple[Callable[[FileSystem, int], object], bytes]] = {
    "written at the beginning": (lambda tree, fh: tree.write(fh, 0, b"new"), b"new" + DATA[3:]),
    "written at the end": (lambda tree, fh: tree.write(fh, SIZE, b"new"), DATA + b"new"),
    "cut": (lambda tree, fh: tree.truncate("/copy", 5, fh), DATA[:5]),
    "extended": (lambda tree, fh: tree.truncate("/copy", SIZE + 2, fh), DATA + b"\0\0"),
    "read": (lambda tree, fh: tree.read(fh, 7, 9), DATA),
    "renamed": (lambda tree, _: tree.rename("/copy", "/copy"), DATA),
    "synced": (lambda tree, fh: tree.fsync(fh), DATA),
}


@pytest.mark.parametrize("edit", EDITS)
def test_the_copy_is_changed_before_it_is_closed(
    tree: FileSystem, bucket: MemoryBucket, edit: str
) -> None:
    source, copy = opened(tree), tree.create("/copy", 0o644, os.O_RDWR)
    assert tree.copy_file_range(source, 0, copy, 0, SIZE) == SIZE
    change, content = EDITS[edit]
    change(tree, copy)
    close(tree, copy, source)
    assert bucket.get("copy").data == content
    again = opened(tree, "/copy")
    assert bytes(tree.read(again, 0, 2 * SIZE)) == content
    tree.release(again)


def test_after_the_copy_it_is_a_file_like_any_other(tree: FileSystem, bucket: MemoryBucket) -> None:
    source, copy = opened(tree), tree.create("/copy", 0o644, os.O_RDWR)
    tree.copy_file_range(source, 0, copy, 0, SIZE)
    tree.flush(copy)
    tree.unlink("/d/source")
    assert tree.read(copy, 3, 5) == DATA[3:8]
    tree.write(copy, 0, b"new")
    close(tree, copy, source)
    assert bucket.get("copy").data == b"new" + DATA[3:]


class TestKernelCopies:
    """What the service does not copy is left to the kernel, which reads and writes."""

    def refused(self, tree: FileSystem, source: int, copy: int, *where: int) -> bool:
        start, offset, length = where or (0, 0, SIZE)
        try:
            tree.copy_file_range(source, start, copy, offset, length)
        except Unsupported:
            return True
        return False

    def test_other_places(self, tree: FileSystem) -> None:
        source, copy = opened(tree), made(tree)
        assert self.refused(tree, source, copy, 1, 0, PART)
        assert self.refused(tree, source, copy, 1, 1, PART)
        close(tree, source, copy)

    def test_what_was_written_before(self, tree: FileSystem) -> None:
        source, copy = opened(tree), made(tree)
        tree.write(copy, 0, b"x" * PART)
        assert self.refused(tree, source, copy, PART, PART, PART)
        close(tree, source, copy)

    def test_files_of_one_part(self, tree: FileSystem, bucket: MemoryBucket) -> None:
        put(bucket, "small", b"x" * PART)
        source, copy = opened(tree, "/small"), made(tree)
        assert self.refused(tree, source, copy)
        close(tree, source, copy)

    def test_a_source_that_is_changed_here(self, tree: FileSystem) -> None:
        for write in (True, False):
            writer = opened(tree, "/d/source", os.O_WRONLY)
            if write:
                tree.write(writer, 0, b"changed")
            source, copy = opened(tree), made(tree, f"/copy{write}")
            assert self.refused(tree, source, copy)
            close(tree, writer, source, copy)

    def test_two_sources(self, tree: FileSystem, bucket: MemoryBucket) -> None:
        put(bucket, "other", DATA)
        source, other, copy = opened(tree), opened(tree, "/other"), made(tree)
        assert not self.refused(tree, source, copy, 0, 0, PART)
        assert self.refused(tree, other, copy, PART, PART, PART)
        close(tree, source, other, copy)

    def test_a_handle_that_only_reads(self, tree: FileSystem) -> None:
        source, again = opened(tree), opened(tree)
        with pytest.raises(BadHandle):
            tree.copy_file_range(source, 0, again, 0, SIZE)
        close(tree, source, again)


def test_a_service_that_copies_no_parts(bucket: MemoryBucket, tmp_path: Path) -> None:
    """Whether that is known before, or found out when the file is closed."""
    bucket._capabilities = replace(bucket.capabilities, part_copies=False)
    with tree_of(bucket, tmp_path / "a", part_size=PART) as tree:
        source, copy = opened(tree), made(tree)
        with pytest.raises(Unsupported):
            tree.copy_file_range(source, 0, copy, 0, SIZE)
        close(tree, source, copy)
    bucket._capabilities = Capabilities()

    def refuse(operation: str, _key: str) -> None:
        if operation == "copy_part":
            bucket._capabilities = replace(bucket.capabilities, part_copies=False)
            raise Unsupported("copies no parts")

    bucket.before = refuse
    with tree_of(bucket, tmp_path / "b", part_size=PART) as tree:
        source, copy = opened(tree), made(tree, "/second")
        assert tree.copy_file_range(source, 0, copy, 0, SIZE) == SIZE
        close(tree, source, copy)
    assert bucket.get("second").data == DATA


def test_a_source_that_others_replace_meanwhile(tree: FileSystem, bucket: MemoryBucket) -> None:
    """Whoever closes the copy gets an error, and no object is made of a mix."""
    source, copy = opened(tree), made(tree)
    assert tree.copy_file_range(source, 0, copy, 0, SIZE) == SIZE
    put(bucket, "d/source", b"theirs" * PART)
    with pytest.raises(ObjectChanged):
        close(tree, copy)
    tree.release(source)
    with pytest.raises(NotFound):
        bucket.head("copy")
    assert not list(Path(tree.state()["staging"]).glob("*.data"))


def test_a_copy_that_fails_is_made_by_the_next_flush(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    source, copy = opened(tree), made(tree)
    assert tree.copy_file_range(source, 0, copy, 0, SIZE) == SIZE

    def fail(operation: str, _key: str) -> None:
        if operation == "start_upload":
            raise ObjectChanged("not now")

    bucket.before = fail
    with pytest.raises(TagfsError):
        tree.flush(copy)
    bucket.before = None
    close(tree, copy, source)
    assert bucket.get("copy").data == DATA


def test_what_is_closed_early_is_on_the_service(bucket: MemoryBucket, tmp_path: Path) -> None:
    """With durability=local as well: of a copy nothing is on the local disk."""
    with tree_of(bucket, tmp_path, part_size=PART, uploads_behind=4) as tree:
        source, copy = opened(tree), made(tree)
        assert tree.copy_file_range(source, 0, copy, 0, SIZE) == SIZE
        tree.flush(copy)
        assert bucket.get("copy").data == DATA
        tree.release(copy)
        tree.release(source)
