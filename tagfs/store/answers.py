"""From status, headers and body to a `Response`: where services put what went wrong.

Pure.
"""

import base64
from collections.abc import Mapping

from tagfs.errors import MalformedResponse
from tagfs.store.dialect import Dialect
from tagfs.store.exchange import FIRST_REFUSAL, Request, Response
from tagfs.store.wire import ServiceError, has_error_root, parse_error

_BAD_REQUEST = 400
_SHOWN = 200  # bytes of a body that is no XML


def read_answer(
    dialect: Dialect, request: Request, status: int, headers: Mapping[str, str], body: bytes
) -> Response:
    """Return an answer as a value; header names are in lower case."""
    late = request.late_errors and status < FIRST_REFUSAL and has_error_root(body)
    if status < FIRST_REFUSAL and not late:
        return Response(status=status, headers=headers, body=body)
    return Response(
        # An error that comes late has no status of its own; its code decides.
        status=_BAD_REQUEST if late else status,
        headers=headers,
        body=body,
        error=_read_error(dialect, headers, body),
    )


def _read_error(dialect: Dialect, headers: Mapping[str, str], body: bytes) -> ServiceError:
    request_id = headers.get(dialect.header_prefix + "request-id", "")
    try:
        if not body and dialect.error_header:
            body = base64.b64decode(headers.get(dialect.error_header, ""))
        error = parse_error(body)
    except (MalformedResponse, ValueError):
        code = headers.get(dialect.header_prefix + "error-code", "")
        return ServiceError(code, body[:_SHOWN].decode(errors="replace"), request_id)
    return ServiceError(error.code, error.message, error.request_id or request_id, error.endpoint)
