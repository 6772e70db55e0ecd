"""What a name hands on to the file that takes it, and renames that end halfway."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tagfs.errors import AccessDenied, FileTooLarge, NotFound, TagfsError, Unreachable
from tagfs.fs.filesystem import FileSystem
from tagfs.store.bucket import Limits
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

ALIAS = "/without a name"
BLUE = TagSet({"team": "blue"})


def put(bucket: MemoryBucket, key: str, data: bytes = b"x", tags: TagSet = NO_TAGS) -> None:
    bucket.put(key, BytesSource(data), NewObject(tags=tags))


def keys(bucket: MemoryBucket) -> list[str]:
    return [info.key for info in bucket.list("", delimiter="").objects]


def refuse(refusals: dict[tuple[str, str], TagfsError]) -> Callable[[str, str], None]:
    """Return a hook that refuses requests, by operation and key."""

    def before(operation: str, key: str) -> None:
        error = refusals.get((operation, key))
        if error is not None:
            raise error

    return before


def unsaved(tree: FileSystem, path: str) -> int:
    """Make a file that is not on the service yet, with a tag; return its handle."""
    fh = tree.create(path, 0o644, os.O_WRONLY)
    tree.write(fh, 0, b"unsaved")
    tree.setxattr(path, "user.tag.team", b"blue", 0)
    return fh


@pytest.mark.parametrize(("keep", "tags"), [(True, BLUE), (False, NO_TAGS)])
def test_tags_of_a_file_that_never_was_on_the_service_are_handed_on(
    tmp_path: Path, *, keep: bool, tags: TagSet
) -> None:
    """G5. Its open descriptor goes on without a name; what is renamed over it has its tags."""
    bucket = MemoryBucket()
    put(bucket, "new", b"new")
    with tree_of(bucket, tmp_path, keep_replaced_tags=keep) as tree:
        fh = unsaved(tree, "/f")
        tree.unlink_open("/f", ALIAS, is_replaced=True)
        tree.rename("/new", "/f")
        tree.release(fh)
    assert keys(bucket) == ["f"]
    assert bucket.get("f").data == b"new"
    assert bucket.get_tags("f") == tags


@pytest.mark.parametrize(("own", "tags"), [(NO_TAGS, BLUE), (TagSet({"own": "1"}), None)])
def test_a_file_that_is_saved_by_two_renames_has_the_tags_of_the_one_before(
    tmp_path: Path, own: TagSet, tags: TagSet | None
) -> None:
    """G5. The old one becomes a backup, then the new one takes its name; own tags go first."""
    bucket = MemoryBucket()
    put(bucket, "f", b"old", BLUE)
    put(bucket, "new", b"new", own)
    with tree_of(bucket, tmp_path) as tree:
        tree.rename("/f", "/f~")
        tree.rename("/new", "/f")
    assert bucket.get("f").data == b"new"
    assert bucket.get_tags("f") == (own if tags is None else tags)
    assert bucket.get_tags("f~") == BLUE


def test_a_rename_over_a_file_whose_source_cannot_be_deleted_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The old target is gone by then: what replaced it stays."""
    bucket = MemoryBucket()
    put(bucket, "old", b"old")
    put(bucket, "new", b"new")
    bucket.before = refuse({("delete", "new"): AccessDenied("forbidden")})
    with tree_of(bucket, tmp_path) as tree, pytest.raises(AccessDenied):
        tree.rename("/new", "/old")
    bucket.before = None
    assert keys(bucket) == ["new", "old"]
    assert bucket.get("old").data == b"new"
    assert "old: is replaced by what could not be deleted: forbidden" in caplog.text


def test_a_copy_that_cannot_be_taken_back_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = MemoryBucket()
    put(bucket, "f")
    bucket.before = refuse(
        {("delete", "f"): AccessDenied("forbidden"), ("delete", "g"): Unreachable("no answer")}
    )
    with tree_of(bucket, tmp_path) as tree, pytest.raises(AccessDenied):
        tree.rename("/f", "/g")
    bucket.before = None
    assert keys(bucket) == ["f", "g"]
    assert "g: a copy left over from a failed rename: no answer" in caplog.text


def test_a_copy_that_another_client_replaced_is_not_taken_back(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    put(bucket, "f")

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("delete", "f"):
            bucket.before = None
            put(bucket, "g", b"another client's")
            raise AccessDenied("forbidden")

    bucket.before = before
    with tree_of(bucket, tmp_path) as tree, pytest.raises(AccessDenied):
        tree.rename("/f", "/g")
    assert bucket.get("g").data == b"another client's"


# Content


def test_no_file_grows_beyond_what_an_object_holds(tmp_path: Path) -> None:
    bucket = MemoryBucket(limits=Limits(max_object=100))
    put(bucket, "f")
    with tree_of(bucket, tmp_path) as tree:
        fh, _ = tree.open("/f", os.O_RDWR)
        with pytest.raises(FileTooLarge, match="at most 100 bytes"):
            tree.write(fh, 99, b"xx")
        with pytest.raises(FileTooLarge):
            tree.truncate(None, 101, fh)
        tree.write(fh, 98, b"xx")
        tree.flush(fh)
        tree.release(fh)
    assert bucket.head("f").size == 100


def test_a_file_that_is_known_by_a_listing_alone_keeps_all_that_it_has(tmp_path: Path) -> None:
    """A listing mount asks for the rest when the file is first changed."""
    bucket = MemoryBucket()
    bucket.put("f", BytesSource(b"old"), NewObject(metadata={"own": "1"}, tags=BLUE))
    cache = CachedBucket(bucket, ttl=60, tag_ttl=60)
    with tree_of(cache, tmp_path, stored=False) as tree:
        assert [n for n, *_ in tree.readdir(tree.opendir("/"))] == [".", "..", "f"]
        fh, _ = tree.open("/f", os.O_RDWR)
        tree.write(fh, 1, b"!")
        tree.flush(fh)
        tree.release(fh)
    found = bucket.get("f")
    assert found.data == b"o!d"
    assert found.info.detail is not None
    assert found.info.detail.metadata["own"] == "1"
    assert bucket.get_tags("f") == BLUE


# Looking


def test_an_object_that_may_not_be_looked_at_is_shown_by_its_listing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """G13. What a listing proves is there can be seen; that is logged once."""
    caplog.set_level(logging.WARNING)
    bucket = MemoryBucket()
    for key in ("d/", "d/f", "d/g"):
        put(bucket, key, b"" if key.endswith("/") else b"content")
    bucket.before = refuse({("head", key): AccessDenied("no") for key in ("d/", "d/f", "d/g")})
    with tree_of(bucket, tmp_path) as tree:
        assert tree.getattr("/d")["st_mode"] & 0o170000 == 0o040000
        assert [tree.getattr(f"/d/{name}")["st_size"] for name in "fg"] == [7, 7]
    assert caplog.text.count("may not be looked at") == 1


def test_a_link_is_read_and_a_file_is_none(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    put(bucket, "f")
    with tree_of(bucket, tmp_path) as tree:
        tree.symlink("/l", "f")
        assert tree.readlink("/l") == "f"
        with pytest.raises(TagfsError):
            tree.readlink("/f")
        with pytest.raises(TagfsError):
            tree.readlink("/")
        with pytest.raises(NotFound):
            tree.readlink("/none")


def test_entries_of_an_open_directory_are_known_as_far_as_they_were_seen(tmp_path: Path) -> None:
    """`getattr_known` makes no request: of what was not seen, or is no file, it says nothing."""
    bucket = MemoryBucket()
    for key in ("d/f", "d/g", "d/sub/x"):
        put(bucket, key, b"seen")
    cache = CachedBucket(bucket, ttl=60, tag_ttl=60)
    with tree_of(cache, tmp_path) as tree:
        tree.getattr("/d/f")
        opened = tree.create("/d/new", 0o600, os.O_WRONLY)
        tree.write(opened, 0, b"12345")
        fh = tree.opendir("/d")
        list(tree.readdir(fh))
        bucket.requests.clear()
        known = tree.getattr_known(fh, ["f", "g", "sub", "new", "none"])
        assert [k and k["st_size"] for k in known] == [4, None, None, 5, None]
        assert not bucket.requests
        tree.flush(opened)
        tree.release(opened)
        tree.releasedir(fh)


# Keys that mean the same name


def test_a_directory_hides_an_object_of_its_name(tmp_path: Path) -> None:
    """T2. Where object `a` and keys below `a/` both exist, the directory wins."""
    bucket = MemoryBucket(page=2)
    for key in ("a", "a!", "a/x", "b", "b/y", "c"):
        put(bucket, key)
    with tree_of(bucket, tmp_path) as tree:
        names = [n for n, *_ in tree.readdir(tree.opendir("/"))]
        assert sorted(names) == [".", "..", "a", "a!", "b", "c"]
        assert tree.getattr("/a")["st_mode"] & 0o170000 == 0o040000


def test_a_directory_of_s3fs_is_one_and_goes_as_one(tmp_path: Path) -> None:
    """L5. An empty object without a slash, of the type of directories."""
    bucket = MemoryBucket()
    headers = {"content-type": "application/x-directory"}
    bucket.put("old", BytesSource(b""), NewObject(headers=headers))
    cache = CachedBucket(bucket, ttl=60, tag_ttl=60)
    with tree_of(cache, tmp_path) as tree:
        assert tree.getattr("/old")["st_mode"] & 0o170000 == 0o040000
        kinds = {name: kind for name, kind, _ in tree.readdir(tree.opendir("/"))}
        assert kinds["old"] == 0o040000
        tree.rmdir("/old")
    assert keys(bucket) == []
