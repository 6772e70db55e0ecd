"""From status, headers and body to a `Response`: where services put what went wrong.

Pure.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tagfs.errors import MalformedResponse
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http.messages import FIRST_REFUSAL, OK, Request, Response
from tagfs.store.wire.xml import ServiceError, has_error_root, parse_error

_BAD_REQUEST = 400
_WHO_ASKS = 407
_GATEWAY = frozenset({502, 503, 504})
_OF_PROXIES = ("proxy-status", "proxy-authenticate", "x-squid-error")
_PAGE = re.compile(rb"\s*(<!doctype\s+html|<html)[\s>]", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_SHOWN = 200  # bytes of a body that is no XML


NO_ETAGS: Final = (
    "this server sends no ETag, without which versions look alike (JuiceFS's gateway "
    "sends them with --keep-etag)"
)


def lacking_etag(
    dialect: Dialect, request: Request, status: int, headers: Mapping[str, str]
) -> bool:
    """Tell whether a success lacks an ETag alone: it is an S3 server's, one that has none.

    Gateways to file systems tell none of directories, some none of anything.
    """
    return (
        OK <= status < FIRST_REFUSAL
        and bool(dialect.server)
        and request.proof_header == "etag"
        and "etag" not in headers
        and dialect.header_prefix + "request-id" in headers
    )


def is_foreign_page(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether a success is not the service's: of a proxy that wants a login, for example.

    Taken for the service's it would be a write that never was, or a page instead of content.
    """
    if not OK <= status < FIRST_REFUSAL:
        return False
    return (request.proof_header not in headers and request.proof_header != "") or (
        not request.content and _PAGE.match(body) is not None
    )


def is_of_proxy(dialect: Dialect, status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether an error is that of a proxy which reads requests, and not the service's."""
    if status == _WHO_ASKS:
        return True
    if status < FIRST_REFUSAL or dialect.header_prefix + "request-id" in headers:
        return False
    named = any(name in headers for name in _OF_PROXIES) or _PAGE.match(body) is not None
    return named or (status in _GATEWAY and not has_error_root(body))


def parse_response(
    dialect: Dialect, request: Request, status: int, headers: Mapping[str, str], body: bytes
) -> Response:
    """Return an answer as a value; header names are in lower case."""
    late = not request.content and status < FIRST_REFUSAL and has_error_root(body)
    if status < FIRST_REFUSAL and not late:
        return Response(status=status, headers=headers, body=body)
    return Response(
        # An error that comes late has no status of its own; its code decides.
        status=_BAD_REQUEST if late else status,
        headers=headers,
        body=body,
        error=_read_error(dialect, headers, body),
        may_have_happened=late,
    )


def _read_error(dialect: Dialect, headers: Mapping[str, str], body: bytes) -> ServiceError:
    request_id = headers.get(dialect.header_prefix + "request-id", "")
    try:
        if not body and dialect.error_header:
            body = base64.b64decode(headers.get(dialect.error_header, ""))
        error = parse_error(body)
    except (MalformedResponse, ValueError):
        code = headers.get(dialect.header_prefix + "error-code", "")
        return ServiceError(code, _in_one_line(body), request_id)
    return replace(error, request_id=error.request_id or request_id)


def _in_one_line(body: bytes) -> str:
    """Return the beginning of a body that is no document of the service's, as a person reads it."""
    if _PAGE.match(body):
        title = _TITLE.search(body)
        return f"a web page{f', {_plain(title[1])!r}' if title else ''}"
    return _plain(body[:_SHOWN])


def _plain(text: bytes) -> str:
    words = text[:_SHOWN].decode(errors="replace").split()
    return "".join(c if c.isprintable() else "?" for c in " ".join(words))
