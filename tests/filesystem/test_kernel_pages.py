"""When the kernel may keep the pages of a file that is opened again: if all are of its version."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tagfs.fs.filesystem import FileSystem
from tagfs.fs.openfiles.kernel_pages import MANY, Pages
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

OLD, NEW, LONGER = b"content", b"another", b"longer content"


class Host(NamedTuple):
    """A tree, and the bucket as other hosts see it."""

    tree: FileSystem
    bucket: MemoryBucket

    def read(self, path: str = "/f") -> Pages:
        """Open a file, read it as the kernel does, close it; return what became of its pages."""
        fh, pages = self.tree.open(path, os.O_RDONLY)
        self.tree.read(fh, 0, 100)
        self.close(fh)
        return pages

    def close(self, fh: int) -> None:
        self.tree.flush(fh)
        self.tree.release(fh)

    def put(self, content: bytes, key: str = "f") -> None:
        self.bucket.put(key, BytesSource(content), NewObject())

    def write(self, path: str, flags: int, content: bytes) -> None:
        fh, pages = self.tree.open(path, flags)
        assert pages is Pages.DROPPED
        self.tree.write(fh, 0, content)
        self.close(fh)

    def refresh(self) -> None:
        """Let the tree forget what it knows of the bucket."""
        self.tree.setxattr("/", "user.tagfs.refresh", b"", 0)

    def size_is_looked_at(self) -> None:
        self.refresh()
        self.tree.getattr("/f")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    bucket = MemoryBucket()
    bucket.put("f", BytesSource(OLD), NewObject())
    with tree_of(bucket, tmp_path) as tree:
        yield Host(tree, bucket)


def test_they_are_kept_while_the_version_is_the_same(host: Host) -> None:
    assert [host.read() for _ in range(3)] == [Pages.DROPPED, Pages.KEPT, Pages.KEPT]


def replaced(host: Host) -> None:
    host.put(NEW)


def replaced_and_put_back_while_a_size_was_asked(host: Host) -> None:
    host.put(LONGER)
    host.size_is_looked_at()
    host.put(OLD)
    host.size_is_looked_at()


def written_here(host: Host) -> None:
    host.write("/f", os.O_RDWR, NEW)


def written_here_as_it_was(host: Host) -> None:
    host.write("/f", os.O_RDWR, OLD)


def truncated_here_and_put_back(host: Host) -> None:
    host.tree.truncate("/f", 1)
    host.put(OLD)


def made_here(host: Host) -> None:
    host.tree.unlink("/f")
    fh = host.tree.create("/f", 0o644, os.O_WRONLY)
    host.tree.write(fh, 0, OLD)
    host.close(fh)


def another_renamed_over_it_and_put_back(host: Host) -> None:
    host.put(NEW, "g")
    host.read("/g")
    host.tree.rename("/g", "/f")
    host.put(OLD)


def another_version_was_opened_and_put_back(host: Host) -> None:
    host.put(NEW)
    fh, _ = host.tree.open("/f", os.O_RDONLY)
    host.put(OLD)
    host.close(fh)


@pytest.mark.parametrize(
    "change",
    [
        replaced,
        replaced_and_put_back_while_a_size_was_asked,
        written_here,
        written_here_as_it_was,
        truncated_here_and_put_back,
        made_here,
        another_renamed_over_it_and_put_back,
        another_version_was_opened_and_put_back,
    ],
    ids=lambda change: change.__name__,
)
def test_they_are_dropped_when_others_may_be_there(
    host: Host, change: Callable[[Host], None]
) -> None:
    host.read()
    assert host.read() is Pages.KEPT
    change(host)
    host.refresh()
    assert host.read() is not Pages.KEPT
    host.read()  # around the kernel's cache, if that had another size
    assert host.read() is Pages.KEPT


def test_they_are_dropped_below_a_directory_that_was_renamed(host: Host) -> None:
    host.put(OLD, "d/f")
    host.read("/d/f")
    assert host.read("/d/f") is Pages.KEPT
    host.bucket.delete("d/f")
    host.put(NEW, "e/f")
    host.refresh()
    host.tree.rename("/e", "/d")
    host.put(OLD, "d/f")
    assert host.read("/d/f") is Pages.DROPPED


def test_until_the_first_reader_is_closed_they_are_dropped(host: Host) -> None:
    """The kernel may not have its answer yet, and older pages still."""
    first, _ = host.tree.open("/f", os.O_RDONLY)
    assert host.read() is Pages.DROPPED
    host.close(first)
    assert host.read() is Pages.KEPT


def test_who_reads_an_older_version_fills_pages_with_it(host: Host) -> None:
    first, _ = host.tree.open("/f", os.O_RDONLY)
    host.put(NEW)
    assert [host.read(), host.read()] == [Pages.DROPPED, Pages.DROPPED]
    host.close(first)
    assert [host.read(), host.read()] == [Pages.DROPPED, Pages.KEPT]


def test_who_may_write_changes_them(host: Host) -> None:
    host.read()
    writer, _ = host.tree.open("/f", os.O_RDWR)
    assert [host.read(), host.read()] == [Pages.DROPPED, Pages.DROPPED]
    host.close(writer)
    assert [host.read(), host.read()] == [Pages.DROPPED, Pages.KEPT]


def test_many_files_are_remembered_and_not_all(host: Host) -> None:
    for number in range(MANY + 1):
        host.put(OLD, f"{number}")
        host.read(f"/{number}")
    assert host.read(f"/{MANY}") is Pages.KEPT
    assert host.read("/0") is Pages.DROPPED
