"""`user.object.*`: headers that can be set, by path and in an open file, and facts that cannot."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagfs.errors import InvalidRequest, NoSuchTag, NotPermitted, TagExists
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.xattr_names import OBJECT_FIELDS, OBJECT_HEADERS, XATTR_CREATE, XATTR_REPLACE
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write

TAGS = TagSet({"team": "blue"})
META = {"mode": "33188", "note": "n"}


@pytest.fixture
def bucket() -> MemoryBucket:
    made = MemoryBucket()
    new = NewObject(tags=TAGS, metadata=META, headers={"content-type": "t/x"})
    made.put("f", BytesSource(b"data"), new)
    made.put("d/", BytesSource(b""), NewObject())
    made.put("implied/x", BytesSource(b""), NewObject())
    return made


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


def headers(bucket: MemoryBucket, key: str) -> dict[str, str]:
    detail = bucket.head(key).detail
    return dict(detail.headers) if detail else {}


@pytest.mark.parametrize("field", OBJECT_HEADERS)
@pytest.mark.parametrize(("path", "key"), [("/f", "f"), ("/d", "d/")])
def test_a_header_is_set_read_and_removed(
    tree: FileSystem, bucket: MemoryBucket, field: str, path: str, key: str
) -> None:
    name, header = f"user.object.{field}", OBJECT_HEADERS[field]
    tree.setxattr(path, name, b"a/b; c=d", 0)
    assert headers(bucket, key)[header] == "a/b; c=d"
    assert tree.getxattr(path, name) == b"a/b; c=d"
    tree.removexattr(path, name)
    assert header not in headers(bucket, key)
    with pytest.raises(NoSuchTag):
        tree.getxattr(path, name)
    if key == "f":
        assert bucket.get("f").data == b"data"
        assert bucket.get_tags("f") == TAGS
        detail = bucket.head("f").detail
        assert detail is not None
        assert detail.metadata["note"] == "n"


def test_a_header_of_a_new_file_travels_with_it(tree: FileSystem, bucket: MemoryBucket) -> None:
    fh = tree.create("/new.html", 0o644, os.O_WRONLY)
    tree.setxattr("/new.html", "user.object.content_type", b"text/x-other", 0)
    tree.setxattr("/new.html", "user.object.cache_control", b"max-age=60", 0)
    tree.write(fh, 0, b"x")
    assert bucket.count("put") == 3  # those of the fixture
    tree.flush(fh)
    tree.release(fh)
    assert bucket.count("set_metadata") == 0
    assert headers(bucket, "new.html") == {
        "content-type": "text/x-other",
        "cache-control": "max-age=60",
    }


def test_a_header_stays_through_what_is_done_with_the_file(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    tree.setxattr("/f", "user.object.content_type", b"text/x-other", 0)
    tree.chmod("/f", 0o600)
    fh, _ = tree.open("/f", os.O_WRONLY)
    tree.write(fh, 0, b"more")
    tree.flush(fh)
    tree.release(fh)
    tree.rename("/f", "/g.html")
    write(tree, "/tmp", b"saved")
    tree.rename("/tmp", "/g.html")  # as editors save
    assert bucket.get("g.html").data == b"saved"
    assert headers(bucket, "g.html")["content-type"] == "text/x-other"


def test_flags(tree: FileSystem, bucket: MemoryBucket) -> None:
    name = "user.object.content_type"
    with pytest.raises(TagExists):
        tree.setxattr("/f", name, b"a/b", XATTR_CREATE)
    with pytest.raises(NoSuchTag):
        tree.setxattr("/f", "user.object.cache_control", b"x", XATTR_REPLACE)
    with pytest.raises(NoSuchTag):
        tree.removexattr("/f", "user.object.cache_control")
    assert headers(bucket, "f") == {"content-type": "t/x"}
    assert bucket.count("set_metadata") == 0


@pytest.mark.parametrize("value", [b"", b" a", b"a\nb", b"a\x7f", "grün".encode()])
def test_what_no_header_carries(tree: FileSystem, bucket: MemoryBucket, value: bytes) -> None:
    with pytest.raises(InvalidRequest):
        tree.setxattr("/f", "user.object.content_disposition", value, 0)
    assert bucket.count("set_metadata") == 0


@pytest.mark.parametrize("field", [*OBJECT_FIELDS, "none"])
def test_facts_cannot_be_set(tree: FileSystem, field: str) -> None:
    with pytest.raises(NotPermitted):
        tree.setxattr("/f", f"user.object.{field}", b"x", 0)
    with pytest.raises(NotPermitted):
        tree.removexattr("/f", f"user.object.{field}")


@pytest.mark.parametrize("path", ["/implied", "/"])
def test_what_has_no_object_has_no_headers(tree: FileSystem, path: str) -> None:
    with pytest.raises(NotPermitted):
        tree.setxattr(path, "user.object.content_type", b"a/b", 0)


def test_none_of_them_is_listed(tree: FileSystem) -> None:
    """Or copies of the file would be refused for the facts."""
    assert not [name for name in tree.listxattr("/f") if name.startswith("user.object.")]


def test_an_acl_is_read_in_words(tree: FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    acls = {"acl": "public-read"}
    monkeypatch.setattr(MemoryBucket, "get_acl", lambda _self, _key: acls)
    assert tree.getxattr("/f", "user.object.acl") == b"public-read"
    acls.clear()
    assert tree.getxattr("/f", "user.object.acl") == b"default"
    acls["grant-read"] = 'id="x"'
    assert tree.getxattr("/f", "user.object.acl") == b'grant-read: id="x"'


# Archives


def test_what_is_archived_says_so_and_is_restored(tree: FileSystem, bucket: MemoryBucket) -> None:
    name = "user.object.restore"
    bucket.archive("f")
    assert tree.getxattr("/f", name) == b"archived"
    tree.setxattr("/f", name, b"7", 0)
    assert [r for r in bucket.requests if r.operation == "restore"] == [("restore", "f")]
    assert tree.getxattr("/f", name) == b"restoring"


@pytest.mark.parametrize("value", [b"", b"0", b"366", b"-1", b"1.5", b"soon", "\u0663".encode()])
def test_days_that_are_none(tree: FileSystem, bucket: MemoryBucket, value: bytes) -> None:
    bucket.archive("f")
    with pytest.raises(InvalidRequest):
        tree.setxattr("/f", "user.object.restore", value, 0)
    assert bucket.count("restore") == 0


def test_what_is_not_archived_is_not_restored(tree: FileSystem) -> None:
    with pytest.raises(NoSuchTag):
        tree.getxattr("/f", "user.object.restore")
    for path in ("/f", "/implied"):
        with pytest.raises(NotPermitted):
            tree.setxattr(path, "user.object.restore", b"7", 0)
    with pytest.raises(NotPermitted):
        tree.removexattr("/f", "user.object.restore")
