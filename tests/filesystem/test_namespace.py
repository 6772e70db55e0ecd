"""Making, removing and renaming in a file system over a bucket in memory, by copies and by the
service's own rename."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    NotEmpty,
    NotFound,
    NotPermitted,
    TagfsError,
    Unreachable,
)
from tagfs.fs.filesystem import FileSystem
from tagfs.store.bucket import Capabilities
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write

COPYING = Capabilities()
NATIVE = Capabilities(object_tags=False, rename=True)
KEYS = ["d/", "d/f", "d/s/", "d/s/g", "e/", "full/", "full/x", "plain"]


def filled(capabilities: Capabilities) -> MemoryBucket:
    bucket = MemoryBucket(capabilities=capabilities)
    for key in KEYS:
        data = b"" if key.endswith("/") else key.encode()
        bucket.put(key, BytesSource(data), NewObject(tags=TagSet({})))
    bucket.requests.clear()
    return bucket


@pytest.fixture(params=[COPYING, NATIVE], ids=["copying", "native"])
def bucket(request: pytest.FixtureRequest) -> MemoryBucket:
    return filled(request.param)


@pytest.fixture
def native() -> MemoryBucket:
    return filled(NATIVE)


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


@pytest.fixture
def native_tree(native: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(native, tmp_path) as filesystem:
        yield filesystem


def keys(bucket: MemoryBucket) -> list[str]:
    return [info.key for info in bucket.list("", delimiter="").objects]


def content(bucket: MemoryBucket, key: str) -> bytes:
    return bytes(bucket.get(key).data)


def names(tree: FileSystem, path: str) -> list[str]:
    return sorted(name for name, *_ in tree.readdir(tree.opendir(path)))[2:]


# Making


def test_a_directory_is_its_marker(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.mkdir("/new", 0o750)
    assert "new/" in keys(bucket)
    shown = tree.getattr("/new")["st_mode"]
    assert (stat.S_ISDIR(shown), stat.S_IMODE(shown)) == (True, 0o750)


@pytest.mark.parametrize("kind", [0, stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR])
def test_nodes_of_every_kind(tree: FileSystem, kind: int) -> None:
    tree.mknod("/node", kind | 0o640, 0x0103)
    seen = tree.getattr("/node")
    assert seen["st_mode"] == (kind or stat.S_IFREG) | 0o640


def test_special_files_need_stored_attributes(bucket: MemoryBucket, tmp_path: Path) -> None:
    with tree_of(bucket, tmp_path, stored=False) as tree:
        with pytest.raises(NotPermitted):
            tree.mknod("/node", stat.S_IFIFO | 0o640, 0)
        tree.mknod("/node", stat.S_IFREG | 0o640, 0)
    assert content(bucket, "node") == b""


def test_a_directory_gives_its_group(tree: FileSystem) -> None:
    tree.mkdir("/group", 0o755)
    tree.chown("/group", -1, 77)
    tree.chmod("/group", 0o2755)
    tree.mkdir("/group/d", 0o755)
    tree.mknod("/group/f", stat.S_IFREG | 0o644, 0)
    directory, file = tree.getattr("/group/d"), tree.getattr("/group/f")
    assert (directory["st_gid"], file["st_gid"]) == (77, 77)
    assert directory["st_mode"] & stat.S_ISGID
    assert not file["st_mode"] & stat.S_ISGID


def test_links_read_as_they_were_made(tree: FileSystem) -> None:
    for number, text in enumerate(["d/f", "../up", "/absolute", "none"]):
        tree.symlink(f"/link{number}", text)
        assert tree.readlink(f"/link{number}") == text
        assert stat.S_ISLNK(tree.getattr(f"/link{number}")["st_mode"])


def test_no_hard_links(tree: FileSystem) -> None:
    with pytest.raises(NotPermitted):
        tree.link("/hard", "/plain")


# Refused: and nothing has changed

Call = Callable[[FileSystem], None]

REFUSED: dict[str, tuple[Call, type[TagfsError]]] = {
    "unlink a directory": (lambda t: t.unlink("/d"), IsADirectory),
    "unlink nothing": (lambda t: t.unlink("/none"), NotFound),
    "rmdir the root": (lambda t: t.rmdir("/"), NotPermitted),
    "rmdir what is full": (lambda t: t.rmdir("/d"), NotEmpty),
    "rename nothing": (lambda t: t.rename("/none", "/x"), NotFound),
    "rename a directory over a file": (lambda t: t.rename("/d", "/plain"), NotADirectory),
    "rename a file over a directory": (lambda t: t.rename("/plain", "/e"), IsADirectory),
    "rename over a full directory": (lambda t: t.rename("/d", "/full"), NotEmpty),
    "rename into itself": (lambda t: t.rename("/d", "/d/s/deep"), InvalidRequest),
    "rename a file exclusively": (
        lambda t: t.rename("/d/f", "/plain", exclusive=True),
        AlreadyExists,
    ),
    "rename a directory exclusively": (
        lambda t: t.rename("/d", "/e", exclusive=True),
        AlreadyExists,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_changes_nothing(tree: FileSystem, bucket: MemoryBucket, what: str) -> None:
    call, error = REFUSED[what]
    with pytest.raises(error):
        call(tree)
    assert keys(bucket) == KEYS
    assert all(content(bucket, key) == key.encode() for key in KEYS if not key.endswith("/"))


# Removing


def test_the_last_one_leaves_its_directory(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.unlink("/d/s/g")
    tree.unlink("/d/f")
    assert names(tree, "/d") == ["s"]
    tree.rmdir("/d/s")
    assert names(tree, "/d") == []
    tree.rmdir("/d")
    assert keys(bucket) == ["e/", "full/", "full/x", "plain"]


def test_a_directory_with_an_unsaved_file_is_not_empty(tree: FileSystem) -> None:
    fh = tree.create("/e/new", 0o644, os.O_WRONLY | os.O_EXCL)
    with pytest.raises(NotEmpty):
        tree.rmdir("/e")
    with pytest.raises(NotEmpty):
        tree.rename("/d", "/e")
    tree.flush(fh)
    tree.release(fh)


def test_a_new_file_that_is_unlinked_is_never_sent(tree: FileSystem, bucket: MemoryBucket) -> None:
    fh = tree.create("/new", 0o644, os.O_WRONLY | os.O_EXCL)
    tree.write(fh, 0, b"x")
    tree.unlink("/new")
    tree.flush(fh)
    tree.release(fh)
    assert keys(bucket) == KEYS


# Renaming


@pytest.mark.parametrize("new", ["/other", "/plain", "/e/f"])
def test_a_file_is_renamed(tree: FileSystem, bucket: MemoryBucket, new: str) -> None:
    number = tree.getattr("/d/f")["st_ino"]
    tree.rename("/d/f", new)
    assert content(bucket, new[1:]) == b"d/f"
    assert "d/f" not in keys(bucket)
    assert tree.getattr(new)["st_ino"] == number
    with pytest.raises(NotFound):
        tree.getattr("/d/f")


@pytest.mark.parametrize("new", ["/other", "/e", "/full/d"])
def test_a_directory_is_renamed_with_all_that_is_in_it(
    tree: FileSystem, bucket: MemoryBucket, new: str
) -> None:
    tree.rename("/d", new)
    key = new[1:]
    assert [k for k in keys(bucket) if k.startswith(f"{key}/")] == [
        f"{key}/",
        f"{key}/f",
        f"{key}/s/",
        f"{key}/s/g",
    ]
    assert not [k for k in keys(bucket) if k.startswith("d/")]
    assert content(bucket, f"{key}/s/g") == b"d/s/g"


def test_to_its_own_name_nothing_is_asked(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.rename("/d/f", "/d/f")
    assert bucket.requests == []


@pytest.mark.parametrize(("old", "new"), [("/d", "/o"), ("/d/f", "/o")])
def test_an_open_file_follows(tree: FileSystem, bucket: MemoryBucket, old: str, new: str) -> None:
    fh, _ = tree.open("/d/f", os.O_RDWR)
    tree.write(fh, 0, b"D")
    tree.rename(old, new)
    tree.write(fh, 2, b"F")
    tree.flush(fh)
    tree.release(fh)
    moved = "o/f" if old == "/d" else "o"
    assert content(bucket, moved) == b"D/F"
    assert "d/f" not in keys(bucket)


def test_an_open_new_file_follows(tree: FileSystem, bucket: MemoryBucket) -> None:
    fh = tree.create("/d/new", 0o644, os.O_WRONLY | os.O_EXCL)
    tree.write(fh, 0, b"new")
    tree.rename("/d/new", "/plain")
    assert "d/new" not in keys(bucket)
    tree.flush(fh)
    tree.release(fh)
    assert content(bucket, "plain") == b"new"
    assert keys(bucket) == KEYS


def test_a_reader_reads_on(tree: FileSystem) -> None:
    fh, _ = tree.open("/d/f", os.O_RDONLY)
    tree.rename("/d", "/o")
    assert bytes(tree.read(fh, 0, 10)) == b"d/f"
    tree.release(fh)


def test_a_link_moves_as_a_link(tree: FileSystem) -> None:
    tree.symlink("/d/link", "f")
    tree.rename("/d/link", "/d/moved")
    assert tree.readlink("/d/moved") == "f"


def test_a_file_keeps_the_tags_of_what_it_replaces(tmp_path: Path) -> None:
    bucket = filled(COPYING)
    bucket.put_tags("plain", TagSet({"team": "blue"}))
    with tree_of(bucket, tmp_path) as tree:
        tree.rename("/d/f", "/plain")
        assert bucket.get_tags("plain") == {"team": "blue"}
        bucket.put_tags("plain", TagSet({"team": "red"}))
        write(tree, "/d/tagged")
        tree.setxattr("/d/tagged", "user.tag.mine", b"1", 0)
        tree.rename("/d/tagged", "/plain")
        assert bucket.get_tags("plain") == {"mine": "1"}


@pytest.mark.parametrize("suffix", ["~", ".bak", ".orig"])
def test_a_saved_file_gets_the_tags_of_its_backup(tmp_path: Path, suffix: str) -> None:
    bucket = filled(COPYING)
    bucket.put_tags("plain", TagSet({"team": "blue"}))
    with tree_of(bucket, tmp_path) as tree:
        tree.rename("/plain", f"/plain{suffix}")
        write(tree, "/plain", b"saved")
    assert content(bucket, "plain") == b"saved"
    assert bucket.get_tags("plain") == {"team": "blue"}


def test_what_may_not_be_deleted_stays_and_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = filled(COPYING)
    monkeypatch.setattr(bucket, "may_delete", lambda _key, *, surely=False: surely)
    with tree_of(bucket, tmp_path) as tree, pytest.raises(AccessDenied):
        tree.rename("/d/f", "/other")
    assert keys(bucket) == KEYS


def refuse(operation: str, key: str, error: TagfsError) -> Callable[[str, str], None]:
    """Return a hook that refuses one request."""

    def before(asked: str, about: str) -> None:
        if (asked, about) == (operation, key):
            raise error

    return before


def test_a_copy_whose_source_may_not_be_deleted_is_taken_back(tmp_path: Path) -> None:
    bucket = filled(COPYING)
    bucket.before = refuse("delete", "d/f", AccessDenied("no"))
    with tree_of(bucket, tmp_path) as tree, pytest.raises(AccessDenied):
        tree.rename("/d/f", "/other")
    bucket.before = None
    assert keys(bucket) == KEYS


# By the service


@pytest.mark.parametrize("what", ["/d", "/d/f"])
def test_nothing_is_copied(native_tree: FileSystem, native: MemoryBucket, what: str) -> None:
    native_tree.rename(what, "/moved")
    assert native.count("rename") == 1
    assert native.count("copy") + native.count("delete") + native.count("delete_many") == 0


@pytest.mark.parametrize("what", ["/d", "/d/f"])
def test_a_rename_that_fails_is_reported_and_open_files_stay(
    native_tree: FileSystem, native: MemoryBucket, what: str
) -> None:
    fh, _ = native_tree.open("/d/f", os.O_RDWR)
    native.before = refuse("rename", "d/" if what == "/d" else "d/f", Unreachable("gone"))
    with pytest.raises(Unreachable):
        native_tree.rename(what, "/moved")
    native.before = None
    native_tree.write(fh, 0, b"D")
    native_tree.flush(fh)
    native_tree.release(fh)
    assert content(native, "d/f") == b"D/f"
    assert keys(native) == KEYS


def test_an_open_file_follows_though_nobody_can_look_at_it(
    native_tree: FileSystem, native: MemoryBucket
) -> None:
    fh, _ = native_tree.open("/d/f", os.O_RDONLY)
    native.before = refuse("head", "moved/f", Unreachable("gone"))
    native_tree.rename("/d", "/moved")
    native.before = None
    assert bytes(native_tree.read(fh, 0, 10)) == b"d/f"
    native_tree.release(fh)
    assert "moved/f" in keys(native)


class Replacing(MemoryBucket):
    """A service whose rename replaces nothing, not even an empty directory."""

    fails = False

    def rename(self, key: str, new: str, **chosen: object) -> None:
        if new in keys(self):
            raise AlreadyExists(new)
        if self.fails:
            raise Unreachable(new)
        super().rename(key, new, **chosen)  # type: ignore[arg-type]


@pytest.fixture
def strict() -> Replacing:
    bucket = Replacing(capabilities=NATIVE)
    for key in KEYS:
        data = b"" if key.endswith("/") else key.encode()
        metadata = {"mode": str(stat.S_IFDIR | 0o711)} if key == "e/" else {}
        bucket.put(key, BytesSource(data), NewObject(tags=TagSet({}), metadata=metadata))
    return bucket


def test_over_an_empty_directory_where_the_service_replaces_none(
    strict: Replacing, tmp_path: Path
) -> None:
    with tree_of(strict, tmp_path) as tree:
        tree.rename("/d", "/e")
    assert [key for key in keys(strict) if key[0] in "de"] == ["e/", "e/f", "e/s/", "e/s/g"]


def test_the_empty_directory_comes_back_when_the_rename_fails(
    strict: Replacing, tmp_path: Path
) -> None:
    strict.fails = True
    with tree_of(strict, tmp_path) as tree:
        with pytest.raises(Unreachable):
            tree.rename("/d", "/e")
        assert stat.S_IMODE(tree.getattr("/e")["st_mode"]) == 0o711
    assert keys(strict) == KEYS


def test_over_a_file_it_is_copied_where_the_service_replaces_none(
    strict: Replacing, tmp_path: Path
) -> None:
    with tree_of(strict, tmp_path) as tree:
        tree.rename("/d/f", "/plain")
    assert content(strict, "plain") == b"d/f"
    assert "d/f" not in keys(strict)


@pytest.mark.parametrize("key", ["odd//x", "odd/./x", "odd/" + "n" * 256])
def test_a_directory_that_only_looks_empty_is_neither_removed_nor_moved(
    tree: FileSystem, bucket: MemoryBucket, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    """The log says why; mv(1) is not invited to move half of it by itself (EXDEV)."""
    for made in ("odd/", "odd/f", key):
        bucket.put(made, BytesSource(b""), NewObject())
    if not bucket.capabilities.rename:  # one request moves all of it
        with pytest.raises(NotPermitted):
            tree.rename("/odd", "/elsewhere")
    tree.unlink("/odd/f")
    assert names(tree, "/odd") == []
    with pytest.raises(NotEmpty):
        tree.rmdir("/odd")
    assert any("looks so" in record.getMessage() for record in caplog.records)
    assert key in keys(bucket)
    bucket.delete(key)
    tree.rmdir("/odd")
    assert "odd/" not in keys(bucket)


def test_what_may_not_be_removed_leaves_no_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays, and its directory with it; a marker could not be taken back."""
    bucket = filled(COPYING)
    bucket.put("lone/f", BytesSource(b""), NewObject(tags=TagSet({})))
    monkeypatch.setattr(bucket, "may_delete", lambda _key, **_: False)

    def deny(operation: str, _key: str) -> None:
        if operation == "delete":
            raise AccessDenied("a policy")

    bucket.before = deny
    with tree_of(bucket, tmp_path) as tree, pytest.raises(AccessDenied):
        tree.unlink("/lone/f")
    assert [info.key for info in bucket.list("lone", delimiter="").objects] == ["lone/f"]
