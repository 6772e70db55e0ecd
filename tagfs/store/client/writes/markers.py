"""Markers of directories on servers whose directories are real: written anew, not copied.

Where keys are paths, as with SeaweedFS and the file gateways that came from MinIO, the object that
stands for a directory is that directory. It has no content that a copy could be made of (404 or
500), a deletion in bulk may pass over it, and some keep nothing with it. None of that shows before
it is tried. On the service itself, whose answers name it, nothing here costs a request.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tagfs.errors import MalformedResponse, NotFound, Refused, Unreachable
from tagfs.store.acl import Acl
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.writes.object_writes import ObjectWrites
from tagfs.store.objects import BytesSource, Detail, Keep, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet

_EMPTY: Final = BytesSource(b"")
_NO_COPY: Final = (NotFound, Refused, Unreachable, MalformedResponse)


def is_marker(info: ObjectInfo) -> bool:
    """Tell whether an object stands for a directory."""
    return info.key.endswith("/") and not info.size and info.type is not ObjectType.SYMLINK


class MarkerWrites:
    """Copies and edits of markers, by the service where it can."""

    def __init__(self, context: ClientContext, heads: ObjectHeads, writes: ObjectWrites) -> None:
        self._api = context.api
        self._features = context.features
        self._heads = heads
        self._writes = writes

    def copied_or_written(
        self,
        source: ObjectInfo,
        copy: Callable[[], ObjectInfo],
        write: Callable[[], ObjectInfo],
    ) -> ObjectInfo:
        """Let the service copy an object; write a marker anew where it cannot.

        Raises:
            TagfsError: as `copy` and `write`.
        """
        if self._api.is_vouched_for or not is_marker(source):
            return copy()
        if self._features.copies_markers:
            try:
                return copy()
            except _NO_COPY as failure:
                logger.info("%r is written anew, as it cannot be copied: %s", source.key, failure)
        made = write()
        self._features.note_uncopied_markers()
        return made

    def write_copy(
        self,
        source: ObjectInfo,
        key: str,
        *,
        tags: TagSet,
        acl: Acl,
        exclusive: bool,
    ) -> ObjectInfo:
        """Write at `key` a marker with what the source has."""
        self._features.note_markers("")  # there is one
        found = self._heads.head(source.key)
        detail = source.detail or found.detail or Detail()
        new = NewObject(
            metadata=detail.metadata,
            headers=detail.headers,
            tags=tags,
            acl=acl,
            exclusive=exclusive,
        )
        return self._writes.put(key, _EMPTY, new)

    def rewrite(self, info: ObjectInfo, new: NewObject) -> ObjectInfo:
        """Write a marker anew with other metadata; its tags stay."""
        self._features.note_markers("")
        made = self._writes.put(info.key, _EMPTY, replace(new, tags=Keep.REPLACED))
        before = info.detail or Detail()
        return made.with_detail(replace(made.detail or Detail(), tag_count=before.tag_count))
