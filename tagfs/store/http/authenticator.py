"""Signs requests: with which pair, at which time, and what to do when the service objects.

`Authenticator` is what `Transport` asks before and after every attempt. The signatures themselves
are the dialect's.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import tagfs
from tagfs.errors import MalformedResponse, TagfsError
from tagfs.store.credentials.values import Credentials, CredentialsProvider, SourceUnreachable
from tagfs.store.dialects.dialect import Dialect, Signable, Signer
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.http.messages import Request, Response
from tagfs.store.http.request_body import Body
from tagfs.store.http.retry import RetryState
from tagfs.store.http_dates import parse_http_date

logger = logging.getLogger(__name__)

RENEW_BEFORE: Final = 300.0
"""Seconds before credentials expire."""
LAST_MOMENT: Final = 10.0
"""Seconds before they expire from which on nobody begins a request with them."""
REFRESH_PAUSE: Final = 30.0
"""Seconds between two attempts to renew what still holds."""
RENEW_PAUSE: Final = 5.0
"""Seconds between two refreshes, so that a storm of 403 asks the origin once."""

SKEWED: Final = 300.0
"""Seconds off the service's clock that may be why it refuses: none takes more than 900."""

_REFUSALS = frozenset({400, 401, 403})
_USER_AGENT = f"tagfs/{tagfs.__version__}"


class Authenticator:
    """Signs the requests to one endpoint and keeps the service's clock. Thread-safe."""

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        provider: CredentialsProvider,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._dialect = dialect
        self._signers = {endpoint.region: dialect.signer(endpoint.region)}
        self._provider = provider
        self._clock = clock
        self._offset = 0.0  # seconds to add to our clock to get the service's
        self._renewal = threading.Lock()
        self._renewed = float("-inf")
        self._unreachable = False  # whether the origin did not answer when it was asked last
        self._refreshing = threading.Lock()
        self._begun = float("-inf")

    def now(self) -> float:
        """Return seconds since the epoch on the service's clock, as far as it is known."""
        return self._clock() + self._offset

    @property
    def source(self) -> str:
        """Where the credentials come from, for people."""
        return self._provider.origin

    def credentials(self) -> Credentials:
        """Return a pair that holds now; one that soon will not is renewed behind the caller's back.

        Raises:
            BadCredentials: there is none.
        """
        present = self._provider.get()
        if present.expires_at is None:
            return present
        left = present.expires_at - self.now()
        if left > RENEW_BEFORE:
            return present
        if left > LAST_MOMENT:
            self._refresh_in_background(present)
            return present
        return self._renew(present) or present

    def headers(
        self, at: Endpoint, request: Request, path: str, used: Credentials, body: Body
    ) -> dict[str, str | bytes]:
        """Return all headers of one attempt at an address; `path` as it is sent."""
        headers = dict(request.headers)
        if body.content_md5 is not None:
            headers["content-md5"] = body.content_md5
        if body.crc32 is not None:
            headers[request.checksum] = body.crc32
        signable = Signable(
            method=request.method,
            bucket=at.host if at.own_domain and self._dialect.signs_domain else at.bucket,
            key=request.key or "",
            query=request.query,
            headers=headers,
            host=at.authority,
            path=path,
            payload=body.sha256,
        )
        if not used.anonymous:
            signature: Mapping[str, str] = self._signer(at.region)(signable, used, self.now())
            headers.update(signature)
        headers["host"] = at.authority
        headers["user-agent"] = _USER_AGENT
        headers.setdefault("accept-encoding", "identity")
        if request.body is not None or request.method in {"PUT", "POST"}:
            headers["content-length"] = str(request.body_size)
        # http.client would send text as Latin-1; bytes go as they are.
        return {n: v if v.isascii() else v.encode() for n, v in headers.items()}

    def _signer(self, region: str | None) -> Signer:
        signer = self._signers.get(region)
        if signer is None:
            signer = self._signers[region] = self._dialect.signer(region)
        return signer

    def recover(self, course: RetryState, answer: Response, used: Credentials) -> bool:
        """Mend the clock or the credentials if the answer calls for it, at most once each.

        Return whether another attempt is worth it.
        """
        if not course.corrected and self._is_skewed(course, answer):
            course.corrected = True
            return self._learn_time(answer)
        if not course.refreshed and self._may_be_expired(course, answer, used):
            course.refreshed = True
            logger.info("%s: %s; asking for fresh credentials", course.request, answer)
            renewed = self._renew(used)
            return renewed is not None and renewed != used
        return False

    def _is_skewed(self, course: RetryState, answer: Response) -> bool:
        """Say whether an attempt was refused for its time; the answer to a HEAD may not say why."""
        if answer.code or course.request.method != "HEAD" or answer.status not in _REFUSALS:
            return answer.code == "RequestTimeTooSkewed"
        service = _date(answer)
        return service is not None and abs(service - self.now()) > SKEWED

    def awaits_renewal(self, course: RetryState, answer: Response, used: Credentials) -> bool:
        """Say whether a refusal is only that a pair has expired whose origin is out of reach."""
        expired = used.expires_at is not None and used.expires_at <= self.now()
        return expired and self._unreachable and self._may_be_expired(course, answer, used)

    def _may_be_expired(self, course: RetryState, answer: Response, used: Credentials) -> bool:
        if answer.code:
            return answer.code in self._dialect.expired_codes
        # The answer to a HEAD has no body to hold a code, and S3 no header for it.
        temporary = used.session_token is not None and self._dialect.error_header is None
        return course.request.method == "HEAD" and temporary and answer.status in _REFUSALS

    def _learn_time(self, answer: Response) -> bool:
        service = _date(answer)
        if service is None:
            return False
        self._offset = service - self._clock()
        logger.info("our clock is %.0f s off the service's: signing with its time", -self._offset)
        return True

    def _renew(self, used: Credentials) -> Credentials | None:
        """Return a pair that is newer than `used`, if there is one by now; None if not.

        Many callers come at once with the same pair; one of them asks, and the others wait.
        """
        with self._renewal:
            present = self._provider.get()
            if present != used:
                return present
            if time.monotonic() - self._renewed < RENEW_PAUSE:
                return None
            self._renewed = time.monotonic()
            try:
                renewed = self._provider.refresh()
                self._unreachable = False
            except TagfsError as error:
                self._unreachable = isinstance(error, SourceUnreachable)
                logger.warning("credentials could not be renewed: %s", error)
                return None
        if renewed != used:
            logger.info("fresh credentials from %s", self._provider.origin)
        return renewed

    def _refresh_in_background(self, used: Credentials) -> None:
        """Begin to renew in a thread, unless one does or has just done so."""
        with self._refreshing:
            if time.monotonic() - self._begun < REFRESH_PAUSE:
                return
            self._begun = time.monotonic()
        threading.Thread(
            target=self._renew_quietly, args=(used,), name="tagfs-credentials", daemon=True
        ).start()

    def _renew_quietly(self, used: Credentials) -> None:
        try:
            self._renew(used)
        except Exception:  # nobody else would hear of a bug in here
            logger.exception("a bug in tagfs: credentials could not be renewed")


def _date(answer: Response) -> float | None:
    """Return the time of the service, in seconds since the epoch, if the answer has it."""
    try:
        return parse_http_date(answer.headers.get("date", "")) / 1e9
    except MalformedResponse:
        return None
