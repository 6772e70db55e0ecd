"""Two mounts of one bucket behind a proxy that misbehaves: what one closed the other reads.

Each worker has files of its own, which it changes and reads on either mount, so that it knows
every version there ever was. A reader may get what was current within the second for which an
answer counts as recent (D1), a name may be as old as `ttl` and the kernel's second say; the
service itself has the newest version after each step, whatever went wrong on the way.
"""

import errno
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.emulated import Emulator
from tests.faults.crashes import PART, Ground
from tests.faults.faults import every
from tests.faults.proxy import Rule

RECENT = 1.2
"""Seconds for which an answer counts as just asked, and a little."""

NAMES = 3.0
"""Seconds that a name may be old with ttl=1, and a little."""

HEALING = ("dropped before", "reply lost", "500 before", "500 after", "503", "reset in the answer")
KINDS = [kind for kind in every() if kind.name in HEALING]
RATE = 0.25
SIZES = (0, 1, 1000, 5000, PART + 1, 2 * PART + 7)
WORKERS = 6
Tags = dict[str, str]


class Wrong(AssertionError):
    """Something was lost, or is other than it can be."""


@dataclass
class Version:
    """What a file was from one change to the next; `data` is None while there is no file."""

    data: bytes | None
    tags: Tags
    host: int
    began: float
    ended: float = float("inf")


@dataclass
class Story:
    """All versions of one file, the newest last.

    `carried` are tags that a file had, and when it had them last, before it was renamed to this
    name: a host that did so may know those for a second.
    """

    versions: list[Version] = field(default_factory=lambda: [Version(None, {}, 0, float("-inf"))])
    carried: list[tuple[float, Tags]] = field(default_factory=list)

    @property
    def now(self) -> Version:
        return self.versions[-1]

    def goes_on(self, data: bytes | None, tags: Tags, host: int) -> None:
        at = time.monotonic()
        self.now.ended = at
        self.versions = [one for one in self.versions if one.ended > at - 60]
        self.versions.append(Version(data, tags, host, at))

    def since(self, at: float, window: float) -> list[Version]:
        """Return the versions that may be seen by who asks at a moment."""
        return [one for one in self.versions if one.ended > at - window]

    def is_unsettled(self, at: float, host: int) -> bool:
        """Say whether a host may not know yet what another did."""
        return any(v.host != host and v.began > at - NAMES for v in self.versions)

    def was_absent(self, at: float) -> bool:
        return any(one.data is None for one in self.since(at, NAMES))

    def tags_of_new(self, at: float) -> list[Tags]:
        """Return which tags a file may have that takes this name.

        Those of the file that it replaces, as an answer says that counts as just asked. Where a
        host need not know yet that one was made or deleted, it may take one file for the other.
        """
        window = NAMES if self.was_absent(at) else RECENT
        carried = [tags for ended, tags in self.carried if ended > at - window]
        return [one.tags for one in self.since(at, window)] + carried

    def carries(self, source: "Story") -> None:
        """Note that a file came here from another name."""
        at = time.monotonic()
        self.carried = [one for one in self.carried if one[0] > at - NAMES]
        self.carried += [one for one in source.carried if one[0] > at - RECENT]
        self.carried += [(min(one.ended, at), one.tags) for one in source.since(at, RECENT)]


class Worker:
    """Changes and reads a few files on two mounts."""

    def __init__(self, ground: Ground, mounts: list[Path], number: int, seed: int) -> None:
        self._ground = ground
        self._mounts = mounts
        self._directory = f"worker-{number}"
        self._chance = random.Random(f"{seed} {number}")
        self._stories = {name: Story() for name in "abcdef"}
        self._host = 0
        self.steps = 0
        self.faults = 0

    def run(self, goes_on: Callable[[], bool]) -> str:
        """Work; say what was wrong, if anything."""
        while goes_on():
            self.steps += 1
            self._host = self._chance.randrange(2)
            name = self._chance.choice("abcdef")
            acts: list[Callable[[str], None]] = [self._write, self._write, self._write]
            acts += [self._read, self._read, self._read, self._read, self._append]
            acts += [self._tag, self._untag, self._unlink, self._rename, self._list]
            act = self._chance.choice(acts)
            rule = self._trouble()
            try:
                act(name)
            except Wrong as wrong:
                fault = f"{rule.times} x {rule.fault}" if rule else "no fault"
                step = f"{self._directory}, step {self.steps}"
                return f"{step}: {act.__name__} on host {self._host} ({fault}): {wrong}"
            finally:
                self._end(rule)
        return ""

    def _trouble(self) -> Rule | None:
        if self._chance.random() >= RATE:
            return None
        kind, after = self._chance.choice(KINDS), self._chance.randrange(4)
        times = self._chance.randrange(1, 3)
        rule = Rule(kind.fault, after=after, times=times, about=self._directory)
        self._ground.proxy.board.add(rule)
        return rule

    def _end(self, rule: Rule | None) -> None:
        if rule is not None:
            self._ground.proxy.board.drop(rule)
            self.faults += rule.hits

    def _path(self, name: str) -> Path:
        return self._mounts[self._host] / self._directory / name

    def _call(self, call: Callable[[], object], *allowed: int) -> bool:
        """Make a call; only these errnos are no surprise."""
        try:
            call()
        except OSError as error:
            if error.errno not in allowed:
                raise Wrong(str(error)) from error
            return False
        return True

    def _errnos(self, *names: str) -> list[int]:
        """Return what may be said of names of which this host need not know the newest."""
        at = time.monotonic()
        stories = [self._stories[name] for name in names]
        unsettled = any(story.is_unsettled(at, self._host) for story in stories)
        return [errno.ENOENT, errno.ESTALE] if unsettled else []

    # Steps

    def _write(self, name: str) -> None:
        story, data = self._stories[name], self._data()
        tags = story.tags_of_new(time.monotonic())
        done = self._call(lambda: self._path(name).write_bytes(data), *self._errnos(name))
        self._became(name, data if done else story.now.data, tags, changed=done)

    def _append(self, name: str) -> None:
        """Append, unless this host may think that there is no such file, and then makes one."""
        story = self._stories[name]
        if story.was_absent(time.monotonic()):
            return

        def append() -> None:
            with self._path(name).open("ab") as file:
                file.write(data)

        now, data = story.now, self._data()[:5000]
        tags = story.tags_of_new(time.monotonic())
        done = self._call(append, *self._errnos(name))
        whole = (now.data or b"") + data if done else now.data
        self._became(name, whole, tags, changed=done)

    def _read(self, name: str) -> None:
        at, story = time.monotonic(), self._stories[name]
        seen: bytes | None = None
        try:
            seen = self._path(name).read_bytes()
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ESTALE}:
                raise Wrong(f"{name}: {error}") from error
            if error.errno == errno.ESTALE and not self._errnos(name):
                raise Wrong(f"{name}: {error}, though nobody else changed it") from error
        window = NAMES if seen is None else RECENT
        allowed = [one.data for one in story.since(at, window)]
        if seen not in allowed:
            raise Wrong(f"{name}: read {shown(seen)}, may be {[shown(one) for one in allowed]}")

    def _tag(self, name: str) -> None:
        key, value = self._chance.choice("kl"), str(self.steps)
        self._edit(
            name,
            {**self._stories[name].now.tags, key: value},
            lambda: os.setxattr(self._path(name), f"user.tag.{key}", value.encode()),
        )

    def _untag(self, name: str) -> None:
        tags = dict(self._stories[name].now.tags)
        if tags:
            key, _ = tags.popitem()
            self._edit(name, tags, lambda: os.removexattr(self._path(name), f"user.tag.{key}"))

    def _edit(self, name: str, tags: Tags, call: Callable[[], object]) -> None:
        now = self._stories[name].now
        if now.data is None:
            return
        done = self._call(call, *self._errnos(name))
        self._became(name, now.data, [tags if done else now.tags], changed=done)

    def _unlink(self, name: str) -> None:
        now = self._stories[name].now
        if now.data is None:
            return
        spared = now.host != self._host and now.began > time.monotonic() - RECENT
        done = self._call(lambda: self._path(name).unlink(), *self._errnos(name))
        if done and spared and name in self._on_service():
            # It may not have known yet that the other host had replaced the file: what it then
            # deletes is the version of before, and a newer one is spared (`ObjectWrites.delete`).
            done = False
        self._became(name, None if done else now.data, [now.tags], changed=done)

    def _rename(self, name: str) -> None:
        other = self._chance.choice([one for one in "abcdef" if one != name])
        source, target = self._stories[name].now, self._stories[other].now
        if source.data is None:
            return
        allowed = self._errnos(name, other)
        tags = [one for one in self._stories[name].tags_of_new(time.monotonic()) if one]
        if len(tags) == 0 or not source.tags:
            tags += self._stories[other].tags_of_new(time.monotonic())
        done = self._call(lambda: self._path(name).rename(self._path(other)), *allowed)
        if done:
            self._stories[other].carries(self._stories[name])
            self._became(other, source.data, tags, changed=True)
            self._became(name, None, [{}], changed=True)
        else:
            self._became(other, target.data, [target.tags], changed=False)
            self._became(name, source.data, [source.tags], changed=False)

    def _list(self, name: str) -> None:
        at = time.monotonic()
        there = set(os.listdir(self._mounts[self._host] / self._directory))
        story = self._stories[name]
        if (name in there) not in {one.data is not None for one in story.since(at, NAMES)}:
            raise Wrong(f"{name} is {'' if name in there else 'not '}listed")

    # What must be so

    def _on_service(self) -> set[str]:
        prefix = f"{self._directory}/"
        return {key.removeprefix(prefix) for key in self._ground.judge.keys(prefix)}

    def _became(self, name: str, data: bytes | None, tags: list[Tags], *, changed: bool) -> None:
        """Compare what the service has with what a step made of a file."""
        key = f"{self._directory}/{name}"
        judge = self._ground.judge
        found = judge.get(key) if name in self._on_service() else None
        if found != data:
            raise Wrong(f"{name}: the service has {shown(found)}, not {shown(data)}")
        found_tags = {} if found is None else judge.tags(key)
        if found is not None and found_tags not in tags:
            raise Wrong(f"{name}: the service has the tags {found_tags}, not {tags}")
        if changed:
            self._stories[name].goes_on(data, found_tags, self._host)

    def _data(self) -> bytes:
        return self._chance.randbytes(8) * (self._chance.choice(SIZES) // 8) + b"%d" % self.steps


def run_hosts(
    service: Emulator,
    place: Path,
    seed: int,
    goes_on: Callable[[], bool],
    fuse: str = "",
    workers: int = WORKERS,
) -> tuple[int, int, list[str]]:
    """Let workers go on; return steps, faults and problems."""
    ground = Ground(service, place, fuse=fuse)
    with ExitStack() as stack:
        stack.callback(ground.proxy.close)
        mounts: list[Path] = []
        for number in range(2):
            ground.numbers = number
            mounts.append(stack.enter_context(ground.mount("", "ttl=1,tag_ttl=1")).path)
        for number in range(workers):
            ground.judge.put(f"worker-{number}/", b"")
        all_of_them = [Worker(ground, mounts, number, seed) for number in range(workers)]
        with ThreadPoolExecutor(workers) as executor:
            reported = list(executor.map(lambda worker: worker.run(goes_on), all_of_them))
        steps = sum(worker.steps for worker in all_of_them)
        return steps, sum(worker.faults for worker in all_of_them), [t for t in reported if t]


def shown(data: bytes | None) -> str:
    return "nothing" if data is None else f"{len(data)} bytes {data[:8]!r}..{data[-6:]!r}"
