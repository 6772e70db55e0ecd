"""Headers that S3 refuses where the bucket, or its kind, has not what they ask for.

To do the rest of the request would be success where half of it was done.
"""

from collections.abc import Callable
from typing import NamedTuple

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.s3.ceph import AMAZON, TENTACLE

_MAKES = frozenset({"PutObject", "CopyObject", "InitiateMultipartUpload"})
_REPLACES = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload"})
_IMPLIES = "A header you provided implies functionality that is not implemented"


class _Rule(NamedTuple):
    """One header: where it is refused, how, by which versions, and with which values."""

    operations: frozenset[str]
    header: str
    code: str = "NotImplemented"
    message: str = _IMPLIES
    refused: Callable[[str], bool] = lambda _: True
    until: int = AMAZON
    since: int = 0


_UNLOCKED = ("InvalidRequest", "Bucket is missing Object Lock Configuration")
_RULES = (
    _Rule(_MAKES, "x-amz-object-lock-mode", *_UNLOCKED),
    _Rule(_MAKES, "x-amz-object-lock-retain-until-date", *_UNLOCKED),
    _Rule(_MAKES, "x-amz-object-lock-legal-hold", *_UNLOCKED, refused=lambda text: text == "ON"),
    _Rule(frozenset({"PutObject"}), "x-amz-write-offset-bytes"),
    _Rule(frozenset({"DeleteObject"}), "x-amz-if-match-size", since=TENTACLE + 1),
    _Rule(frozenset({"DeleteObject"}), "x-amz-if-match-last-modified-time", since=TENTACLE + 1),
    _Rule(_REPLACES, "If-None-Match", refused=lambda text: text.strip() != "*", since=AMAZON),
)


def refuse(operation: str, context: Context, version: int) -> None:
    """Refuse a request of a header's.

    Raises:
        ServiceError: it has such a header.
    """
    for rule in _RULES:
        if operation not in rule.operations or not rule.since <= version <= rule.until:
            continue
        text = context.header(rule.header)
        if text is not None and rule.refused(text):
            raise ServiceError(rule.code, rule.message, extra={"Header": rule.header})
