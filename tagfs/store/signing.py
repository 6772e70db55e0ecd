"""Signs requests: with which pair, at which time, and what to do when the service objects.

`Authority` is what `Transport` asks before and after every attempt. The signatures themselves are
the dialect's.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import tagfs
from tagfs.errors import MalformedResponse, TagfsError
from tagfs.store.credentials import Credentials, CredentialsProvider
from tagfs.store.dialect import Dialect, Signable
from tagfs.store.endpoints import Endpoint
from tagfs.store.exchange import Request, Response
from tagfs.store.headers import parse_http_date
from tagfs.store.retry import Course

logger = logging.getLogger(__name__)

RENEW_BEFORE: Final = 300.0
"""Seconds before credentials expire."""
RENEW_PAUSE: Final = 5.0
"""Seconds between two refreshes, so that a storm of 403 asks the origin once."""

_USER_AGENT = f"tagfs/{tagfs.__version__}"


class Authority:
    """Signs the requests to one endpoint and keeps the service's clock. Thread-safe."""

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        provider: CredentialsProvider,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._dialect = dialect
        self._signer = dialect.signer(endpoint.region)
        self._provider = provider
        self._clock = clock
        self._offset = 0.0  # seconds to add to our clock to get the service's
        self._renewal = threading.Lock()
        self._renewed = float("-inf")

    def now(self) -> float:
        """Return seconds since the epoch on the service's clock, as far as it is known."""
        return self._clock() + self._offset

    def credentials(self) -> Credentials:
        """Return a pair that will last for a while.

        Raises:
            BadCredentials: there is none.
        """
        present = self._provider.get()
        if present.expires_at is None or present.expires_at - self.now() > RENEW_BEFORE:
            return present
        try:
            return self._renew(present)
        except TagfsError as error:
            if present.expires_at <= self.now():
                raise
            logger.warning("credentials expire soon and could not be renewed: %s", error)
            return present

    def headers(
        self, request: Request, path: str, used: Credentials, md5: str | None
    ) -> dict[str, str | bytes]:
        """Return all headers of one attempt; `path` as it is sent, `md5` of the body."""
        headers = dict(request.headers)
        if md5 is not None:
            headers["content-md5"] = md5
        signable = Signable(
            method=request.method,
            bucket=self._endpoint.bucket,
            key=request.key or "",
            query=request.query,
            headers=headers,
            host=self._endpoint.authority,
            path=path,
        )
        signature: Mapping[str, str] = self._signer(signable, used, self.now())
        headers.update(signature)
        headers["host"] = self._endpoint.authority
        headers["user-agent"] = _USER_AGENT
        headers["accept-encoding"] = "identity"
        if request.body is not None or request.method in {"PUT", "POST"}:
            headers["content-length"] = str(request.body_size)
        # http.client would send text as Latin-1; bytes go as they are.
        return {n: v if v.isascii() else v.encode() for n, v in headers.items()}

    def mend(self, course: Course, answer: Response, used: Credentials) -> bool:
        """Mend the clock or the credentials if the answer calls for it, at most once each.

        Return whether another attempt is worth it.
        """
        if answer.code == "RequestTimeTooSkewed" and not course.corrected:
            course.corrected = True
            return self._learn_time(answer)
        if answer.code in self._dialect.expired_codes and not course.refreshed:
            course.refreshed = True
            logger.info("%s: %s; asking for fresh credentials", course.request, answer)
            return self._renew(used) != used
        return False

    def _learn_time(self, answer: Response) -> bool:
        try:
            service = parse_http_date(answer.headers.get("date", "")) / 1e9
        except MalformedResponse:
            return False
        self._offset = service - self._clock()
        logger.info("our clock is %.0f s off the service's: signing with its time", -self._offset)
        return True

    def _renew(self, used: Credentials) -> Credentials:
        with self._renewal:
            present = self._provider.get()
            if present != used or time.monotonic() - self._renewed < RENEW_PAUSE:
                return present
            self._renewed = time.monotonic()
            return self._provider.refresh()
