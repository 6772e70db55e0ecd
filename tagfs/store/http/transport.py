"""Delivers requests: signatures, retries, deadlines.

A `Transport` serves one bucket at one endpoint. It does not know what a request means: it
returns every final answer, whatever its status, and raises only when there is none.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tagfs.errors import MalformedResponse, Throttled, Unreachable
from tagfs.store.certificates import Trust
from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http import retry
from tagfs.store.http.attempts import Attempts, Begun
from tagfs.store.http.authenticator import Authenticator
from tagfs.store.http.connection_pool import ConnectionPool
from tagfs.store.http.connections import NoResponse
from tagfs.store.http.demands import Demands
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.http.messages import FIRST_FAILURE, OK, Observer, Request, Response, check_key
from tagfs.store.http.pacing import UNLIMITED, Pace, RateLimits
from tagfs.store.http.request_body import Body, Stream, prepare_body
from tagfs.store.http.retry import RetryState
from tagfs.store.http.sites import Site, Sites
from tagfs.store.http.standing_headers import BARE, StandingHeaders
from tagfs.store.proxies import Proxy

logger = logging.getLogger(__name__)

_PLAIN = frozenset({200, 404})
_PLAIN_PART = _PLAIN | {206}
_NO_BODY: Final = Body()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """What the user may choose about a transport.

    Attributes:
        parallel: connections, and so requests under way, at most.
        limits: requests and bytes of a second, at most.
        timeout: seconds that one request may take in all, its transfer not counted.
        observer: called after every attempt.
        trust: whose certificates verify the service; None for those of this host.
        standing: headers that the user's choices add to every request of a kind.
        proxy: on the way to the service; None for the direct way.
    """

    parallel: int = 32
    limits: RateLimits = UNLIMITED
    timeout: float = 60.0
    observer: Observer | None = None
    trust: Trust | None = None
    standing: StandingHeaders = BARE
    proxy: Proxy | None = None


class Transport:
    """Delivers the requests of one bucket, at a `pace` that may change. Thread-safe."""

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        authority: Authenticator,
        options: TransportOptions | None = None,
    ) -> None:
        self.options = options or TransportOptions()
        self._dialect = dialect
        self._authenticator = authority
        trust, proxy = self.options.trust, self.options.proxy
        self._sites = Sites(dialect, endpoint, lambda at: ConnectionPool(at, trust, proxy))
        self.pace = Pace(self.options.limits)
        self._attempts = Attempts(
            endpoint.bucket,
            dialect,
            parallel=self.options.parallel,
            observer=self.options.observer,
            pace=self.pace,
        )
        self.clock = self._attempts.clock
        self._demands = Demands(endpoint.bucket, md5=dialect.md5_etags, signs=dialect.signs_payload)

    @property
    def endpoint(self) -> Endpoint:
        """Where the bucket is."""
        return self._sites.current.endpoint

    def now(self) -> float:
        """Return seconds since the epoch on the service's clock, as far as it is known."""
        return self._authenticator.now()

    @property
    def server(self) -> str:
        """What the last answer that named its maker called him."""
        return self._attempts.server

    @property
    def origin(self) -> str:
        """Where the credentials come from, for people."""
        return self._authenticator.source

    def close(self) -> None:
        """Interrupt those that wait for another attempt, and give back the connections."""
        self._attempts.close()
        self._sites.close()

    def request(self, request: Request) -> Response:
        """Deliver one request, again and again while that may help; return the final answer.

        Raises:
            InvalidRequest: the key cannot be sent.
            Throttled, Unreachable: no final answer in time.
            Interrupted: the transport was closed.
            MalformedResponse: a body larger than `request.max_answer`.
            BadCredentials: there are none.
        """
        standing = self.options.standing
        if standing is BARE:
            return self._deliver(request)
        dressed = standing.dress(request)
        answer = self._deliver(dressed)
        plainer = standing.undress(dressed, answer)
        return answer if plainer is None else self._deliver(plainer)

    def _deliver(self, request: Request) -> Response:
        if request.key is not None:
            check_key(request.key)
        course = RetryState.begin(request, self.options.timeout, time.monotonic())
        body = prepare_body(request.body, self._demands.digests(course))
        while True:
            course.attempts += 1
            site = self._sites.current
            stream = body.begin()
            used = self._authenticator.credentials()
            try:
                answer = self._attempt(course, site, used, body, stream)
            except NoResponse as failure:
                if stream and stream.failure is not None:
                    raise stream.failure from None
                course.may_have_happened |= failure.sent
                course.throttled = False
                self._pause(course, str(failure), permanent=failure.permanent)
                if _is_done(course):
                    return self._assumed_success(course)
                continue
            course.may_have_happened |= answer.may_have_happened or answer.status >= FIRST_FAILURE
            mended = self._authenticator.recover(course, answer, used)
            if mended or self._sites.follow(course, site, answer):
                continue
            if self._demands.learn(course, body, answer):
                body = prepare_body(request.body, self._demands.digests(course))
                continue
            passing = self._passing(course, answer, used)
            if not passing:
                return self._final(course, answer, body, stream)
            course.throttled = retry.is_throttling(self._dialect, answer.status, answer.code)
            least = retry.retry_after(answer.headers, self.now())
            self._pause(course, passing, least=least)
            if _is_done(course):
                return self._assumed_success(course)

    def _passing(self, course: RetryState, answer: Response, used: Credentials) -> str:
        """Return what is wrong now and may not be later; "" if an answer is final."""
        if self._authenticator.awaits_renewal(course, answer, used):
            return f"{answer}: the credentials have expired, their source is away"
        return str(answer) if retry.is_transient(self._dialect, answer.status, answer.code) else ""

    def request_all(self, requests: Sequence[Request]) -> list[Response | None]:
        """Deliver small requests without a body in this thread, all under way at the same time.

        To hand each to a thread of its own costs more than to send it. Every one has one attempt:
        None stands for anything but a plain answer, and `request` does what is due then.
        """
        answers: list[Response | None] = []
        under_way: deque[tuple[RetryState, Begun] | None] = deque()
        left = deque(requests)
        try:
            while left or under_way:
                # After each answer: whoever waits for a whole round leaves slots empty meanwhile.
                while left and (not under_way or self._attempts.try_slot()):
                    course = RetryState.begin(left[0], self.options.timeout, time.monotonic())
                    if not under_way:
                        self._attempts.acquire_slot(course)
                    left.popleft()
                    under_way.append(self._begin_once(course))
                one = under_way.popleft()
                answers.append(None if one is None else self._finish_once(*one))
        except BaseException:
            for course, unfinished in filter(None, under_way):
                unfinished.sent.drop()
                self._attempts.record(course, unfinished.began)
            raise
        return answers

    def _begin_once(self, course: RetryState) -> tuple[RetryState, Begun] | None:
        course.attempts = 1
        course.request = request = self.options.standing.dress(course.request)
        try:
            if request.key is not None:
                check_key(request.key)
            used = self._authenticator.credentials()
            body = prepare_body(None, self._demands.digests(course))
            site = self._sites.current
            target, headers = self._address(site, request, used, body)
        except BaseException:
            self._attempts.release_slot()
            raise
        try:
            return course, self._attempts.send(course, site.connections, target, headers, None)
        except NoResponse:
            return None

    def _finish_once(self, course: RetryState, begun: Begun) -> Response | None:
        try:
            # All were sent at the same time, so none is waited for longer than that.
            within = max(0.001, begun.until - time.monotonic())
            answer = self._attempts.receive(course, begun, within)
        except (NoResponse, MalformedResponse):
            return None
        plain = _PLAIN_PART if "range" in course.request.headers else _PLAIN
        return self._final(course, answer, _NO_BODY, None) if answer.status in plain else None

    def _assumed_success(self, course: RetryState) -> Response:
        """Return what stands for the answer that was lost."""
        logger.info("%s: the answer was lost, but it is done", course.request)
        elapsed = time.monotonic() - course.started
        started_ns = int((self.now() - elapsed) * 1e9)
        return Response(status=OK, headers={}, may_have_happened=True, started_ns=started_ns)

    def _final(
        self, course: RetryState, answer: Response, body: Body, stream: Stream | None
    ) -> Response:
        elapsed = time.monotonic() - course.started
        md5 = stream.md5 if stream and body.md5 is None else body.md5
        return Response(
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            error=answer.error,
            sent_crc64=stream.crc64 if stream else body.crc64,
            sent_md5=md5.hex() if md5 is not None else None,
            sent_checksum=body.crc32,
            md5_was_first=body.md5 is not None,
            may_have_happened=course.may_have_happened,
            started_ns=int((self.now() - elapsed) * 1e9),
        )

    def _attempt(
        self, course: RetryState, site: Site, used: Credentials, body: Body, stream: Stream | None
    ) -> Response:
        target, headers = self._address(site, course.request, used, body)
        self._attempts.acquire_slot(course)
        content = stream or body.data
        begun = self._attempts.send(course, site.connections, target, headers, content)
        return self._attempts.receive(course, begun)

    def _address(
        self, site: Site, request: Request, used: Credentials, body: Body
    ) -> tuple[str, dict[str, str | bytes]]:
        """Return target and headers of one attempt, both of the same address."""
        at = site.endpoint
        target = at.target(request.key, request.query)
        path = target.partition("?")[0]
        return target, self._authenticator.headers(at, request, path, used, body)

    def _pause(
        self, course: RetryState, reason: str, *, least: float = 0.0, permanent: bool = False
    ) -> None:
        """Wait before the next attempt, or raise if there will be none."""
        left = course.deadline - time.monotonic()
        if permanent or left <= 0 or least > left:
            raise self._give_up(course, reason)
        wait = min(max(least, retry.delay(course.attempts)), left)
        logger.info(
            "%s: attempt %d failed (%s); again in %.1f s",
            course.request,
            course.attempts,
            reason,
            wait,
        )
        self._attempts.pause(course, wait)

    def _give_up(self, course: RetryState, reason: str) -> Unreachable:
        kind = Throttled if course.throttled else Unreachable
        return kind(
            f"{course.request}: {reason} ({self.endpoint.url}, {course.attempts} attempts "
            f"in {time.monotonic() - course.started:.0f} s)"
        )


def _is_done(course: RetryState) -> bool:
    """Say whether an attempt without an answer is known to have done its work."""
    took_effect = course.request.verify_done
    return course.may_have_happened and took_effect is not None and took_effect()
