"""Requests tried on names where nothing is, before they may cost something elsewhere.

A server that ignores sub-resources may ignore more: the source of a copy, so that a copy is a
PutObject of nothing, or an upload's id, so that the end of an upload is a DeleteObject. Both are
tried once on such a server, by a request that only a server which looks at everything refuses.
Servers that look at sub-resources are trusted, and cost nothing.
"""

from urllib.parse import quote

from tagfs.errors import Interrupted, MalformedResponse, TagfsError
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.deletes.object_deletes import ObjectDeletes
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.trial_names import lost_answers_logged, unused_key
from tagfs.store.http.messages import Request, Response
from tagfs.store.wire.uploads import parse_copied

_NO_UPLOAD = "tagfs-no-upload"


class Trials:
    """Makes sure that a request is not taken for another one that destroys."""

    def __init__(self, context: ClientContext, deletes: ObjectDeletes) -> None:
        self._api = context.api
        self._features = context.features
        self._deletes = deletes
        self._copies_done = False  # a copy is surely no empty object
        self._aborts_done = False  # the end of an upload is surely no deletion

    def try_copies(self, key: str) -> None:
        """Find out once whether copies are done, by one whose source is not there.

        Raises:
            FeatureMissing: a copy over `key` would be an empty object.
        """
        if self._features.heeds_subresources is not False or self._copies_done:
            return
        trial = unused_key(key)
        source = f"/{self._api.name}/{quote(unused_key(key), safe='/-_.~')}"
        request = Request(
            operation="CopyObject",
            method="PUT",
            key=trial,
            headers={self._api.header("copy-source"): source},
            subresource="copy",
        )
        with lost_answers_logged(trial):
            answer = self._api.request(request)
        if answer.error is None:
            self.clean_up(trial, answer)
            try:
                parse_copied(answer.body)
            except MalformedResponse as failure:
                ignored = "the source of a copy is ignored: it would be an empty object"
                raise FeatureMissing(
                    f"bucket {self._api.name!r} makes no copies ({ignored})"
                ) from failure
        self._copies_done = True

    def ends_uploads(self, key: str) -> bool:
        """Tell whether AbortMultipartUpload at `key` is surely no DeleteObject; asks once."""
        if self._features.heeds_subresources is not False or self._aborts_done:
            return True
        request = Request(
            operation="AbortMultipartUpload",
            method="DELETE",
            key=unused_key(key),
            query={"uploadId": _NO_UPLOAD},
            subresource="uploadId",
        )
        answer = self._api.request(request)
        self._aborts_done = answer.code == "NoSuchUpload"
        return self._aborts_done

    def clean_up(self, trial: str, made: Response) -> None:
        """Delete what was made on trial; if that fails the log says what stays."""
        try:
            self._deletes.delete_made(trial, made)
        except Interrupted:
            raise
        except TagfsError as failure:
            logger.warning("%r, an object made on trial, stays behind: %s", trial, failure)
