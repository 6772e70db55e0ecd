"""Files that libfuse hides while they are open, and files that programs give such a name."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tagfs.errors import NotFound, ObjectChanged
from tagfs.fs.filesystem import FileSystem
from tagfs.fuse.binding import RequestMark
from tagfs.fuse.hidden_files import HiddenFiles, has_hidden_name
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of


class Libfuse:
    """What libfuse 2 and 3 make of the kernel's requests: each callback of one, in its order."""

    def __init__(self, tree: FileSystem) -> None:
        self.context = SimpleNamespace(pid=0)
        self.renames: bool | None = False
        self.seen: list[int] = []
        self.tree = tree
        mark = RequestMark(lambda: self.context)
        self.files = HiddenFiles(tree, mark, self._caller_renames)
        self._number = 0
        self._open: dict[str, int] = {}

    def _caller_renames(self) -> bool | None:
        self.seen.append(self.context.pid)
        return self.renames

    def request(self, pid: int = 7) -> None:
        self.context.pid = pid

    def lookup(self, path: str) -> bool:
        self.request()
        try:
            self.files.getattr(path, None)
        except NotFound:
            return False
        return True

    def open(self, path: str) -> int:
        assert self.lookup(path)
        self.request()
        fh, _ = self.files.open(path, os.O_RDONLY)
        return fh

    def unlink(self, path: str, *, is_open: bool) -> str:
        self.request()
        if is_open:
            return self._hide(path)
        self.files.unlink(path)
        return ""

    def rename(self, old: str, new: str, *, is_open: bool = False) -> str:
        """Rename as mv(1) does; `is_open`: there is something at `new` that is open."""
        self.lookup(new)
        self.request()
        hidden = self._hide(new) if is_open else ""
        self.files.rename(old, new)
        return hidden

    def release(self, fh: int, hidden: str) -> None:
        self.request()
        self.tree.release(fh)
        if hidden:
            self.files.unlink(hidden)

    def _hide(self, path: str) -> str:
        while True:
            self._number += 1
            hidden = os.path.dirname(path).rstrip("/") + f"/.fuse_hidden00000002{self._number:08x}"
            try:
                self.files.getattr(hidden, None)
            except NotFound:
                break
        self.files.rename(path, hidden)
        return hidden


@pytest.fixture
def bucket() -> MemoryBucket:
    bucket = MemoryBucket()
    for key in ("d/f", "d/other"):
        bucket.put(key, BytesSource(key.encode()), NewObject())
    return bucket


@pytest.fixture
def libfuse(bucket: MemoryBucket, tmp_path: Path) -> Iterator[Libfuse]:
    with tree_of(bucket, tmp_path) as tree:
        yield Libfuse(tree)


def keys(bucket: MemoryBucket) -> list[str]:
    return sorted(info.key for info in bucket.list("", delimiter="").objects)


LIKE_LIBFUSE = "/d/.fuse_hidden0000000200000001"


@pytest.mark.parametrize("is_open", [True, False])
def test_a_program_may_give_a_file_such_a_name(
    libfuse: Libfuse, bucket: MemoryBucket, *, is_open: bool
) -> None:
    """... whoever has it open, and it is a file like any other: seen, renamed back and removed."""
    fh = libfuse.open("/d/f") if is_open else 0
    libfuse.rename("/d/f", LIKE_LIBFUSE)
    assert keys(bucket) == ["d/.fuse_hidden0000000200000001", "d/other"]
    assert libfuse.lookup(LIKE_LIBFUSE)
    libfuse.rename(LIKE_LIBFUSE, "/d/g")
    assert keys(bucket) == ["d/g", "d/other"]
    libfuse.rename("/d/g", LIKE_LIBFUSE)
    if is_open:
        assert bytes(libfuse.tree.read(fh, 0, 10)) == b"d/f"
        libfuse.release(fh, "")
    libfuse.unlink(LIKE_LIBFUSE, is_open=False)
    assert keys(bucket) == ["d/other"]


def test_one_that_nobody_has_listed_is_seen_and_not_taken(
    libfuse: Libfuse, bucket: MemoryBucket
) -> None:
    """Left over from a crash, or of another host: libfuse takes the next name."""
    bucket.put(LIKE_LIBFUSE[1:], BytesSource(b"theirs"), NewObject())
    assert libfuse.lookup(LIKE_LIBFUSE)
    fh = libfuse.open("/d/f")
    hidden = libfuse.unlink("/d/f", is_open=True)
    assert hidden != LIKE_LIBFUSE
    libfuse.release(fh, hidden)
    assert keys(bucket) == [LIKE_LIBFUSE[1:], "d/other"]


def test_an_open_file_that_is_unlinked_goes_on(libfuse: Libfuse, bucket: MemoryBucket) -> None:
    """D4. And who asks is known again after the look for a free name."""
    fh = libfuse.open("/d/f")
    hidden = libfuse.unlink("/d/f", is_open=True)
    assert keys(bucket) == ["d/other"]
    assert bytes(libfuse.tree.read(fh, 0, 10)) == b"d/f"
    assert libfuse.files.getattr(hidden, fh)["st_nlink"] == 0
    libfuse.release(fh, hidden)
    assert (keys(bucket), libfuse.seen) == (["d/other"], [7])
    assert not libfuse.lookup(hidden)


@pytest.mark.parametrize("renames", [True, None])
def test_an_open_file_that_is_replaced_goes_on(
    libfuse: Libfuse, bucket: MemoryBucket, *, renames: bool | None
) -> None:
    libfuse.renames = renames
    fh = libfuse.open("/d/f")
    hidden = libfuse.rename("/d/other", "/d/f", is_open=True)
    assert bytes(bucket.get("d/f").data) == b"d/other"
    assert bytes(libfuse.tree.read(fh, 0, 10)) == b"d/f"
    libfuse.release(fh, hidden)
    assert keys(bucket) == ["d/f"]


@pytest.mark.parametrize("above", ["/d", "/d/e"])
def test_it_follows_its_directory(libfuse: Libfuse, bucket: MemoryBucket, above: str) -> None:
    """At any depth; its last close removes nothing, whatever is at its old path by then."""
    bucket.put("d/e/f", BytesSource(b"deep"), NewObject())
    bucket.put("d/e/stays", BytesSource(b"stays"), NewObject())
    fh = libfuse.open("/d/e/f")
    hidden = libfuse.unlink("/d/e/f", is_open=True)
    libfuse.rename(above, "/new")
    followed = "/new" + hidden[len(above) :]
    assert libfuse.files.getattr(followed, fh)["st_nlink"] == 0
    bucket.put(hidden[1:], BytesSource(b"another's"), NewObject())
    before = keys(bucket)
    libfuse.release(fh, followed)
    assert keys(bucket) == before
    assert hidden[1:] in before


def test_an_open_that_comes_too_late_makes_the_kernel_look_again(libfuse: Libfuse) -> None:
    """The name was taken away by a rename since it was looked up: ESTALE, not ENOENT."""
    for flags in (os.O_RDONLY, os.O_RDWR):
        with pytest.raises(ObjectChanged):
            libfuse.files.open(LIKE_LIBFUSE, flags)
        with pytest.raises(NotFound):
            libfuse.files.open("/nothing", flags)


def test_a_hiding_that_fails_leaves_the_file_its_name(
    libfuse: Libfuse, bucket: MemoryBucket
) -> None:
    def refuse(operation: str, _key: str) -> None:
        if operation == "delete":
            raise NotFound("the bucket is gone")

    fh = libfuse.open("/d/f")
    bucket.before = refuse
    with pytest.raises(NotFound):
        libfuse.unlink("/d/f", is_open=True)
    bucket.before = None
    assert libfuse.lookup("/d/f")
    libfuse.release(fh, "")
    libfuse.unlink("/d/f", is_open=False)
    assert keys(bucket) == ["d/other"]


@pytest.mark.parametrize(
    ("name", "is_like"),
    [
        (".fuse_hidden0000000200000001", True),
        (".fuse_hidden00000002000000001", False),
        (".fuse_hidden000000020000000", False),
        (".fuse_hidden000000020000000g", False),
        ("fuse_hidden0000000200000001", False),
        (".fuse_hidden", False),
    ],
)
def test_names(name: str, *, is_like: bool) -> None:
    assert has_hidden_name(f"/d/{name}") is is_like
    assert not has_hidden_name(f"/{name}/f")


@pytest.fixture
def follows(libfuse: Libfuse, monkeypatch: pytest.MonkeyPatch) -> list[bool | None]:
    """What the file system hears of each rename: whether a file made way for it."""
    heard: list[bool | None] = []
    rename = libfuse.tree.rename

    def note(old: str, new: str, *, exclusive: bool = False, follows: bool | None = None) -> None:
        heard.append(follows)
        rename(old, new, exclusive=exclusive, follows=follows)

    monkeypatch.setattr(libfuse.tree, "rename", note)
    return heard


def test_a_rename_knows_whether_a_file_made_way_for_it(
    libfuse: Libfuse, follows: list[bool | None]
) -> None:
    """Within one request of the kernel, and in no other, though nothing says what that is."""
    libfuse.renames = None
    reader = libfuse.open("/d/f")
    hidden = libfuse.rename("/d/other", "/d/f", is_open=True)
    second = libfuse.open("/d/f")
    unlinked = libfuse.unlink("/d/f", is_open=True)
    libfuse.request()
    fh = libfuse.tree.create("/d/new", 0o644, os.O_WRONLY)
    libfuse.tree.release(fh)
    libfuse.rename("/d/new", "/d/f")
    assert follows == [True, False]
    libfuse.release(reader, hidden)
    libfuse.release(second, unlinked)


def test_a_file_of_such_a_name_that_is_open_is_renamed_over(
    libfuse: Libfuse, follows: list[bool | None], bucket: MemoryBucket
) -> None:
    libfuse.rename("/d/f", LIKE_LIBFUSE)
    reader = libfuse.open(LIKE_LIBFUSE)
    libfuse.renames = True
    hidden = libfuse.rename("/d/other", LIKE_LIBFUSE, is_open=True)
    assert follows == [False, True]
    assert keys(bucket) == [LIKE_LIBFUSE[1:]]
    assert bucket.get(LIKE_LIBFUSE[1:]).data == b"d/other"
    libfuse.release(reader, hidden)
