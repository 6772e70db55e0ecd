"""Archived objects made readable for a while."""

from tagfs.errors import Archived, NotPermitted, Unsupported
from tagfs.store.client.context import ClientContext
from tagfs.store.http.messages import Request
from tagfs.store.wire.documents import render_restore

_UNDER_WAY = frozenset({"RestoreAlreadyInProgress", "ObjectHasAlreadyRestored"})
"""Codes of what was asked for before; of the second, for longer than now."""


class ObjectRestores:
    """Restores; see `ObjectWrites` for what the method promises."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api

    def restore(self, key: str, days: int) -> None:
        """Let an archived object be readable; see `ObjectWrites.restore`."""
        self._api.check_key(key)
        request = Request(
            operation="RestoreObject",
            method="POST",
            key=key,
            query={"restore": ""},
            headers={"content-type": "application/xml"},
            body=render_restore(days),
            subresource="restore",
        )
        try:
            self._api.send(request, allow=_UNDER_WAY)
        except (Archived, Unsupported) as error:  # how services say that it need not be restored
            raise NotPermitted(f"{key!r} is not archived: {error}") from error
