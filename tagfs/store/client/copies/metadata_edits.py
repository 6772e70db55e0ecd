"""Metadata and headers of an object replaced; its content and its tags stay."""

from collections.abc import Mapping
from dataclasses import replace

from tagfs.errors import AccessDenied, BadCredentials, FileTooLarge, ObjectChanged
from tagfs.store.acl import Acl
from tagfs.store.client.context import ClientContext
from tagfs.store.client.copies.rewrites import Rewrites
from tagfs.store.client.error_codes import to_exception
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.dialects.dialect import MetadataEdit, WriteKind
from tagfs.store.dialects.header_names import ENCRYPTION, REDIRECT, STORAGE_CLASS
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Detail, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.versions import may_be_version
from tagfs.store.wire.headers import KEPT_HEADERS, render_metadata


def changes_encryption(info: ObjectInfo, headers: Mapping[str, str]) -> bool:
    """Say whether headers name another encryption than an object has."""
    if ENCRYPTION not in headers or info.detail is None:
        return False
    kept = info.detail.headers
    names = {name for name in (*kept, *headers) if name.startswith(ENCRYPTION)}
    return any(kept.get(name) != headers.get(name) for name in names)


class MetadataEdits:
    """Metadata replaced; see `ObjectWrites` for what the method promises."""

    def __init__(
        self,
        context: ClientContext,
        heads: ObjectHeads,
        rewrites: Rewrites,
        steps: WriteSteps,
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._locks = context.locks
        self._heads = heads
        self._markers = rewrites.markers
        self._links = rewrites.links
        self._part_copies = rewrites.part_copies
        self._requests = rewrites.requests
        self._acls = steps.acls
        self._annotations = steps.annotations
        self._conditional = steps.conditional
        self._transfer = steps.transfer
        self._outcomes = steps.outcomes
        self._metadata = steps.metadata

    def set_metadata(
        self,
        info: ObjectInfo,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        known_tags: TagSet | None = None,
    ) -> ObjectInfo:
        """Replace metadata and headers of one object; see `ObjectWrites.set_metadata`."""
        self._api.check_key(info.key)
        new = NewObject(metadata=metadata, headers=headers)
        if info.type is ObjectType.SYMLINK:
            # A copy of a link onto itself is not documented; written anew it keeps its tags.
            described = info if info.detail and info.detail.target else self._heads.head(info.key)
            target = described.detail.target if described.detail else None
            return self._links.put_symlink(info.key, target or "", new)
        with self._locks.hold(info.key):
            in_place = self._api.dialect.metadata_edit is MetadataEdit.SUBRESOURCE
            if in_place and not changes_encryption(info, headers):
                return self._requests.keeping_tags(
                    WriteKind.METADATA,
                    info.key,
                    known_tags,
                    lambda: self._edit_metadata(info, new),
                )
            if self._requests.is_large(info):
                return self._part_copies.copy_by_parts(info, info.key, new)
            acl = self._acls.begin_for(info.key, NewObject())
            try:
                return self._markers.copied_or_written(
                    info,
                    lambda: self._requests.keeping_tags(
                        WriteKind.METADATA,
                        info.key,
                        known_tags,
                        lambda: self._set_demanded(info, new, acl.result()),
                    ),
                    lambda: self._markers.rewrite(info, new),
                )
            except FileTooLarge:
                return self._part_copies.copy_by_parts(info, info.key, new)

    def _send(self, request: Request) -> Response:
        return self._conditional.send_unchanged(request, self._conditional.send, in_place=True)

    def _edit_metadata(self, info: ObjectInfo, new: NewObject) -> ObjectInfo:
        """Replace metadata by PUT ?metadata, which knows no condition: look at the ETag first."""
        present = self._heads.head(info.key)
        if not may_be_version(present, info):
            raise ObjectChanged(f"{info.key!r}: {present.etag} instead of {info.etag}")
        # Encryption stays: content is not touched, and the request may not name it.
        standard = {k: v for k, v in new.headers.items() if k in (*KEPT_HEADERS, REDIRECT)}
        headers = render_metadata(self._api.dialect, new.metadata, standard)
        directive = self._api.dialect.replace_metadata
        chosen = new.headers.get(STORAGE_CLASS, present.storage_class)
        if chosen != present.storage_class:
            headers[self._api.header(STORAGE_CLASS)] = chosen
            directive = "REPLACE_NEW"  # the other one takes no class; headers that go stay then
        headers[self._api.header("metadata-directive")] = directive
        request = Request(
            operation="SetObjectMetadata",
            method="PUT",
            key=info.key,
            query={"metadata": ""},
            headers=headers,
            subresource="metadata",
        )
        made = self._outcomes.describe_created(info.key, self._api.send(request), new, NO_TAGS)
        before = present.detail or Detail()
        detail = made.detail and replace(
            made.detail,
            tag_count=before.tag_count,
            crc64=before.crc64,
            version_id=before.version_id,
        )
        return self._with_class(
            replace(present, last_modified_ns=made.last_modified_ns, detail=detail), chosen
        )

    def _with_class(self, made: ObjectInfo, chosen: str) -> ObjectInfo:
        """Return what was made, in the class that was chosen for it."""
        detail = made.detail
        if detail is not None:
            gone = chosen == self._api.dialect.default_storage_class
            archived = chosen in self._api.dialect.archived
            headers = dict(detail.headers)
            if gone or archived:  # as a HEAD has it
                headers.pop(STORAGE_CLASS, None)
            readable = detail.readable and not (archived and chosen != made.storage_class)
            detail = replace(detail, headers=headers, readable=readable)
        return replace(made, storage_class=chosen, detail=detail)

    def _set_demanded(self, info: ObjectInfo, new: NewObject, acl: Acl) -> ObjectInfo:
        """Copy an object onto itself, with the tags that a policy demands where one does."""
        if self._features.copies_bring_tags:
            tags = self._transfer.with_defaults(self._transfer.tags_to_keep(info.key))
            return self._set_in_place(info, new, acl, tags)
        try:
            return self._set_in_place(info, new, acl, None)
        except BadCredentials:
            raise
        except AccessDenied as refusal:
            tags = self._transfer.tags_demanded_of(info.key, refusal)
        made = self._set_in_place(info, new, acl, tags)
        self._features.note_demanded_tags()
        return made

    def _set_in_place(
        self, info: ObjectInfo, new: NewObject, acl: Acl, tags: TagSet | None
    ) -> ObjectInfo:
        headers = self._api.copy_source(info) | self._requests.kept_class(info)
        headers |= self._acls.headers(acl)
        headers |= render_metadata(self._api.dialect, new.metadata, new.headers)
        headers[self._api.header("metadata-directive")] = self._api.dialect.replace_metadata
        headers.update(self._requests.tagging_headers(tags))
        headers.update(self._conditional.unchanged(info))
        request = self._requests.copy_to(info.key, headers, info.size)
        answer = self._annotations.send_copy(request, self._send)
        if answer.error is not None:
            raise to_exception(request, answer)
        self._acls.deliver(info.key, acl)
        made = self._outcomes.describe_created(info.key, answer, new, NO_TAGS)
        before = info.detail or Detail()
        detail = made.detail and replace(
            made.detail,
            tag_count=before.tag_count if tags is None else len(tags),
            crc64=made.detail.crc64 if made.detail.crc64 is not None else before.crc64,
        )
        edited = self._requests.completed(answer, replace(info, detail=detail))
        chosen = new.headers.get(STORAGE_CLASS, info.storage_class)
        edited = self._with_class(edited, chosen)
        self._metadata.check(edited, new.metadata)
        return edited
