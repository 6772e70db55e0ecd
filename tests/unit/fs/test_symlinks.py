"""Links in buckets without symlink objects: as s3fs keeps them, read back byte for byte."""

import stat

import pytest

from tagfs.errors import (
    NameTooLong,
    NotPermitted,
    ObjectChanged,
    TagfsError,
    Unsupported,
    ValueTooLarge,
)
from tagfs.fs.tree.symlinks import LinkTexts, copy_symlink, read_link, write_symlink
from tagfs.store.bucket import Capabilities
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket

MODE = str(stat.S_IFLNK | 0o777)
TAGS = TagSet({"a": "1"})


@pytest.fixture
def bucket():
    return MemoryBucket(capabilities=Capabilities(symlinks=False))


def new(**kwargs):
    return NewObject(metadata={"mode": MODE}, tags=TAGS, exclusive=True, **kwargs)


@pytest.mark.parametrize("text", ["t", "../t", "/abs", " a ", "a\n", "ü", "\udcff"])
def test_the_text_is_the_content(bucket, text):
    made = write_symlink(bucket, "d/link", text, new())
    assert made.type is ObjectType.NORMAL
    assert bucket.get("d/link").data == text.encode("utf-8", "surrogateescape")
    assert bucket.head("d/link").detail.headers["content-type"] == "application/octet-stream"
    assert bucket.get_tags("d/link") == TAGS
    assert read_link(bucket, bucket.head("d/link")) == text


def test_it_keeps_its_text_when_it_moves(bucket):
    made = write_symlink(bucket, "d/link", "t", new())
    copy_symlink(bucket, made, "e/f/link", keep=False)
    assert read_link(bucket, bucket.head("e/f/link")) == "t"
    assert bucket.get_tags("e/f/link") == TAGS


def test_nothing_is_made_that_would_look_like_a_file(bucket):
    with pytest.raises(NotPermitted, match="attributes=stored"):
        write_symlink(bucket, "link", "t", NewObject())
    assert bucket.list("").objects == ()


def test_a_bucket_that_has_links_gets_one():
    bucket = MemoryBucket()
    made = write_symlink(bucket, "d/link", "t", new())
    assert made.type is ObjectType.SYMLINK
    assert made.detail is not None
    assert made.detail.target == "d/t"


def test_a_link_s_text_is_read_once_for_each_version() -> None:
    """What only content shows; what the metadata shows needs no memory."""
    bucket = MemoryBucket()
    texts = LinkTexts(bucket)
    for text in ("one", "another"):
        info = bucket.put("l", BytesSource(text.encode()), NewObject(metadata={"mode": "41471"}))
        bucket.requests.clear()
        assert texts.read(info) == texts.read(info) == text
        assert [request.operation for request in bucket.requests] == ["get"]


class Finding(MemoryBucket):
    """Has no links, or keeps no metadata, and says so when it is tried first."""

    lacks = "symlinks"
    failure: TagfsError | None = Unsupported("no links")

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        if self.failure:
            self._capabilities = Capabilities(symlinks=False)
            raise self.failure
        return super().put_symlink(key, target, new)

    def put(self, key, source, new):
        made = super().put(key, source, new)
        if self.lacks == "metadata":
            self._capabilities = Capabilities(symlinks=False, metadata=False)
        return made


def test_a_bucket_found_to_have_no_links_gets_a_plain_one() -> None:
    bucket = Finding()
    assert write_symlink(bucket, "link", "t", new()).type is ObjectType.NORMAL
    assert read_link(bucket, bucket.head("link")) == "t"


def test_a_bucket_found_to_keep_no_metadata_keeps_no_link() -> None:
    """What would read as a file is deleted again."""
    bucket = Finding(capabilities=Capabilities(symlinks=False))
    bucket.lacks = "metadata"
    with pytest.raises(NotPermitted, match="keeps no metadata"):
        write_symlink(bucket, "link", "t", new())
    assert bucket.list("").objects == ()


def test_a_text_that_no_metadata_holds() -> None:
    bucket = Finding()
    bucket.failure = ValueTooLarge("too much")
    with pytest.raises(NameTooLong):
        write_symlink(bucket, "link", "t", new())


def test_a_text_that_is_cut_is_none() -> None:
    """The object grew after it was described: half a path leads somewhere else."""
    bucket = MemoryBucket()
    info = bucket.put("l", BytesSource(b"short"), NewObject(metadata={"mode": MODE}))
    bucket.put("l", BytesSource(b"longer text"), NewObject(metadata={"mode": MODE}))
    with pytest.raises(ObjectChanged):
        read_link(bucket, info)


def test_what_is_remembered_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("tagfs.fs.tree.symlinks.MAX_TEXTS", 2)
    bucket = MemoryBucket()
    texts = LinkTexts(bucket)
    for number in range(5):
        info = bucket.put(f"l{number}", BytesSource(b"t"), NewObject(metadata={"mode": MODE}))
        assert texts.read(info) == "t"
    assert len(texts._texts) <= 2
