"""Sends what makes or replaces an object: exclusively where asked, until all of it has arrived."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tagfs.errors import AlreadyExists, IntegrityError, NotFound, ObjectChanged
from tagfs.store.client.acls.object_acls import ObjectAcls
from tagfs.store.client.api import logger
from tagfs.store.client.context import TRIES, ClientContext
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import NewObject, ObjectInfo
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import parse_crc64, parse_etag, parse_md5, render_new

_IF_MATCH: Final = "if-match"


def _capability(operation: str) -> str:
    return "exclusive_copies" if operation == "CopyObject" else "exclusive"


class ConditionalWrites:
    """How content gets there, and how it is known to be there."""

    def __init__(self, context: ClientContext, heads: ObjectHeads, acls: ObjectAcls) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._heads = heads
        self._acls = acls

    def headers_for(
        self, operation: str, key: str, new: NewObject, tags: TagSet | None
    ) -> dict[str, str]:
        """Write what travels with new content."""
        guard = self.precondition(operation, key, exclusive=new.exclusive)
        return render_new(self._api.dialect, new, tags, self._choices.storage_class) | guard

    def precondition(self, operation: str, key: str, *, exclusive: bool) -> dict[str, str]:
        """Return the header that makes a write exclusive.

        Where the service has none for this operation, look now whether the key is free.

        Raises:
            AlreadyExists
        """
        if not exclusive:
            return {}
        header = self._api.dialect.exclusive
        if (
            header is not None
            and operation in self._api.dialect.exclusive_operations
            and getattr(self._features.capabilities, _capability(operation))
        ):
            # Who ignores sub-resources may ignore conditions as well.
            if self._features.heeds_subresources is False:
                self._heads.check_free(key)
            return dict([header])
        self._heads.check_free(key)
        return {}

    def unchanged(self, present: ObjectInfo | None) -> dict[str, str]:
        """Return the header by which a copy replaces one version alone.

        AWS has it since 2025-10. Of others it is not known whose versions they would compare.
        """
        able = self._features.conditional_copies and self._api.is_vouched_for
        named = present is not None and present.etag and able
        return {_IF_MATCH: f'"{present.etag}"'} if named and present is not None else {}

    def send_unchanged(
        self, request: Request, send: Callable[[Request], Response], *, in_place: bool = False
    ) -> Response:
        """Send a copy that replaces one version alone; where that is not understood, without.

        That another version is there is left to the caller to read from the answer. `in_place`:
        the copy is of what it replaces.

        Raises:
            ObjectChanged: there is nothing to be replaced any more.
        """
        if _IF_MATCH not in request.headers:
            return send(request)
        try:
            answer = send(request)
        except FeatureMissing as failure:
            reason = str(failure)
        except NotFound as failure:  # the source, or what it replaces
            if not in_place and self._etag_at(request.key or "") is None:
                raise ObjectChanged(str(failure)) from failure
            raise
        else:
            refused = answer.error is not None and answer.code in self._api.dialect.taken_codes
            if not refused or answer.may_have_happened or not self._holds_it(request):
                return answer
            reason = f"{request}: {answer}, though that version is there"
        headers = {name: text for name, text in request.headers.items() if name != _IF_MATCH}
        second = send(replace(request, headers=headers))
        if second.error is None:
            self._features.forgo_conditional_copies(reason)
        return second

    def _holds_it(self, request: Request) -> bool:
        """Say whether what a copy is to replace is still there."""
        return self._etag_at(request.key or "") == parse_etag(request.headers[_IF_MATCH])

    def _etag_at(self, key: str) -> str | None:
        try:
            return self._heads.head(key).etag
        except NotFound:
            return None

    def send_guarded(self, request: Request, send: Callable[[Request], Response]) -> Response:
        """Send a request that may be exclusive; where the bucket lacks that, look first."""
        if not self._is_exclusive(request):
            return send(request)
        try:
            answer = send(request)
        except FeatureMissing as failure:
            if self._api.header("tagging") in request.headers and "tagging" in str(failure).lower():
                # The condition is not what it lacks.
                self._features.disable("object_tags", str(failure))
                raise
            reason = str(failure)
        else:
            reason = self._misread(request, answer)
            if not reason:
                return answer
        self._features.disable(_capability(request.operation), reason)
        self._heads.check_free(request.key or "")
        return send(self._without_exclusive(request))

    def _misread(self, request: Request, answer: Response) -> str:
        """Say so if a condition on a copy's destination was taken for one on its source.

        Then a copy is refused though nothing is at its key.
        """
        refused = answer.error is not None and answer.code in self._api.dialect.taken_codes
        if request.operation != "CopyObject" or not refused or answer.may_have_happened:
            return ""
        try:
            self._heads.check_free(request.key or "")
        except AlreadyExists:
            return ""
        return f"{request}: {answer}, though nothing is there"

    def send(self, request: Request) -> Response:
        """Deliver a request; an answer of "taken" to an exclusive one is left to the caller."""
        return self._acls.send(request, allow=self.conflict_codes(request))

    def conflict_codes(self, request: Request) -> frozenset[str]:
        """Return the codes that say "taken" to an exclusive request; none to any other."""
        guards = self._is_exclusive(request) or _IF_MATCH in request.headers
        return self._api.dialect.taken_codes if guards else frozenset()

    def send_content(self, request: Request) -> Response:
        """Send content until the service has what was sent.

        An answer of "taken" is left to the caller.

        Raises:
            IntegrityError
        """
        for _ in range(TRIES):
            answer = self.send(request)
            if answer.error is not None or self._is_verified(request, answer):
                return answer
            # The key is ours now: what is wrong at it may be replaced. If it is the ETag that is
            # no MD5, the service says so by accepting the MD5.
            request = replace(self._without_exclusive(request), md5_first=True, md5=True)
            logger.info("%s: garbled on the way; sending it again", request)
        raise IntegrityError(f"{request}: the service keeps getting something else")

    def _is_verified(self, request: Request, answer: Response) -> bool:
        """Tell whether the service has what was sent, as far as it tells."""
        compared = answer.headers.get(request.checksum) if request.checksum else None
        if compared is not None:
            if compared == answer.sent_checksum:
                self._features.trust_checksums()
            return compared == answer.sent_checksum
        if request.checksum:
            self._features.distrust_checksums(f"{request}: the answer has no checksum")
            if answer.sent_md5 is None:
                return False
        received = parse_crc64(self._api.dialect, answer.headers)
        if received is not None:
            return received == answer.sent_crc64
        # What a key of KMS encrypts has an ETag of its own, also where the answer does not say so.
        kept = self._api.dialect.uncopied.values()
        asked = {name: text for name, text in request.headers.items() if name in kept}
        md5 = parse_md5(self._api.dialect, {**asked, **answer.headers})
        if md5 is None or answer.sent_md5 is None or self._features.md5_etags is False:
            return True
        if md5 == answer.sent_md5:
            self._features.trust_etags()
        elif answer.md5_was_first and self._features.md5_etags is None:
            reason = f"one is {md5} where {answer.sent_md5} was sent and accepted"
            self._features.distrust_etags(reason)
        else:
            return False
        return True

    def _is_exclusive(self, request: Request) -> bool:
        header = self._api.dialect.exclusive
        return header is not None and header[0] in request.headers

    def _without_exclusive(self, request: Request) -> Request:
        name = self._api.dialect.exclusive[0] if self._api.dialect.exclusive else None
        headers = {key: value for key, value in request.headers.items() if key != name}
        return request if headers == request.headers else replace(request, headers=headers)
