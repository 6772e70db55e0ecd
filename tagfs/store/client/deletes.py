"""Objects deleted, one by one or in batches.

A deletion whose answer was lost is sent again, and may then strike what somebody else made at that
key meanwhile. Who says which version is meant is spared that.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    Interrupted,
    NotFound,
    ObjectChanged,
    TagfsError,
    Unsupported,
)
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.delete_rights import Deletable
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.heads import ObjectHeads
from tagfs.store.client.object_acls import ObjectAcls
from tagfs.store.client.trial_names import unused_key
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import NONE_MEANT, Denied, ObjectInfo, ObjectType, Spared
from tagfs.store.versions import may_be_version
from tagfs.store.wire.documents import parse_deleted, render_delete
from tagfs.store.wire.xml import is_representable

# What says that a service has no batches, or not this one; GCS answers 400 InvalidArgument.
_NO_BATCHES: Final = frozenset({400, 405, 501})
_BAD_REQUEST: Final = 400
_PRECONDITION_FAILED: Final = 412
_NO_CONDITION: Final = frozenset({400, 403, 405, 412, 501})


class _Batch:
    """One batch on its way, and what a look at its keys found after an answer was lost.

    Attributes:
        left: keys that hold what is meant, if anybody looked.
        is_over: whether the batch is not to be sent again, because it has fewer keys now.
    """

    def __init__(self, keys: Sequence[str], still: Callable[[Sequence[str]], list[str]]) -> None:
        self.keys = keys
        self.left: list[str] = []
        self.is_over = False
        self._still = still

    def look(self) -> bool:
        self.left = self._still(self.keys)
        self.is_over = len(self.left) < len(self.keys)
        return self.is_over


class ObjectDeletes:
    """Deletions; see `ObjectWrites` for what the methods promise."""

    def __init__(self, context: ClientContext, heads: ObjectHeads, acls: ObjectAcls) -> None:
        self._api = context.api
        self._features = context.features
        self._pool = context.pool
        self._heads = heads
        self._acls = acls
        self._deletable = Deletable()
        self._no_batches = ""  # how it was found out that there are none

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        """Delete one object; see `ObjectWrites.delete`."""
        self._api.check_key(key)
        is_gone = None if meant is None else lambda: not self.is_there(key, meant)
        request = Request(
            operation="DeleteObject",
            method="DELETE",
            key=key,
            headers=self._condition(meant),
            verify_done=is_gone,
        )
        self._acls.forget(key)
        try:
            self._send_deletion(request, meant)
        except AccessDenied:
            self._deletable.forget(key)
            raise
        self._deletable.note(key)

    def _condition(self, meant: ObjectInfo | None) -> dict[str, str]:
        etag = self._etag(meant)
        return {"if-match": f'"{etag}"'} if etag else {}

    def _etag(self, meant: ObjectInfo | None) -> str:
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
        self._api.send(replace(request, headers={}), allow={"NoSuchKey"})
        self._features.forgo_conditional_deletes(str(answer))

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
        request = Request(
            operation="DeleteObject",
            method="DELETE",
            key=trial,
            query={"versionId": version},
        )
        try:
            self._api.send(request)
        except Interrupted:
            raise
        except TagfsError as failure:
            logger.info("a delete marker of %r, made on trial, stays: %s", trial, failure)

    def delete_many(
        self, keys: Sequence[str], *, meant: Mapping[str, ObjectInfo] = NONE_MEANT
    ) -> dict[str, str]:
        """Delete objects in batches; see `ObjectWrites.delete_many`."""
        for key in keys:
            self._acls.forget(key)
        if not self._api.is_vouched_for:
            # A server whose directories are real keeps one that has something in it.
            keys = sorted(keys, reverse=True)
        markers = self._markers_apart(keys)
        # What XML cannot carry (control characters) goes in URLs, one by one.
        singly = [key for key in keys if not is_representable(key) and key not in markers]
        failed = self._delete_singly(singly, meant)
        batched = [key for key in keys if is_representable(key) and key not in markers]
        for start in range(0, len(batched), self._api.limits.delete_batch):
            batch = batched[start : start + self._api.limits.delete_batch]
            try:
                failed.update(self._delete_batch(batch, meant, first=start == 0 and not failed))
            except Unsupported as lacking:
                failed.update(self._delete_singly(batch, meant))
                self._note_no_batches(lacking, failed, batch)
            except Interrupted:
                raise
            except TagfsError as failure:
                if start == 0 and not failed:
                    raise  # nothing was deleted, so the failure itself can be told
                failed.update(dict.fromkeys(batch, str(failure)))
        if not markers:
            markers = self._remaining_markers([key for key in batched if key not in failed])
        for depth in sorted({key.count("/") for key in markers}, reverse=True):
            level = [key for key in markers if key.count("/") == depth]
            failed.update(self._delete_singly(level, meant))
        return failed

    def _markers_apart(self, keys: Sequence[str]) -> frozenset[str]:
        """Return the markers of directories that no batch would delete."""
        if self._api.is_vouched_for or self._features.deletes_markers is not False:
            return frozenset()
        return frozenset(key for key in keys if key.endswith("/"))

    def _remaining_markers(self, deleted: Sequence[str]) -> frozenset[str]:
        """Return the markers that may be there still, though they were reported deleted.

        One is looked at once: the last, in which nothing can be any more.
        """
        markers = [key for key in deleted if key.endswith("/")]
        if not markers or self._api.is_vouched_for or self._features.deletes_markers is not None:
            return frozenset()
        try:
            self._heads.head(markers[-1])
        except NotFound:
            self._features.note_deleted_markers(deleted=True)
            return frozenset()
        except TagfsError as failure:
            logger.info("whether %r was deleted stays unknown: %s", markers[-1], failure)
            return frozenset(markers)
        self._features.note_deleted_markers(deleted=False)
        return frozenset(markers)

    def _delete_batch(
        self, keys: Sequence[str], meant: Mapping[str, ObjectInfo], *, first: bool
    ) -> dict[str, str]:
        """Delete a batch; after a lost answer, go on with those keys that hold what is meant.

        Every further round has fewer keys, so there is an end to it.

        Raises:
            AccessDenied: all of the first batch are refused, each by itself, in an answer of 200.
        """
        asked = keys
        failed: dict[str, str] = {}
        while keys:
            current = _Batch(keys, lambda keys: self._still_there(keys, meant))
            failed.update(self._request_deletion(current, meant))
            keys = current.left if current.is_over else []
        for key, reason in failed.items():
            if isinstance(reason, Spared):
                logger.info("%r was made anew meanwhile, and stays", key)
                continue
            logger.warning("DeleteMultipleObjects of %r: %s", key, reason)
            if reason.startswith("AccessDenied"):
                failed[key] = Denied(reason)
                self._deletable.forget(key)
        if first and len(failed) == len(asked):
            reason = next(iter(failed.values()))
            if all(isinstance(reason, Denied) for reason in failed.values()):
                raise AccessDenied(f"DeleteMultipleObjects: {reason}")
        return failed

    def _request_deletion(self, current: _Batch, meant: Mapping[str, ObjectInfo]) -> dict[str, str]:
        if self._no_batches:
            raise FeatureMissing(self._no_batches)
        etags = {key: etag for key in current.keys if (etag := self._etag(meant.get(key)))}
        request = self._batch_request(current, etags, look=bool(meant))
        answer = self._api.send(request, allow=_NO_BATCHES)
        if etags and answer.status in _NO_BATCHES:
            refused = str(answer)
            request = self._batch_request(current, {}, look=bool(meant))
            answer = self._api.send(request, allow=_NO_BATCHES)
            if answer.error is None:
                self._features.forgo_conditional_deletes(refused)
        if answer.error is not None and answer.status in _NO_BATCHES:
            # A bare 400 may be an accident: this batch goes singly, and the next is tried again.
            plain = answer.status == _BAD_REQUEST and answer.code != "InvalidArgument"
            kind = Unsupported if plain else FeatureMissing
            raise kind(f"{request}: {answer}")
        parse = functools.partial(parse_deleted, plus_is_blank=self._api.dialect.plus_is_blank)
        failed = self._api.parsed(
            request, answer, lambda body: {} if current.is_over else parse(body)
        )
        return self._judge_conditions(failed, meant) if etags else failed

    def _batch_request(self, current: _Batch, etags: Mapping[str, str], *, look: bool) -> Request:
        encoded = self._api.dialect.encoded_delete
        return Request(
            operation="DeleteMultipleObjects",
            method="POST",
            query={"delete": "", **({"encoding-type": "url"} if encoded else {})},
            headers={"content-type": "application/xml"},
            body=render_delete(current.keys, etags),
            subresource="delete",
            verify_done=current.look if look else None,
        )

    def _judge_conditions(
        self, failed: dict[str, str], meant: Mapping[str, ObjectInfo]
    ) -> dict[str, str]:
        """Say which of the keys that failed hold another version, and so are spared.

        What is refused though it is what was meant is deleted without a condition.
        """
        refused = [key for key, reason in failed.items() if reason.startswith("PreconditionFailed")]
        if not refused:
            return failed
        still = self._still_there(refused, meant)
        if still:
            self._features.forgo_conditional_deletes(failed[still[0]])
        left = {key: reason for key, reason in failed.items() if key not in refused}
        spared = {key: Spared(failed[key]) for key in refused if key not in still}
        return {**left, **spared, **self._delete_singly(still, meant)}

    def _note_no_batches(
        self, lacking: Unsupported, failed: Mapping[str, str], batch: Sequence[str]
    ) -> None:
        """Remember that a batch was refused whose keys could be deleted one by one."""
        lasting = isinstance(lacking, FeatureMissing) and not self._no_batches
        if lasting and not any(key in failed for key in batch):
            self._no_batches = str(lacking)
            logger.info("bucket %r: objects are deleted one by one (%s)", self._api.name, lacking)

    def _still_there(self, keys: Sequence[str], meant: Mapping[str, ObjectInfo]) -> list[str]:
        """Return the keys that hold what is meant: neither gone, nor another's by now."""
        is_there = self._pool.map(
            lambda key: key not in meant or self.is_there(key, meant[key]), keys
        )
        return [key for key, there in zip(keys, is_there, strict=True) if there]

    def is_there(self, key: str, meant: ObjectInfo) -> bool:
        """Say whether a key still holds the version that is meant, as far as looking can tell."""
        try:
            found = self._heads.head(key, expected=meant.type)
        except NotFound:
            return False
        return may_be_version(found, meant)

    def _delete_singly(
        self, keys: Sequence[str], meant: Mapping[str, ObjectInfo]
    ) -> dict[str, str]:
        failed: dict[str, str] = {}
        begun = [(key, self._pool.submit(self.delete, key, meant=meant.get(key))) for key in keys]
        for key, outcome in begun:
            try:
                outcome.result()
            except Interrupted:
                raise
            except AccessDenied as failure:
                failed[key] = Denied(failure)
            except ObjectChanged as failure:
                failed[key] = Spared(failure)
            except TagfsError as failure:
                failed[key] = str(failure)
        return failed
