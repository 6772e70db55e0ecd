"""A bucket in memory: a working fake with the rules of OSS, for tests of everything above `store`.

It owns its objects and forgets them with the process. What requests a client would have sent, and
how to make them fail or wait, is in `requests`.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from tagfs.errors import (
    Archived,
    InvalidRequest,
    NameTooLong,
    NotEmpty,
    NotFound,
    NotPermitted,
    ObjectChanged,
    PositionMismatch,
    TagfsError,
    Unsupported,
)
from tagfs.store.bucket import CachingBucket
from tagfs.store.objects import (
    NONE_MEANT,
    Content,
    Keep,
    Lookup,
    NewObject,
    ObjectInfo,
    ObjectType,
    Page,
    Part,
    Source,
    Upload,
)
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.objects import (
    StoredUpload,
    content_etag,
    lowered,
    new_detail,
    opaque_etag,
)
from tests.fakes.memory_bucket.requests import MemoryRequests, each_there


class MemoryBucket(MemoryRequests):
    """A `Bucket` whose objects live in this process.

    Attributes:
        requests: every request so far, oldest first; clear it as you like.
        before: called before a request takes effect.
        after: called after it took effect, before the caller hears of it.
    """

    # Looking

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = 1000
    ) -> Page:
        """Return one page of the keys that begin with `prefix`."""
        with self._request("list", prefix), self._lock:
            return self._page_of(prefix, delimiter, token, min(limit, self._page))

    def _page_of(self, prefix: str, delimiter: str, token: str | None, limit: int) -> Page:
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        last = None
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
                listing=self._whole(f"{key}/"),
            )

    def _whole(self, prefix: str) -> Page | None:
        """Return all that is in a directory, if there is something, and it is small."""
        page = self._page_of(prefix, "/", None, min(100, self._page))
        return page if page.token is None and (page.objects or page.prefixes) else None

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

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects, one after the other; what is missing is left out."""
        return each_there(keys, self.head)

    def known(self, key: str, *, max_age: float | None = None) -> ObjectInfo | None:  # noqa: ARG002
        """Return None: nothing is remembered."""
        return None

    def known_tags(self, key: str) -> TagSet | None:  # noqa: ARG002
        """Return None: nothing is remembered."""
        return None

    def described(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:  # noqa: ARG002
        """Return nothing: nothing is remembered."""
        return {}

    def recall(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:  # noqa: ARG002
        """Return nothing: nothing was learnt before."""
        return {}

    def known_keys(self, prefix: str, *, max_age: float | None = None) -> Sequence[str] | None:  # noqa: ARG002
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

    def get_many(self, sizes: Mapping[str, int]) -> Mapping[str, Content]:
        """Return several contents, one after the other; what is no plain object is left out."""
        found: dict[str, Content] = {}
        for key, size in sizes.items():
            with suppress(TagfsError):
                content = self.get(key, 0, size)
                if (content.info.key, content.info.size) == (key, size):
                    found[key] = content
        return found

    # Writing

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object whole, in one request, tags included."""
        self._check(key, new, size=source.size, limit=self.limits.max_put)
        data = source.read(0, source.size)
        with self._edits.hold(key):
            tags = self._tags_for(key, new)
            with self._request("put", key), self._lock:
                self._check_free(key, exclusive=new.exclusive)
                self._shelf.attach(key, new)
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
        tags = self._with_defaults(NO_TAGS if new.tags is Keep.REPLACED else new.tags, new)
        with self._edits.hold(key), self._request("start_append", key), self._lock:
            self._shelf.check_free(key)
            self._shelf.attach(key, new)
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
            self._shelf.attach(key, stored.new)
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

    def copy(  # noqa: PLR0913  all that a copy may have otherwise
        self,
        source: ObjectInfo,
        key: str,
        *,
        tags: TagSet
        | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED, Keep.REPLACED_OR_SOURCE] = Keep.SOURCE,
        exclusive: bool = False,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        acl: Mapping[str, str] | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE,
        known_tags: TagSet | None = None,  # noqa: ARG002 contract
        replaces: ObjectInfo | None = None,
        annotations_of: tuple[str, ...] = (),
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
                if replaces is not None:
                    self._shelf.check_version(replaces)
                left = {} if isinstance(acl, Keep) else acl
                if acl is Keep.SOURCE_OR_REPLACED:
                    left = self._shelf.acls.get(key, {})
                self._shelf.acls[key] = self._shelf.acls.get(source.key) or left
                owners = [source.key, *annotations_of]
                brought = next(filter(None, map(self._shelf.annotations.get, owners)), None)
                if brought or acl is not Keep.SOURCE_OR_REPLACED:
                    self._shelf.annotations[key] = dict(brought or {})
                appendable = found.info.type is ObjectType.APPENDABLE
                detail = found.detail
                if metadata is not None:
                    detail = replace(detail, metadata=lowered(metadata))
                if headers is not None:
                    detail = replace(detail, headers=lowered(headers))
                return self._shelf.store(
                    key,
                    found.data,
                    detail,
                    found.tags if kept is None else kept,
                    etag=found.info.etag,
                    kind=ObjectType.NORMAL if appendable else found.info.type,
                )

    def rename(self, key: str, new: str, *, source: ObjectInfo | None = None) -> None:  # noqa: ARG002
        """Rename an object, or a directory with all that is below it."""
        if not self._capabilities.rename:
            raise Unsupported("this bucket does not rename")
        with self._request("rename", key), self._lock:
            is_directory = key.endswith("/")
            if is_directory and set(self._below(new)) - {new}:
                raise NotEmpty(f"{new}: is not empty")
            moved = self._below(key) if is_directory else [key]
            for stored in [self._shelf.get(found) for found in moved or [key]]:
                old = stored.info.key
                info = replace(stored.info, key=new + old[len(key) :])
                self._shelf.acls[info.key] = self._shelf.acls.get(old, {})
                self._shelf.remove(old)
                self._shelf.place(replace(stored, info=info))

    def _below(self, prefix: str) -> Sequence[str]:
        return [key for key, _ in self._shelf.keys.walk(prefix, "", None)]

    def set_metadata(
        self,
        info: ObjectInfo,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        known_tags: TagSet | None = None,  # noqa: ARG002 contract
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

    def put_acl(self, key: str, word: str) -> None:
        """Give an object a canned ACL."""
        with self._request("put_acl", key), self._lock:
            self._shelf.get(key)
            self._shelf.acls[key] = {} if word == "default" else {"acl": word}

    def restore(self, key: str, days: int) -> None:  # noqa: ARG002 contract
        """Begin to restore what `archive` has archived; it never ends."""
        with self._request("restore", key), self._lock:
            found = self._shelf.get(key)
            if found.detail.readable:
                raise NotPermitted(f"{key!r} is not archived")
            detail = replace(found.detail, restore='ongoing-request="true"')
            self._shelf.place(replace(found, info=replace(found.info, detail=detail)))

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
                self._shelf.attach(key, new)
                return self._shelf.store(
                    key,
                    data,
                    new_detail(new, target),
                    tags,
                    etag=content_etag(data),
                    kind=ObjectType.SYMLINK,
                )

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        """Delete one object; a missing one is no error. No attempt is repeated here."""
        with self._request("delete", key), self._lock:
            if not self._is_other(key, meant):
                self._shelf.remove(key)

    def _is_other(self, key: str, meant: ObjectInfo | None) -> bool:
        """Say whether a key holds another version than is meant."""
        if meant is None or not meant.etag or meant.type is ObjectType.SYMLINK:
            return False
        try:
            return self._shelf.get(key).info.etag != meant.etag
        except NotFound:
            return False

    def may_delete(self, key: str, *, surely: bool = False) -> bool:  # noqa: ARG002 contract
        """Say so: everything may be done here."""
        return True

    def delete_many(
        self,
        keys: Sequence[str],
        *,
        meant: Mapping[str, ObjectInfo] = NONE_MEANT,
    ) -> Mapping[str, str]:
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
                            if not self._is_other(key, meant.get(key)):
                                self._shelf.remove(key)
        return failed

    def get_acl(self, key: str) -> Mapping[str, str]:
        """Return the ACL that was sent with an object."""
        with self._lock:
            self._shelf.get(key)
            return self._shelf.acls.get(key, {})

    # Housekeeping

    def distrust(self, prefix: str = "") -> None:
        """Do nothing: every answer is of now."""

    def expect_empty(self, prefix: str) -> None:
        """Remember nothing."""

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


def _keeps_the_contract(bucket: MemoryBucket) -> CachingBucket:
    return bucket
