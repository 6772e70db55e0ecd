"""How long requests about the markers of directories are tried where they may never work."""

from dataclasses import replace
from typing import Final

from tagfs.store.client.api import Api
from tagfs.store.http.messages import Request

_PATIENCE: Final = 2.0
"""Seconds of attempts."""


def bounded(api: Api, request: Request) -> Request:
    """Return a request that is given up soon if it is about a marker on an unknown server.

    A server with real directories may fail such a request for ever, with an error that says "try
    again". What the service itself says so is worth the usual patience.
    """
    if api.is_vouched_for or not request.key_of_marker:
        return request
    return replace(request, timeout=min(_PATIENCE, api.transport.options.timeout))
