"""Other programs' `user.*` attributes over a bucket in memory."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tagfs.errors import (
    InvalidName,
    MalformedResponse,
    NoSuchTag,
    TagExists,
    TagfsError,
    Unsupported,
    XattrSpaceFull,
)
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.inheritance import merged_metadata
from tagfs.fs.mapping.xattr_metadata import parse_xattrs, with_xattrs
from tagfs.fs.mapping.xattr_names import XATTR_CREATE, XATTR_REPLACE
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write

BY_S3FS = "%7B%22user.a%22%3A%22Yg%3D%3D%22%2C%22user.empty%22%3A%22%22%7D"
"""`setfattr -n user.a -v b; setfattr -n user.empty` as s3fs writes it."""


@pytest.fixture
def bucket() -> MemoryBucket:
    one = MemoryBucket()
    for key, text in [("f", BY_S3FS), ("odd", "not ours"), ("none", "")]:
        metadata = {"mode": "33188", **({"xattr": text} if text else {})}
        one.put(key, BytesSource(b"data"), NewObject(metadata=metadata))
    one.requests.clear()
    return one


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


def stored(bucket: MemoryBucket, key: str) -> dict[str, str]:
    detail = bucket.head(key).detail
    assert detail is not None
    return dict(detail.metadata)


def test_what_s3fs_wrote_is_read_and_listed(tree: FileSystem) -> None:
    assert tree.getxattr("/f", "user.a") == b"b"
    assert tree.getxattr("/f", "user.empty") == b""
    assert {"user.a", "user.empty"} <= set(tree.listxattr("/f"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user.xdg.tags", "blau,ré".encode()),
        ("user.DosStream.com.apple.metadata:_kMDItemUserTags:$DATA", b"bplist00\x00\xff"),
        ("user.rsync.%stat", b"100644 0,0 1:2"),
        ('user."quoted", and \\', b""),
        ("user.名", bytes(range(256))),
    ],
)
def test_a_value_comes_back_and_the_others_stay(
    tree: FileSystem, bucket: MemoryBucket, name: str, value: bytes
) -> None:
    tree.setxattr("/f", name, value, 0)
    assert tree.getxattr("/f", name) == value
    assert tree.getxattr("/f", "user.a") == b"b"
    assert stored(bucket, "f")["mode"] == "33188"
    text = stored(bucket, "f")["xattr"]
    assert text.isascii()
    assert text.isprintable()
    tree.removexattr("/f", name)
    assert parse_xattrs(stored(bucket, "f")) == {"user.a": b"b", "user.empty": b""}


def test_the_entry_is_that_of_s3fs_to_the_letter(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.setxattr("/none", "user.a", b"b", 0)
    tree.setxattr("/none", "user.empty", b"", 0)
    assert stored(bucket, "none")["xattr"] == BY_S3FS
    tree.removexattr("/none", "user.a")
    tree.removexattr("/none", "user.empty")
    assert stored(bucket, "none") == {"mode": "33188"}


FAILURES: list[tuple[str, str, bytes, int, type[TagfsError]]] = [
    ("/f", "user.a", b"", XATTR_CREATE, TagExists),
    ("/f", "user.b", b"", XATTR_REPLACE, NoSuchTag),
    ("/f", "user.b", b"v" * 9_000, 0, XattrSpaceFull),
    ("/odd", "user.b", b"", 0, Unsupported),
    ("/f", "user.\udcff", b"", 0, InvalidName),
    ("/", "user.b", b"", 0, Unsupported),
    ("/f", "user.meta.mode", b"", 0, Unsupported),
    ("/f", "user.tagfs.none", b"", 0, Unsupported),
    ("/f", "user.bucket.none", b"", 0, Unsupported),
]


@pytest.mark.parametrize(
    "case", FAILURES, ids=lambda case: f"{case[0]} {case[1]} {case[4].__name__}"
)
def test_flags_and_limits(
    tree: FileSystem, bucket: MemoryBucket, case: tuple[str, str, bytes, int, type[TagfsError]]
) -> None:
    path, name, value, flags, error = case
    before = {key: stored(bucket, key) for key in ("f", "odd")}
    with pytest.raises(error):
        tree.setxattr(path, name, value, flags)
    assert {key: stored(bucket, key) for key in ("f", "odd")} == before


@pytest.mark.parametrize("path", ["/f", "/odd", "/none", "/"])
def test_a_name_that_is_not_there(tree: FileSystem, path: str) -> None:
    """KDE asks for `user.test`, and takes EOPNOTSUPP for a file system without tags."""
    with pytest.raises(NoSuchTag):
        tree.getxattr(path, "user.test")


def test_before_the_first_upload_they_travel_with_it(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    fh = tree.create("/new", 0o600, 1)
    tree.setxattr("/new", "user.xdg.origin.url", b"https://example.org", 0)
    tree.write(fh, 0, b"x")
    tree.flush(fh)
    tree.release(fh)
    assert parse_xattrs(stored(bucket, "new")) == {"user.xdg.origin.url": b"https://example.org"}
    assert "set_metadata" not in {request.operation for request in bucket.requests}


def test_with_listed_attributes_nothing_is_asked_or_kept(
    bucket: MemoryBucket, tmp_path: Path
) -> None:
    with tree_of(bucket, tmp_path, stored=False) as tree:
        with pytest.raises(NoSuchTag):
            tree.getxattr("/f", "user.a")
        for edit in (
            lambda: tree.setxattr("/f", "user.a", b"", 0),
            lambda: tree.removexattr("/f", "user.a"),
        ):
            with pytest.raises(Unsupported):
                edit()
        assert "user.a" not in tree.listxattr("/f")


def test_a_rewrite_keeps_them(tree: FileSystem, bucket: MemoryBucket) -> None:
    fh, _ = tree.open("/f", os.O_WRONLY)
    tree.truncate(None, 0, fh)
    tree.write(fh, 0, b"new")
    tree.setxattr("/f", "user.while.open", b"1", 0)
    tree.flush(fh)
    tree.release(fh)
    assert bucket.get("f").data == b"new"
    kept = {"user.a": b"b", "user.empty": b"", "user.while.open": b"1"}
    assert parse_xattrs(stored(bucket, "f")) == kept


def test_a_file_renamed_over_another_keeps_them(tree: FileSystem, bucket: MemoryBucket) -> None:
    write(tree, "/temporary")
    tree.rename("/temporary", "/f")
    assert parse_xattrs(stored(bucket, "f"))["user.a"] == b"b"


@pytest.mark.parametrize(
    ("own", "left", "merged"),
    [
        ({}, {"k": "1", "xattr": "x"}, {"k": "1", "xattr": "x"}),
        ({"k": "2"}, {"j": "1", "xattr": "x"}, {"k": "2", "xattr": "x"}),
        ({"xattr": "y"}, {"k": "1", "xattr": "x"}, {"k": "1", "xattr": "y"}),
        ({"mode": "1"}, {"mode": "2", "k": "1"}, {"mode": "1", "k": "1"}),
    ],
)
def test_what_takes_a_place_brings_its_own_set(
    own: dict[str, str], left: dict[str, str], merged: dict[str, str]
) -> None:
    assert merged_metadata(own, left) == merged


OTHER_FORMS = [
    *map(json.dumps, ([], {"user.a": 1}, {"user.a": "???"}, "text", None)),
    json.dumps({"user.\ud800": ""}),
    "[" * 8_000,
]


@pytest.mark.parametrize("text", OTHER_FORMS, ids=lambda text: str(text)[:20])
def test_an_entry_of_another_form_is_no_attribute(
    tree: FileSystem, bucket: MemoryBucket, text: str
) -> None:
    with pytest.raises(MalformedResponse):
        parse_xattrs({"xattr": quote(text)})
    metadata = {"mode": "33188", "xattr": text}
    bucket.put("odd", BytesSource(b"data"), NewObject(metadata=metadata))
    assert tree.listxattr("/odd") == []
    with pytest.raises(Unsupported):
        tree.setxattr("/odd", "user.a", b"", 0)
    assert stored(bucket, "odd") == metadata


def test_names_that_the_kernel_would_not_take_are_not_listed(
    tree: FileSystem, bucket: MemoryBucket
) -> None:
    xattrs = {"system.posix_acl_access": b"1", "user." + "n" * 300: b"2", "user.ok": b"3"}
    bucket.put("acl", BytesSource(b""), NewObject(metadata=with_xattrs({}, xattrs)))
    assert tree.listxattr("/acl") == ["user.ok"]
    tree.setxattr("/acl", "user.more", b"4", 0)
    assert parse_xattrs(stored(bucket, "acl")) == {**xattrs, "user.more": b"4"}
