"""Listings of a bucket, page by page."""

from collections.abc import Callable, Iterator
from typing import Final

from tagfs.errors import AccessDenied, BadCredentials, MalformedResponse
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.dialects.dialect import ListKeys
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import ObjectInfo, Page
from tagfs.store.wire.listed_details import ListingForm
from tagfs.store.wire.listings import parse_listing

PAGE: Final = 1000
"""Entries; services give no more at once."""


def _keys(page: Page) -> Iterator[str]:
    yield from page.prefixes
    for info in page.objects:
        yield info.key


class ObjectListing:
    """Pages of keys; see `ObjectReads` for what the methods promise."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api
        self._features = context.features
        self._pool = context.pool

    def list(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        limit: int = PAGE,
        form: ListingForm | None = None,
    ) -> Page:
        """Return one page of a listing; see `ObjectReads.list`.

        `form`: how more of the objects is asked for, where the server knows how.
        """
        query = self._query(prefix, delimiter, limit)
        if token is not None:
            query["marker" if self._api.dialect.list_version == 1 else "continuation-token"] = token
        if form is None:
            page = self._list(query)
        else:
            query |= {**form.query, "encoding-type": "url"}
            page = self._api.send_parsed(
                self._list_request(query), lambda body: self.parse(body, form=form)
            )
        if page.token is not None and page.token == token:
            raise MalformedResponse(f"listing {prefix!r} goes on where it began")
        return self._believed(prefix, page)

    def _query(self, prefix: str, delimiter: str, limit: int) -> dict[str, str]:
        query = {"prefix": prefix, "max-keys": str(limit)}
        if delimiter:
            query["delimiter"] = delimiter
        if self._api.dialect.list_version != 1:
            query["list-type"] = str(self._api.dialect.list_version)
        return query

    def _believed(self, prefix: str, page: Page) -> Page:
        self._features.note_listed()
        foreign = [key for key in _keys(page) if not key.startswith(prefix)]
        if foreign:  # its name would be cut out of another one
            raise MalformedResponse(f"listing {prefix!r} has {foreign[0]!r} in it")
        return page

    def request(self, prefix: str, *, delimiter: str = "/", limit: int = PAGE) -> Request:
        """Return the request for the first page, for who sends it beside others."""
        query = self._query(prefix, delimiter, limit)
        if self._api.dialect.list_keys is ListKeys.ENCODED:
            query["encoding-type"] = "url"
        return self._list_request(query)

    def answered(self, request: Request, answer: Response, prefix: str) -> Page | None:
        """Return the page that such a request is answered with; raises as `list`.

        None for one that cannot be read: `list` knows how else to ask.
        """
        self._api.checked(request, answer)
        try:
            page = self.parse(answer.body)
        except MalformedResponse:
            return None
        return self._believed(prefix, page)

    def scan(self, prefix: str, read: Callable[..., Page] | None = None) -> Iterator[Page]:
        """Yield all pages of a directory, the next fetched meanwhile; see `ObjectReads.scan`.

        `read` reads a page, as `list` does.
        """
        read = read or self.list
        page = read(prefix)
        tokens = set()
        while page.token is not None:
            if page.token in tokens:
                raise MalformedResponse(f"listing {prefix!r} goes round in circles")
            tokens.add(page.token)
            following = self._pool.submit(read, prefix, token=page.token)
            yield page
            page = following.result()
        yield page

    def _list(self, query: dict[str, str]) -> Page:
        encoded = {**query, "encoding-type": "url"}
        if self._api.dialect.list_keys is ListKeys.ENCODED:
            return self._api.send_parsed(self._list_request(encoded), self.parse)
        try:
            return self.parse(self._api.send(self._list_request(query)).body)
        except MalformedResponse as malformed:
            logger.info(
                "a listing that XML cannot carry is asked for again, encoded: %s", malformed
            )
        # Whether the marker of such a listing is encoded differs; the last entry is a marker too.
        return self._api.send_parsed(self._list_request(encoded), self._parse_by_entries)

    def _list_request(self, query: dict[str, str]) -> Request:
        return Request(operation="ListObjects", method="GET", query=query, subresource="list")

    def parse(
        self, body: bytes, *, trusts_marker: bool = True, form: ListingForm | None = None
    ) -> Page:
        """Read one page; raises MalformedResponse."""
        return parse_listing(
            body,
            plus_is_blank=self._api.dialect.plus_is_blank,
            default_class=self._api.dialect.default_storage_class,
            trusts_marker=trusts_marker,
            details=None if form is None else (self._api.dialect, form),
        )

    def _parse_by_entries(self, body: bytes) -> Page:
        return self.parse(body, trusts_marker=False)

    def find_instead(self, key: str, denied: AccessDenied) -> ObjectInfo | None:
        """Return what a listing shows of an object that may not be looked at itself.

        Raises:
            BadCredentials: the key pair itself was refused.
            AccessDenied: nor may it be listed.
        """
        if isinstance(denied, BadCredentials):
            raise denied
        first = next(iter(self.list(key, delimiter="", limit=1).objects), None)
        return first if first is not None and first.key == key else None
