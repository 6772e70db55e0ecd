"""What a bucket demands of content beyond what its service does: learnt from its refusals.

A bucket with Object Lock wants a checksum ahead of content, and a policy may want all that is sent
to be signed. Neither can be asked for beforehand by who has no more than the usual rights. What is
small is sent with both; what is large would have to be read twice, and is so only where that is
demanded: the first refusal costs one upload more, and is remembered for as long as the mount lives.
"""

import logging
import re
from typing import Final

from tagfs.store.http.messages import FIRST_REFUSAL, Request, Response
from tagfs.store.http.request_body import Body, Digests
from tagfs.store.http.retry import RetryState

logger = logging.getLogger(__name__)

_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403
_CHECKSUM: Final = re.compile("content-?md5|x-[a-z]+-checksum", re.IGNORECASE)
_GARBLED: Final = "BadDigest"
_REREADS: Final = 8
_UNSIGNED: Final = re.compile("unsigned-?payload|content-sha256", re.IGNORECASE)


class Demands:
    """What one bucket was found to demand. Thread-safe: it only ever learns more.

    Args:
        name: the bucket's.
        md5: whether the service's ETags are MD5s, so that one is wanted anyway.
        signs: whether the service's signature can cover the payload.
    """

    def __init__(self, name: str, *, md5: bool, signs: bool) -> None:
        self._name = name
        self._md5 = md5
        self._signs = signs
        self._checksum_first = False
        self._signed = False
        self._unsigned_passes = False

    def digests(self, course: RetryState) -> Digests:
        """Return the digests that the next attempt of a request needs."""
        return Digests(
            md5=self._md5 and course.request.md5,
            md5_first=course.request.md5_first or (self._checksum_first and course.request.md5),
            sha256=self._signs,
            sha256_first=self._signed or course.signed,
            crc32=bool(course.request.checksum),
        )

    def learn(self, course: RetryState, body: Body, answer: Response) -> bool:
        """Learn from an answer; say whether another attempt, with what it asks for, is worth it."""
        if body.source is None:  # all was sent that there is
            return False
        if answer.status < FIRST_REFUSAL and answer.error is None:
            self._learn_success(course, body)
            return False
        if body.crc32 is not None and answer.code == _GARBLED and course.rereads < _REREADS:
            course.rereads += 1  # a program may have changed it since its checksum was made
            return True
        if body.md5 is None and course.request.md5 and _wants_checksum(answer):
            self._checksum_first = True
            self._log_change(course.request, answer, "content is sent with its MD5 ahead")
            return True
        if self._signs and body.sha256 is None and self._may_want_signature(answer):
            course.signed = True
            return True
        return False

    def _learn_success(self, course: RetryState, body: Body) -> None:
        if body.sha256 is None:
            self._unsigned_passes = True
        elif course.signed and not self._signed:
            self._signed = True
            logger.info("bucket %r takes signed content only: all of it is signed", self._name)

    def _may_want_signature(self, answer: Response) -> bool:
        """Tell whether an answer may be about the missing signature; policies do not say why."""
        if _UNSIGNED.search(_words(answer)):
            return True
        plain = answer.status == _FORBIDDEN and answer.code in {"", "AccessDenied"}
        return plain and not self._unsigned_passes

    def _log_change(self, request: Request, answer: Response, consequence: str) -> None:
        logger.info("bucket %r: %s: %s (%s)", self._name, request, consequence, answer)


def _wants_checksum(answer: Response) -> bool:
    return answer.status == _BAD_REQUEST and _CHECKSUM.search(_words(answer)) is not None


def _words(answer: Response) -> str:
    return f"{answer.error.code} {answer.error.message}" if answer.error else ""
