"""Directories listed with attributes and tags, where a server tells them and tells them right.

Servers of others than the maker of the protocol are asked once (`metadata=true`). One that tells
nothing more is not asked again. Of one that does, one object is looked at by HEAD and by its tags:
only what agrees with these is believed from then on.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from tagfs.errors import (
    AccessDenied,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    Refused,
    Unsupported,
)
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.reads.listing import ObjectListing
from tagfs.store.client.tags.object_tags import ObjectTags
from tagfs.store.objects import ObjectInfo, Page
from tagfs.store.tags import TagSet
from tagfs.store.versions import same_version


class DetailedScans:
    """Scans of directories; see `ObjectReads.scan`.

    Attributes:
        asks: whether listings are asked for details.
        shows_details, shows_tags: whether what they tell is believed; None while nobody knows.
    """

    def __init__(
        self, context: ClientContext, listing: ObjectListing, heads: ObjectHeads, tags: ObjectTags
    ) -> None:
        self._api = context.api
        self._listing = listing
        self._heads = heads
        self._tags = tags
        self._lock = threading.Lock()
        self.asks = context.api.dialect.lists_details
        self.shows_details: bool | None = None
        self.shows_tags: bool | None = None

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of a directory; see `ObjectReads.scan`."""
        return self._listing.scan(prefix, self._page)

    def _page(self, prefix: str, token: str | None = None) -> Page:
        # Before its first answer a server may be the protocol's maker.
        if not self.asks or self._api.is_vouched_for or not self._api.transport.server:
            return self._listing.list(prefix, token=token)
        try:
            page = self._listing.list(prefix, token=token, detailed=True)
        except (InvalidRequest, MalformedResponse, Refused, Unsupported) as error:
            self._stop(f"it is refused, or cannot be read: {error}")
            return self._listing.list(prefix, token=token)
        if self.shows_details is None and page.objects:
            self._judge(page)
        return self._believed(page)

    def _stop(self, reason: str) -> None:
        self.asks = False
        self.shows_details = self.shows_tags = False
        logger.info(
            "bucket %r: listings with details are not asked for: %s", self._api.name, reason
        )

    def _judge(self, page: Page) -> None:
        """Find out, by the object of which most is told, whether what is told is right."""
        with self._lock:
            if self.shows_details is not None:
                return
            shown = [info for info in page.objects if info.detail or info.key in page.tags]
            if not shown:
                self._stop("the server tells none")
                return
            found = self._compare(max(shown, key=lambda info: _amount(info, page.tags)), page)
            if found is None:
                return  # gone meanwhile: the next one
            details, tags = self.shows_details, self.shows_tags = found
        if not details and not tags:
            self._stop("what it tells is not what the objects have")
        else:
            logger.info(
                "bucket %r: listings tell %s", self._api.name, _words(details=details, tags=tags)
            )

    def _compare(self, info: ObjectInfo, page: Page) -> tuple[bool, bool] | None:
        """Return whether detail and tags that were listed are those that the object has.

        None if it has gone, or was replaced.
        """
        details = tags = False
        try:
            with suppress(AccessDenied, Unsupported, Refused):
                found = self._heads.head(info.key)
                if not same_version(found, info, apart=1):
                    return None
                known = found.detail
                details = known is not None and info.detail == replace(known, tag_count=None)
            with suppress(AccessDenied, Unsupported, Refused):
                tags = self._tags.get_tags(info.key) == page.tags.get(info.key)
        except NotFound:
            return None
        return details, tags

    def _believed(self, page: Page) -> Page:
        objects = page.objects
        if not self.shows_details:
            objects = tuple(replace(info, detail=None) for info in objects)
        return replace(page, objects=objects, tags=page.tags if self.shows_tags else {})


def _amount(info: ObjectInfo, tags: Mapping[str, TagSet]) -> int:
    """Return how much a listing tells of an object."""
    detail = info.detail
    return len(tags.get(info.key, ())) + (1 + len(detail.metadata) if detail else 0)


def _words(*, details: bool, tags: bool) -> str:
    if details and tags:
        return "attributes and tags"
    return "attributes" if details else "tags"
