"""The part of the contract that looks at objects: see `tagfs.store.bucket`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tagfs.store.objects import Content, Lookup, ObjectInfo, ObjectType, Page


class ObjectReads(Protocol):
    """Listing, describing and reading objects."""

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = 1000
    ) -> Page:
        """Return one page of the keys that begin with `prefix`; one request.

        Raises:
            NoSuchBucket, AccessDenied
        """
        ...

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of the directory `prefix` ("" or ending in "/") as they arrive."""
        ...

    def lookup(self, key: str) -> Lookup:
        """Say what is at `key` (no trailing "/"): at most 2 requests, in one round trip.

        Of a small directory the answer may show all that is in it.
        """
        ...

    def head(self, key: str, *, expected: ObjectType | None = None) -> ObjectInfo:
        """Describe one object with its detail; a link is described itself.

        `expected` is a hint from a listing that saves a request for links.

        Raises:
            NotFound
        """
        ...

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects at the same time, as `head` does each.

        What does not take one plain request, or is missing, is left out: ask for it singly.
        """
        ...

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return up to `length` bytes from `start` on (fewer only at the end); all if None.

        A read of a whole object is verified against its checksum.

        Raises:
            NotFound, ObjectChanged (the ETag is not `if_match`), Archived, IntegrityError
        """
        ...

    def get_many(self, sizes: Mapping[str, int]) -> Mapping[str, Content]:
        """Return the content of several small objects, asked for at the same time.

        `sizes` are what they are expected to have. What is another size by now, is missing, or does
        not take one plain request, is left out: ask for it singly.
        """
        ...

    def get_acl(self, key: str) -> Mapping[str, str]:
        """Return what gives a rewritten object its ACL again; empty if that takes nothing.

        Raises:
            NotFound
        """
        ...
