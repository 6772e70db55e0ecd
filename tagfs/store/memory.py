"""A bucket in memory: a working fake with the rules of OSS, for tests of everything above `store`.

It owns its objects and forgets them with the process. Every request that a client would send is
noted in `requests` and passes the hooks `before` and `after`, which may raise or block: what
`before` raises never happened, what `after` raises did happen and the answer was lost.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from tagfs.errors import (
    Archived,
    FileTooLarge,
    InvalidRequest,
    NameTooLong,
    NotFound,
    ObjectChanged,
    PositionMismatch,
    TagfsError,
    Unsupported,
    ValueTooLarge,
)
from tagfs.store.bucket import (
    Capabilities,
    Content,
    Keep,
    Limits,
    Lookup,
    NewObject,
    ObjectInfo,
    ObjectType,
    Page,
    Part,
    Source,
    Upload,
)
from tagfs.store.keylocks import KeyLocks
from tagfs.store.memory_objects import (
    Shelf,
    StoredUpload,
    content_etag,
    lowered,
    new_detail,
    opaque_etag,
)
from tagfs.store.oss import OSS
from tagfs.store.tags import NO_TAGS, TagRules, TagSet

Hook = Callable[[str, str], None]
"""Called with the operation and its key (of a listing: its prefix; of the bucket: "")."""


class Request(NamedTuple):
    """One request that a client of a real service would have sent."""

    operation: str
    key: str


class MemoryBucket:
    """A `Bucket` whose objects live in this process.

    Attributes:
        requests: every request so far, oldest first; clear it as you like.
        before: called before a request takes effect.
        after: called after it took effect, before the caller hears of it.
    """

    def __init__(
        self,
        name: str = "memory",
        *,
        limits: Limits | None = None,
        capabilities: Capabilities | None = None,
        clock: Callable[[], int] = time.time_ns,
        counts_tags: bool = True,
    ) -> None:
        self.name = name
        self.limits: Limits = limits or Limits()
        self.object_tag_rules: TagRules = OSS.object_tag_rules
        self.bucket_tag_rules: TagRules = OSS.bucket_tag_rules
        self.requests: Final[list[Request]] = []
        self.before: Hook | None = None
        self.after: Hook | None = None
        self.closed = False
        self._capabilities = capabilities or Capabilities()
        self._lock = threading.RLock()
        self._edits = KeyLocks()
        self._shelf = Shelf(clock, counts_tags=counts_tags)
        self._bucket_tags = NO_TAGS

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        return self._capabilities

    def count(self, operation: str | None = None) -> int:
        """Return how many requests there were, of one operation or in all."""
        return sum(operation in (None, request.operation) for request in list(self.requests))

    # Looking

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = 1000
    ) -> Page:
        """Return one page of the keys that begin with `prefix`."""
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        last = None
        with self._request("list", prefix), self._lock:
            for key, is_common in self._shelf.keys.walk(prefix, delimiter, token):
                if len(objects) + len(prefixes) == limit:
                    return Page(tuple(objects), tuple(prefixes), last)
                last = key
                if is_common:
                    prefixes.append(key)
                else:
                    objects.append(self._shelf.get(key).listed())
        return Page(tuple(objects), tuple(prefixes))

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of one directory."""
        page = self.list(prefix)
        yield page
        while page.token is not None:
            page = self.list(prefix, token=page.token)
            yield page

    def lookup(self, key: str, *, max_age: float | None = None) -> Lookup:  # noqa: ARG002
        """Say what is at `key`."""
        with self._request("lookup", key), self._lock:
            found = self._shelf.find(key)
            marker = self._shelf.find(f"{key}/")
            return Lookup(
                info=found.listed() if found else None,
                is_prefix=self._shelf.keys.has_prefix(f"{key}/"),
                marker=marker.listed() if marker else None,
            )

    def head(
        self,
        key: str,
        *,
        expected: ObjectType | None = None,  # noqa: ARG002
        max_age: float | None = None,  # noqa: ARG002
    ) -> ObjectInfo:
        """Describe one object with its detail."""
        with self._request("head", key), self._lock:
            return self._shelf.describe(self._shelf.get(key))

    def known(self, key: str, *, max_age: float | None = None) -> ObjectInfo | None:  # noqa: ARG002
        """Return None: nothing is remembered."""
        return None

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return bytes of an object; a link is followed once, as services do."""
        with self._request("get", key), self._lock:
            found = self._shelf.get(key)
            if found.detail.target is not None:
                found = self._shelf.get(found.detail.target)
            if if_match is not None and found.info.etag != if_match:
                raise ObjectChanged(f"{key}: is no longer {if_match}")
            if not found.detail.readable:
                raise Archived(f"{key}: is archived")
            end = None if length is None else start + length
            return Content(self._shelf.describe(found), start, found.data[start:end])

    # Writing

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object whole, in one request, tags included."""
        self._check(key, new, size=source.size, limit=self.limits.max_put)
        data = source.read(0, source.size)
        with self._edits.hold(key):
            tags = self._tags_for(key, new)
            with self._request("put", key), self._lock:
                self._check_free(key, exclusive=new.exclusive)
                return self._shelf.store(key, data, new_detail(new), tags, etag=content_etag(data))

    def append(self, info: ObjectInfo, source: Source) -> ObjectInfo:
        """Extend an appendable object at its end."""
        data = source.read(0, source.size)
        with self._request("append", info.key), self._lock:
            found = self._shelf.get(info.key)
            if found.info.type is not ObjectType.APPENDABLE:
                raise Unsupported(f"{info.key}: is not appendable")
            length = len(found.data)
            if length != info.size:
                raise PositionMismatch(f"{info.key}: has {length} bytes", length)
            if not data:
                return self._shelf.describe(found)
            return self._shelf.store(
                info.key,
                found.data + data,
                found.detail,
                found.tags,
                etag=opaque_etag(ObjectType.APPENDABLE),
                kind=ObjectType.APPENDABLE,
            )

    def start_append(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create an appendable object where no object is."""
        if not self._capabilities.append:
            raise Unsupported("this bucket has no append")
        self._check(key, new, size=source.size, limit=self.limits.max_put)
        data = source.read(0, source.size)
        tags = NO_TAGS if new.tags is Keep.REPLACED else new.tags
        with self._edits.hold(key), self._request("start_append", key), self._lock:
            self._shelf.check_free(key)
            return self._shelf.store(
                key,
                data,
                new_detail(new),
                tags,
                etag=opaque_etag(ObjectType.APPENDABLE),
                kind=ObjectType.APPENDABLE,
            )

    def start_upload(self, key: str, new: NewObject) -> Upload:
        """Begin a multipart upload."""
        self._check(key, new)
        with self._edits.hold(key):
            tags = self._tags_for(key, new)
            with self._request("start_upload", key), self._lock:
                self._check_free(key, exclusive=new.exclusive)
                upload_id = uuid.uuid4().hex.upper()
                self._shelf.uploads[upload_id] = StoredUpload(key, new, tags)
                return Upload(key=key, upload_id=upload_id, new=new, tags=tags)

    def upload_part(self, upload: Upload, number: int, source: Source) -> Part:
        """Send one part."""
        data = source.read(0, source.size)
        with self._request("upload_part", upload.key), self._lock:
            return self._shelf.store_part(upload, number, data)

    def copy_part(
        self, upload: Upload, number: int, source: ObjectInfo, start: int, length: int
    ) -> Part:
        """Take one part from a range of `source`."""
        with self._request("copy_part", upload.key), self._lock:
            found = self._shelf.get_version(source)
            if start + length > len(found.data) or length > self.limits.max_copy_part:
                raise InvalidRequest(f"{source.key}: no range {start}+{length} to copy")
            return self._shelf.store_part(upload, number, found.data[start : start + length])

    def list_parts(self, upload: Upload) -> Sequence[Part]:
        """Return the parts that arrived, by number."""
        with self._request("list_parts", upload.key), self._lock:
            parts = self._shelf.upload(upload).parts
            return [parts[number][0] for number in sorted(parts)]

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        """Make the parts the object's content; tags edited since the upload began stay."""
        key = upload.key
        with self._edits.hold(key), self._request("complete_upload", key), self._lock:
            stored = self._shelf.upload(upload)
            data = stored.join(parts, self.limits.min_part)
            self._check_free(key, exclusive=stored.new.exclusive)
            del self._shelf.uploads[upload.upload_id]
            return self._shelf.store(
                key,
                data,
                new_detail(stored.new),
                stored.tags if stored.edited is None else stored.edited,
                etag=opaque_etag(ObjectType.MULTIPART, len(parts)),
                kind=ObjectType.MULTIPART,
            )

    def abort_upload(self, upload: Upload) -> None:
        """Throw a begun upload away."""
        with self._request("abort_upload", upload.key), self._lock:
            self._shelf.uploads.pop(upload.upload_id, None)

    def copy(
        self,
        source: ObjectInfo,
        key: str,
        *,
        tags: TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE,
        exclusive: bool = False,
    ) -> ObjectInfo:
        """Copy one object, metadata and tags included; a link is copied itself."""
        if source.key == key:
            raise InvalidRequest(f"{key}: cannot be copied onto itself")
        self._check(key, NewObject(tags=NO_TAGS if isinstance(tags, Keep) else tags))
        with self._edits.hold(key):
            kept = self._tags_for_copy(source.key, key, tags)
            with self._request("copy", key), self._lock:
                found = self._shelf.get_version(source)
                self._check_free(key, exclusive=exclusive)
                appendable = found.info.type is ObjectType.APPENDABLE
                return self._shelf.store(
                    key,
                    found.data,
                    found.detail,
                    found.tags if kept is None else kept,
                    etag=found.info.etag,
                    kind=ObjectType.NORMAL if appendable else found.info.type,
                )

    def set_metadata(
        self, info: ObjectInfo, metadata: Mapping[str, str], headers: Mapping[str, str]
    ) -> ObjectInfo:
        """Replace metadata and headers; content and tags stay, Last-Modified moves."""
        self._check(info.key, NewObject(metadata=metadata, tags=NO_TAGS))
        with self._request("set_metadata", info.key), self._lock:
            found = self._shelf.get_version(info)
            detail = replace(found.detail, metadata=lowered(metadata), headers=lowered(headers))
            return self._shelf.store(
                info.key,
                found.data,
                detail,
                found.tags,
                etag=found.info.etag,
                kind=found.info.type,
            )

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a symlink object."""
        if not self._capabilities.symlinks:
            raise Unsupported("this bucket has no symlinks")
        data = target.encode()
        if not data or len(data) > self.limits.max_key:
            raise NameTooLong(f"{key}: a link's target has 1 to {self.limits.max_key} bytes")
        self._check(key, new)
        with self._edits.hold(key):
            tags = self._tags_for(key, new)
            with self._request("put_symlink", key), self._lock:
                self._check_free(key, exclusive=new.exclusive)
                return self._shelf.store(
                    key,
                    data,
                    new_detail(new, target),
                    tags,
                    etag=content_etag(data),
                    kind=ObjectType.SYMLINK,
                )

    def delete(self, key: str) -> None:
        """Delete one object; a missing one is no error."""
        with self._request("delete", key), self._lock:
            self._shelf.remove(key)

    def delete_many(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Delete objects in batches; hooks see each batch as "delete_many", each key as its own."""
        failed: dict[str, str] = {}
        for start in range(0, len(keys), self.limits.delete_batch):
            batch = keys[start : start + self.limits.delete_batch]
            with self._request("delete_many", batch[0]):
                for key in batch:
                    try:
                        self._call(self.before, "delete_many_key", key)
                    except TagfsError as error:
                        failed[key] = str(error)
                    else:
                        with self._lock:
                            self._shelf.remove(key)
        return failed

    # Tags

    def get_tags(self, key: str, *, max_age: float | None = None) -> TagSet:  # noqa: ARG002
        """Return the tag set of one object."""
        self._check_tags_supported()
        with self._request("get_tags", key), self._lock:
            return self._shelf.get(key).tags

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read the tag set, change it, write it if it differs, and return it."""
        with self._edits.hold(key):
            before = self.get_tags(key)
            after = change(before)
            if after != before:
                self.put_tags(key, after)
            return after

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tag set; neither content nor Last-Modified changes."""
        self._check_tags_supported()
        self.object_tag_rules.check(tags)
        with self._edits.hold(key), self._request("put_tags", key), self._lock:
            self._shelf.retag(key, tags)

    def get_bucket_tags(self, *, max_age: float | None = None) -> TagSet:  # noqa: ARG002
        """Return the tag set of the bucket."""
        if not self._capabilities.bucket_tags:
            raise Unsupported("this bucket has no bucket tags")
        with self._request("get_bucket_tags", ""), self._lock:
            return self._bucket_tags

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read the bucket's tag set, change it, write it if it differs, and return it."""
        with self._edits.hold(""):
            before = self.get_bucket_tags()
            after = change(before)
            if after != before:
                self.bucket_tag_rules.check(after)
                with self._request("put_bucket_tags", ""), self._lock:
                    self._bucket_tags = after
            return after

    # Housekeeping

    def forget(self, prefix: str = "") -> None:
        """Do nothing: nothing is remembered."""

    def close(self) -> None:
        """Note that the bucket was closed."""
        self.closed = True

    def archive(self, key: str) -> None:
        """Move an object to the archive class, from where it cannot be read (for tests)."""
        with self._lock:
            found = self._shelf.get(key)
            detail = replace(found.detail, readable=False)
            info = replace(found.info, storage_class="Archive", detail=detail)
            self._shelf.place(replace(found, info=info))

    # What a request may be, and what it is answered

    def _check(self, key: str, new: NewObject, *, size: int = 0, limit: int = 0) -> None:
        if not key or key.startswith("/") or len(key.encode()) > self.limits.max_key:
            raise NameTooLong(f"{key!r}: a key has 1 to {self.limits.max_key} bytes, no leading /")
        if sum(len(f"{k}{v}".encode()) for k, v in new.metadata.items()) > self.limits.max_metadata:
            raise ValueTooLarge(f"{key}: more than {self.limits.max_metadata} bytes of metadata")
        if size > limit:
            raise FileTooLarge(f"{key}: {size} bytes, at most {limit} fit in one request")
        if new.tags is not Keep.REPLACED:
            self.object_tag_rules.check(new.tags)

    def _check_tags_supported(self) -> None:
        if not self._capabilities.object_tags:
            raise Unsupported("this bucket has no object tags")

    def _check_free(self, key: str, *, exclusive: bool) -> None:
        if exclusive and self._capabilities.exclusive:
            self._shelf.check_free(key)

    def _tags_for(self, key: str, new: NewObject) -> TagSet:
        if new.tags is not Keep.REPLACED:
            return new.tags
        return self._tags_of(key)

    def _tags_for_copy(self, source: str, key: str, tags: TagSet | Keep) -> TagSet | None:
        # None means those of the source, which the service copies itself.
        if isinstance(tags, TagSet):
            return tags
        if tags is Keep.SOURCE or self._tags_of(source):
            return None
        return self._tags_of(key)

    def _tags_of(self, key: str) -> TagSet:
        if not self._capabilities.object_tags:
            return NO_TAGS
        try:
            return self.get_tags(key)
        except NotFound:
            return NO_TAGS

    @contextmanager
    def _request(self, operation: str, key: str) -> Iterator[None]:
        self.requests.append(Request(operation, key))
        self._call(self.before, operation, key)
        yield
        self._call(self.after, operation, key)

    def _call(self, hook: Hook | None, operation: str, key: str) -> None:
        if hook is not None:
            hook(operation, key)
