"""Mounts that share a catalogue, the service's SDK behind their backs, and clocks that go wrong.

Everything but the kernel: file systems over caches over a bucket in memory. What was true of the
bucket at every moment is kept, so that it can be said of each answer whether it is too old.
"""

import contextlib
import stat
import tempfile
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tagfs.bulk.indexer import Indexer
from tagfs.bulk.ordered_pool import Stop
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.clock import HostClock
from tagfs.catalogue.database import Unusable
from tagfs.catalogue.mount_memory import MountMemory
from tagfs.catalogue.place import open_catalogue
from tagfs.errors import NoSuchTag, NotFound
from tagfs.fs.filesystem import FileSystem
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.http.service_clock import ServiceClock
from tagfs.store.http_dates import render_http_date
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of
from tests.filesystem.test_prefetch import Inline

TTL, TAG_TTL = 10.0, 7.0
KEYS = ("d/a", "d/b", "e/a")
EPOCH = 1_800_000_000.0
NAME = "b.sqlite"

DAMAGE: dict[str, Callable[[Path], object]] = {
    "garbage": lambda file: file.write_bytes(b"no database" * 500),
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "gone": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "a page": lambda file: file.write_bytes(
        file.read_bytes()[:4096] + b"x" * 4096 + file.read_bytes()[8192:]
    ),
}


@dataclass
class Mount:
    """One mount of the host: what it looks through, and its part of the catalogue, if any."""

    fs: FileSystem
    catalogue: Catalogue | None

    def flush(self) -> None:
        if self.catalogue is not None:
            self.catalogue.flush()

    def end(self) -> None:
        self.fs.close()  # nothing waits in it
        if self.catalogue is not None:
            self.catalogue.abandon()


class World:
    """A service, a host with two mounts, and what was true when.

    Args:
        edits_show: whether the service moves Last-Modified when metadata alone changes.
    """

    def __init__(self, *, edits_show: bool) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tagfs-world-")
        self._edits_show = edits_show
        self.clock = FakeClock()
        self._pinned: int | None = None
        self.ahead = 0.0  # how much the host's clock is, of the service's
        self._boot, self._booted = 1, self.clock.now - 500
        self.bucket = MemoryBucket(clock=self._service_ns)
        self._service = ServiceClock(self._wall, self.clock)
        self.bucket.after = lambda *_: self._service.note(render_http_date(self._service_seconds()))
        self._past: dict[tuple[str, str], list[tuple[float, Hashable]]] = {}
        self._number = 0
        for directory in ("d/", "e/"):
            self.bucket.put(directory, BytesSource(b""), NewObject())
        self.mounts = [self._mount(), self._mount()]
        self.note()

    # Times

    def _service_seconds(self) -> float:
        return EPOCH + self.clock.now

    def _service_ns(self) -> int:
        return int(self._service_seconds() * 1e9) if self._pinned is None else self._pinned

    def _wall(self) -> float:
        return self._service_seconds() + self.ahead

    @contextlib.contextmanager
    def as_old_as(self, key: str) -> Iterator[None]:
        """Let the service say of what is done that it was done when `key` was written."""
        self._pinned = self.bucket.head(key).last_modified_ns
        try:
            yield
        finally:
            self._pinned = None

    # The host

    def _mount(self) -> Mount:
        host = HostClock(
            lambda: f"boot {self._boot}", lambda: self.clock.now - self._booted, self._wall
        )
        place = Path(self._folder.name)
        catalogue, memory = None, None
        with contextlib.suppress(Unusable):  # damaged, and the other mount has it open
            catalogue = open_catalogue(place, NAME, 2**30, host)
            memory = MountMemory(
                catalogue, self.clock, ttl=TTL, tag_ttl=TAG_TTL, edits_show=self._edits_show
            )
        cache = CachedBucket(
            self.bucket,
            ttl=TTL,
            tag_ttl=TAG_TTL,
            clock=self.clock,
            wall=self._service.now_ns,
            memory=memory,
            edits_show=self._edits_show,
        )
        self._number += 1
        env = environment_of(cache, place / f"staging-{self._number}", Inline(), self.clock)
        return Mount(FileSystem(env, dict), catalogue)

    def remount(self, which: int, *, killed: bool) -> None:
        """End a mount, or kill it with what it has not written, and begin another."""
        mount = self.mounts[which]
        if not killed:
            mount.flush()
        mount.end()
        self.mounts[which] = self._mount()

    def reboot(self, ahead: float) -> None:
        """Begin the host anew, with a calendar that is so far ahead."""
        for mount in self.mounts:
            mount.end()
        self._boot += 1
        self._booted, self.ahead = self.clock.now, ahead
        self.mounts = [self._mount(), self._mount()]

    def damage(self, how: str) -> None:
        """Damage the file of the catalogue while it is open."""
        for mount in self.mounts:
            mount.flush()
        with contextlib.suppress(OSError):
            DAMAGE[how](Path(self._folder.name) / "catalogue" / NAME)

    def index(self, which: int) -> None:
        """Read everything, as `tagfs index` does; where it finds damage, it is run again."""
        catalogue = self.mounts[which].catalogue
        if catalogue is None:
            return
        indexer = Indexer(
            bucket=self.bucket,
            catalogue=catalogue,
            parallel=2,
            with_detail=True,
            stop=Stop(),
            now_ns=self._service.now_ns,
            on_progress=lambda _: None,
        )
        try:
            indexer.run("")
        except Unusable:
            self.clock.advance(0.01)
            indexer.run("")

    def close(self) -> None:
        for mount in self.mounts:
            mount.end()
        self._folder.cleanup()

    # The SDK

    def put(self, key: str, data: bytes, mode: int, tags: TagSet) -> None:
        new = NewObject(tags=tags, metadata={"mode": str(stat.S_IFREG | mode)})
        self.bucket.put(key, BytesSource(data), new)
        self.note()

    def uncover(self, key: str, data: bytes, mode: int, tags: TagSet) -> None:
        """Delete a version, below which there is another of the same second."""
        if self.is_there(key):
            with self.as_old_as(key):
                self.put(key, data, mode, tags)

    def edit(self, key: str, mode: int) -> None:
        """Change metadata alone."""
        if self.is_there(key):
            info = self.bucket.head(key)
            metadata = {"mode": str(stat.S_IFREG | mode)}
            with contextlib.nullcontext() if self._edits_show else self.as_old_as(key):
                self.bucket.set_metadata(info, metadata, {})
            self.note()

    def is_there(self, key: str) -> bool:
        return key in {info.key for info in self.bucket.list("", delimiter="").objects}

    # What was true

    def note(self) -> None:
        """Remember what is true from now on, as far as it differs."""
        for key in KEYS:
            there = self.is_there(key)
            info = self.bucket.head(key) if there else None
            mode = int(info.detail.metadata["mode"]) if info and info.detail else 0
            self._add(("attributes", key), info and (info.size, mode))
            self._add(("tag", key), self.bucket.get_tags(key).get("t") if there else None)

    def _add(self, what: tuple[str, str], value: Hashable) -> None:
        history = self._past.setdefault(what, [(0.0, value)])
        if history[-1][1] != value:
            history.append((self.clock.now, value))

    def check(self, what: tuple[str, str], value: Hashable, ttl: float) -> None:
        """See that something held at some moment of the last `ttl` seconds."""
        history = self._past[what]
        ends = [began for began, _ in history[1:]] + [float("inf")]
        oldest = self.clock.now - ttl
        held = [v for (_, v), end in zip(history, ends, strict=True) if end >= oldest]
        assert value in held, (what, value, held)

    # What a mount shows

    def look(self, which: int, key: str) -> None:
        fs = self.mounts[which].fs
        try:
            shown = fs.getattr(f"/{key}")
            found = (shown["st_size"], shown["st_mode"])
        except NotFound:
            found = None
        self.check(("attributes", key), found, TTL)

    def look_at_tag(self, which: int, key: str) -> None:
        value: str | None
        try:
            value = self.mounts[which].fs.getxattr(f"/{key}", "user.tag.t").decode()
        except NoSuchTag:
            value = None
        except NotFound:
            self.check(("attributes", key), None, TTL)
            return
        self.check(("tag", key), value, TAG_TTL)

    def walk(self, which: int, directory: str) -> None:
        """`ls -l`."""
        fs = self.mounts[which].fs
        fh = fs.opendir(directory)
        names = {name for name, *_ in fs.readdir(fh)}
        fs.releasedir(fh)
        for key in KEYS:
            place, _, name = f"/{key}".rpartition("/")
            if place == directory and name in names:
                self.look(which, key)
