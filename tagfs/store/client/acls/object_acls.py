"""ACLs of objects: read before a rewrite and sent with it, for no service keeps them by itself.

An ACL is a right, so a rewrite reads it afresh, beside the tags: sent as it was a minute ago, it
could publish what another client has closed since. An answer, or a write of our own, that is at
most FRESH_WITHIN old counts as fresh. Where a bucket has no ACLs, nothing is asked. A refusal (403)
is about one request: a policy may deny one prefix, and a denial may pass, so all others carry
theirs.
"""

from collections.abc import Collection
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Final

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    IntegrityError,
    MalformedResponse,
    NotFound,
    TagfsError,
    Unsupported,
)
from tagfs.store.acl import DEFAULT_ACL, DOCUMENT, WORD, Acl, acl_of
from tagfs.store.client.acls.memory import AclNotes
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import to_exception
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Keep, NewObject
from tagfs.store.wire.documents import parse_ownership, parse_policy
from tagfs.store.wire.xml import has_error_root

KEPT: Final = "keep"
OFF: Final = "off"

_MOST = 1024**2  # bytes of an ACL
_FORBIDDEN = 403
_CLOSED = "private"  # narrower than what a new object has in a bucket that is public
NONE_HERE: Final[frozenset[int | str]] = frozenset(
    {
        405,
        501,
        "AccessControlListNotSupported",
        "NotImplemented",
        "MethodNotAllowed",
        "FsNotSupport",
    }
)


class ObjectAcls:
    """Carries ACLs; see `TagStore` for what `get_acl` promises."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._pool = context.pool
        self._notes = AclNotes()
        names = (self._api.dialect.acl_header, *_GRANTS)
        self._acl_names = frozenset(map(self._api.header, names))

    def remember(self, key: str, acl: Acl) -> None:
        """Note the ACL that an object was just given."""
        self._notes.note(key, acl)

    def forget(self, key: str) -> None:
        """Note that what is known of the ACL at `key` may be wrong by now."""
        self._notes.note(key, None)

    def forget_below(self, prefix: str) -> None:
        """Note the same of all keys that begin with `prefix`."""
        self._notes.forget_below(prefix)

    def send(self, request: Request, *, allow: Collection[int | str] = ()) -> Response:
        """Deliver a request; if its ACL is what is refused, without that.

        Raises:
            AccessDenied: also where the ACL closes an object that others could read without it.
        """
        carried = self._acl_names & request.headers.keys()
        if not carried or self._choices.acl != KEPT or request.subresource == "acl":
            return self._api.send(request, allow=allow)
        if request.headers.get(self._api.header(self._api.dialect.acl_header)) == _CLOSED:
            return self._send_closed(request, allow)
        answer = self._api.send(request, allow={*allow, _FORBIDDEN, *NONE_HERE})
        expected = answer.code in allow or answer.status in allow
        if answer.error is None or expected:
            return answer
        headers = {k: text for k, text in request.headers.items() if k not in carried}
        second = self._api.send(replace(request, headers=headers), allow=allow)
        self._lose_acl(request, answer)
        return second

    def get_acl(self, key: str) -> Acl:
        """Return the ACL of one object; see `TagStore.get_acl`."""
        self._api.check_key(key)
        if self._choices.acl != KEPT or self._notes.lacking or self._notes.is_unreadable(key):
            return DEFAULT_ACL
        if self._features.heeds_subresources is False:
            return DEFAULT_ACL
        self._ask_ownership()
        request = self._acl_request("GetObjectAcl", "GET", key)
        # A server that ignores the sub-resource sends the object, whatever that looks like.
        request = replace(request, max_answer=_MOST, content=True)
        try:
            answer = self._api.send(request, allow={_FORBIDDEN, *NONE_HERE})
            if answer.status == _FORBIDDEN:
                refusal = to_exception(request, answer)
                if isinstance(refusal, BadCredentials):
                    raise refusal  # it says nothing of this object
                self._notes.note_unread(key)
                self._say_unread(f"{request}: {answer}")
                return DEFAULT_ACL
            acl = _read(request, answer)
        except (Unsupported, MalformedResponse) as failure:
            if self._notes.proven:  # it is none of those that have no ACLs
                raise
            self._lack_acls(str(failure))
            return DEFAULT_ACL
        self._notes.note_read(key)
        return acl

    def begin_for(self, key: str, new: NewObject) -> Future[Acl]:
        """Begin to ask for the ACL to send with new content."""
        if self._choices.acl not in (KEPT, OFF):
            return _answered({WORD: self._choices.acl})
        if new.acl is not Keep.REPLACED:
            without = self._choices.acl == OFF or self._notes.lacking
            return _answered(DEFAULT_ACL if without else new.acl)
        return _answered(DEFAULT_ACL) if new.exclusive else self.begin_read(key)

    def begin_read(self, key: str) -> Future[Acl]:
        """Begin to ask for the ACL of what is at `key`."""
        if self._choices.acl != KEPT or self._notes.lacking:
            return _answered(DEFAULT_ACL)
        recent = self._notes.recent(key)
        if recent is not None:
            return _answered(recent)
        return self._pool.submit(self._acl_to_keep, key)

    def _acl_to_keep(self, key: str) -> Acl:
        try:
            return self.get_acl(key)
        except NotFound:
            return DEFAULT_ACL

    def headers(self, acl: Acl) -> dict[str, str]:
        """Write an ACL as headers of the request that makes the object."""
        return {
            self._api.header(self._api.dialect.acl_header if name == WORD else name): text
            for name, text in acl.items()
            if name != DOCUMENT
        }

    def deliver(self, key: str, acl: Acl) -> None:
        """Set what no header could say, now that the object is there, and remember it all."""
        if DOCUMENT in acl:
            self.set_acl(key, acl)
        self._notes.note(key, DEFAULT_ACL if self._notes.lacking else acl)

    def set_acl(self, key: str, acl: Acl) -> None:
        """Give an object an ACL; where that may not be, the log says so once.

        Raises:
            AccessDenied: it may not, and without it others could read the object.
        """
        document = acl.get(DOCUMENT)
        request = self._acl_request("PutObjectAcl", "PUT", key)
        if document is None:
            request = replace(request, headers=self.headers(acl))
        else:
            headers = {"content-type": "application/xml"}
            request = replace(request, headers=headers, body=document.encode())
        closes = acl.get(WORD) == _CLOSED
        allow = NONE_HERE if closes else {_FORBIDDEN, *NONE_HERE}
        answer = self._api.send(request, allow=allow)
        if answer.error is not None:
            self._lose_acl(request, answer)

    def _send_closed(self, request: Request, allow: Collection[int | str]) -> Response:
        """Deliver a request with an ACL that must not be lost: nothing is replaced without it."""
        try:
            return self._api.send(request, allow=allow)
        except AccessDenied:
            self._say_closed(str(request))
            raise

    def _acl_request(self, operation: str, method: str, key: str) -> Request:
        return Request(
            operation=operation, method=method, key=key, query={"acl": ""}, subresource="acl"
        )

    def _ask_ownership(self) -> None:
        """Find out once, beside the first question, whether the bucket has ACLs switched off."""
        if self._api.dialect.ownership and self._notes.is_first():
            with suppress(RuntimeError):  # the client is being closed
                self._pool.submit(self._learn_ownership)

    def _learn_ownership(self) -> None:
        request = Request(
            operation="GetBucketOwnershipControls",
            method="GET",
            query={"ownershipControls": ""},
            subresource="ownershipControls",
            max_answer=_MOST,
        )
        with suppress(TagfsError):  # then each object is asked
            if parse_ownership(self._api.send(request).body) == "BucketOwnerEnforced":
                self._notes.lacking = "its owner owns all objects (BucketOwnerEnforced)"
                logger.info("bucket %r has ACLs switched off: none are asked for", self._api.name)

    def _lose_acl(self, request: Request, answer: Response) -> None:
        """Note that one object lost its ACL, or that the bucket has none at all."""
        reason = f"{request}: {answer}"
        if answer.status != _FORBIDDEN or answer.code in NONE_HERE:
            self._lack_acls(reason)
        else:
            self._say_unset(reason)

    def _lack_acls(self, reason: str) -> None:
        """Note, and say once, that the bucket has no ACLs: none are carried from now on."""
        if self._notes.lacking:
            return
        self._notes.lacking = reason
        if self._notes.proven:
            self._say_unset(reason)
        else:
            logger.info("bucket %r has no ACLs: %s", self._api.name, reason)

    def _say_unset(self, reason: str) -> None:
        if self._notes.is_unsaid("unset"):
            message = "bucket %r: ACLs may not be set, and rewritten objects lose theirs: allow %s"
            logger.warning(
                message, self._api.name, f"PutObjectAcl, or mount with acl=off ({reason})"
            )

    def _say_closed(self, reason: str) -> None:
        if self._notes.is_unsaid("closed"):
            logger.warning(
                "bucket %r: an object that is private was not rewritten, as it would be as open "
                "as the bucket: allow PutObjectAcl (%s)",
                self._api.name,
                reason,
            )

    def _say_unread(self, reason: str) -> None:
        if self._notes.is_unsaid("unread"):
            logger.warning(
                "bucket %r: ACLs may not be read, and rewritten objects lose theirs: allow "
                "GetObjectAcl, or mount with acl=off (%s)",
                self._api.name,
                reason,
            )


def _answered(acl: Acl) -> Future[Acl]:
    """Return the answer to a question that need not be asked."""
    if acl is DEFAULT_ACL:
        return _DEFAULT
    future: Future[Acl] = Future()
    future.set_result(acl)
    return future


_DEFAULT: Final[Future[Acl]] = Future()
_DEFAULT.set_result(DEFAULT_ACL)


def _read(request: Request, answer: Response) -> Acl:
    if answer.error is not None:
        raise Unsupported(f"{request}: {answer}")
    if has_error_root(answer.body):
        raise IntegrityError(f"{request}: an error instead of an ACL: {answer.body[:200]!r}")
    return acl_of(parse_policy(answer.body), answer.body)


_GRANTS: Final = ("grant-read", "grant-read-acp", "grant-write-acp", "grant-full-control")
