"""Objects made and replaced whole, in one request each."""

from tagfs.errors import FileTooLarge
from tagfs.store.client.context import ClientContext
from tagfs.store.client.trials.markers import MarkerTrials
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.http.messages import Request
from tagfs.store.objects import NewObject, ObjectInfo, Source


class ObjectWrites:
    """PutObject; see `tagfs.store.bucket.ObjectWrites` for what the method promises."""

    def __init__(self, context: ClientContext, steps: WriteSteps, markers: MarkerTrials) -> None:
        self._api = context.api
        self._locks = context.locks
        self._acls = steps.acls
        self._annotations = steps.annotations
        self._transfer = steps.transfer
        self._conditional = steps.conditional
        self._outcomes = steps.outcomes
        self._metadata = steps.metadata
        self._markers = markers

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object in one request; see `ObjectWrites.put`."""
        self._api.check_key(key)
        self._markers.check(key)
        if source.size > self._api.limits.max_put:
            raise FileTooLarge(f"{source.size} bytes in one PutObject of {key!r}")
        with self._locks.hold(key), self._annotations.keeping(key, new) as kept:
            asked_acl = self._acls.begin_for(key, new)
            tags = self._transfer.tags_for(key, new)
            acl = asked_acl.result()
            kept.save()
            headers = self._conditional.headers_for("PutObject", key, new, tags)
            headers |= self._acls.headers(acl)
            request = Request(
                operation="PutObject",
                method="PUT",
                key=key,
                headers=headers,
                body=source,
                proof_header="etag",
            )
            answer = self._conditional.send_guarded(request, self._conditional.send_content)
            made = self._outcomes.describe_created(key, answer, new, tags, source.size)
            if answer.error is not None:
                made = self._outcomes.resolve_conflict(request, answer, made)
            kept.replaced = True
            self._transfer.ensure(WriteKind.PUT, key, tags, headers)
            self._acls.deliver(key, acl)
            self._annotations.deliver(kept, made)
            self._metadata.check(made, new.metadata)
            return made
