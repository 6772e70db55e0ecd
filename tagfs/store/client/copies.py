"""Copies made by the service, and metadata changed by copying an object onto itself."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    FileTooLarge,
    IntegrityError,
    InvalidRequest,
    MalformedResponse,
    ObjectChanged,
    TagfsError,
)
from tagfs.store.acl import DEFAULT_ACL, Acl
from tagfs.store.client.api import logger
from tagfs.store.client.multipart import MultipartUploads, server_time
from tagfs.store.client.object_acls import KEPT, OFF
from tagfs.store.dialects.dialect import MetadataEdit, WriteKind
from tagfs.store.dialects.header_names import REDIRECT, STORAGE_CLASS
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Detail, Keep, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet, render_tagging
from tagfs.store.wire.headers import KEPT_HEADERS, parse_crc64, render_metadata, render_uncopied
from tagfs.store.wire.xml import parse_copied

CopyAcl = Acl | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED]
CopyTags = TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED]


class ObjectCopies(MultipartUploads):
    """The copying part of `Client`; see `Bucket` for what the methods promise."""

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
    ) -> ObjectInfo:
        """Copy one object; see `Bucket.copy`."""
        self._check_key(source.key)
        self._check_key(key)
        if source.key == key:
            raise InvalidRequest(f"{key!r} cannot be copied onto itself")
        described = metadata is not None or headers is not None
        if described or self._may_be_uncopied(source):
            source = self._describe(source, metadata, headers)
        with self._locks.hold(source.key, key):
            asked = self._acl_for_copy(source, key, acl)
            chosen = self._tags_for_copy(source, key, tags)
            if source.type is ObjectType.SYMLINK and not self.dialect.copies_links:
                return self._copy_link(source, key, chosen, asked(), exclusive=exclusive)
            if self._is_large(source):
                return self._copy_large(source, key, chosen, asked(), exclusive=exclusive)
            # Nothing is replaced: the copy need not wait for the answer, because the source is
            # there, with its ACL, until its copy has it too.
            late = acl is Keep.SOURCE and self.acl_choice == KEPT
            sent = DEFAULT_ACL if late else asked()
            try:
                made = self._copy_small(
                    source,
                    key,
                    chosen,
                    sent,
                    exclusive=exclusive,
                    described=described,
                    known_tags=known_tags,
                )
            except FileTooLarge:
                return self._copy_large(source, key, chosen, asked(), exclusive=exclusive)
            if late and (wanted := asked()):
                self._set_acl_of_copy(made, wanted)
            else:
                self._deliver_acl(key, sent)
            return made

    def _acl_for_copy(self, source: ObjectInfo, key: str, acl: CopyAcl) -> Callable[[], Acl]:
        """Begin to ask for the ACL of a copy: the source's, else a given or the replaced one's."""
        if self.acl_choice not in (KEPT, OFF):
            return self._acl_ahead(key, NewObject())
        own = self._ahead(source.key)
        given = DEFAULT_ACL if isinstance(acl, Keep) or self.acl_choice == OFF else acl
        other = self._ahead(key) if acl is Keep.SOURCE_OR_REPLACED else lambda: given
        return lambda: own() or other()

    def _set_acl_of_copy(self, made: ObjectInfo, acl: Acl) -> None:
        """Give a copy its source's ACL; take it away if it would be open to others without.

        Raises:
            AccessDenied
        """
        try:
            self._set_acl(made.key, acl)
        except AccessDenied:
            with suppress(TagfsError):
                if self._is_there(made.key, made):
                    self.delete(made.key, meant=made)
            raise
        self._acls.note(made.key, acl)

    def _copy_small(  # noqa: PLR0913  all that a copy may have otherwise
        self,
        source: ObjectInfo,
        key: str,
        chosen: TagSet | None,
        acl: Acl,
        *,
        exclusive: bool,
        described: bool,
        known_tags: TagSet | None,
    ) -> ObjectInfo:
        """Copy in one request; see to it that tags stay where metadata is replaced."""

        def copy() -> ObjectInfo:
            return self._copy_whole(
                source, key, chosen, acl, exclusive=exclusive, described=described
            )

        if described and chosen is None:
            return self._kept_metadata(WriteKind.REMADE_COPY, source.key, known_tags, copy)
        return copy()

    def set_metadata(
        self,
        info: ObjectInfo,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        known_tags: TagSet | None = None,
    ) -> ObjectInfo:
        """Replace metadata and headers of one object; see `Bucket.set_metadata`."""
        self._check_key(info.key)
        new = NewObject(metadata=metadata, headers=headers)
        if info.type is ObjectType.SYMLINK:
            # A copy of a link onto itself is not documented; written anew it keeps its tags.
            described = info if info.detail and info.detail.target else self.head(info.key)
            target = described.detail.target if described.detail else None
            return self.put_symlink(info.key, target or "", new)
        with self._locks.hold(info.key):
            if self.dialect.metadata_edit is MetadataEdit.SUBRESOURCE:
                return self._kept_metadata(
                    WriteKind.METADATA,
                    info.key,
                    known_tags,
                    lambda: self._edit_metadata(info, new),
                )
            if self._is_large(info):
                return self._copy_by_parts(info, info.key, new)
            acl = self._acl_ahead(info.key, NewObject())
            try:
                return self._kept_metadata(
                    WriteKind.METADATA,
                    info.key,
                    known_tags,
                    lambda: self._set_in_place(info, new, acl()),
                )
            except FileTooLarge:
                return self._copy_by_parts(info, info.key, new)

    def _kept_metadata(
        self,
        carrier: WriteKind,
        key: str,
        known: TagSet | None,
        edit: Callable[[], ObjectInfo],
    ) -> ObjectInfo:
        """Replace the metadata of `key`, here or in a copy, and see to it that its tags stay."""
        tags = self._tags_at_risk(carrier, key) if known is None else known
        edited = edit()
        self._ensure_tags(carrier, edited.key, tags)
        return edited

    def _describe(
        self,
        source: ObjectInfo,
        metadata: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> ObjectInfo:
        """Return the source of a copy with the metadata and headers that the copy is to have."""
        if source.detail is None:
            source = self.head(source.key, expected=source.type)
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
        return source.detail is None and self._sees_uncopied

    def _edit_metadata(self, info: ObjectInfo, new: NewObject) -> ObjectInfo:
        """Replace metadata by PUT ?metadata, which knows no condition: look at the ETag first."""
        present = self.head(info.key)
        if info.etag and present.etag != info.etag:
            raise ObjectChanged(f"{info.key!r}: {present.etag} instead of {info.etag}")
        # Class and encryption stay: content is not touched, and the request may not name them.
        standard = {k: v for k, v in new.headers.items() if k in (*KEPT_HEADERS, REDIRECT)}
        headers = render_metadata(self.dialect, new.metadata, standard)
        headers[self._header("metadata-directive")] = self.dialect.replace_metadata
        request = Request(
            operation="SetObjectMetadata",
            method="PUT",
            key=info.key,
            query={"metadata": ""},
            headers=headers,
            subresource="metadata",
        )
        made = self._describe_created(info.key, self._call(request), new, NO_TAGS)
        before = present.detail or Detail()
        detail = made.detail and replace(
            made.detail,
            tag_count=before.tag_count,
            crc64=before.crc64,
            version_id=before.version_id,
        )
        return replace(present, last_modified_ns=made.last_modified_ns, detail=detail)

    def _is_large(self, source: ObjectInfo) -> bool:
        limit = self.dialect.single_copy
        return limit is not None and source.size > limit

    def _tags_for_copy(self, source: ObjectInfo, key: str, tags: CopyTags) -> TagSet | None:
        """Return the tags to set on the copy; None to have the service copy the source's."""
        if isinstance(tags, TagSet):
            self._check_tags(f"object {key!r}", self.object_tag_rules, tags)
            return tags
        has_tags = source.detail is not None and bool(source.detail.tag_count)
        if tags is Keep.SOURCE or has_tags or not self._capabilities.object_tags:
            return None
        try:
            if self.get_tags(source.key):
                return None
        except BadCredentials:
            raise
        except AccessDenied:
            # Whatever the source's tags are: nothing is lost that had none.
            if self.tags_denied_drop or self._shows_no_tags(key):
                return None
            raise
        return self._tags_to_keep(key) or None

    def _copy_whole(
        self,
        source: ObjectInfo,
        key: str,
        tags: TagSet | None,
        acl: Acl,
        *,
        exclusive: bool,
        described: bool,
    ) -> ObjectInfo:
        """Copy in one request; `described`: with metadata and headers as `source` says."""
        self._try_copies(key)
        headers = self._copy_source(source) | self._acl_headers(acl)
        headers |= self._kept_class(source)
        headers[self._header("metadata-directive")] = self.dialect.copy_metadata
        if source.detail is not None:
            headers |= render_uncopied(self.dialect, source.detail.headers)
        if described and source.detail is not None:
            headers |= render_metadata(self.dialect, source.detail.metadata, source.detail.headers)
            headers[self._header("metadata-directive")] = "REPLACE"
        headers.update(self._tagging_headers(tags))
        headers.update(self._precondition("CopyObject", key, exclusive=exclusive))
        request = self._copy_request(key, headers, source.size)
        answer = self._with_precondition(request, self._send)
        detail = source.detail
        if detail is not None and tags is not None:
            detail = replace(detail, tag_count=len(tags))
        kept = detail.headers.get(STORAGE_CLASS) if described and detail is not None else None
        made = replace(source, key=key, detail=detail, storage_class=kept or source.storage_class)
        if answer.error is not None:
            made = self._resolve_conflict(request, answer, made)
        else:
            made = self._copied(answer, made)
        if tags is not None:
            remade = described and bool(tags)
            self._ensure_tags(
                WriteKind.REMADE_COPY if remade else WriteKind.RETAGGED_COPY, key, tags
            )
        return made

    def _copy_link(
        self, source: ObjectInfo, key: str, tags: TagSet | None, acl: Acl, *, exclusive: bool
    ) -> ObjectInfo:
        """Write a link anew: a copy of it may be one of its target."""
        described = self.head(source.key, expected=ObjectType.SYMLINK)
        detail = described.detail or Detail()
        if detail.target is None:
            raise ObjectChanged(f"{source.key!r} is no longer a link")
        new = NewObject(
            metadata=detail.metadata,
            headers=detail.headers,
            tags=self._source_tags(source.key) if tags is None else tags,
            acl=acl,
            exclusive=exclusive,
        )
        return self.put_symlink(key, detail.target, new)

    def _copy_large(
        self, source: ObjectInfo, key: str, tags: TagSet | None, acl: Acl, *, exclusive: bool
    ) -> ObjectInfo:
        described = source if source.detail else self.head(source.key)
        detail = described.detail or Detail()
        new = NewObject(
            metadata=detail.metadata,
            headers=detail.headers,
            tags=self._source_tags(source.key) if tags is None else tags,
            acl=acl,
            exclusive=exclusive,
        )
        logger.info("copying %r in parts: %d bytes", source.key, source.size)
        return self._copy_by_parts(source, key, new)

    def _source_tags(self, key: str) -> TagSet:
        """Return the tags to give to a copy made in parts, which carry none themselves."""
        return self._tags_to_keep(key)

    def _set_in_place(self, info: ObjectInfo, new: NewObject, acl: Acl) -> ObjectInfo:
        self._try_copies(info.key)
        headers = self._copy_source(info) | self._kept_class(info) | self._acl_headers(acl)
        headers |= render_metadata(self.dialect, new.metadata, new.headers)
        headers[self._header("metadata-directive")] = self.dialect.replace_metadata
        headers.update(self._tagging_headers(None))
        answer = self._call(self._copy_request(info.key, headers, info.size))
        self._deliver_acl(info.key, acl)
        made = self._describe_created(info.key, answer, new, NO_TAGS)
        before = info.detail or Detail()
        detail = made.detail and replace(
            made.detail,
            tag_count=before.tag_count,
            crc64=made.detail.crc64 if made.detail.crc64 is not None else before.crc64,
        )
        return self._copied(answer, replace(info, detail=detail))

    def _tagging_headers(self, tags: TagSet | None) -> dict[str, str]:
        """Always name the directive: services differ in what they do without.

        But not where there are no tags: R2 refuses every copy that names one.
        """
        if not self._capabilities.object_tags:
            return {}
        directive = self._header("tagging-directive")
        if tags is None:
            return {directive: self.dialect.copy_tags}
        headers = {directive: self.dialect.replace_tags}
        if tags:
            headers[self._header("tagging")] = render_tagging(tags)
        return headers

    def _kept_class(self, source: ObjectInfo) -> dict[str, str]:
        """Keep a storage class that was chosen: without the header a copy gets the bucket's."""
        default = source.storage_class == self.dialect.default_storage_class
        if default and not self.dialect.copy_names_class:
            return {}
        return {self._header("storage-class"): source.storage_class}

    def _copy_request(self, key: str, headers: Mapping[str, str], size: int) -> Request:
        return Request(
            operation="CopyObject",
            method="PUT",
            key=key,
            headers=headers,
            subresource="copy",
            server_time=server_time(size),
        )

    def _copied(self, answer: Response, made: ObjectInfo) -> ObjectInfo:
        """Complete the description of a copy by what the answer tells.

        Raises:
            MalformedResponse: it is no answer to a copy. A server that ignores the source has
                written an empty object instead; whoever copies must not delete the source.
        """
        try:
            copied = parse_copied(answer.body)
        except MalformedResponse as failure:
            raise self._log_and_return(
                MalformedResponse(f"CopyObject of {made.key!r}: {failure}")
            ) from None
        if not copied.etag:
            return self._looked_at(made)
        crc = parse_crc64(self.dialect, answer.headers)
        detail = made.detail
        if detail is not None:
            detail = replace(
                detail,
                crc64=detail.crc64 if crc is None else crc,
                version_id=answer.headers.get(self._header("version-id")),
            )
        moment = copied.last_modified_ns
        return replace(
            made,
            etag=copied.etag,
            last_modified_ns=self._date(answer) if moment is None else moment,
            detail=detail,
        )

    def _looked_at(self, made: ObjectInfo) -> ObjectInfo:
        """Return the description of a copy whose ETag was not told.

        Raises:
            IntegrityError: it is no copy.
        """
        found = self.head(made.key, expected=made.type)
        if found.size != made.size:
            failure = f"{made.key!r}: {found.size} bytes in a copy of {made.size}"
            raise self._log_and_return(IntegrityError(failure))
        return found
