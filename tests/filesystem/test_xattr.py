"""Extended attributes over a bucket in memory: what each name reads and changes."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tagfs.errors import (
    InvalidRequest,
    InvalidTag,
    NoSuchTag,
    NotFound,
    NotPermitted,
    TagExists,
    TagfsError,
    TooManyTags,
    Unsupported,
    ValueTooLarge,
)
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.xattr_names import XATTR_CREATE, XATTR_REPLACE
from tagfs.store.bucket import Capabilities
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of, tree_of

TAGS = {"team": "blue", "odd é": "中"}
WHOLE = b"team=blue&odd%20%C3%A9=%E4%B8%AD"


@pytest.fixture
def bucket() -> MemoryBucket:
    one = MemoryBucket()
    one.put(
        "f",
        BytesSource(b"data"),
        NewObject(
            tags=TagSet(TAGS),
            metadata={"note": "n", "mode": "33188"},
            headers={"content-type": "t/x"},
        ),
    )
    one.put("implied/x", BytesSource(b"x"), NewObject(tags=TagSet({})))
    one.put_symlink("link", "f", NewObject(tags=TagSet({"of": "link"})))
    one.requests.clear()
    return one


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


def writes(bucket: MemoryBucket) -> list[str]:
    """Return the requests that changed something."""
    looks = {"lookup", "head", "list", "get", "get_tags", "get_bucket_tags"}
    return [f"{r.operation} {r.key}" for r in bucket.requests if r.operation not in looks]


# Reading


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/f", "user.tag.team", b"blue"),
        ("/f", "tag.odd é", "中".encode()),
        ("/f", "user.meta.note", b"n"),
        ("/f", "user.object.content_type", b"t/x"),
        ("/f", "user.object.type", b"Normal"),
        ("/link", "tag.of", b"link"),
    ],
)
def test_what_a_name_reads(tree: FileSystem, path: str, name: str, value: bytes) -> None:
    assert tree.getxattr(path, name) == value


def test_the_whole_set_reads_back_as_it_was_set(tree: FileSystem, bucket: MemoryBucket) -> None:
    whole = tree.getxattr("/f", "user.tagging")
    tree.removexattr("/f", "user.tagging")
    assert bucket.get_tags("f") == {}
    tree.setxattr("/f", "user.tagging", whole, 0)
    assert bucket.get_tags("f") == TAGS


def test_facts_of_the_object(tree: FileSystem, bucket: MemoryBucket) -> None:
    info = bucket.head("f")
    assert tree.getxattr("/f", "user.object.etag") == info.etag.encode()
    assert tree.getxattr("/f", "user.object.storage_class") == info.storage_class.encode()


REFUSED_READS: list[tuple[str, str, type[TagfsError]]] = [
    ("/f", "user.tag.none", NoSuchTag),
    ("/implied/x", "user.tagging", NoSuchTag),
    ("/f", "user.meta.none", NoSuchTag),
    ("/f", "user.object.none", NoSuchTag),
    ("/f", "user.object.version_id", NoSuchTag),
    ("/implied", "user.object.etag", NoSuchTag),
    ("/f", "user.bucket.tag.k", Unsupported),
    ("/f", "user.tagfs.status", NoSuchTag),
    ("/f", "user.tagfs.refresh", NoSuchTag),
    ("/f", "user.tagfs.remount.ttl=5", NoSuchTag),
    ("/none", "user.tag.team", NotFound),
    ("/f", "system.posix_acl_access", Unsupported),
    ("/f", "security.capability", NoSuchTag),
    ("/f", "trusted.overlay", NoSuchTag),
]


@pytest.mark.parametrize(("path", "name", "error"), REFUSED_READS)
def test_what_cannot_be_read(
    tree: FileSystem, path: str, name: str, error: type[TagfsError]
) -> None:
    with pytest.raises(error):
        tree.getxattr(path, name)


@pytest.mark.parametrize("name", ["security.capability", "trusted.x", "system.posix_acl_access"])
def test_names_of_others_cost_no_request(tree: FileSystem, bucket: MemoryBucket, name: str) -> None:
    """G5 of the budgets: the kernel asks for such names at every write."""
    with pytest.raises((NoSuchTag, Unsupported)):
        tree.getxattr("/f", name)
    with pytest.raises(Unsupported):
        tree.setxattr("/f", name, b"x", 0)
    with pytest.raises((NoSuchTag, Unsupported)):
        tree.removexattr("/f", name)
    assert bucket.requests == []


def test_the_status_is_on_the_root(tree: FileSystem) -> None:
    assert isinstance(json.loads(tree.getxattr("/", "user.tagfs.status")), dict)


@pytest.mark.parametrize("uid", [0, os.getuid(), 12345])
def test_root_and_who_mounted_remount(bucket: MemoryBucket, tmp_path: Path, uid: int) -> None:
    changed: list[str] = []
    with ThreadPoolExecutor(1) as executor:
        env = environment_of(bucket, tmp_path, executor)
        tree = FileSystem(replace(env, caller=lambda: (uid, 0), remount=changed.append), dict)
        if uid == 12345:
            with pytest.raises(NotPermitted):
                tree.getxattr("/", "user.tagfs.remount.ttl=5")
        else:
            assert tree.getxattr("/", "user.tagfs.remount.ttl=5,tag_ttl=6") == b""
        tree.close()
    assert changed == ([] if uid == 12345 else ["ttl=5,tag_ttl=6"])


# Listing


def test_what_is_listed(tree: FileSystem, bucket: MemoryBucket) -> None:
    assert set(tree.listxattr("/f")) >= {"user.tag.team", "user.tag.odd é"}
    assert tree.listxattr("/link") == ["tag.of"]
    assert tree.listxattr("/implied") == []
    tree.setxattr("/", "user.bucket.tag.cost", b"1", 0)
    assert tree.listxattr("/") == ["user.tag.cost"]
    assert bucket.get_bucket_tags() == {"cost": "1"}


def test_a_tag_whose_name_is_too_long_is_in_the_whole_set_alone(
    tree: FileSystem, bucket: MemoryBucket, caplog: pytest.LogCaptureFixture
) -> None:
    key = "é" * 125
    bucket.put_tags("f", TagSet({key: "v"}))
    for _ in range(2):
        assert not [name for name in tree.listxattr("/f") if name.startswith("user.tag.")]
    assert sum("too long" in record.message for record in caplog.records) == 1, "said once"
    assert b"%C3%A9" in tree.getxattr("/f", "user.tagging")


# Changing tags


def test_one_tag_is_set_and_the_others_stay(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.setxattr("/f", "user.tag.new", b"1", 0)
    assert writes(bucket) == ["put_tags f"]
    assert bucket.count("get_tags") == 1
    assert bucket.get_tags("f") == {**TAGS, "new": "1"}
    tree.removexattr("/f", "user.tag.team")
    assert bucket.get_tags("f") == {"odd é": "中", "new": "1"}


def test_the_whole_set_is_one_request(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.setxattr("/f", "user.tagging", b"a=1&b=", 0)
    assert writes(bucket) == ["put_tags f"]
    assert bucket.count("get_tags") == 0
    assert bucket.get_tags("f") == {"a": "1", "b": ""}


FLAGS: list[tuple[str, int, type[TagfsError]]] = [
    ("user.tag.team", XATTR_CREATE, TagExists),
    ("user.tag.none", XATTR_REPLACE, NoSuchTag),
    ("user.tagging", XATTR_CREATE, TagExists),
    ("user.meta.note", XATTR_CREATE, TagExists),
    ("user.meta.none", XATTR_REPLACE, NoSuchTag),
]


@pytest.mark.parametrize(("name", "flags", "error"), FLAGS)
def test_flags_refuse(
    tree: FileSystem, bucket: MemoryBucket, name: str, flags: int, error: type[TagfsError]
) -> None:
    value = b"a=b" if name == "user.tagging" else b"x"
    with pytest.raises(error):
        tree.setxattr("/f", name, value, flags)
    assert writes(bucket) == []


@pytest.mark.parametrize(
    ("path", "name", "flags"),
    [
        ("/f", "user.tag.team", XATTR_REPLACE),
        ("/f", "user.tag.none", XATTR_CREATE),
        ("/f", "user.tagging", XATTR_REPLACE),
        ("/implied/x", "user.tagging", XATTR_CREATE),
        ("/f", "user.meta.note", XATTR_REPLACE),
        ("/f", "user.meta.none", XATTR_CREATE),
    ],
)
def test_flags_allow(tree: FileSystem, path: str, name: str, flags: int) -> None:
    value = b"a=b" if name == "user.tagging" else b"x"
    tree.setxattr(path, name, value, flags)
    assert tree.getxattr(path, name) == value


REFUSED_WRITES: list[tuple[str, bytes, type[TagfsError]]] = [
    ("user.tag.k", b"\xff", InvalidTag),
    ("user.tag.", b"x", InvalidTag),
    ("user.tagging", b"a=%ff", InvalidTag),
    ("user.tagging", b"&".join(b"k%d=v" % n for n in range(11)), TooManyTags),
    ("user.meta.k", b"x\ny", InvalidRequest),
    ("user.meta.k", b" x", InvalidRequest),
    ("user.meta.k", b"x" * 9000, ValueTooLarge),
    ("user.object.etag", b"x", NotPermitted),
    ("user.tagfs.status", b"x", NotPermitted),
    ("user.tagfs.remount.ttl=5", b"x", Unsupported),
    ("user.bucket.tag.k", b"x", Unsupported),
]


@pytest.mark.parametrize(("name", "value", "error"), REFUSED_WRITES)
def test_what_is_refused_changes_nothing(
    tree: FileSystem, bucket: MemoryBucket, name: str, value: bytes, error: type[TagfsError]
) -> None:
    with pytest.raises(error):
        tree.setxattr("/f", name, value, 0)
    assert writes(bucket) == []
    assert bucket.get_tags("f") == TAGS


def test_one_tag_too_many(tree: FileSystem, bucket: MemoryBucket) -> None:
    for number in range(8):
        tree.setxattr("/f", f"user.tag.k{number}", b"v", 0)
    with pytest.raises(TooManyTags):
        tree.setxattr("/f", "user.tag.k8", b"v", 0)
    assert len(bucket.get_tags("f")) == 10


REMOVALS: list[tuple[str, str, type[TagfsError]]] = [
    ("/f", "user.tag.none", NoSuchTag),
    ("/implied/x", "user.tagging", NoSuchTag),
    ("/f", "user.meta.none", NoSuchTag),
    ("/f", "user.tagfs.refresh", NoSuchTag),
    ("/f", "user.tagfs.remount.ttl=5", NoSuchTag),
    ("/f", "user.object.etag", NotPermitted),
    ("/f", "user.tagfs.status", NotPermitted),
    ("/implied", "user.tag.none", NoSuchTag),
]


@pytest.mark.parametrize(("path", "name", "error"), REMOVALS)
def test_what_cannot_be_removed(
    tree: FileSystem, bucket: MemoryBucket, path: str, name: str, error: type[TagfsError]
) -> None:
    with pytest.raises(error):
        tree.removexattr(path, name)
    assert writes(bucket) == []


def test_a_directory_without_marker_gets_one_with_its_first_tag(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    tree.setxattr("/implied", "user.tag.k", b"v", 0)
    assert writes(bucket) == ["put implied/"], "marker and tag are one request"
    assert bucket.get_tags("implied/") == {"k": "v"}
    tree.setxattr("/implied", "user.tagging", b"a=b", 0)
    assert bucket.get_tags("implied/") == {"a": "b"}


def test_a_marker_that_others_made_meanwhile_is_tagged(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    def make_it(operation: str, key: str) -> None:
        if (operation, key) == ("put", "implied/"):
            bucket.before = None
            bucket.put(key, BytesSource(b""), NewObject(tags=TagSet({"theirs": "1"})))

    bucket.before = make_it
    tree.setxattr("/implied", "user.tag.mine", b"2", 0)
    assert bucket.get_tags("implied/") == {"theirs": "1", "mine": "2"}


def test_tags_of_a_new_file_travel_with_its_upload(tree: FileSystem, bucket: MemoryBucket) -> None:
    fh = tree.create("/new", 0o644, os.O_WRONLY | os.O_EXCL)
    tree.write(fh, 0, b"x")
    tree.setxattr("/new", "user.tag.k", b"v", 0)
    tree.setxattr("/new", "user.meta.note", b"m", 0)
    assert tree.getxattr("/new", "user.tag.k") == b"v"
    assert set(tree.listxattr("/new")) >= {"user.tag.k", "user.meta.note"}
    assert writes(bucket) == []
    tree.flush(fh)
    tree.release(fh)
    assert writes(bucket) == ["put new"]
    assert bucket.get_tags("new") == {"k": "v"}
    detail = bucket.head("new").detail
    assert detail is not None
    assert detail.metadata["note"] == "m"


def test_too_much_metadata_of_a_new_file_is_refused_before_it_is_sent(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    fh = tree.create("/new", 0o644, os.O_WRONLY | os.O_EXCL)
    with pytest.raises(ValueTooLarge):
        tree.setxattr("/new", "user.meta.k", b"x" * bucket.limits.max_metadata, 0)
    tree.flush(fh)
    tree.release(fh)
    assert writes(bucket) == ["put new"]


def test_a_bucket_without_object_tags_takes_none(tmp_path: Path) -> None:
    bucket = MemoryBucket(capabilities=Capabilities(object_tags=False))
    bucket.put("f", BytesSource(b"x"), NewObject(tags=TagSet({})))
    with tree_of(bucket, tmp_path) as tree:
        assert tree.listxattr("/f") == []
        fh = tree.create("/new", 0o644, os.O_WRONLY | os.O_EXCL)
        for path in ("/f", "/new"):
            for name, value in (("user.tag.k", b"v"), ("user.tagging", b"k=v")):
                with pytest.raises(Unsupported):
                    tree.setxattr(path, name, value, 0)
        tree.flush(fh)
        tree.release(fh)


# User metadata


def test_metadata_is_edited_and_the_rest_stays(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.setxattr("/f", "user.meta.more", "grün".encode(), 0)
    tree.removexattr("/f", "user.meta.note")
    info = bucket.head("f")
    assert info.detail is not None
    assert info.detail.metadata == {"mode": "33188", "more": "grün"}
    assert info.detail.headers["content-type"] == "t/x"
    assert writes(bucket) == ["set_metadata f"] * 2
    assert bucket.get_tags("f") == TAGS


def test_metadata_of_the_whole_bucket_is_refused(tree: FileSystem) -> None:
    with pytest.raises(Unsupported):
        tree.setxattr("/", "user.meta.k", b"v", 0)


def test_metadata_of_a_directory_without_marker(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.setxattr("/implied", "user.meta.k", b"v", 0)
    detail = bucket.head("implied/").detail
    assert detail is not None
    assert detail.metadata["k"] == "v"
    assert tree.getxattr("/implied", "user.meta.k") == b"v"


# Forgetting


@pytest.mark.parametrize(("path", "prefix"), [("/", ""), ("/f", "f")])
def test_refresh_forgets_what_is_known(
    tree: FileSystem, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch, path: str, prefix: str
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(bucket, "forget", lambda prefix="": forgotten.append(prefix))
    tree.setxattr(path, "user.tagfs.refresh", b"1", 0)
    assert forgotten == [prefix]
