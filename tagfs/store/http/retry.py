"""When to try again, how long to wait, and when to stop: the policy of `Transport`.

Pure but for the jitter. Durations are seconds; `now` is a monotonic clock's.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tagfs.errors import MalformedResponse
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http.messages import FIRST_FAILURE, Request
from tagfs.store.http_dates import parse_http_date

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 20.0
SLOWEST_LINK: Final = 128 * 1024
"""Bytes a second: what a transfer may take is granted on top of the time for trouble."""

_TRANSIENT_STATUSES = frozenset({408, 429})
_NOT_IMPLEMENTED = 501
_THROTTLING_STATUSES = frozenset({429, 503})
_TRANSIENT_CODES = frozenset(
    {
        "RequestTimeout",  # 400: the body came too slowly
        "IncompleteBody",  # 400: the body was cut on the way
        "ConditionalRequestConflict",  # 409: the same, with a condition
        "OperationAborted",  # 409: another operation on the object was under way
        "InvalidDigest",  # 400: the body was garbled on the way, and thrown away
        "BadDigest",
        "InvalidCRC64",
        "InternalError",
        "ServiceUnavailable",
        "SlowDown",
    }
)


@dataclass(slots=True)
class RetryState:
    """How one request has fared so far.

    Attributes:
        deadline: when to stop, on the monotonic clock.
        uncertain: some attempt may have taken effect without our knowing.
        throttled: the last attempt was answered "slow down".
        corrected, refreshed, moved: the clock, the credentials, the address were mended already.
        signed: all that is sent is signed, however large.
        rereads: how often content was not what its checksum had said.
    """

    request: Request
    started: float
    deadline: float
    attempts: int = 0
    may_have_happened: bool = False
    throttled: bool = False
    corrected: bool = False
    refreshed: bool = False
    moved: bool = False
    signed: bool = False
    rereads: int = 0

    @classmethod
    def begin(cls, request: Request, timeout: float, now: float) -> "RetryState":
        """Start the clock of a request."""
        moved = request.body_size + request.expected
        allowed = (request.timeout or timeout) + moved / SLOWEST_LINK
        return cls(request, now, now + allowed)


def is_transient(dialect: Dialect, status: int, code: str) -> bool:
    """Tell whether the same request may succeed later."""
    if status >= FIRST_FAILURE:
        return status != _NOT_IMPLEMENTED
    return (
        status in _TRANSIENT_STATUSES or code in _TRANSIENT_CODES or code in dialect.throttled_codes
    )


def is_throttling(dialect: Dialect, status: int, code: str) -> bool:
    """Tell whether a service asks for fewer requests."""
    return status in _THROTTLING_STATUSES or code in dialect.throttled_codes


def delay(attempts: int) -> float:
    """Return how long to wait after so many attempts: exponential, with full jitter.

    Full jitter spreads clients that failed together (AWS Architecture Blog, "Exponential Backoff
    And Jitter").
    """
    return random.uniform(0, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempts, 16)))


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Return how long the service asks to wait, 0 if it does not; `now` since the epoch."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parse_http_date(text) / 1e9 - now)
    except MalformedResponse:
        return 0.0
