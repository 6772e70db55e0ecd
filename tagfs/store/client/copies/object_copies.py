"""Copies made by the service, of any object."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    BadCredentials,
    FileTooLarge,
    InvalidRequest,
    ObjectChanged,
    TagfsError,
)
from tagfs.store.acl import DEFAULT_ACL, Acl
from tagfs.store.client.acls.object_acls import KEPT, OFF
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.copies.rewrites import Rewrites
from tagfs.store.client.deletes.object_deletes import ObjectDeletes
from tagfs.store.client.tags.transfer import CopyTags
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.dialects.header_names import STORAGE_CLASS
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Detail, Keep, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import render_metadata, render_uncopied, without_long_tags

CopyAcl = Acl | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED]


@dataclass(frozen=True, slots=True)
class _Plan:
    """One copy in one request.

    Attributes:
        tags: those to set on the copy; None to have the service copy the source's.
        described: whether the copy has metadata and headers as `source` says, not its own.
        replaces: the one version that may be replaced; None: any.
    """

    source: ObjectInfo
    key: str
    tags: TagSet | None
    acl: Acl
    exclusive: bool
    described: bool
    replaces: ObjectInfo | None = None

    def expected(self) -> ObjectInfo:
        """Describe the copy as far as that is known before it is made."""
        detail = self.source.detail
        if detail is not None and self.tags is not None:
            detail = replace(detail, tag_count=len(self.tags))
        kept = detail.headers.get(STORAGE_CLASS) if self.described and detail is not None else None
        storage_class = kept or self.source.storage_class
        return replace(self.source, key=self.key, detail=detail, storage_class=storage_class)


class ObjectCopies:
    """Copies; see `ObjectWrites` for what the method promises."""

    def __init__(
        self,
        context: ClientContext,
        deletes: ObjectDeletes,
        rewrites: Rewrites,
        steps: WriteSteps,
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._locks = context.locks
        self._deletes = deletes
        self._markers = rewrites.markers
        self._links = rewrites.links
        self._part_copies = rewrites.part_copies
        self._requests = rewrites.requests
        self._acls = steps.acls
        self._annotations = steps.annotations
        self._transfer = steps.transfer
        self._conditional = steps.conditional
        self._outcomes = steps.outcomes

    def copy(  # noqa: PLR0913  all that a copy may have otherwise
        self,
        source: ObjectInfo,
        key: str,
        *,
        tags: CopyTags = Keep.SOURCE,
        exclusive: bool = False,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        acl: Mapping[str, str] | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE,
        known_tags: TagSet | None = None,
        replaces: ObjectInfo | None = None,
        annotations_of: tuple[str, ...] = (),
    ) -> ObjectInfo:
        """Copy one object; see `ObjectWrites.copy`."""
        self._api.check_key(source.key)
        self._api.check_key(key)
        if source.key == key:
            raise InvalidRequest(f"{key!r} cannot be copied onto itself")
        described = metadata is not None or headers is not None
        if described or self._may_be_uncopied(source):
            source = self._describe(source, metadata, headers)
        others = (key,) if acl is Keep.SOURCE_OR_REPLACED else annotations_of
        left = self._annotations.left_to_copy(source.key, key, others)
        with self._locks.hold(source.key, key), left as kept:
            asked = self._acl_for_copy(source, key, acl)
            chosen = self._transfer.tags_for_copy(source, key, tags)
            if source.type is ObjectType.SYMLINK and not self._api.dialect.copies_links:
                return self._links.copy(source, key, chosen, asked(), exclusive=exclusive)
            of = (source.key, *others)
            if self._requests.is_large(source):
                return self._copy_large(source, key, chosen, asked(), of, exclusive=exclusive)
            # Nothing is replaced: the copy need not wait for the answer, because the source is
            # there, with its ACL, until its copy has it too.
            late = acl is Keep.SOURCE and self._choices.acl == KEPT
            sent = DEFAULT_ACL if late else asked()
            kept.save()
            plan = _Plan(source, key, chosen, sent, exclusive, described, replaces)
            try:
                made = self._copy_demanded(plan, known_tags)
            except FileTooLarge:
                return self._copy_large(source, key, chosen, asked(), of, exclusive=exclusive)
            kept.replaced = True
            if late and (wanted := asked()):
                self._set_acl_of_copy(made, wanted)
            else:
                self._acls.deliver(key, sent)
            self._annotations.deliver(kept, made)
            return made

    def _copy_demanded(self, plan: _Plan, known_tags: TagSet | None) -> ObjectInfo:
        """Copy, with the tags that a policy demands where one without is refused."""

        def copied(plan: _Plan) -> ObjectInfo:
            return self._markers.copied_or_written(
                plan.source,
                lambda: self._copy_small(plan, known_tags),
                lambda: self._write_marker(plan),
            )

        try:
            return copied(plan)
        except BadCredentials:
            raise
        except AccessDenied as refusal:
            if plan.tags is not None:
                raise
            tags = self._transfer.tags_demanded_of(plan.source.key, refusal)
        made = copied(replace(plan, tags=tags))
        self._features.note_demanded_tags()
        return made

    def _acl_for_copy(self, source: ObjectInfo, key: str, acl: CopyAcl) -> Callable[[], Acl]:
        """Begin to ask for the ACL of a copy: the source's, else a given or the replaced one's."""
        if self._choices.acl not in (KEPT, OFF):
            return self._acls.begin_for(key, NewObject()).result
        own = self._acls.begin_read(source.key)
        given = DEFAULT_ACL if isinstance(acl, Keep) or self._choices.acl == OFF else acl
        other = self._acls.begin_read(key) if acl is Keep.SOURCE_OR_REPLACED else None
        return lambda: own.result() or (given if other is None else other.result())

    def _set_acl_of_copy(self, made: ObjectInfo, acl: Acl) -> None:
        """Give a copy its source's ACL; take it away if it would be open to others without.

        Raises:
            AccessDenied
        """
        try:
            self._acls.set_acl(made.key, acl)
        except AccessDenied:
            with suppress(TagfsError):
                if self._deletes.is_there(made.key, made):
                    self._deletes.delete(made.key, meant=made)
            raise
        self._acls.remember(made.key, acl)

    def _write_marker(self, plan: _Plan) -> ObjectInfo:
        """Write a marker that is no copy of its source, and yet like it."""
        tags = self._transfer.tags_to_keep(plan.source.key) if plan.tags is None else plan.tags
        return self._markers.write_copy(
            plan.source, plan.key, tags=tags, acl=plan.acl, exclusive=plan.exclusive
        )

    def _copy_small(self, plan: _Plan, known_tags: TagSet | None) -> ObjectInfo:
        """Copy in one request; see to it that tags stay where metadata is replaced."""
        if not plan.described or plan.tags is not None:
            return self._copy_whole(plan)
        return self._requests.keeping_tags(
            WriteKind.REMADE_COPY, plan.source.key, known_tags, lambda: self._copy_whole(plan)
        )

    def _describe(
        self,
        source: ObjectInfo,
        metadata: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> ObjectInfo:
        """Return the source of a copy with the metadata and headers that the copy is to have."""
        source = self._requests.detailed(source)
        detail = source.detail or Detail()
        if metadata is not None:
            detail = replace(detail, metadata={k.lower(): text for k, text in metadata.items()})
        if headers is not None:
            detail = replace(detail, headers={k.lower(): text for k, text in headers.items()})
        return source.with_detail(detail)

    def _may_be_uncopied(self, source: ObjectInfo) -> bool:
        """Tell whether to look at a source first, as its encryption would not go with a copy.

        Listings do not show it. A bucket in which no object was seen to have any is not asked for
        each one of a directory that is renamed.
        """
        return source.detail is None and self._features.sees_uncopied

    def _copy_whole(self, plan: _Plan) -> ObjectInfo:
        """Copy in one request."""
        headers = without_long_tags(self._api.dialect, self._headers(plan))
        request = self._requests.copy_to(plan.key, headers, plan.source.size)
        answer = self._annotations.send_copy(request, self._send)
        made = plan.expected()
        if answer.error is not None:
            made = self._resolved(request, answer, plan)
        else:
            made = self._requests.completed(answer, made)
        if plan.tags is not None:
            remade = plan.described and bool(plan.tags)
            carrier = WriteKind.REMADE_COPY if remade else WriteKind.RETAGGED_COPY
            self._transfer.ensure(carrier, plan.key, plan.tags, headers)
        return made

    def _send(self, request: Request) -> Response:
        def guarded(request: Request) -> Response:
            return self._conditional.send_guarded(request, self._conditional.send)

        return self._conditional.send_unchanged(request, guarded)

    def _resolved(self, request: Request, answer: Response, plan: _Plan) -> ObjectInfo:
        """Return what an attempt without an answer has made; or raise what a condition refused.

        Raises:
            AlreadyExists, ObjectChanged
        """
        try:
            return self._outcomes.resolve_conflict(request, answer, plan.expected())
        except AlreadyExists as failure:
            if plan.exclusive:
                raise
            raise ObjectChanged(f"{plan.key!r} is another version by now: {failure}") from failure

    def _headers(self, plan: _Plan) -> dict[str, str]:
        directive, dialect = self._api.header("metadata-directive"), self._api.dialect
        headers = self._api.copy_source(plan.source) | self._acls.headers(plan.acl)
        headers |= self._requests.kept_class(plan.source)
        headers[directive] = dialect.copy_metadata
        detail = plan.source.detail
        if detail is not None:
            headers |= render_uncopied(dialect, detail.headers)
        if plan.described and detail is not None:
            headers |= render_metadata(dialect, detail.metadata, detail.headers)
            headers[directive] = "REPLACE"
        headers |= self._requests.tagging_headers(plan.tags)
        headers |= self._conditional.unchanged(plan.replaces)
        return headers | self._conditional.precondition(
            "CopyObject", plan.key, exclusive=plan.exclusive
        )

    def _copy_large(
        self,
        source: ObjectInfo,
        key: str,
        tags: TagSet | None,
        acl: Acl,
        annotations_of: tuple[str, ...],
        *,
        exclusive: bool,
    ) -> ObjectInfo:
        detail = self._requests.detailed(source).detail or Detail()
        new = NewObject(
            metadata=detail.metadata,
            headers=detail.headers,
            tags=self._transfer.tags_to_keep(source.key) if tags is None else tags,
            acl=acl,
            exclusive=exclusive,
            annotations_of=annotations_of,
        )
        logger.info("copying %r in parts: %d bytes", source.key, source.size)
        return self._part_copies.copy_by_parts(source, key, new)
