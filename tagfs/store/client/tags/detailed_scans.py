"""Directories listed with attributes and tags, where a server tells them and tells them right.

Servers of others than the maker of the protocol are asked once in each way that there is
(`FORMS`). One that tells nothing more is not asked so again. Of one that does, one object is looked
at by HEAD and by its tags: only what agrees with these is believed from then on.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

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
from tagfs.store.wire.listed_details import WITH_HEADERS, WITH_METADATA, ListingForm

FORMS: Final = (WITH_HEADERS, WITH_METADATA)
"""The ways of asking, the one that no server misunderstands first."""


class DetailedScans:
    """Scans of directories; see `ObjectReads.scan`.

    Attributes:
        form: how listings are asked for details; None where that is no use.
        shows_details, shows_tags: whether what they tell is believed; None while nobody knows.
    """

    def __init__(
        self, context: ClientContext, listing: ObjectListing, heads: ObjectHeads, tags: ObjectTags
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._listing = listing
        self._heads = heads
        self._tags = tags
        self._lock = threading.Lock()
        self._forms = iter(FORMS if context.api.dialect.lists_details else ())
        self.form = next(self._forms, None)
        self.shows_details: bool | None = None
        self.shows_tags: bool | None = None

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of a directory; see `ObjectReads.scan`."""
        return self._listing.scan(prefix, self._page)

    def _page(self, prefix: str, token: str | None = None) -> Page:
        plain: Page | None = None
        while (form := self._asked()) is not None:
            try:
                page = self._listing.list(prefix, token=token, form=form)
            except (InvalidRequest, MalformedResponse, Refused, Unsupported) as error:
                with self._lock:
                    self._stop(form, f"they are refused, or cannot be read: {error}")
                continue
            if self.shows_details is None and page.objects:
                self._judge(form, page)
            plain = self._believed(form, page)
            if self._features.tags_in_heads is None and any(plain.tags.values()):
                self._compare_heads(plain)
            if self.form is form:
                break
        return plain or self._listing.list(prefix, token=token)

    def _asked(self) -> ListingForm | None:
        """Return how a listing is asked for: before its first answer a server may be the maker."""
        is_foreign = self._api.transport.server and not self._api.is_vouched_for
        return self.form if is_foreign else None

    def _stop(self, form: ListingForm, reason: str) -> None:
        if self.form is form:
            self.form = next(self._forms, None)
            self._features.detailed_scans = self.form is not None
            self.shows_details = self.shows_tags = None
            logger.info(
                "bucket %r: listings are not asked for with %s: %s",
                self._api.name,
                "&".join(map("=".join, form.query.items())),
                reason,
            )

    def _judge(self, form: ListingForm, page: Page) -> None:
        """Find out, by the object of which most is told, whether what is told is right."""
        with self._lock:
            if self.form is not form or self.shows_details is not None:
                return
            shown = [info for info in page.objects if _amount(info, page.tags)]
            if not shown:
                if form.proof is None:  # it may have been ignored; else no object has any
                    self._stop(form, "the server tells nothing more")
                return
            found = self._compare(max(shown, key=lambda info: _amount(info, page.tags)), page)
            if found is None:
                return  # gone meanwhile: the next one
            details, tags = found
            if not details and not tags:
                self._stop(form, "what the server tells is not what the objects have")
                return
            self.shows_details, self.shows_tags = found
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
                if known is not None and info.listed_metadata is not None:
                    return info.listed_metadata == known.metadata, False
                details = known is not None and info.detail == replace(known, tag_count=None)
            with suppress(AccessDenied, Unsupported, Refused):
                tags = self._tags.get_tags(info.key) == page.tags.get(info.key)
        except NotFound:
            return None
        return details, tags

    def _compare_heads(self, page: Page) -> None:
        """Find out, by one object that has tags, whether a HEAD tells them as well.

        MinIO does, and RustFS may not. It is a matter of requests alone: what fails is no use.
        """
        key = max(page.tags, key=lambda key: len(page.tags[key]))
        with self._lock, suppress(NotFound):
            if self._features.tags_in_heads is None:
                right = False
                with suppress(
                    AccessDenied, InvalidRequest, MalformedResponse, Refused, Unsupported
                ):
                    right = self._heads.tags_by_head(key) == page.tags[key]
                self._features.note_tags_in_heads(right=right)

    def _believed(self, form: ListingForm, page: Page) -> Page:
        judged, objects = self.form is form, page.objects
        if not (judged and self.shows_details):
            objects = tuple(info.as_listed() for info in objects)
        return replace(page, objects=objects, tags=page.tags if judged and self.shows_tags else {})


def _amount(info: ObjectInfo, tags: Mapping[str, TagSet]) -> int:
    """Return how much a listing tells of an object."""
    own = len(info.metadata or ()) + (info.detail is not None)
    return own + len(tags.get(info.key, ())) + (info.key in tags)


def _words(*, details: bool, tags: bool) -> str:
    if details and tags:
        return "attributes and tags"
    return "attributes" if details else "tags"
