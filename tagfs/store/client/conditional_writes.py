"""Sends what makes or replaces an object: exclusively where asked, until all of it has arrived."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tagfs.errors import IntegrityError
from tagfs.store.client.api import logger
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.reads import ObjectReads
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import NewObject
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import parse_crc64, parse_md5, render_new

_TRIES: Final = 3


class ConditionalWrites(ObjectReads):
    """How `Client` gets content there, and how it knows that it is there."""

    def _headers_for(
        self, operation: str, key: str, new: NewObject, tags: TagSet | None
    ) -> dict[str, str]:
        """Write what travels with new content."""
        guard = self._precondition(operation, key, exclusive=new.exclusive)
        plain = replace(new, exclusive=False)
        return render_new(self.dialect, plain, tags, self.storage_class) | guard

    def _precondition(self, operation: str, key: str, *, exclusive: bool) -> dict[str, str]:
        """Return the header that makes a write exclusive.

        Where the service has none for this operation, look now whether the key is free.

        Raises:
            AlreadyExists
        """
        if not exclusive:
            return {}
        header = self.dialect.exclusive
        if (
            header is not None
            and self._capabilities.exclusive
            and operation in self.dialect.exclusive_operations
        ):
            if self._heeds is False:  # then conditions may be ignored as well
                self._check_free(key)
            return dict([header])
        self._check_free(key)
        return {}

    def _with_precondition(self, request: Request, send: Callable[[Request], Response]) -> Response:
        """Send a request that may be exclusive; where the bucket lacks that, look first."""
        try:
            return send(request)
        except FeatureMissing as failure:
            plain = self._without_exclusive(request)
            if plain == request:
                raise
            self._disable("exclusive", str(failure))
            self._check_free(request.key or "")
            return send(plain)

    def _send(self, request: Request) -> Response:
        """Deliver a request; an answer of "taken" to an exclusive one is left to the caller."""
        return self._call(request, allow=self._conflict_codes(request))

    def _conflict_codes(self, request: Request) -> frozenset[str]:
        header = self.dialect.exclusive
        return self.dialect.taken_codes if header and header[0] in request.headers else frozenset()

    def _send_content(self, request: Request) -> Response:
        """Send content until the service has what was sent.

        An answer of "taken" is left to the caller.

        Raises:
            IntegrityError
        """
        for _ in range(_TRIES):
            answer = self._send(request)
            if answer.error is not None or self._is_verified(request, answer):
                return answer
            # The key is ours now: what is wrong at it may be replaced. If it is the ETag that is
            # no MD5, the service says so by accepting the MD5.
            request = replace(self._without_exclusive(request), md5_first=True)
            logger.info("%s: garbled on the way; sending it again", request)
        raise self._log_and_return(
            IntegrityError(f"{request}: the service keeps getting something else")
        )

    def _is_verified(self, request: Request, answer: Response) -> bool:
        """Tell whether the service has what was sent, as far as it tells."""
        received = parse_crc64(self.dialect, answer.headers)
        if received is not None:
            return received == answer.sent_crc64
        # What a key of KMS encrypts has an ETag of its own, also where the answer does not say so.
        asked = {k: v for k, v in request.headers.items() if k in self.dialect.uncopied.values()}
        md5 = parse_md5(self.dialect, {**asked, **answer.headers})
        if md5 is None or answer.sent_md5 is None or self._md5_etags is False:
            return True
        if md5 == answer.sent_md5:
            self._md5_etags = True
        elif answer.md5_was_first and self._md5_etags is None:
            self._distrust_etags(f"one is {md5} where {answer.sent_md5} was sent and accepted")
        else:
            return False
        return True

    def _distrust_etags(self, reason: str) -> None:
        """Note that an ETag of this service says nothing of content."""
        self._md5_etags = False
        logger.warning(
            "ETags on %s are no checksums of content, so whole reads go unverified (%s)",
            self.dialect.title,
            reason,
        )

    def _without_exclusive(self, request: Request) -> Request:
        name = self.dialect.exclusive[0] if self.dialect.exclusive else None
        headers = {key: value for key, value in request.headers.items() if key != name}
        return request if headers == request.headers else replace(request, headers=headers)
