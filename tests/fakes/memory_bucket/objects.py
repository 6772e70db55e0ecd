"""What a `MemoryBucket` keeps: objects, uploads, and how a service describes them.

Knows no lock and no request: whoever calls holds the bucket's lock.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tagfs.errors import AlreadyExists, InvalidRequest, NoSuchUpload, NotFound, ObjectChanged
from tagfs.store.objects import Detail, NewObject, ObjectInfo, ObjectType, Part, Upload
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.keys import SortedKeys

_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object: what a HEAD reports (but the number of tags), its bytes and its tags."""

    info: ObjectInfo
    data: bytes
    tags: TagSet = NO_TAGS

    @property
    def detail(self) -> Detail:
        """What a HEAD reports of it, but for the number of tags."""
        return self.info.detail or Detail()

    def listed(self) -> ObjectInfo:
        """Return what a listing reports of it."""
        at = self.info.last_modified_ns
        return replace(self.info, detail=None, last_modified_ns=at - at % _MILLISECOND)

    def described(self, *, counts_tags: bool) -> ObjectInfo:
        """Return what HEAD and GET report of it; of no tags no service that counts them does."""
        at = self.info.last_modified_ns
        count = (len(self.tags) or None) if counts_tags else None
        detail = replace(self.detail, tag_count=count)
        return replace(self.info, detail=detail, last_modified_ns=at - at % _SECOND)


@dataclass(slots=True)
class StoredUpload:
    """A multipart upload that was begun, with the parts that arrived.

    `edited` are the tags that an edit since then gave to the object which will be replaced.
    """

    key: str
    new: NewObject
    tags: TagSet
    parts: dict[int, tuple[Part, bytes]] = field(default_factory=dict)
    edited: TagSet | None = None

    def join(self, parts: Sequence[Part], min_part: int) -> bytes:
        """Return the content that `parts` make.

        Raises:
            InvalidRequest: no parts, not in order, unknown, or one but the last is too small.
        """
        numbers = [part.number for part in parts]
        if not parts or numbers != sorted(set(numbers)):
            raise InvalidRequest("parts must be in ascending order")
        for part in parts:
            kept = self.parts.get(part.number)
            if kept is None or kept[0].etag != part.etag:
                raise InvalidRequest(f"part {part.number} is not one of this upload")
        chunks = [self.parts[number][1] for number in numbers]
        if any(len(chunk) < min_part for chunk in chunks[:-1]):
            raise InvalidRequest(f"a part but the last is smaller than {min_part} bytes")
        return b"".join(chunks)


def new_detail(new: NewObject, target: str | None = None) -> Detail:
    """Return the detail of an object made by `new`; names become lower case, as in headers."""
    return Detail(metadata=lowered(new.metadata), headers=lowered(new.headers), target=target)


def lowered(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return the pairs with names in lower case."""
    return {name.lower(): value for name, value in pairs.items()}


def content_etag(data: bytes) -> str:
    """Return the ETag of an object put whole, or of a part."""
    return hashlib.md5(data).hexdigest().upper()


def opaque_etag(kind: ObjectType, parts: int = 1) -> str:
    """Return an ETag that says nothing about the content, as appendables and uploads have."""
    etag = uuid.uuid4().hex.upper()
    return f"{etag}-{parts}" if kind is ObjectType.MULTIPART else etag


class Shelf:
    """All objects and begun uploads of one bucket."""

    def __init__(self, clock: Callable[[], int], *, counts_tags: bool) -> None:
        self.keys = SortedKeys()
        self.uploads: dict[str, StoredUpload] = {}
        self.acls: dict[str, Mapping[str, str]] = {}
        self.annotations: dict[str, dict[str, bytes]] = {}
        self._objects: dict[str, StoredObject] = {}
        self._clock = clock
        self._counts_tags = counts_tags

    def find(self, key: str) -> StoredObject | None:
        """Return the object, None if there is none."""
        return self._objects.get(key)

    def get(self, key: str) -> StoredObject:
        """Return the object that must be there."""
        found = self._objects.get(key)
        if found is None:
            raise NotFound(f"{key}: no such key")
        return found

    def get_version(self, info: ObjectInfo) -> StoredObject:
        """Return the object if it is still what `info` describes."""
        found = self.get(info.key)
        if found.info.etag != info.etag:
            raise ObjectChanged(f"{info.key}: is no longer {info.etag}")
        return found

    def check_version(self, info: ObjectInfo) -> None:
        """Raise `ObjectChanged` if an object is not what `info` describes, or gone."""
        found = self._objects.get(info.key)
        if found is None or found.info.etag != info.etag:
            raise ObjectChanged(f"{info.key}: is no longer {info.etag}")

    def check_free(self, key: str) -> None:
        """Raise `AlreadyExists` if there is an object."""
        if key in self._objects:
            raise AlreadyExists(f"{key}: exists")

    def store(
        self,
        key: str,
        data: bytes,
        detail: Detail,
        tags: TagSet,
        *,
        etag: str,
        kind: ObjectType = ObjectType.NORMAL,
    ) -> ObjectInfo:
        """Create or replace an object; return what a HEAD reports of it."""
        info = ObjectInfo(
            key=key,
            size=len(data),
            etag=etag,
            last_modified_ns=self._clock(),
            type=kind,
            storage_class=detail.headers.get("storage-class", "Standard"),
            detail=detail,
        )
        return self.place(StoredObject(info, data, tags))

    def attach(self, key: str, new: NewObject) -> None:
        """Give an object the ACL and annotations sent with it; without, what is there stays."""
        if isinstance(new.acl, Mapping):
            self.acls[key] = new.acl
        for source in new.annotations_of:
            if found := self.annotations.get(source):
                self.annotations[key] = dict(found)
                return

    def place(self, stored: StoredObject) -> ObjectInfo:
        """Keep an object as it is; return what a HEAD reports of it."""
        key = stored.info.key
        if key not in self._objects:
            self.keys.add(key)
        self._objects[key] = stored
        return self.describe(stored)

    def describe(self, stored: StoredObject) -> ObjectInfo:
        """Return what a HEAD reports of an object."""
        return stored.described(counts_tags=self._counts_tags)

    def remove(self, key: str) -> None:
        """Have no object of this key."""
        if self._objects.pop(key, None) is not None:
            self.keys.discard(key)
            self.acls.pop(key, None)
            self.annotations.pop(key, None)

    def upload(self, upload: Upload) -> StoredUpload:
        """Return an upload that must be there."""
        found = self.uploads.get(upload.upload_id)
        if found is None or found.key != upload.key:
            raise NoSuchUpload(f"{upload.key}: no upload {upload.upload_id}")
        return found

    def retag(self, key: str, tags: TagSet) -> None:
        """Give an object other tags, and note it for the uploads that will replace it."""
        self.place(replace(self.get(key), tags=tags))
        for upload in self.uploads.values():
            if upload.key == key:
                upload.edited = tags

    def store_part(self, upload: Upload, number: int, data: bytes) -> Part:
        """Keep one part; a number that comes again replaces the part."""
        part = Part(number=number, etag=content_etag(data), size=len(data))
        self.upload(upload).parts[number] = (part, data)
        return part
