"""Opens that read nothing: by borg and other backups, and by the kernel itself."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagfs.errors import AccessDenied, NotFound
from tagfs.fs.filesystem import FileSystem
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

LOOK = os.O_RDONLY | os.O_NOATIME


@pytest.fixture
def bucket() -> MemoryBucket:
    filled = MemoryBucket()
    filled.put("f", BytesSource(b"content"), NewObject())
    return filled


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


def opened(
    tree: FileSystem, bucket: MemoryBucket, flags: int, *, reads: bool, by_kernel: bool = False
) -> list[str]:
    """Open a file, read it or not, and close it; return what the bucket was asked."""
    bucket.requests.clear()
    fh, _ = tree.open("/f", flags, looks=by_kernel)
    if reads:
        assert tree.read(fh, 0, 100) == b"content"
    tree.release(fh)
    return [request.operation for request in bucket.requests]


def test_who_looks_gets_no_content(tree: FileSystem, bucket: MemoryBucket) -> None:
    for _ in range(3):
        assert opened(tree, bucket, LOOK, reads=False) == ["head"]
        assert opened(tree, bucket, 0, reads=False, by_kernel=True) == ["head"]


def test_who_reads_what_it_opens_pays_once(tree: FileSystem, bucket: MemoryBucket) -> None:
    assert opened(tree, bucket, LOOK, reads=True) == ["head", "get"]
    assert opened(tree, bucket, LOOK, reads=True) == ["get"]
    assert opened(tree, bucket, 0, reads=False, by_kernel=True) == ["head"]
    assert opened(tree, bucket, LOOK, reads=False) == ["get"]
    assert opened(tree, bucket, LOOK, reads=False) == ["head"]


def test_everybody_else_asks_for_content_at_once(tree: FileSystem, bucket: MemoryBucket) -> None:
    for _ in range(3):
        assert opened(tree, bucket, os.O_RDONLY, reads=False) == ["get"]
    assert opened(tree, bucket, os.O_RDONLY, reads=True) == ["get"]


def test_what_is_looked_at_is_what_is_there_now(tree: FileSystem, bucket: MemoryBucket) -> None:
    """D1, D3."""
    tree.getattr("/f")
    bucket.put("f", BytesSource(b"another one"), NewObject())
    fh, _ = tree.open("/f", LOOK)
    assert tree.getattr("/f", fh)["st_size"] == len(b"another one")
    assert tree.read(fh, 0, 100) == b"another one"
    tree.release(fh)
    bucket.delete("f")
    with pytest.raises(NotFound):
        tree.open("/f", LOOK)


def test_without_the_right_to_look_it_is_read(
    tree: FileSystem, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object, **_kwargs: object) -> None:
        raise AccessDenied("HeadObject of 'f'")

    monkeypatch.setattr(bucket, "head", refused)
    fh, _ = tree.open("/f", LOOK)
    assert tree.read(fh, 0, 100) == b"content"
    tree.release(fh)
