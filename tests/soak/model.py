"""Two file systems over one bucket against a model, in one process: thousands of steps a second.

The bucket is `MemoryBucket`, which loses replies and refuses requests as asked, and the clock moves
only when a test moves it on, so that what each host may remember is known. After a failure the
bucket itself says whether the step took effect: the old or the new, and never anything else, or
nothing was promised and it is kept on the local disk.
"""

import itertools
import os
import random
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    ObjectChanged,
    TagfsError,
    Throttled,
    Unreachable,
)
from tagfs.fs.filesystem import FileSystem
from tagfs.store.bucket import Limits
from tagfs.store.cache.cached_bucket import CachedBucket
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of

TTL = 5.0
PART = 64
"""Bytes of a part, so that a few hundred bytes are a large file."""

DIRECTORIES = ("/d", "/d/e", "/g")
FILES = tuple(f"{where}/{name}" for where in ("", *DIRECTORIES) for name in "abc")
SIZES = (0, 1, 7, 63, 64, 65, 130, 300)
FAILURES = (Unreachable, Throttled, AccessDenied)
RECENT = 1.1


@dataclass
class File:
    """What a closed file is."""

    data: bytes
    tags: dict[str, str]


@dataclass
class Opened:
    """A file that is open for writing on one host.

    `unanswered`: an upload of it was done and no answer came. If it was one in parts, the next may
    be refused because of it, which docs/reliability.md says; all is there and all is kept.
    """

    host: int
    fh: int
    path: str
    data: bytearray
    tags: dict[str, str]
    unanswered: bool = False


class Wrong(AssertionError):
    """Something was lost, or is other than the model says."""


@dataclass
class Trouble:
    """Injects at most one failure into each step."""

    chance: random.Random
    rate: float
    injected: int = 0
    struck: bool = False
    _countdown: int = -1
    _after: bool = False
    _kind: type[TagfsError] = Unreachable

    def arm(self) -> None:
        self.struck = False
        self._countdown = -1
        if self.chance.random() < self.rate:
            self._countdown = self.chance.randrange(4)
            self._after = self.chance.random() < 0.5
            self._kind = Unreachable if self._after else self.chance.choice(FAILURES)

    def disarm(self) -> None:
        self._countdown = -1

    def before(self, _operation: str, _key: str) -> None:
        if self._countdown > 0 or (self._countdown == 0 and not self._after):
            self._countdown -= 1
            if self._countdown == -1:
                self._strike()

    def after(self, _operation: str, _key: str) -> None:
        if self._countdown == 0 and self._after:
            self._countdown = -1
            self._strike()

    def _strike(self) -> None:
        self.struck = True
        self.injected += 1
        raise self._kind("injected")


@dataclass
class Counts:
    steps: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.steps.values())


class World:
    """A bucket, two hosts that mount it, and what must be in it."""

    def __init__(self, seed: int, rate: float = 0.05) -> None:
        self.chance = random.Random(seed)
        self.now = 1_000_000.0
        self.trouble = Trouble(self.chance, rate)
        limits = Limits(min_part=PART, max_put=5 * 1024**3)
        self.bucket = MemoryBucket(limits=limits, clock=self._ns)
        self.counts = Counts()
        self.files: dict[str, File] = {}
        self.directories: set[str] = set()
        self.opened: list[Opened] = []
        self.log: list[str] = []
        self._host = 0
        self._numbers = itertools.count()
        self._directory = Path(tempfile.mkdtemp(prefix="tagfs-soak-", dir=_memory_disk()))
        self._executor = ThreadPoolExecutor(2)
        self.hosts = [self._mount(number) for number in range(2)]
        self.bucket.before, self.bucket.after = self.trouble.before, self.trouble.after

    def _ns(self) -> int:
        return int(self.now * 1e9)

    def _mount(self, number: int) -> FileSystem:
        directory = self._directory / str(number)
        directory.mkdir(mode=0o700)
        bucket = CachedBucket(
            self.bucket, ttl=TTL, tag_ttl=TTL, clock=lambda: self.now, wall=self._ns
        )
        env = replace(
            environment_of(bucket, directory, self._executor, part_size=PART),
            upload_executor=_Here(),
            caller_lists=lambda: False,
            clock_ns=self._ns,
        )
        return FileSystem(env, dict)

    def close(self) -> None:
        self.trouble.disarm()
        for fs in self.hosts:
            fs.close()
        self._executor.shutdown()
        shutil.rmtree(self._directory)

    # Steps

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
        self.settle()

    def step(self) -> None:
        """Do one thing on one host."""
        host = self.chance.randrange(2)
        if host != self._host:
            self.now += TTL + 1  # then nothing that this host remembers counts any more
            self._host = host
        else:
            self.now += 0.001
        name, act = self.chance.choice(self._possible(host))
        self.counts.steps[name] += 1
        del self.log[:-50]
        self.trouble.arm()
        try:
            act()
        finally:
            self.trouble.disarm()
        if self.counts.total % 200 == 0:
            self.check()

    def _possible(self, host: int) -> list[tuple[str, Callable[[], None]]]:
        fs = self.hosts[host]
        mine = [one for one in self.opened if one.host == host]
        busy = {one.path for one in self.opened}
        free = [path for path in FILES if self._parent_is_there(path) and path not in busy]
        there = [path for path in free if path in self.files]
        absent = [path for path in free if path not in self.files]
        pick = self.chance.choice
        acts: list[tuple[str, Callable[[], None]]] = []
        if len(self.opened) < 4 and absent:
            acts += [("create", lambda: self._create(host, fs, pick(absent)))] * 2
        if len(self.opened) < 4 and there:
            acts += [("open", lambda: self._open(host, fs, pick(there)))] * 2
        if mine:
            acts += [("write", lambda: self._write(fs, pick(mine)))] * 4
            acts += [("truncate", lambda: self._truncate(fs, pick(mine)))]
            acts += [("read open", lambda: self._read_open(fs, pick(mine)))]
            acts += [("fsync", lambda: self._fsync(fs, pick(mine)))]
            acts += [("close", lambda: self._close(fs, pick(mine)))] * 3
        if there:
            acts += [("read", lambda: self._read(fs, pick(there)))] * 3
            acts += [("stat", lambda: self._stat(fs, pick(there)))]
            acts += [("tag", lambda: self._tag(fs, pick(there)))] * 2
            acts += [("untag", lambda: self._untag(fs, pick(there)))]
            acts += [("tags", lambda: self._tags(fs, pick(there)))]
            acts += [("chmod", lambda: self._chmod(fs, pick(there)))]
            acts += [("unlink", lambda: self._unlink(fs, pick(there)))]
            acts += [("truncate path", lambda: self._truncate_path(fs, pick(there)))]
            acts += [("rename", lambda: self._rename(fs, pick(there), pick(free)))] * 2
        acts += [("list", lambda: self._list(fs, pick(("/", *self.directories))))]
        acts += [("mkdir", lambda: self._mkdir(fs, pick(DIRECTORIES)))]
        if self.directories:
            acts += [("rmdir", lambda: self._rmdir(fs, pick(sorted(self.directories))))]
            acts += [("move", lambda: self._move(fs, pick(sorted(self.directories))))]
        return acts

    def _try(self, name: str, call: Callable[[], object]) -> bool:
        """Make a call; say whether it succeeded. Only what was injected may fail."""
        self.log.append(name)
        try:
            call()
        except TagfsError as error:
            # A part that failed in an earlier step is reported by the close of its file.
            if not self.trouble.struck and not self._is_explained(name, error):
                raise Wrong(f"{name}: {type(error).__name__}: {error}") from error
            if error.errno <= 0:
                raise Wrong(f"{name}: errno {error.errno}") from error
            self.counts.failed[type(error).__name__] += 1
            return False
        return True

    def _is_explained(self, name: str, error: TagfsError) -> bool:
        refused = isinstance(error, AlreadyExists | ObjectChanged)
        unanswered = {one.path for one in self.opened if one.unanswered}
        return "injected" in str(error) or (refused and name.partition(" ")[2] in unanswered)

    def _create(self, host: int, fs: FileSystem, path: str) -> None:
        exclusive = os.O_EXCL * self.chance.randrange(2)
        fhs: list[int] = []
        flags = os.O_CREAT | os.O_RDWR | exclusive
        if self._try(f"create {path}", lambda: fhs.append(fs.create(path, 0o644, flags))):
            self.opened.append(Opened(host, fhs[0], path, bytearray(), {}))

    def _open(self, host: int, fs: FileSystem, path: str) -> None:
        fhs: list[int] = []
        if self._try(f"open {path}", lambda: fhs.append(fs.open(path, os.O_RDWR)[0])):
            file = self.files[path]
            one = Opened(host, fhs[0], path, bytearray(file.data), dict(file.tags))
            self.opened.append(one)

    def _write(self, fs: FileSystem, one: Opened) -> None:
        offset, data = self.chance.choice(SIZES), self._data() or b"x"
        if not self._try(f"write {one.path}", lambda: fs.write(one.fh, offset, data)):
            # What was to be written may be in the local file: look there.
            self._look_again(fs, one)
            return
        if data and len(one.data) < offset:
            one.data.extend(bytes(offset - len(one.data)))
        one.data[offset : offset + len(data)] = data

    def _look_again(self, fs: FileSystem, one: Opened) -> None:
        self.trouble.disarm()
        size = fs.files.handle(one.fh).node.size
        one.data[:] = fs.read(one.fh, 0, size)

    def _truncate(self, fs: FileSystem, one: Opened) -> None:
        size = self.chance.choice(SIZES)
        if not self._try(f"truncate {one.path}", lambda: fs.truncate(None, size, one.fh)):
            self._look_again(fs, one)
            return
        one.data[:] = one.data[:size].ljust(size, b"\0")

    def _read_open(self, fs: FileSystem, one: Opened) -> None:
        seen: list[bytes] = []
        if self._try(f"read {one.path}", lambda: seen.append(bytes(fs.read(one.fh, 0, 2000)))):
            self._same(f"read {one.path}", seen[0], bytes(one.data))

    def _fsync(self, fs: FileSystem, one: Opened) -> None:
        done = self._try(f"fsync {one.path}", lambda: fs.fsync(one.fh))
        self._uploaded(one, done=done)

    def _close(self, fs: FileSystem, one: Opened) -> None:
        done = self._try(f"close {one.path}", lambda: fs.flush(one.fh))
        self._uploaded(one, done=done)
        if not done:
            self._kept(fs, one)
        fs.release(one.fh)
        self.opened.remove(one)
        self._uploaded(one, done=done)

    def _uploaded(self, one: Opened, *, done: bool) -> None:
        """Note what an upload made of the file: all of it, or, if it failed, all or nothing."""
        self.trouble.disarm()
        old = self.files.get(one.path)
        found = self._found(one.path)
        new = File(bytes(one.data), one.tags)
        one.unanswered = not done and (one.unanswered or found == new)
        if found != new and (done or found != old):
            raise Wrong(f"{one.path}: {_shown(found)}, was {_shown(old)}, written {_shown(new)}")
        if found is not None:
            self.files[one.path] = found

    def _kept(self, fs: FileSystem, one: Opened) -> None:
        """Whoever got an error finds what was written on the local disk."""
        if self._found(one.path) == File(bytes(one.data), one.tags):
            return
        node = fs.files.handle(one.fh).node
        if node.staged is None or not node.staged.path.exists():
            raise Wrong(f"{one.path}: not uploaded and not kept")
        if fs.read(one.fh, 0, 2000) != bytes(one.data):
            raise Wrong(f"{one.path}: what is kept is not what was written")

    def _read(self, fs: FileSystem, path: str) -> None:
        """Open, read and close: what any close made before is seen (D1)."""
        fhs: list[int] = []
        if not self._try(f"open {path}", lambda: fhs.append(fs.open(path, os.O_RDONLY)[0])):
            return
        seen: list[bytes] = []
        if self._try(f"read {path}", lambda: seen.append(bytes(fs.read(fhs[0], 0, 2000)))):
            self._same(f"read {path}", seen[0], self.files[path].data)
        fs.release(fhs[0])

    def _stat(self, fs: FileSystem, path: str) -> None:
        sizes: list[int] = []
        if self._try(f"stat {path}", lambda: sizes.append(fs.getattr(path)["st_size"])):
            self._same(f"size of {path}", sizes[0], len(self.files[path].data))

    def _tag(self, fs: FileSystem, path: str) -> None:
        key, value = self.chance.choice("klm"), self.chance.choice("vw")
        wanted = {**self.files[path].tags, key: value}
        self._change_tags(
            path, wanted, lambda: fs.setxattr(path, f"user.tag.{key}", value.encode(), 0)
        )

    def _untag(self, fs: FileSystem, path: str) -> None:
        tags = self.files[path].tags
        if tags:
            key = self.chance.choice(sorted(tags))
            wanted = {name: value for name, value in tags.items() if name != key}
            self._change_tags(path, wanted, lambda: fs.removexattr(path, f"user.tag.{key}"))

    def _change_tags(self, path: str, wanted: dict[str, str], call: Callable[[], object]) -> None:
        done = self._try(f"tags of {path} to {wanted}", call)
        before = self.files[path]
        self._either(path, before, File(before.data, wanted), done=done)

    def _tags(self, fs: FileSystem, path: str) -> None:
        seen: list[list[str]] = []
        if self._try(f"tags {path}", lambda: seen.append(fs.listxattr(path))):
            names = {name for name in seen[0] if name.startswith("user.tag.")}
            wanted = {f"user.tag.{key}" for key in self.files[path].tags}
            if names or not wanted or not self._is_refused(fs, path, min(wanted)):
                self._same(f"tags of {path}", names, wanted)

    def _is_refused(self, fs: FileSystem, path: str, name: str) -> bool:
        """Say whether a tag may not be read: then none is listed, for copies list them first.

        That is remembered for a while. No rewrite may take it for "there are none", which all
        other steps show.
        """
        self.trouble.disarm()
        try:
            fs.getxattr(path, name)
        except AccessDenied:
            return True
        return False

    def _chmod(self, fs: FileSystem, path: str) -> None:
        mode = self.chance.choice((0o600, 0o644, 0o755))
        if self._try(f"chmod {path}", lambda: fs.chmod(path, mode)):
            self._same(f"mode of {path}", stat.S_IMODE(fs.getattr(path)["st_mode"]), mode)
        self._either(path, self.files[path], self.files[path], done=True)

    def _unlink(self, fs: FileSystem, path: str) -> None:
        done = self._try(f"unlink {path}", lambda: fs.unlink(path))
        self._either(path, self.files[path], None, done=done)

    def _truncate_path(self, fs: FileSystem, path: str) -> None:
        size = self.chance.choice(SIZES)
        before = self.files[path]
        done = self._try(f"truncate {path} to {size}", lambda: fs.truncate(path, size))
        data = before.data[:size].ljust(size, b"\0")
        self._either(path, before, File(data, before.tags), done=done)

    def _rename(self, fs: FileSystem, old: str, new: str) -> None:
        if old == new:
            return
        source, target = self.files[old], self.files.get(new)
        moved = File(source.data, source.tags or (target.tags if target else {}))
        done = self._try(f"rename {old} {new}", lambda: fs.rename(old, new))
        self._either(old, source, None, done=done)
        self._either(new, target, moved, done=done)
        if self._found(old) is None and self._found(new) != moved:
            raise Wrong(f"rename {old} {new}: the file is gone")

    def _list(self, fs: FileSystem, path: str) -> None:
        seen: list[set[str]] = []
        self._try(
            f"list {path}", lambda: seen.append({n for n, *_ in fs.readdir(fs.opendir(path))})
        )
        start = path.rstrip("/") + "/"
        names = {p[len(start) :] for p in (*self.files, *self.directories) if p.startswith(start)}
        mine = {o.path for o in self.opened if o.host == self._host and o.path.startswith(start)}
        names |= {path[len(start) :] for path in mine}
        if seen:
            wanted = {".", ".."} | {name.partition("/")[0] for name in names}
            self._same(f"list {path}", seen[0], wanted)

    def _mkdir(self, fs: FileSystem, path: str) -> None:
        if path in self.directories or not self._parent_is_there(path):
            return
        self._try(f"mkdir {path}", lambda: fs.mkdir(path, 0o755))
        self._look_for_directory(path)

    def _rmdir(self, fs: FileSystem, path: str) -> None:
        inside = [p for p in (*self.files, *self.directories) if p.startswith(path + "/")]
        if not inside and not [o for o in self.opened if o.path.startswith(path + "/")]:
            self._try(f"rmdir {path}", lambda: fs.rmdir(path))
            self._look_for_directory(path)

    def _look_for_directory(self, path: str) -> None:
        self.trouble.disarm()
        markers = {info.key for info in self.bucket.list(path[1:] + "/", delimiter="").objects}
        (self.directories.add if markers else self.directories.discard)(path)

    def _move(self, fs: FileSystem, old: str) -> None:
        """Move a directory away and, whatever came of it, back: names stay few."""
        if [o for o in self.opened if o.path.startswith(old + "/")]:
            return
        new = f"/moved-{next(self._numbers)}"
        inside = {p: f for p, f in self.files.items() if p.startswith(old + "/")}
        done = self._try(f"rename {old} {new}", lambda: fs.rename(old, new))
        self.trouble.disarm()
        for path, file in inside.items():
            there = self._found(new + path[len(old) :])
            here = self._found(path)
            if file not in (there, here) or (done and here is not None):
                raise Wrong(f"rename {old} {new}: {path} is {_shown(here)}, {_shown(there)}")
        left = [info.key for info in self.bucket.list(new[1:] + "/", delimiter="").objects]
        for key in left:
            back = old[1:] + key[len(new) - 1 :]
            if not self._has(back):
                self.bucket.copy(self.bucket.head(key), back)
        self.bucket.delete_many(left)
        self.now += TTL + 1

    # What must be so

    def _either(self, path: str, old: File | None, new: File | None, *, done: bool) -> None:
        """Look which of two a file is, and go on with that; if it was done, the new one."""
        self.trouble.disarm()
        found = self._found(path)
        if found != new and (done or found != old):
            raise Wrong(f"{path}: {_shown(found)}, not {_shown(new)}, was {_shown(old)}")
        if found is None:
            self.files.pop(path, None)
        else:
            self.files[path] = found

    def _has(self, key: str) -> bool:
        return any(info.key == key for info in self.bucket.list(key, delimiter="").objects)

    def _found(self, path: str) -> File | None:
        """Return what the bucket has; nobody's requests are counted or disturbed by that."""
        key = path[1:]
        if not self._has(key):
            return None
        return File(self.bucket.get(key).data, dict(self.bucket.get_tags(key)))

    def _same(self, what: str, seen: object, wanted: object) -> None:
        if seen != wanted:
            raise Wrong(f"{what}: {_shown(seen)} where the model has {_shown(wanted)}")

    def check(self) -> None:
        """Compare the whole bucket with the model."""
        keys = {"/" + i.key for i in self.bucket.list("", delimiter="").objects}
        files = {key for key in keys if not key.endswith("/")}
        if files != set(self.files):
            raise Wrong(f"{files ^ set(self.files)} are there or missing")
        for path, file in self.files.items():
            if self._found(path) != file:
                raise Wrong(f"{path}: {_shown(self._found(path))}, not {_shown(file)}")
        self.bucket.requests.clear()

    def settle(self) -> None:
        """Close everything without trouble; then nothing may be left behind."""
        self.trouble.disarm()
        for one in list(self.opened):
            self._close(self.hosts[one.host], one)
        self.check()

    def _data(self) -> bytes:
        return self.chance.randbytes(self.chance.choice(SIZES))

    def _parent_is_there(self, path: str) -> bool:
        parent = path.rpartition("/")[0]
        return not parent or parent in self.directories


class _Here(ThreadPoolExecutor):
    """Runs at once, in the caller: the same seed goes the same way."""

    def submit(self, fn, /, *args, **kwargs):
        future = super().submit(fn, *args, **kwargs)
        future.exception()
        return future


def _memory_disk() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}... ({len(text)})"
