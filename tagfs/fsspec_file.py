"""A file of fsspec: an object that is read, of one version, or written whole."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from fsspec.spec import AbstractBufferedFile

from tagfs.api import Bucket
from tagfs.errors import NotFound, TagfsError
from tagfs.fs.mapping.content_types import CONTENT_TYPE, by_name, is_chosen
from tagfs.fs.mapping.posix_metadata import without_times
from tagfs.store.bucket import Bucket as Store
from tagfs.store.objects import BytesSource, Keep, NewObject, Part, Upload
from tagfs.store.tags import TagSet


def failure(number: int, path: str) -> OSError:
    """Return an error by its number, which is a FileNotFoundError and the like."""
    return OSError(number, os.strerror(number), path)


@contextmanager
def as_oserror(path: str) -> Iterator[None]:
    """Raise the errors of tagfs as those that programs expect: FileNotFoundError, ..."""
    try:
        yield
    except TagfsError as error:
        raise OSError(error.errno, str(error), path) from error


class TagFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """An object that is read, of one version, or written; with `tags`, if they are given."""

    def __init__(
        self, fs: Any, bucket: Bucket, key: str, path: str, mode: str, **words: Any
    ) -> None:
        if mode == "ab":
            raise NotImplementedError("append: mount the bucket, or write the object anew")
        self._store, self._key = bucket.store, key
        self._tags: Mapping[str, str] | None = words.pop("tags", None)
        self._new: NewObject | None = None
        self._upload: Upload | None = None
        self._parts: list[Part] = []
        self._rest = b""
        super().__init__(fs, path, mode, **words)
        self.blocksize: int = max(self.blocksize, self._store.limits.min_part)

    def __exit__(self, kind: object, *_rest: object) -> None:
        if kind is not None and self.writable() and not self.closed:
            self.discard()
            self.closed: bool = True
        self.close()

    def _fetch_range(self, start: int, end: int) -> bytes:
        with as_oserror(self.path):
            version = self.details["ETag"]
            return self._store.get(self._key, start, end - start, if_match=version).data

    def _initiate_upload(self) -> None:
        with as_oserror(self.path):
            exclusive = self.mode == "xb"
            self._new = _new_object(self._store, self._key, self._tags, exclusive=exclusive)
            if not self.forced:  # more than one block
                self._upload = self._store.start_upload(self._key, self._new)

    def _upload_chunk(self, final: bool = False) -> None:
        data = self.buffer.getvalue()
        with as_oserror(self.path):
            if self._upload is None:
                self._rest = data
            elif data:
                number = len(self._parts) + 1
                self._parts.append(self._store.upload_part(self._upload, number, BytesSource(data)))
                if number % 1000 == 0:  # there are 10,000 parts at most
                    self.blocksize *= 2
        if final and self.autocommit:
            self.commit()

    def commit(self) -> None:
        """Replace the object by what was written."""
        assert self._new is not None  # noqa: S101  (something was written)
        with as_oserror(self.path):
            if self._upload is None:
                self._store.put(self._key, BytesSource(self._rest), self._new)
            else:
                self._store.complete_upload(self._upload, self._parts)

    def discard(self) -> None:
        """Throw away what was written; the object stays as it was."""
        if self._upload is not None:
            with as_oserror(self.path):
                self._store.abort_upload(self._upload)


def _new_object(
    store: Store, key: str, tags: Mapping[str, str] | None, *, exclusive: bool
) -> NewObject:
    """Return what goes with new content: what the object had, but for its times."""
    try:
        old = None if exclusive else store.head(key).detail
    except NotFound:
        old = None
    headers = dict(old.headers) if old else {}
    by_key = by_name(f"/{key}")
    if by_key and not is_chosen(headers.get(CONTENT_TYPE, ""), f"/{key}"):
        headers[CONTENT_TYPE] = by_key
    if old is None:  # so there are neither tags nor an ACL to be read
        return NewObject(headers=headers, tags=TagSet(tags or {}), acl={}, exclusive=exclusive)
    kept: TagSet | Literal[Keep.REPLACED] = Keep.REPLACED if tags is None else TagSet(tags)
    return NewObject(headers=headers, metadata=without_times(old.metadata), tags=kept)
