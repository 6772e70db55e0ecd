"""How tags are reached: by the bucket itself, or by the extended attributes of a mount.

`TagAccess` is the contract; `DirectAccess` asks the service. Keys are as everywhere ("a/" is the
marker of directory `a`); the empty key stands for the bucket itself. A directory that exists only
by the keys below it has no tags, and gets its marker when it is to have some.
"""

import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tagfs.catalogue.catalogue import Catalogue
from tagfs.errors import AlreadyExists, NotFound, TagfsError, Unsupported
from tagfs.store.bucket import Bucket
from tagfs.store.objects import MARKER_TYPE, BytesSource, NewObject, ObjectInfo, ObjectType, Page
from tagfs.store.tags import NO_TAGS, TagRules, TagSet

T = TypeVar("T")
Change = Callable[[str, TagSet], TagSet]
"""Makes the wanted set from an object's key, as it is in the bucket, and the present set."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a listing, or a common prefix.

    Attributes:
        is_prefix: there are keys below it; nobody looked for a marker.
        info: the object as the service lists it; None where a mount was asked.
    """

    key: str
    is_link: bool = False
    is_prefix: bool = False
    info: ObjectInfo | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Whose tags: a key, "" for the bucket.

    Attributes:
        either: whether it names a file or a directory is not known: first the one, then the other.
    """

    key: str
    either: bool = False


class TagAccess(Protocol):
    """Reads and writes tags, and lists whose there are. Thread-safe but for the listings."""

    bucket_tag_rules: TagRules

    @property
    def object_tag_rules(self) -> TagRules:
        """What the bucket takes as tags of an object, as far as it is known."""
        ...

    def entries(self, prefix: str, *, deep: bool) -> Iterator[Entry]:
        """Yield the keys that begin with `prefix`, in order; common prefixes unless `deep`."""
        ...

    def get(self, address: Address) -> tuple[str, TagSet]:
        """Return the key found there, and its tags."""
        ...

    def update(self, address: Address, change: Change) -> TagSet:
        """Change a tag set that is read afresh; writes it if it differs, and returns it."""
        ...

    def put(self, address: Address, tags: TagSet) -> str:
        """Replace a tag set without reading it; return the key."""
        ...

    def restore(self, address: Address, days: int) -> None:
        """Let an archived object be readable for some days."""
        ...

    def undelete(self, address: Address) -> None:
        """Let a deleted object be there again."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...


class DirectAccess:
    """`TagAccess` by a bucket. What it learns of tags is written into the catalogue."""

    def __init__(self, bucket: Bucket, catalogue: Catalogue | None = None) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self.bucket_tag_rules = bucket.bucket_tag_rules

    @property
    def object_tag_rules(self) -> TagRules:
        """What the bucket takes as tags of an object, as far as it is known."""
        return self._bucket.object_tag_rules

    def entries(self, prefix: str, *, deep: bool) -> Iterator[Entry]:
        """Yield a listing's entries, the next page fetched meanwhile; see `Access.entries`."""
        for page in pages_ahead(self._bucket, prefix, delimiter="" if deep else "/"):
            links = (i.type is ObjectType.SYMLINK for i in page.objects)
            pairs = zip(page.objects, links, strict=True)
            found = [Entry(i.key, is_link, info=i) for i, is_link in pairs]
            found += [Entry(key, is_prefix=True) for key in page.prefixes]
            yield from sorted(found, key=_by_key) if page.prefixes else found

    def get(self, address: Address) -> tuple[str, TagSet]:
        """Read tags; see `Access.get`."""
        if not address.key:
            return "", self._bucket.get_bucket_tags()
        return self._locate(
            address,
            lambda key: (key, self._learn(key, lambda: self._bucket.get_tags(key))),
            lambda key: (key, NO_TAGS),
        )

    def update(self, address: Address, change: Change) -> TagSet:
        """Change tags; see `Access.update`."""
        if not address.key:
            return self._bucket.update_bucket_tags(functools.partial(change, ""))
        return self._locate(
            address,
            lambda key: self._update(key, change),
            lambda key: self._make_marker(key, change),
        )

    def put(self, address: Address, tags: TagSet) -> str:
        """Replace tags; see `Access.put`."""
        if not address.key:
            self._bucket.update_bucket_tags(lambda _: tags)
            return ""
        return self._locate(
            address,
            lambda key: self._put(key, tags),
            lambda key: self._put_marker(key, tags),
        )

    def restore(self, address: Address, days: int) -> None:
        """Restore an object; see `Access.restore`."""
        self._bucket.restore(address.key, days)

    def undelete(self, address: Address) -> None:
        """Bring an object back; who has the bucket asks for its versions instead."""
        raise Unsupported(f"{address.key!r}: by its versions")

    def close(self) -> None:
        """Give back connections; see `Access.close`."""
        self._bucket.close()

    def _locate(
        self, address: Address, call: Callable[[str], T], implicit: Callable[[str], T]
    ) -> T:
        """Call for the object; else for the marker; else for a directory that has none."""
        key = address.key
        try:
            return call(key)
        except NotFound:
            if not address.either and not key.endswith("/"):
                raise
        if not key.endswith("/"):
            key += "/"
            try:
                return call(key)
            except NotFound:
                pass
        if self._bucket.list(key, delimiter="", limit=1).objects:
            return implicit(key)
        raise NotFound(f"{address.key!r}: neither a file nor a directory")

    def _update(self, key: str, change: Change) -> TagSet:
        edit = functools.partial(change, key)
        return self._learn(key, lambda: self._bucket.update_tags(key, edit))

    def _put(self, key: str, tags: TagSet) -> str:
        def put() -> TagSet:
            self._bucket.put_tags(key, tags)
            return tags

        self._learn(key, put)
        return key

    def _learn(self, key: str, ask: Callable[[], TagSet]) -> TagSet:
        """Return what is asked, and take note of it; and of what is not known after a failure."""
        if self._catalogue is None:
            return ask()
        began = time.monotonic()
        try:
            tags = ask()
        except TagfsError:
            self._catalogue.saw_tags(key, None)
            raise
        self._catalogue.saw_tags(key, tags, age=time.monotonic() - began)
        return tags

    def _put_marker(self, key: str, tags: TagSet) -> str:
        self._make_marker(key, lambda _, __: tags)
        return key

    def _make_marker(self, key: str, change: Change) -> TagSet:
        wanted = change(key, NO_TAGS)
        if not wanted:
            return wanted
        headers = {"content-type": MARKER_TYPE}
        try:
            new = NewObject(headers=headers, tags=wanted, exclusive=True)
            self._bucket.put(key, BytesSource(b""), new)
        except AlreadyExists:
            return self._update(key, change)
        return wanted


def pages_ahead(bucket: Bucket, prefix: str, *, delimiter: str) -> Iterator[Page]:
    """Yield the pages of a listing, each asked for while the one before is used."""
    read = functools.partial(bucket.list, prefix, delimiter=delimiter)
    with ThreadPoolExecutor(1, "tagfs-list") as ahead:
        page = read()
        while True:
            following = ahead.submit(read, token=page.token) if page.token else None
            yield page
            if following is None:
                return
            page = following.result()


def _by_key(entry: Entry) -> bytes:
    return entry.key.encode("utf-8", "surrogatepass")
