"""Link objects, which hold the key that they point to."""

from dataclasses import replace

from tagfs.errors import InvalidRequest, NameTooLong, ObjectChanged, Refused, Unsupported
from tagfs.store.acl import Acl
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.trial_names import TRIAL, lost_answers_logged, unused_key
from tagfs.store.client.trials.trials import Trials
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.http.messages import Request
from tagfs.store.objects import Detail, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet, render_tagging
from tagfs.store.wire.headers import render_target


class SymlinkWrites:
    """PutSymlink; see `ObjectWrites` for what the method promises."""

    def __init__(
        self, context: ClientContext, heads: ObjectHeads, trials: Trials, steps: WriteSteps
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._locks = context.locks
        self._heads = heads
        self._trials = trials
        self._acls = steps.acls
        self._transfer = steps.transfer
        self._conditional = steps.conditional
        self._outcomes = steps.outcomes

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a link in one request; see `ObjectWrites.put_symlink`."""
        self._api.check_key(key)
        size = len(target.encode())
        if not target:
            raise InvalidRequest(f"a link {key!r} to nowhere")
        if size > self._api.limits.max_key:
            raise NameTooLong(f"the target of {key!r} has {size} bytes")
        if self._api.dialect.plain_targets and target != target.strip(" "):
            # A header that is not encoded loses them on the way back.
            raise Unsupported(f"a link {key!r} whose target begins or ends with a blank")
        with self._locks.hold(key), self._features.require("symlinks"):
            if not self._features.links_proven:
                self._probe_links(key, new.defaults)
            asked_acl = self._acls.begin_for(key, new)
            tags = self._transfer.tags_for(key, new)
            acl = asked_acl.result()
            headers = self._conditional.headers_for("PutSymlink", key, new, tags)
            headers |= self._acls.headers(acl)
            request = self._link_request(key, target, headers)
            answer = self._conditional.send_guarded(request, self._conditional.send)
            made = self._outcomes.describe_created(key, answer, new, tags)
            detail = made.detail and replace(made.detail, target=target, crc64=None)
            made = replace(made, size=size, type=ObjectType.SYMLINK, detail=detail)
            if answer.error is not None:
                made = self._outcomes.resolve_conflict(request, answer, made)
            self._transfer.ensure(WriteKind.SYMLINK, key, tags, headers)
            self._acls.deliver(key, acl)
            return made

    def copy(
        self, source: ObjectInfo, key: str, tags: TagSet | None, acl: Acl, *, exclusive: bool
    ) -> ObjectInfo:
        """Write a link anew: a copy of it may be one of its target."""
        described = self._heads.head(source.key, expected=ObjectType.SYMLINK)
        detail = described.detail or Detail()
        if detail.target is None:
            raise ObjectChanged(f"{source.key!r} is no longer a link")
        new = NewObject(
            metadata=detail.metadata,
            headers=detail.headers,
            tags=self._transfer.tags_to_keep(source.key) if tags is None else tags,
            acl=acl,
            exclusive=exclusive,
        )
        return self.put_symlink(key, detail.target, new)

    def _link_request(self, key: str, target: str, headers: dict[str, str]) -> Request:
        return Request(
            operation="PutSymlink",
            method="PUT",
            key=key,
            query={"symlink": ""},
            headers={
                **headers,
                self._api.header("symlink-target"): render_target(self._api.dialect, target),
            },
            subresource="symlink",
        )

    def _probe_links(self, key: str, defaults: TagSet) -> None:
        """Find out on a key of its own, beside `key`, whether the bucket knows links at all.

        A service that does not would take PutSymlink for a PutObject of nothing.

        Raises:
            FeatureMissing
        """
        trial = unused_key(key)
        tags = self._transfer.with_defaults(NO_TAGS, defaults)
        demanded = {self._api.header("tagging"): render_tagging(tags)} if tags else {}
        try:
            with lost_answers_logged(trial):
                made = self._api.send(self._link_request(trial, TRIAL, demanded))
        except (InvalidRequest, Refused) as failure:
            raise FeatureMissing(str(failure)) from failure
        try:
            if self._heads.head_link(trial) is None:
                raise FeatureMissing("PutSymlink makes no link")
        finally:
            self._trials.clean_up(trial, made)
        self._features.note_links()
