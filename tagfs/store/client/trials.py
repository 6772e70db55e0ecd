"""Requests tried on names where nothing is, before they may cost something elsewhere.

A server that ignores sub-resources may ignore more: the source of a copy, so that a copy is a
PutObject of nothing, or an upload's id, so that the end of an upload is a DeleteObject. Both are
tried once on such a server, by a request that only a server which looks at everything refuses.
Servers that look at sub-resources are believed, and cost nothing.
"""

from urllib.parse import quote

from tagfs.errors import MalformedResponse
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.trial_names import lost_answers_logged, unused_key
from tagfs.store.client.writes import ObjectWrites
from tagfs.store.http.messages import Request
from tagfs.store.wire.xml import parse_copied

_NO_UPLOAD = "tagfs-no-upload"


class Trying(ObjectWrites):
    """Makes sure that a request is not taken for another one that destroys."""

    def _try_copies(self, key: str) -> None:
        """Find out once whether copies are done, by one whose source is not there.

        Raises:
            FeatureMissing: a copy over `key` would be an empty object.
        """
        if self._heeds is not False or self._copies_done:
            return
        trial = unused_key(key)
        source = f"/{self.name}/{quote(unused_key(key), safe='/-_.~')}"
        request = Request(
            operation="CopyObject",
            method="PUT",
            key=trial,
            headers={self._header("copy-source"): source},
            subresource="copy",
            quiet=True,
        )
        with lost_answers_logged(trial):
            answer = self.transport.request(request)
        if answer.error is None:
            self._delete_probe(trial)
            try:
                parse_copied(answer.body)
            except MalformedResponse as failure:
                ignored = "the source of a copy is ignored: it would be an empty object"
                raise FeatureMissing(
                    f"bucket {self.name!r} makes no copies ({ignored})"
                ) from failure
        self._copies_done = True

    def _ends_uploads(self, key: str) -> bool:
        """Tell whether AbortMultipartUpload at `key` is surely no DeleteObject; asks once."""
        if self._heeds is not False or self._aborts_done:
            return True
        request = Request(
            operation="AbortMultipartUpload",
            method="DELETE",
            key=unused_key(key),
            query={"uploadId": _NO_UPLOAD},
            subresource="uploadId",
            quiet=True,
        )
        answer = self.transport.request(request)
        self._aborts_done = answer.code == "NoSuchUpload"
        return self._aborts_done
