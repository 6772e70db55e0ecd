"""Multipart uploads under way in this process, and the tags of what they will replace."""

import threading
import time
from collections.abc import Callable, Collection

from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagSet


class OpenUploads:
    """Which uploads are under way, and what became of the tags of the objects they will replace.

    An upload's tags are sent when it begins and take effect when it is completed; an edit in
    between would be undone. Thread-safe; the caller holds the key's lock where order matters.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._since: dict[str, float] = {}  # upload id -> when it began
        self._edits: dict[str, dict[str, TagSet | None]] = {}  # key -> upload id -> newest tags
        self._sources: dict[str, dict[tuple[str, str], ObjectInfo]] = {}  # upload id -> versions
        self._made: dict[str, ObjectInfo] = {}  # upload id -> object that still lacks its tags

    def begin(self, key: str, upload_id: str) -> None:
        """Watch the tags of `key` for this upload."""
        with self._lock:
            self._edits.setdefault(key, {})[upload_id] = None
            self._since[upload_id] = self._clock()

    def record_tag_edit(self, key: str, tags: TagSet) -> None:
        """Remember that an edit gave the object at `key` these tags."""
        with self._lock:
            for upload_id in self._edits.get(key, ()):
                self._edits[key][upload_id] = tags

    def is_known(self, key: str, upload_id: str) -> bool:
        """Tell whether this process began the upload."""
        with self._lock:
            return upload_id in self._edits.get(key, ())

    def is_recent(self, upload_id: str) -> bool:
        """Tell whether this process began the upload a moment ago."""
        with self._lock:
            since = self._since.get(upload_id)
            return since is not None and self._clock() - since < FRESH_WITHIN

    def edited(self, key: str, upload_id: str) -> TagSet | None:
        """Return the tags that an edit left since the upload began; None without an edit."""
        with self._lock:
            return self._edits.get(key, {}).get(upload_id)

    def record_copy_source(self, upload_id: str, source: ObjectInfo) -> None:
        """Remember which version of an object a part was copied from."""
        with self._lock:
            self._sources.setdefault(upload_id, {})[source.key, source.etag] = source

    def sources(self, upload_id: str) -> Collection[ObjectInfo]:
        """Return the versions that parts were copied from, as far as they were noted."""
        with self._lock:
            return list(self._sources.get(upload_id, {}).values())

    def forget_sources(self, upload_id: str) -> None:
        """Know no sources any more: they were looked at."""
        with self._lock:
            self._sources.pop(upload_id, None)

    def record_completed(self, upload_id: str, made: ObjectInfo) -> None:
        """Remember that the upload is an object already, but without its newest tags."""
        with self._lock:
            self._made[upload_id] = made

    def made(self, upload_id: str) -> ObjectInfo | None:
        """Return what `record_completed` recorded."""
        with self._lock:
            return self._made.get(upload_id)

    def end(self, key: str, upload_id: str) -> None:
        """Watch no longer."""
        with self._lock:
            self._made.pop(upload_id, None)
            self._sources.pop(upload_id, None)
            self._since.pop(upload_id, None)
            uploads = self._edits.get(key, {})
            uploads.pop(upload_id, None)
            if not uploads:
                self._edits.pop(key, None)
