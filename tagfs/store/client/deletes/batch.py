"""Objects deleted in batches, and one by one where a server has none.

A batch whose answer was lost goes on with those keys that still hold what is meant. An answer that
cannot be read, or that is about other keys, proves nothing: the keys are looked at.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tagfs.errors import (
    AccessDenied,
    Interrupted,
    MalformedResponse,
    NotFound,
    TagfsError,
    Unsupported,
)
from tagfs.store.client.acls.object_acls import ObjectAcls
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.deletes.object_deletes import ObjectDeletes
from tagfs.store.client.deletes.single import SingleDeletes
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import NONE_MEANT, Denied, ObjectInfo, Spared
from tagfs.store.wire.documents import parse_deleted, render_delete
from tagfs.store.wire.xml import is_representable

# What says that a service has no batches, or not this one; GCS answers 400 InvalidArgument.
_NO_BATCHES: Final = frozenset({400, 405, 501})
_BAD_REQUEST: Final = 400
_PASSING: Final = ("InternalError:", "ServiceUnavailable:", "SlowDown:")
"""What begins the reason of a key that was not deleted only now, in an answer of 200."""


class _Batch:
    """One batch on its way, and what a look at its keys found after an answer was lost.

    Attributes:
        left: keys that hold what is meant, if they were looked at.
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


class BatchDeletes:
    """Deletions of many objects; see `ObjectWrites` for what the method promises."""

    def __init__(
        self,
        context: ClientContext,
        heads: ObjectHeads,
        acls: ObjectAcls,
        deletes: ObjectDeletes,
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._heads = heads
        self._acls = acls
        self._deletes = deletes
        self._singly = SingleDeletes(context.pool, deletes)
        self._no_batches = ""  # how it was found out that there are none
        self._silent = context.api.dialect.silent_deletes

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
        failed = self._singly.delete(singly, meant)
        batched = [key for key in keys if is_representable(key) and key not in markers]
        for start in range(0, len(batched), self._api.limits.delete_batch):
            batch = batched[start : start + self._api.limits.delete_batch]
            try:
                failed.update(self._delete_batch(batch, meant, first=start == 0 and not failed))
            except Unsupported as lacking:
                failed.update(self._singly.delete(batch, meant))
                self._note_no_batches(lacking, failed, batch)
            except Interrupted:
                raise
            except TagfsError as failure:
                if start == 0 and not failed:
                    raise  # nothing was deleted, so the failure itself is raised
                failed.update(dict.fromkeys(batch, str(failure)))
        if not markers:
            markers = self._remaining_markers([key for key in batched if key not in failed])
        for depth in sorted({key.count("/") for key in markers}, reverse=True):
            level = [key for key in markers if key.count("/") == depth]
            failed.update(self._singly.delete(level, meant))
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
            current = _Batch(keys, lambda keys: self._singly.not_gone(keys, meant))
            failed.update(self._request_deletion(current, meant))
            keys = current.left if current.is_over else []
        for key, reason in failed.items():
            if isinstance(reason, Spared):
                logger.info("%r was made anew meanwhile, and stays", key)
                continue
            logger.warning("DeleteMultipleObjects of %r: %s", key, reason)
            if reason.startswith("AccessDenied"):
                failed[key] = Denied(reason)
                self._deletes.note_refused(key)
        if first and len(failed) == len(asked):
            reason = next(iter(failed.values()))
            if all(isinstance(reason, Denied) for reason in failed.values()):
                raise AccessDenied(f"DeleteMultipleObjects: {reason}")
        return failed

    def _request_deletion(self, current: _Batch, meant: Mapping[str, ObjectInfo]) -> dict[str, str]:
        if self._no_batches:
            raise FeatureMissing(self._no_batches)
        etags = {
            key: etag for key in current.keys if (etag := self._deletes.condition(meant.get(key)))
        }
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
        if current.is_over:
            return {}
        try:
            failed = self._read(request, answer, current.keys)
        except MalformedResponse as unread:
            return self._delete_what_is_left(current.keys, meant, unread, said=bool(answer.body))
        passing = [key for key, reason in failed.items() if reason.startswith(_PASSING)]
        failed = {key: reason for key, reason in failed.items() if key not in passing}
        failed = self._judge_conditions(failed, meant) if etags else failed
        return failed | self._singly.delete(self._singly.still_there(passing, meant), meant)

    def _read(self, request: Request, answer: Response, keys: Sequence[str]) -> dict[str, str]:
        """Return the keys that an answer says were not deleted, with its reasons.

        Raises:
            MalformedResponse: it says nothing of these keys.
        """
        if self._silent and not answer.body.strip():
            return {}
        parse = functools.partial(parse_deleted, plus_is_blank=self._api.dialect.plus_is_blank)
        failed = self._api.parsed(request, answer, parse)
        if others := failed.keys() - set(keys):
            raise MalformedResponse(f"{request}: the answer is about {min(others)!r}")
        return failed

    def _delete_what_is_left(
        self,
        keys: Sequence[str],
        meant: Mapping[str, ObjectInfo],
        unread: MalformedResponse,
        *,
        said: bool,
    ) -> dict[str, str]:
        """Look at the keys of a batch whose answer says nothing of them; delete those left singly.

        A server that is silent where nothing failed is trusted from then on.
        """
        left = self._singly.perhaps_left(keys, meant)
        if not said and not left and not self._api.is_vouched_for:
            self._silent = True
        logger.info("%s; %d of its %d keys are deleted one by one", unread, len(left), len(keys))
        return self._singly.delete(left, meant)

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
        still = self._singly.still_there(refused, meant)
        if still:
            self._features.forgo_conditional_deletes(failed[still[0]])
        left = {key: reason for key, reason in failed.items() if key not in refused}
        spared = {key: Spared(failed[key]) for key in refused if key not in still}
        return {**left, **spared, **self._singly.delete(still, meant)}

    def _note_no_batches(
        self, lacking: Unsupported, failed: Mapping[str, str], batch: Sequence[str]
    ) -> None:
        """Remember that a batch was refused whose keys could be deleted one by one."""
        lasting = isinstance(lacking, FeatureMissing) and not self._no_batches
        if lasting and not any(key in failed for key in batch):
            self._no_batches = str(lacking)
            logger.info("bucket %r: objects are deleted one by one (%s)", self._api.name, lacking)
