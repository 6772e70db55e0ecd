"""Objects deleted, and whether that may be done.

A deletion whose answer was lost is sent again, and may then strike what another client made at that
key meanwhile. A caller that says which version is meant is spared that.
"""

from dataclasses import replace
from typing import Final

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    Interrupted,
    InvalidRequest,
    NotFound,
    ObjectChanged,
    Refused,
    TagfsError,
    Unreachable,
)
from tagfs.store.client.acls.object_acls import ObjectAcls
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.deletes.rights import Deletable
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.trial_names import unused_key
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import ObjectInfo, ObjectType
from tagfs.store.versions import may_be_version

_PRECONDITION_FAILED: Final = 412
_NO_CONDITION: Final = frozenset({400, 403, 405, 412, 501})


class ObjectDeletes:
    """Deletions; see `ObjectWrites` for what the methods promise."""

    def __init__(self, context: ClientContext, heads: ObjectHeads, acls: ObjectAcls) -> None:
        self._api = context.api
        self._features = context.features
        self._heads = heads
        self._acls = acls
        self._deletable = Deletable()

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        """Delete one object; see `ObjectWrites.delete`."""
        self._api.check_key(key)
        request = Request(operation="DeleteObject", method="DELETE", key=key)
        if meant is not None:
            etag = self.condition(meant)
            request = replace(
                request,
                headers={"if-match": f'"{etag}"'} if etag else {},
                verify_done=lambda: self.is_gone(key, meant, guarded=bool(etag)),
            )
        self._acls.forget(key)
        try:
            self._send_deletion(request, meant)
        except AccessDenied:
            self.note_refused(key)
            raise
        self._deletable.note(key)

    def condition(self, meant: ObjectInfo | None) -> str:
        """Return the ETag that a deletion is to name, "" for none."""
        if meant is None or not self._features.conditional_deletes:
            return ""
        return "" if meant.type is ObjectType.SYMLINK else meant.etag

    def _send_deletion(self, request: Request, meant: ObjectInfo | None) -> None:
        """Delete one object, on condition that it is what is meant where that can be said.

        Raises:
            ObjectChanged: it is another one, and stays.
        """
        conditional = meant is not None and "if-match" in request.headers
        refusals = _NO_CONDITION if conditional else frozenset[int]()
        answer = self._api.send(request, allow={"NoSuchKey", *refusals})
        if meant is None or answer.error is None or answer.status not in refusals:
            return
        if answer.status == _PRECONDITION_FAILED and not self.is_there(request.key or "", meant):
            raise ObjectChanged(f"{request}: {answer}")
        # The condition needs the right to read, and not every server has it.
        key = request.key or ""
        plain = replace(request, headers={}, verify_done=lambda: self.is_gone(key, meant))
        self._api.send(plain, allow={"NoSuchKey"})
        self._features.forgo_conditional_deletes(str(answer))

    def note_refused(self, key: str) -> None:
        """Note that an object may not be deleted."""
        self._deletable.forget(key)

    def may_delete(self, key: str, *, surely: bool = False) -> bool:
        """Say whether what is beside `key` may be deleted; see `ObjectWrites.may_delete`."""
        if self._deletable.knows(key, surely=surely):
            return True
        allowed = self._try_deletion(key)
        if allowed:
            self._deletable.note(key)
        return allowed

    def _try_deletion(self, key: str) -> bool:
        """Delete something beside `key` that is not there."""
        trial = unused_key(key)
        request = Request(operation="DeleteObject", method="DELETE", key=trial)
        try:
            answer = self._api.send(request, allow={"NoSuchKey"})
        except BadCredentials:
            raise
        except AccessDenied:
            return False
        self._drop_marker(trial, answer)
        return True

    def probe_deletion(self, prefix: str = "") -> None:
        """Find out, and say, if objects may be deleted; renames are made only then."""
        try:
            self._deletable.everywhere = self._try_deletion(prefix)
        except TagfsError as failure:
            logger.info("whether objects may be deleted stays unknown: %s", failure)
            return
        if not self._deletable.everywhere:
            logger.warning(
                "bucket %r on %s: objects may not be deleted, so nothing is renamed either",
                self._api.name,
                self._api.dialect.title,
            )

    def _drop_marker(self, trial: str, answer: Response) -> None:
        """Take away what a deletion on trial leaves in a bucket that keeps versions."""
        version = answer.headers.get(self._api.header("version-id"), "")
        if answer.headers.get(self._api.header("delete-marker")) != "true" or not version:
            return
        try:
            self._delete_version(trial, version)
        except Interrupted:
            raise
        except TagfsError as failure:
            logger.info("a delete marker of %r, made on trial, stays: %s", trial, failure)

    def delete_made(self, key: str, made: Response) -> None:
        """Delete what an answer says was made on trial: that version, so that none stays hidden.

        Raises:
            AccessDenied: it stays.
        """
        version = made.headers.get(self._api.header("version-id"), "")
        if version:
            try:
                self._delete_version(key, version)
            except (AccessDenied, InvalidRequest, Refused) as failure:
                logger.info("a version of %r, made on trial, stays: %s", key, failure)
            else:
                return
        self.delete(key)

    def _delete_version(self, key: str, version: str) -> None:
        query = {"versionId": version}
        request = Request(operation="DeleteObject", method="DELETE", key=key, query=query)
        self._api.send(request, allow={"NoSuchKey", "NoSuchVersion"})

    def is_there(self, key: str, meant: ObjectInfo) -> bool:
        """Say whether a key still holds the version that is meant, as far as looking can tell."""
        try:
            found = self._heads.head(key, expected=meant.type)
        except NotFound:
            return False
        return may_be_version(found, meant)

    def is_gone(self, key: str, meant: ObjectInfo, *, guarded: bool = False) -> bool:
        """Say whether a deletion without an answer is done, so that none is to follow.

        `guarded`: a second one does no harm, as it names the version that is meant.

        Raises:
            Unreachable: that is not known, because it may not be looked at.
        """
        try:
            return not self.is_there(key, meant)
        except AccessDenied as denied:
            if guarded:
                return False
            raise Unreachable(
                f"whether {key!r} was deleted is not known, as it may not be looked at: {denied}"
            ) from denied

    def may_be_left(self, key: str, meant: ObjectInfo | None) -> bool:
        """Say whether a key, or what is meant of it, may be there still after a deletion."""
        try:
            if meant is not None:
                return self.is_there(key, meant)
            self._heads.head(key)
        except NotFound:
            return False
        except Interrupted:
            raise
        except TagfsError as failure:
            logger.info("whether %r was deleted stays unknown: %s", key, failure)
        return True
