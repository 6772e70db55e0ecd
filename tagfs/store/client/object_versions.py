"""What objects were before: versions listed, read and brought back.

`DELETE ?versionId` would be a DeleteObject for a server that ignores the parameter. It is sent only
for delete markers, which no such server lists.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    BadCredentials,
    FileTooLarge,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    Refused,
    Unsupported,
)
from tagfs.store.client.api import Api, logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.copies.requests import CopyRequests
from tagfs.store.client.proofs import SubresourceProofs
from tagfs.store.client.reads.content import ObjectContent
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.reads.listing import PAGE, ObjectListing
from tagfs.store.client.tags.object_tags import ObjectTags
from tagfs.store.client.tags.open_uploads import OpenUploads
from tagfs.store.client.tags.requests import TagRequests
from tagfs.store.client.writes.conditional import ConditionalWrites
from tagfs.store.dialects.dialect import ListKeys
from tagfs.store.http.messages import Request, Response
from tagfs.store.object_versions import ObjectVersion, VersionPage, in_order
from tagfs.store.objects import Content, Detail, ObjectInfo
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import render_uncopied
from tagfs.store.wire.version_listings import parse_versions
from tagfs.store.wire.xml import find_root

_OTHER_LISTING: Final = "ListBucketResult"
"""What a server answers that ignores ?versions."""

PARAMETER: Final = "versionId"


class VersionApi(Api):
    """Sends requests about one version of an object."""

    def __init__(self, api: Api, version_id: str) -> None:
        super().__init__(api.name, api.dialect, api.transport)
        self._version_id = version_id

    def request(self, request: Request) -> Response:
        """Deliver a request about the version; see `Api.request`."""
        query = {**request.query, PARAMETER: self._version_id}
        return super().request(replace(request, query=query))


class _Parts(NamedTuple):
    """The parts of a client that read, of one version."""

    heads: ObjectHeads
    content: ObjectContent
    tags: ObjectTags


class ObjectVersions:
    """Versions; see `VersionStore` for what the methods promise."""

    def __init__(
        self,
        context: ClientContext,
        heads: ObjectHeads,
        proofs: SubresourceProofs,
        requests: CopyRequests,
        conditional: ConditionalWrites,
    ) -> None:
        self._heads = heads
        self._context = context
        self._api = context.api
        self._proofs = proofs
        self._requests = requests
        self._conditional = conditional

    def list(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: tuple[str, str] | None = None,
        limit: int = PAGE,
    ) -> VersionPage:
        """Return one page of versions; see `VersionStore.list`."""
        query = {"versions": "", "prefix": prefix, "max-keys": str(limit)}
        if delimiter:
            query["delimiter"] = delimiter
        if token is not None:
            query["key-marker"] = token[0]
            query |= {"version-id-marker": token[1]} if token[1] else {}
        if self._api.dialect.list_keys is ListKeys.ENCODED:
            query["encoding-type"] = "url"
        page = self._list(query)
        if page.token is not None and page.token == token:
            raise MalformedResponse(f"listing versions of {prefix!r} goes on where it began")
        foreign = next((v for v in page.versions if not v.info.key.startswith(prefix)), None)
        if foreign is not None:
            raise MalformedResponse(f"listing versions of {prefix!r} has {foreign.info.key!r}")
        return page

    def _list(self, query: dict[str, str]) -> VersionPage:
        answer = self._send(query)
        try:
            return self._parse(answer.body)
        except MalformedResponse:
            if find_root(answer.body) == _OTHER_LISTING:
                raise Unsupported(f"{self._api.dialect.title} lists no versions") from None
            if "encoding-type" in query:
                raise
        answer = self._send({**query, "encoding-type": "url"})  # XML cannot carry every key
        return self._parse(answer.body)

    def _send(self, query: dict[str, str]) -> Response:
        request = Request(
            operation="ListObjectVersions", method="GET", query=query, subresource="versions"
        )
        try:
            return self._api.send(request)
        except (InvalidRequest, Refused) as refusal:
            raise Unsupported(
                f"{self._api.dialect.title} lists no versions: {refusal}"
            ) from refusal

    def _parse(self, body: bytes) -> VersionPage:
        dialect = self._api.dialect
        return parse_versions(
            body, plus_is_blank=dialect.plus_is_blank, default_class=dialect.default_storage_class
        )

    def of_key(self, key: str) -> Sequence[ObjectVersion]:
        """Return all versions of one key; see `VersionStore.of_key`."""
        self._api.check_key(key)
        return in_order(self._of_key(key))

    def _of_key(self, key: str) -> Iterator[ObjectVersion]:
        """Yield the versions of a key: it is the first of all keys that begin with it."""
        token = None
        while True:
            page = self.list(key, token=token)
            own = [version for version in page.versions if version.info.key == key]
            yield from own
            token = page.token
            if token is None or len(own) < len(page.versions) or page.prefixes:
                return

    def head(self, version: ObjectVersion) -> ObjectInfo:
        """Describe one version; see `VersionStore.head`."""
        info = version.info
        return self._parts(version).heads.head(info.key, expected=info.type)

    def get(
        self,
        version: ObjectVersion,
        start: int = 0,
        length: int | None = None,
        *,
        if_match: str | None = None,
    ) -> Content:
        """Return bytes of one version; see `VersionStore.get`."""
        content = self._parts(version).content
        return content.get(version.info.key, start, length, if_match=if_match)

    def get_tags(self, version: ObjectVersion) -> TagSet:
        """Return the tags of one version."""
        return self._parts(version).tags.get_tags(version.info.key)

    def deleted_version(self, versions: Sequence[ObjectVersion]) -> ObjectVersion:
        """Return what would be brought back; see `VersionStore.deleted_version`."""
        version = next((v for v in versions if not v.is_marker), None)
        if version is None:
            raise NotFound("there is no version to bring back")
        if not versions[0].is_marker:
            raise AlreadyExists(f"{version.info.key!r} is not deleted")
        return version

    def undelete(self, versions: Sequence[ObjectVersion]) -> ObjectVersion:
        """Let an object be there again; see `VersionStore.undelete`."""
        version = self.deleted_version(versions)
        try:
            for marker in markers_over(version, versions):
                self._drop(marker)
        except BadCredentials:
            raise
        except AccessDenied as denied:
            logger.info("%r: its version is copied: %s", version.info.key, denied)
            self._copy(version)
        return version

    def purge(self, key: str) -> None:
        """Delete all of a key that was made on trial; see `VersionStore.purge`."""
        for version in self.of_key(key):
            self._drop(version)

    def _drop(self, marker: ObjectVersion) -> None:
        """Delete a version or a delete marker; one that is gone is no error."""
        key = marker.info.key
        request = Request(
            operation="DeleteObject",
            method="DELETE",
            key=key,
            query={PARAMETER: marker.version_id},
        )
        self._api.send(request, allow={"NoSuchKey", "NoSuchVersion"})

    def _copy(self, version: ObjectVersion) -> None:
        """Copy a version to its own key, unless something is there by now."""
        source = self.head(version)
        self._heads.check_free(source.key)  # some forget the header where versions are kept
        if self._requests.is_large(source):
            raise FileTooLarge(f"{source.key!r} is too large to be copied: cp its version")
        headers = self._api.copy_source(source) | self._requests.kept_class(source)
        headers[self._api.header("copy-source")] += f"?{PARAMETER}={version.version_id}"
        headers[self._api.header("metadata-directive")] = self._api.dialect.copy_metadata
        headers |= render_uncopied(self._api.dialect, (source.detail or Detail()).headers)
        headers |= self._requests.tagging_headers(None)
        headers |= self._conditional.precondition("CopyObject", source.key, exclusive=True)
        request = self._requests.copy_to(source.key, headers, source.size)
        self._requests.completed(self._conditional.send(request), source)

    def _parts(self, version: ObjectVersion) -> _Parts:
        context = replace(self._context, api=VersionApi(self._api, version.version_id))
        heads = ObjectHeads(context, ObjectListing(context))
        tags = ObjectTags(context, TagRequests(context, self._proofs), OpenUploads())
        return _Parts(heads, ObjectContent(context, heads), tags)


def markers_over(version: ObjectVersion, versions: Sequence[ObjectVersion]) -> list[ObjectVersion]:
    """Return the delete markers that hide a version.

    Times are whole seconds, and markers not always among the versions: one that may be as old as
    the version counts, as no older one matters.
    """
    since = version.info.last_modified_ns
    return [v for v in versions if v.is_marker and v.info.last_modified_ns >= since]
