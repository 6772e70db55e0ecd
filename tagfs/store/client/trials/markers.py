"""Whether a server keeps the markers of directories as what they are.

Some servers of others refuse them, and some make a file of "d/", below which nothing can be
written from then on. One is tried on a name where nothing is, before the first that is meant.
"""

from typing import Final

from tagfs.errors import AccessDenied, Interrupted, TagfsError, Unsupported
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.deletes.object_deletes import ObjectDeletes
from tagfs.store.client.trial_names import lost_answers_logged, unused_key
from tagfs.store.http.messages import Request, Response

_REFUSALS: Final = frozenset({400, 405, 501})
_OK: Final = 200


class MarkerTrials:
    """Costs three requests on servers that are not known, once; none on the service itself."""

    def __init__(self, context: ClientContext, deletes: ObjectDeletes) -> None:
        self._api = context.api
        self._features = context.features
        self._deletes = deletes

    def check(self, key: str) -> None:
        """Make sure that a marker may be written at `key`.

        Raises:
            Unsupported: it would be none.
        """
        if not key.endswith("/") or self._features.keeps_markers or self._is_the_service():
            return
        if self._features.capabilities.markers:
            self._try_marker(key)
        if not self._features.capabilities.markers:
            raise Unsupported(self._features.why_not("markers"))

    def _is_the_service(self) -> bool:
        """Tell whether markers are sure: some servers of others give the service's own name."""
        return self._api.is_vouched_for and self._features.heeds_subresources is not False

    def _try_marker(self, key: str) -> None:
        """Write a marker beside the one that is meant, look what became of it, and delete it.

        What fails on the way, or cannot be taken back, says nothing: then markers are written.
        """
        trial = unused_key(key[:-1])
        try:
            if not self._deletes.may_delete(trial):
                return
            self._learn(trial)
        except Interrupted:
            raise
        except TagfsError as failure:
            logger.info("whether markers of directories are kept stays unknown: %s", failure)

    def _learn(self, trial: str) -> None:
        marker = f"{trial}/"
        request = Request(operation="PutObject", method="PUT", key=marker, body=b"")
        with lost_answers_logged(marker):
            answer = self._api.request(request)
        if answer.status in _REFUSALS:
            self._features.note_markers(f"one is refused: {answer}")
        if answer.error is not None:
            return
        try:
            head = Request(operation="HeadObject", method="HEAD", key=trial)
            is_file = self._api.request(head).status == _OK
            self._features.note_markers("one becomes a file" if is_file else "")
        finally:
            self._clean_up(marker, answer)

    def _clean_up(self, marker: str, made: Response) -> None:
        try:
            self._deletes.delete_made(marker, made)
        except AccessDenied as denied:
            logger.warning("%r, a marker made on trial, stays behind: %s", marker, denied)
