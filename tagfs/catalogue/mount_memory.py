"""A catalogue as the long-term memory of a mount's cache: what of it is believed, and for how long.

- A detail, where a listing shows the same version and it was read so long after Last-Modified that
  no later change can look the same; where changes of metadata need not show, for `ttl` only.
- Tags for `tag_ttl`: nothing proves them. After a boot nobody knows how much time has passed.
- Nothing that was read before this mount was asked to forget, or lost track of it.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.rows import Known
from tagfs.store.cache.long_term import LongTermMemory, Recalled
from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagSet
from tagfs.store.versions import same_version

MANY: Final = 100
"""Prefixes of which is remembered since when they are believed; beyond that, one time for all."""

_SECOND: Final = 1_000_000_000


class MountMemory:
    """`LongTermMemory` by a catalogue.

    Args:
        monotonic: the clock of the cache.
        ttl: seconds for which details are believed that nothing proves.
        edits_show: whether every change of metadata moves Last-Modified.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        monotonic: Callable[[], float],
        *,
        ttl: float,
        tag_ttl: float,
        edits_show: bool,
    ) -> None:
        self._catalogue = catalogue
        self._monotonic = monotonic
        self._ttl = ttl
        self._tag_ttl = tag_ttl
        self._edits_show = edits_show
        self._lock = threading.Lock()
        self._since: dict[str, int] = {}

    def set_ages(self, *, ttl: float, tag_ttl: float) -> None:
        """Believe for other times from now on."""
        self._ttl, self._tag_ttl = ttl, tag_ttl

    # Recalling

    def recall_details(self, listed: Sequence[ObjectInfo]) -> Mapping[str, Recalled]:
        """Return those of the listed objects whose detail is known, of just this version."""
        known = self._catalogue.known([info.key for info in listed])
        believed_from, to_cache = self._beliefs(), self._to_cache()
        found = {}
        for info in listed:
            one = known.get(info.key)
            if one is None or not self._proves(one, info, believed_from):
                continue
            whole = one.info
            assert whole is not None  # noqa: S101  (it proves something)
            # As a HEAD shows it, in whole seconds.
            modified = info.last_modified_ns // _SECOND * _SECOND
            if whole.last_modified_ns != modified:
                whole = replace(whole, last_modified_ns=modified)
            found[info.key] = Recalled(whole, to_cache(one.detail_at))
        return found

    def recall_tags(self, keys: Sequence[str]) -> Mapping[str, tuple[float, TagSet]]:
        """Return tag sets that are young enough, and when each was read."""
        known = self._catalogue.known(keys)
        believed_from, to_cache = self._beliefs(), self._to_cache()
        found = {}
        for key, one in known.items():
            young = self._is_young(one.tags_at, self._tag_ttl)
            if one.tags is not None and young and one.tags_at > believed_from(key):
                found[key] = (to_cache(one.tags_at), one.tags)
        return found

    def tags_of(self, key: str) -> tuple[float, TagSet] | None:
        """Return the tag set that was last read, however long ago, and when; None if unknown."""
        known = self._catalogue.known([key]).get(key)
        if known is None or known.tags is None or known.tags_at <= self._beliefs()(key):
            return None
        return self._to_cache()(known.tags_at), known.tags

    def _proves(
        self, known: Known, listed: ObjectInfo, believed_from: Callable[[str], int]
    ) -> bool:
        info = known.info
        if info is None or info.detail is None or not known.settled:
            return False
        if not same_version(info, listed) or known.detail_at <= believed_from(info.key):
            return False
        return self._edits_show or self._is_young(known.detail_at, self._ttl)

    # Learning

    def learn(self, info: ObjectInfo, at: float, *, settled: bool) -> None:
        """Take in an object."""
        age = self._monotonic() - at
        self._catalogue.saw(info, age=age, detail_age=age, settled=settled)

    def learn_tags(self, key: str, tags: TagSet | None, at: float) -> None:
        """Take in the tags of an object; None: nobody knows them."""
        self._catalogue.saw_tags(key, tags, age=self._monotonic() - at)

    def learn_gone(self, key: str) -> None:
        """Take in that there is no such object."""
        self._catalogue.drop(key)

    def drop(self, prefix: str) -> None:
        """Know nothing any more of all keys that begin with `prefix`."""
        self._catalogue.drop_prefix(prefix)

    def distrust(self, prefix: str) -> None:
        """Recall nothing any more that was read before now of keys that begin with `prefix`."""
        now = self._catalogue.clock.now()
        with self._lock:
            if len(self._since) >= MANY or not prefix:
                self._since.clear()
                prefix = ""
            self._since[prefix] = now

    # Times

    def _beliefs(self) -> Callable[[str], int]:
        """Return what tells of a key when that was before which nothing is believed, as of now."""
        with self._lock:
            times = tuple(self._since.items())
        for_all = self._catalogue.believed_from
        if not times:
            return lambda _key: for_all
        return lambda key: max([for_all, *(at for prefix, at in times if key.startswith(prefix))])

    def _is_young(self, at: int, ttl: float) -> bool:
        clock = self._catalogue.clock
        since = max(clock.booted, self._catalogue.database.died_at)
        return at >= since and clock.age(at) < ttl

    def _to_cache(self) -> Callable[[int], float]:
        """Return what turns times of the catalogue into those of the cache."""
        here, now = self._monotonic(), self._catalogue.clock.now()
        return lambda at: here - (now - at) / 1000 if at <= now else -math.inf


def _keeps_the_contract(memory: MountMemory) -> LongTermMemory:
    return memory
