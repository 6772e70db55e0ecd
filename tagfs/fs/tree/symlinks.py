"""Symlinks on the service: reading what one says, and writing one under another key."""

from dataclasses import replace
from typing import Literal, Protocol

from tagfs.errors import (
    NameTooLong,
    NotPermitted,
    ObjectChanged,
    Unsupported,
    ValueTooLarge,
)
from tagfs.fs.context import FRESH_WITHIN
from tagfs.fs.mapping.link_targets import (
    METADATA_NAME,
    link_metadata,
    parse_text,
    read_text,
    render_text,
    to_target,
)
from tagfs.store.bucket import Bucket, CachingBucket
from tagfs.store.object_reads import ObjectReads
from tagfs.store.objects import BytesSource, Content, Keep, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet

CopyTags = TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED, Keep.REPLACED_OR_SOURCE]

MAX_TEXTS = 10_000
"""Links whose text is remembered."""


class LinkReads(Protocol):
    """What tells what a link says; see `ObjectReads`."""

    def get(self, key: str, start: int = 0, length: int | None = None) -> Content:
        """Return bytes of an object."""
        ...

    def head(self, key: str, *, expected: ObjectType | None = None) -> ObjectInfo:
        """Describe an object."""
        ...


def write_symlink(bucket: Bucket, key: str, text: str, new: NewObject) -> ObjectInfo:
    """Write a link that readlink shows as `text`; `new` has its attributes.

    Where the bucket has no symlink objects it is written as s3fs does: a plain object whose mode
    says link and whose content is the text.

    Raises:
        AlreadyExists
        NameTooLong: the text, percent-encoded, fits into no metadata.
        NotPermitted: nothing would tell a plain object from a file.
    """
    if bucket.capabilities.symlinks:
        metadata = {**new.metadata, **link_metadata(key, text)}
        try:
            return bucket.put_symlink(key, to_target(key, text), replace(new, metadata=metadata))
        except Unsupported:
            pass  # found out just now
        except ValueTooLarge as error:
            raise NameTooLong(f"{key}: {error}") from error
    _check_kept(bucket, key)
    if "mode" not in new.metadata:
        raise NotPermitted(f"{key}: links in this bucket need attributes=stored")
    # s3fs drops blanks around the text, and so do all who read its links.
    exact = {METADATA_NAME: render_text(text)} if text != text.strip() else {}
    content = BytesSource(text.encode("utf-8", "surrogateescape"))
    headers = {"content-type": "application/octet-stream"}
    made = bucket.put(
        key, content, replace(new, metadata={**new.metadata, **exact}, headers=headers)
    )
    try:
        _check_kept(bucket, key)
    except NotPermitted:  # found out by writing it
        bucket.delete(key, meant=made)
        raise
    return made


def _check_kept(bucket: Bucket, key: str) -> None:
    """Raise if nothing would tell a link from a file.

    Raises:
        NotPermitted
    """
    if not bucket.capabilities.metadata:
        raise NotPermitted(f"{key}: this bucket keeps no metadata, so a link would read as a file")


def read_link(bucket: LinkReads, info: ObjectInfo) -> str:
    """Return a link's text, byte for byte what symlink(2) was given.

    Links are symlink objects, or plain ones whose text is in their metadata (ossfs 1 with
    `symlink_in_meta`) or their content (ossfs 1, obsfs, s3fs).
    """
    if info.detail is None or (info.type is ObjectType.SYMLINK and info.detail.target is None):
        info = bucket.head(info.key, expected=info.type)
    text = text_from_metadata(info)
    if text is not None:
        return text
    content = bucket.get(info.key, 0, max(info.size, 1))
    if len(content.data) != content.info.size:
        raise ObjectChanged(f"{info.key!r} is larger than it was: no link's text is cut")
    return content.data.decode("utf-8", "surrogateescape").strip()


class LinkTexts:
    """Reads links, and remembers with its ETag what only an object's content tells."""

    def __init__(self, bucket: ObjectReads) -> None:
        self._bucket = bucket
        self._texts: dict[str, tuple[str, str]] = {}

    def read(self, info: ObjectInfo) -> str:
        """Return a link's text."""
        etag, text = self._texts.get(info.key, ("", ""))
        if etag and etag == info.etag:
            return text
        text = read_link(self._bucket, info)
        if text_from_metadata(info) is None:
            if len(self._texts) >= MAX_TEXTS:
                self._texts.clear()
            self._texts[info.key] = info.etag, text
        return text


def text_from_metadata(info: ObjectInfo) -> str | None:
    """Return a link's text as far as its metadata tells it."""
    if info.detail is None:
        return None
    if info.detail.target is not None:
        return read_text(info.key, info.detail.target, info.detail.metadata)
    return parse_text(info.detail.metadata.get(METADATA_NAME, ""))


def copy_symlink(
    bucket: CachingBucket,
    info: ObjectInfo,
    key: str,
    *,
    keep: bool,
    exclusive: bool = False,
    tags: CopyTags | None = None,
) -> ObjectInfo:
    """Write a link anew under another key: same text, so perhaps another stored target.

    Its tags and its ACL go with it; what it has not stays, if `keep`, from the replaced object.
    `tags`: the same of the tags alone, where the rules have a say.
    """
    if info.detail is None:
        info = bucket.head(info.key, expected=info.type, max_age=FRESH_WITHIN)
    text = read_link(bucket, info)
    untouched = to_target(key, text) == to_target(info.key, text)
    if info.type is not ObjectType.SYMLINK or untouched:
        kept: Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE
        kept = Keep.SOURCE_OR_REPLACED if keep else kept
        return bucket.copy(info, key, tags=tags or kept, acl=kept, exclusive=exclusive)
    own, acl = bucket.get_tags(info.key, max_age=FRESH_WITHIN), bucket.get_acl(info.key)
    if tags is Keep.REPLACED_OR_SOURCE:
        own = bucket.get_tags(key, max_age=FRESH_WITHIN) or own
    elif isinstance(tags, TagSet):
        own = tags
    drops = tags is None and keep and not own.beyond(bucket.default_tags)
    detail = info.detail
    metadata = {k: v for k, v in detail.metadata.items() if k != METADATA_NAME} if detail else {}
    new = NewObject(
        metadata={**metadata, **link_metadata(key, text)},
        headers=dict(detail.headers) if detail else {},
        tags=Keep.REPLACED if drops else own,
        acl=Keep.REPLACED if keep and not acl else acl,
        exclusive=exclusive,
    )
    return bucket.put_symlink(key, to_target(key, text), new)
