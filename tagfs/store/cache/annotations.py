"""The part of `CachedBucket` that is about annotations: names for as long as tags, values briefly.

A program asks for an attribute twice, first for its size, so a value is remembered for a moment.
What a write of the object leaves of its annotations is asked for again.
"""

import functools
from collections.abc import Mapping

from tagfs.errors import NotFound
from tagfs.store.bucket import FRESH_WITHIN, Bucket
from tagfs.store.cache.coalescer import Coalescer, KnownAnnotations
from tagfs.store.cache.entry import UNKNOWN, Unknown
from tagfs.store.cache.reads import unless_missing

_LONGEST = 64 * 1024  # bytes of a value that the kernel takes


class CachedAnnotations:
    """Annotations of objects."""

    def __init__(self, inner: Bucket, state: Coalescer) -> None:
        self._inner = inner
        self._state = state
        self._clocks = state.clocks

    def list_annotations(self, key: str, *, max_age: float | None = None) -> Mapping[str, int]:
        """Return the sizes of an object's annotations by name."""
        names = self._state.get_or_fetch(
            ("annotations", key),
            lambda: self._recall(key, max_age),
            lambda: unless_missing(lambda: self._inner.list_annotations(key)),
            lambda names, at: self._saw(key, names, at),
            lambda: self._clocks.oldest_flight(max_age, self._clocks.tag_ttl),
        )
        if names is None:
            raise NotFound(f"{key}: no such key")
        return names

    def known_annotations(self, key: str) -> Mapping[str, int]:
        """Return what is remembered, without a request; empty if nothing is."""
        with self._state.lock:
            names = self._recall(key, None)
        return names if isinstance(names, Mapping) else {}

    def get_annotation(self, key: str, name: str) -> bytes:
        """Return one annotation, a moment old at most."""
        with self._state.lock:
            kept = self._state.annotations.get(key)
            at, data = kept.values.get(name, (0.0, b"")) if kept else (0.0, b"")
            if data and self._clocks.monotonic() - at < FRESH_WITHIN:
                return data
            began = self._clocks.monotonic()
        data = self._inner.get_annotation(key, name)
        if len(data) <= _LONGEST:
            with self._state.lock:
                kept = self._state.annotations.get(key) or KnownAnnotations()
                kept.values = {name: (began, data)}  # one at a time is asked for
                self._state.annotations[key] = kept
        return data

    def put_annotation(self, key: str, name: str, data: bytes) -> None:
        """Set one annotation, and remember that it is there."""
        known = self.known_annotations(key)

        def keep(_: None, at: float) -> None:
            if known:
                self._saw(key, {**known, name: len(data)}, at)

        write = functools.partial(self._inner.put_annotation, key, name, data)
        self._state.write((key,), write, keep, _invalidate_nothing)

    def delete_annotation(self, key: str, name: str) -> None:
        """Remove one annotation."""
        known = self.known_annotations(key)

        def keep(_: None, at: float) -> None:
            if known:
                self._saw(key, {each: size for each, size in known.items() if each != name}, at)

        write = functools.partial(self._inner.delete_annotation, key, name)
        self._state.write((key,), write, keep, _invalidate_nothing)

    def _recall(self, key: str, max_age: float | None) -> Mapping[str, int] | Unknown:
        kept = self._state.annotations.get(key)
        if kept is None or kept.sizes is None or kept.at <= self._clocks.oldest_tags(max_age):
            return UNKNOWN
        return kept.sizes

    def _saw(self, key: str, sizes: Mapping[str, int] | None, at: float) -> None:
        if sizes is not None:
            self._state.annotations[key] = KnownAnnotations(at, sizes)


def _invalidate_nothing(_key: str) -> None:
    """What is known of the object itself stays right; of its annotations nothing is."""
