"""The looking part of `CachedBucket`: what is remembered, or asked for once for all who ask."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from tagfs.errors import IntegrityError, NoSuchBucket, NotFound, ObjectChanged
from tagfs.store.bucket import KNOWN_KEYS, Bucket
from tagfs.store.cache.coalescer import Coalescer
from tagfs.store.cache.entry import UNKNOWN, Unknown
from tagfs.store.cache.listed_details import ListedDetails
from tagfs.store.cache.recollection import Recollection
from tagfs.store.cache.scans import Scans
from tagfs.store.cache.shared_scan import TooLarge, kept_pages
from tagfs.store.objects import Content, Lookup, ObjectInfo, ObjectType, Page
from tagfs.store.single_flight import Call
from tagfs.store.versions import check_same_size

T = TypeVar("T")


class CachedReads:
    """Objects described, listed and read."""

    def __init__(
        self, inner: Bucket, state: Coalescer, scans: Scans, recollection: Recollection
    ) -> None:
        self._recollection = recollection
        self._inner = inner
        self._details = ListedDetails(state)
        self._state = state
        self._scans = scans
        self._clocks = state.clocks
        self._known = state.known
        self._lock = state.lock

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = 1000
    ) -> Page:
        """Return one page as the service lists it now."""
        return self._inner.list(prefix, delimiter=delimiter, token=token, limit=limit)

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of one directory; remember it unless it is too large."""
        with self._lock:
            listing = self._known.listings.read(prefix, self._clocks.oldest())
            if listing is not None and listing.unknown_names:
                listing = None
            self._state.counts.hits += listing is not None
        if listing is not None:
            yield from kept_pages(prefix, listing.rows)
            return
        for page in self._scans.pages(
            prefix, lambda: self._details.taken_from(self._inner.scan(prefix))
        ):
            if isinstance(page, TooLarge):
                yield from self._list_all(prefix, page.token)
            else:
                yield page

    def lookup(self, key: str, *, max_age: float | None = None) -> Lookup:
        """Say what is at `key`, from its own or its directory's listing where possible."""
        return self._state.get_or_fetch(
            ("lookup", key),
            lambda: self._recall_lookup(key, max_age),
            lambda: self._inner.lookup(key),
            lambda found, at: self._state.record_lookup(key, found, at),
            lambda: self._clocks.oldest_flight(max_age, self._clocks.ttl),
        )

    def head(
        self, key: str, *, expected: ObjectType | None = None, max_age: float | None = None
    ) -> ObjectInfo:
        """Describe one object with its detail."""

        def ask() -> ObjectInfo | None:
            return unless_missing(
                lambda: self._inner.head(key, expected=expected or self._listed_type(key))
            )

        if max_age is None:
            self._recollection.recall_details((key,))
        info = self._state.get_or_fetch(
            ("head", key),
            lambda: self._recall_detail(key, max_age),
            ask,
            lambda found, at: self._state.record(key, found, at),
            lambda: self._clocks.oldest_flight(max_age, self._clocks.ttl),
        )
        if info is None:
            raise NotFound(f"{key}: no such key")
        return info

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects, and remember what comes; what is known is not asked for."""
        self._recollection.recall_details(keys)
        return self._state.fetch_many(
            "head", keys, self._recall_metadata, self._inner.head_many, self._state.record
        )

    def _recall_lookup(self, key: str, max_age: float | None) -> Lookup | Unknown:
        found = self._known.lookup(key, self._clocks.oldest(max_age))
        if found is UNKNOWN or found.info is not None or found.is_prefix:
            return found
        return self._known.lookup(key, self._clocks.oldest_absence(max_age))

    def _recall_detail(self, key: str, max_age: float | None = None) -> ObjectInfo | Unknown | None:
        found = self._known.find(key, self._clocks.oldest(max_age))
        if found is None:
            found = self._known.find(key, self._clocks.oldest_absence(max_age))
        without_detail = found is not UNKNOWN and found is not None and found.detail is None
        return UNKNOWN if without_detail else found

    def _recall_metadata(self, key: str) -> ObjectInfo | Unknown | None:
        found = self._known.find(key, self._clocks.oldest())
        listed = found is not UNKNOWN and found is not None and found.metadata is not None
        return found if listed else self._recall_detail(key)

    def known(self, key: str, *, max_age: float | None = None) -> ObjectInfo | None:
        """Return what is remembered of an object, without a request."""
        with self._lock:
            found = self._known.find(key, self._clocks.oldest(max_age))
            return None if found is UNKNOWN else found

    def described(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Return objects of which more is remembered than a listing tells, without a request."""
        described = {}
        with self._lock:
            oldest = self._clocks.oldest()
            for key in keys:
                info = self._known.find(key, oldest) if key in self._known.entries else None
                if isinstance(info, ObjectInfo) and info.metadata is not None:
                    described[key] = info
        return described

    def recall(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Do the same, with what the long-term memory has of objects that a listing shows."""
        return self._recollection.recall_details(keys)

    def known_keys(self, prefix: str, *, max_age: float | None = None) -> Sequence[str] | None:
        """Return what a remembered listing of one directory shows, without a request."""
        with self._lock:
            keys = self._known.listings.keys(prefix, self._clocks.oldest(max_age))
            return None if keys is None else keys[:KNOWN_KEYS]

    def expect_empty(self, prefix: str) -> None:
        """Remember that a directory which is being made is empty, if there was none."""
        with self._lock:
            self._known.expects_empty(prefix, self._clocks.oldest())

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return bytes of an object; what comes with them is remembered, they are not.

        Raises:
            IntegrityError: the size is not the one that is remembered of the same version.
        """
        slot = ("head", key)
        known = self.known(key)
        with self._lock:
            flight = self._state.flights.begin(slot, self._clocks.monotonic(), shared=False)
        try:
            content = self._inner.get(key, start, length, if_match=if_match)
            if known is not None:
                check_same_size(known, content.info)
        except BaseException as error:
            with self._lock:
                self._state.flights.end(slot, flight)
                if isinstance(error, NotFound | ObjectChanged | IntegrityError):
                    self._state.invalidate(key)
            raise
        with self._lock:
            self._state.flights.end(slot, flight)
            self._saw(key, content.info, flight)
        return content

    def get_many(self, sizes: Mapping[str, int]) -> Mapping[str, Content]:
        """Return several small contents; what comes with them is remembered, they are not."""
        with self._lock:
            now = self._clocks.monotonic()
            flights = {
                key: self._state.flights.begin(("head", key), now, shared=False) for key in sizes
            }
        found: Mapping[str, Content] = {}
        try:
            found = self._inner.get_many(sizes)
        finally:
            with self._lock:
                for key, flight in flights.items():
                    self._state.flights.end(("head", key), flight)
                    if key in found:
                        self._saw(key, found[key].info, flight)
        return found

    def _saw(self, key: str, info: ObjectInfo, flight: Call[object]) -> None:
        """Remember what came with content (under the lock)."""
        # Through a link comes a mixture of the link and its target.
        is_own = info.key == key and info.type is not ObjectType.SYMLINK
        if is_own and info.detail is not None and not flight.invalid:
            self._state.record(key, info, flight.began)

    def _list_all(self, prefix: str, token: str | None) -> Iterator[Page]:
        page = self._inner.list(prefix, token=token)
        yield page
        while page.token is not None:
            page = self._inner.list(prefix, token=page.token)
            yield page

    def _listed_type(self, key: str) -> ObjectType | None:
        listed = self.known(key)
        is_link = listed is not None and listed.type is ObjectType.SYMLINK
        return ObjectType.SYMLINK if is_link else None


def unless_missing(ask: Callable[[], T]) -> T | None:
    """Return the answer, None if there is no such key."""
    try:
        return ask()
    except NoSuchBucket:
        raise
    except NotFound:
        return None
