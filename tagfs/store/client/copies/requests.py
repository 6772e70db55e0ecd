"""CopyObject: what a copy onto another key and one onto itself have in common."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tagfs.errors import IntegrityError, MalformedResponse
from tagfs.store.client.context import ClientContext
from tagfs.store.client.marker_patience import bounded
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.server_time import server_time
from tagfs.store.client.trials.trials import Trials
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagSet, render_tagging
from tagfs.store.wire.headers import parse_crc64
from tagfs.store.wire.uploads import parse_copied


class CopyRequests:
    """Writes requests for copies, and reads their answers."""

    def __init__(
        self, context: ClientContext, heads: ObjectHeads, trials: Trials, steps: WriteSteps
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._heads = heads
        self._trials = trials
        self._transfer = steps.transfer
        self._outcomes = steps.outcomes

    def keeping_tags(
        self,
        carrier: WriteKind,
        key: str,
        known: TagSet | None,
        edit: Callable[[], ObjectInfo],
    ) -> ObjectInfo:
        """Replace the metadata of `key`, here or in a copy, and see to it that its tags stay."""
        tags = self._transfer.at_risk(carrier, key) if known is None else known
        edited = edit()
        self._transfer.ensure(carrier, edited.key, tags)
        return edited

    def is_large(self, source: ObjectInfo) -> bool:
        """Tell whether one request cannot copy the source."""
        limit = self._api.dialect.single_copy
        return limit is not None and source.size > limit

    def detailed(self, source: ObjectInfo) -> ObjectInfo:
        """Return a source with its detail, asked for if a listing brought it."""
        return source if source.detail else self._heads.head(source.key, expected=source.type)

    def tagging_headers(self, tags: TagSet | None) -> dict[str, str]:
        """Always name the directive: services differ in what they do without.

        But not where there are no tags: R2 refuses every copy that names one.
        """
        if not self._features.capabilities.object_tags:
            return {}
        directive = self._api.header("tagging-directive")
        if tags is None:
            return {directive: self._api.dialect.copy_tags}
        headers = {directive: self._api.dialect.replace_tags}
        if tags:
            headers[self._api.header("tagging")] = render_tagging(tags)
        return headers

    def kept_class(self, source: ObjectInfo) -> dict[str, str]:
        """Keep a storage class that was chosen: without the header a copy gets the bucket's."""
        default = source.storage_class == self._api.dialect.default_storage_class
        if default and not self._api.dialect.copy_names_class:
            return {}
        return {self._api.header("storage-class"): source.storage_class}

    def copy_to(self, key: str, headers: Mapping[str, str], size: int) -> Request:
        """Return a request for a copy of `size` bytes at `key`.

        Raises:
            FeatureMissing: the service makes an empty object of it; that is tried once.
        """
        self._trials.try_copies(key)
        request = Request(
            operation="CopyObject",
            method="PUT",
            key=key,
            headers=headers,
            subresource="copy",
            server_time=server_time(size),
        )
        return bounded(self._api, request)

    def completed(self, answer: Response, made: ObjectInfo) -> ObjectInfo:
        """Complete the description of a copy by what the answer tells.

        Raises:
            MalformedResponse: it is no answer to a copy. A server that ignores the source has
                written an empty object instead; the caller must not delete the source.
        """
        try:
            copied = parse_copied(answer.body)
        except MalformedResponse as failure:
            raise MalformedResponse(f"CopyObject of {made.key!r}: {failure}") from None
        if not copied.etag:
            return self._looked_at(made)
        crc = parse_crc64(self._api.dialect, answer.headers)
        detail = made.detail
        if detail is not None:
            detail = replace(
                detail,
                crc64=detail.crc64 if crc is None else crc,
                version_id=answer.headers.get(self._api.header("version-id")),
            )
        moment = copied.last_modified_ns
        return replace(
            made,
            etag=copied.etag,
            last_modified_ns=self._outcomes.moment(answer) if moment is None else moment,
            detail=detail,
        )

    def _looked_at(self, made: ObjectInfo) -> ObjectInfo:
        """Return the description of a copy whose ETag was not sent.

        Raises:
            IntegrityError: it is no copy.
        """
        found = self._heads.head(made.key, expected=made.type)
        if found.size != made.size:
            failure = f"{made.key!r}: {found.size} bytes in a copy of {made.size}"
            raise IntegrityError(failure)
        return found
