"""The writing part of `CachedBucket`: every write leaves behind what is known of its result."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Literal

from tagfs.errors import NotFound, ObjectChanged
from tagfs.store.bucket import Bucket
from tagfs.store.cache.coalescer import Coalescer
from tagfs.store.cache.entry import WriteEffect
from tagfs.store.cache.long_term import LongTermMemory
from tagfs.store.cache.tags import CachedTags, CopyTags
from tagfs.store.key_locks import KeyLocks
from tagfs.store.objects import (
    NONE_MEANT,
    Keep,
    NewObject,
    ObjectInfo,
    Part,
    Source,
    Spared,
    Upload,
)
from tagfs.store.tags import TagSet


class CachedWrites:
    """Objects made, changed and deleted.

    Args:
        tags: knows which tags a rewrite keeps.
        rewrites: one lock of each key, held over a rewrite of it.
    """

    def __init__(
        self,
        inner: Bucket,
        state: Coalescer,
        tags: CachedTags,
        rewrites: KeyLocks,
        memory: LongTermMemory,
    ) -> None:
        self._memory = memory
        self._inner = inner
        self._state = state
        self._clocks = state.clocks
        self._known = state.known
        self._lock = state.lock
        self._tags = tags
        self._rewrites = rewrites

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object whole."""
        with self._rewrites.hold(key):
            new = self._tags.with_recent_tags(key, new)
            return self._write_object(
                key, lambda: self._inner.put(key, source, new), self._made(new)
            )

    def append(self, info: ObjectInfo, source: Source) -> ObjectInfo:
        """Extend an appendable object at its end."""
        with self._rewrites.hold(info.key):
            written = WriteEffect(at=0, detail_at=self._detail_age(info))
            return self._write_object(info.key, lambda: self._inner.append(info, source), written)

    def start_append(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create an appendable object where no object is."""
        with self._rewrites.hold(key):
            return self._write_object(
                key, lambda: self._inner.start_append(key, source, new), self._made(new)
            )

    def start_upload(self, key: str, new: NewObject) -> Upload:
        """Begin a multipart upload."""
        with self._rewrites.hold(key):
            upload = self._inner.start_upload(key, self._tags.with_counted_tags(key, new))
        return replace(upload, new=new)

    def copy_part(
        self, upload: Upload, number: int, source: ObjectInfo, start: int, length: int
    ) -> Part:
        """Let the service take one part from a range of `source`."""
        with self._invalidating(source.key):
            return self._inner.copy_part(upload, number, source, start, length)

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        """Make the parts the object's content."""
        with self._rewrites.hold(upload.key):
            # Which tags it has is up to edits since it began, too.
            written = WriteEffect(at=0, keeps_tags=False, counted=True)
            return self._write_object(
                upload.key, lambda: self._inner.complete_upload(upload, parts), written
            )

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
        """Copy one object on the service."""
        with self._rewrites.hold(key), self._invalidating(source.key):
            chosen = self._tags.recent_tags_for_copy(source.key, key, tags)
            taken = self._taken_tags(source.key, key) if chosen is Keep.SOURCE else None
            written = WriteEffect(
                at=0,
                tags=chosen if isinstance(chosen, TagSet) else taken and taken[1],
                tags_at=taken and taken[0],
                keeps_tags=False,
                detail_at=self._detail_age(source) if metadata is None is headers else None,
            )
            known = self._tags.recent_tags(source.key) if known_tags is None else known_tags
            return self._write_object(
                key,
                lambda: self._inner.copy(
                    source,
                    key,
                    tags=chosen,
                    exclusive=exclusive,
                    metadata=metadata,
                    headers=headers,
                    acl=acl,
                    known_tags=known,
                    replaces=replaces,
                    annotations_of=annotations_of,
                ),
                written,
            )

    def _taken_tags(self, source: str, key: str) -> tuple[float, TagSet] | None:
        """Return the tags that a copy takes over, and when they were read; None if unknown.

        Nor where those of what it replaces were read later: the memory keeps what is later.
        """
        taken, replaced = self._memory.tags_of(source), self._memory.tags_of(key)
        return None if taken and replaced and replaced[0] > taken[0] else taken

    def rename(self, key: str, new: str, *, source: ObjectInfo | None = None) -> None:
        """Rename an object, or a directory; what is at the new name is asked for when it matters.

        Of a directory, everything on both sides is invalidated, whatever came of it.
        """

        def keep(_: None, at: float) -> None:
            self._known.record_delete(key, at, self._clocks.oldest())
            self._state.invalidate(new)

        with self._rewrites.hold(key, new), self._invalidating(key):
            if not key.endswith("/"):
                self._state.write(
                    (key, new), lambda: self._inner.rename(key, new, source=source), keep
                )
                return
            try:
                self._inner.rename(key, new, source=source)
            finally:
                with self._lock:
                    for prefix in (key[:-1], new[:-1]):
                        self._state.invalidate_prefix(prefix)
                        self._memory.drop(prefix)

    def set_metadata(
        self,
        info: ObjectInfo,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        known_tags: TagSet | None = None,
    ) -> ObjectInfo:
        """Replace user metadata and standard headers of one object."""
        with self._rewrites.hold(info.key):
            known = self._tags.recent_tags(info.key) if known_tags is None else known_tags
            return self._write_object(
                info.key,
                lambda: self._inner.set_metadata(info, metadata, headers, known_tags=known),
                WriteEffect(at=0),
            )

    def restore(self, key: str, days: int) -> None:
        """Let an archived object become readable."""
        self._state.write(
            (key,),
            lambda: self._inner.restore(key, days),
            lambda _, _at: self._state.invalidate(key),
        )

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a symlink object."""
        with self._rewrites.hold(key):
            new = self._tags.with_recent_tags(key, new)
            return self._write_object(
                key, lambda: self._inner.put_symlink(key, target, new), self._made(new)
            )

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        """Delete one object."""
        with self._rewrites.hold(key), suppress(ObjectChanged), self._invalidating(key):
            self._state.write(
                (key,),
                lambda: self._inner.delete(key, meant=meant),
                lambda _, at: self._known.record_delete(key, at, self._clocks.oldest()),
            )

    def delete_many(
        self, keys: Sequence[str], *, meant: Mapping[str, ObjectInfo] = NONE_MEANT
    ) -> Mapping[str, str]:
        """Delete objects in batches."""

        def keep(failed: Mapping[str, str], at: float) -> None:
            for key in keys:
                if key in failed:
                    self._state.invalidate(key)
                else:
                    self._known.record_delete(key, at, self._clocks.oldest())

        distinct = tuple(dict.fromkeys(keys))
        failed = self._state.write(
            distinct, lambda: self._inner.delete_many(keys, meant=meant), keep
        )
        return {key: reason for key, reason in failed.items() if not isinstance(reason, Spared)}

    def _write_object(
        self, key: str, send: Callable[[], ObjectInfo], written: WriteEffect
    ) -> ObjectInfo:
        def keep(info: ObjectInfo, at: float) -> None:
            self._known.record_write(info, replace(written, at=at), self._clocks.oldest())

        return self._state.write((key,), send, keep)

    def _made(self, new: NewObject) -> WriteEffect:
        most = self._inner.object_tag_rules.max_tags
        return WriteEffect(at=0, tags=new.all_tags(most), counted=True)

    def _detail_age(self, info: ObjectInfo) -> float:
        with self._lock:
            return self._known.detail_age(info)

    @contextmanager
    def _invalidating(self, key: str) -> Iterator[None]:
        # A source that is not what it was thought to be must be asked for again.
        try:
            yield
        except (NotFound, ObjectChanged):
            with self._lock:
                self._state.invalidate(key)
            raise


def _made(new: NewObject) -> WriteEffect:
    return WriteEffect(at=0, tags=None if new.tags is Keep.REPLACED else new.tags, counted=True)
