"""The index that OSS keeps of a bucket, if its owner has opened one (MetaQuery)."""

from collections.abc import Iterator
from typing import Final

from tagfs.errors import MalformedResponse, Unsupported
from tagfs.store.client.context import ClientContext
from tagfs.store.http.messages import Request
from tagfs.store.tag_index import Condition, Indexed, IndexState
from tagfs.store.wire.meta_query import parse_results, parse_state, render_query

_NO_INDEX: Final = "MetaQueryNotExist"


class MetaQueries:
    """MetaQuery; see `TagIndex` for what the methods promise."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api

    def state(self) -> IndexState | None:
        """Say how the index is; see `TagIndex.state`."""
        request = Request(
            operation="GetMetaQueryStatus",
            method="GET",
            query={"metaQuery": ""},
            subresource="metaQuery",
        )
        answer = self._api.send(request, allow={_NO_INDEX})
        return None if answer.error else self._api.parsed(request, answer, parse_state)

    def find(self, prefix: str, condition: Condition) -> Iterator[Indexed]:
        """Yield what the index has; see `TagIndex.find`."""
        token = ""
        while True:
            found, following = self._page(prefix, condition, token)
            yield from found
            if not following:
                return
            if following == token:
                raise MalformedResponse(f"MetaQuery of {prefix!r} goes on where it began")
            token = following

    def _page(self, prefix: str, condition: Condition, token: str) -> tuple[list[Indexed], str]:
        request = Request(
            operation="DoMetaQuery",
            method="POST",
            query={"metaQuery": "", "comp": "query"},
            headers={"content-type": "application/xml"},
            body=render_query(prefix, condition, token),
            subresource="metaQuery",
        )
        answer = self._api.send(request, allow={_NO_INDEX})
        if answer.error:
            raise Unsupported(f"{self._api.name}: the bucket has no index (MetaQuery)")
        return self._api.parsed(request, answer, parse_results)
