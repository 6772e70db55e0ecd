"""The crash matrix: a mount, its service or `tagfs recover` dies at every request on the way.

Each operation promises something when it returns; a checker finds out from the service alone
whether that is there, and otherwise, that what there is is the old or the new and never a mix.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import zygote
from tests.emulated import Emulator
from tests.faults.faults import Hold
from tests.faults.proxy import Board, Proxy, Rule
from tests.judges import Judge, judge_of
from tests.mounting import KEYS, Mounted, mounted, wait_for

PART = 100 * 1024
LARGE = bytes(range(256)) * 1024 + b"end"
TAGS = {"team": "blue"}
State = dict[str, tuple[bytes, dict[str, str]]]
"""Content and tags by key; directory markers are left out."""


@dataclass(frozen=True)
class Act:
    """What a program does, in a directory that is called `d`.

    Attributes:
        before: what is there.
        run: gets the directory and returns when everything is promised.
        after: what must be there then.
        phases: also allowed after a crash on the way.
        append: whether it needs appendable objects.
        change: the request that makes it seen, or makes the last of it seen.
    """

    name: str
    before: State
    run: Callable[[Path], object]
    after: State
    phases: tuple[State, ...] = ()
    append: bool = False
    change: str = "PUT"


def write(path: Path, data: bytes, flags: int, tags: dict[str, str] | None = None) -> None:
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]
        for key, value in (tags or {}).items():
            os.setxattr(path, f"user.tag.{key}", value.encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def edit(path: Path, at: int, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(fd, data, at)
        os.fsync(fd)
    finally:
        os.close(fd)


OLD: State = {"f": (b"old", TAGS)}
TREE: State = {f"t/{name}": (name.encode(), {"name": name}) for name in "abc"}
MOVED: State = {f"u/{name}": (name.encode(), {"name": name}) for name in "abc"}
NEW = os.O_CREAT | os.O_EXCL
OVER = os.O_CREAT | os.O_TRUNC

ACTS = [
    Act("create", {}, lambda d: write(d / "f", b"new", NEW, TAGS), {"f": (b"new", TAGS)}),
    Act("rewrite", OLD, lambda d: write(d / "f", b"new", OVER), {"f": (b"new", TAGS)}),
    Act(
        "create, large",
        {},
        lambda d: write(d / "f", LARGE, NEW, TAGS),
        {"f": (LARGE, TAGS)},
        phases=({"f": (LARGE, {})},),
        change="POST uploadId",
    ),
    Act(
        "rewrite, large",
        OLD,
        lambda d: write(d / "f", LARGE, OVER),
        {"f": (LARGE, TAGS)},
        change="POST uploadId",
    ),
    Act(
        "edit, large",
        {"f": (LARGE, TAGS)},
        lambda d: edit(d / "f", 1000, b"changed"),
        {"f": (LARGE[:1000] + b"changed" + LARGE[1007:], TAGS)},
        change="POST uploadId",
    ),
    Act(
        "append",
        OLD,
        lambda d: write(d / "f", b" and new", os.O_APPEND),
        {"f": (b"old and new", TAGS)},
        append=True,
        change="POST append",
    ),
    Act(
        "rename",
        OLD,
        lambda d: (d / "f").rename(d / "g"),
        {"g": (b"old", TAGS)},
        phases=({**OLD, "g": (b"old", TAGS)},),
        change="DELETE",
    ),
    Act(
        "rename over",
        {"f": (b"old", TAGS), "g": (b"replaced", {"team": "red"})},
        lambda d: (d / "f").rename(d / "g"),
        {"g": (b"old", TAGS)},
        phases=({**OLD, "g": (b"old", TAGS)},),
        change="DELETE",
    ),
    Act(
        "rename a directory", TREE, lambda d: (d / "t").rename(d / "u"), MOVED, change="POST delete"
    ),
    Act(
        "tag",
        OLD,
        lambda d: os.setxattr(d / "f", "user.tag.more", b"1"),
        {"f": (b"old", {**TAGS, "more": "1"})},
        change="PUT tagging",
    ),
    Act(
        "untag",
        OLD,
        lambda d: os.removexattr(d / "f", "user.tag.team"),
        {"f": (b"old", {})},
        change="DELETE tagging",
    ),
    Act("unlink", OLD, lambda d: (d / "f").unlink(), {}, change="DELETE"),
    Act("chmod", OLD, lambda d: (d / "f").chmod(0o600), OLD, change="PUT (copy|metadata)"),
]


@dataclass
class Ground:
    """A bucket with a proxy before it, for one cell after the other."""

    service: Emulator
    directory: Path
    bucket: str = ""
    fuse: str = ""
    numbers: int = 0
    kills: int = 0
    proxy: Proxy = field(init=False)
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = self.bucket or self.service.take()
        self.proxy = Proxy(self.service.url, Board())
        self.judge = judge_of(self.service.service, self.service.url, self.bucket)

    def possible(self) -> list[Act]:
        return [act for act in ACTS if not act.append or "append" in self.judge.native]

    def lay(self, act: Act) -> str:
        """Make what an act begins with, under a prefix of its own; return that."""
        self.numbers += 1
        prefix = f"cell-{self.numbers:05}"
        self.judge.put(f"{prefix}/d/", b"")
        for key, (data, tags) in act.before.items():
            if act.append:
                self.judge.append(f"{prefix}/d/{key}", 0, data, tags)
            else:
                self.judge.put(f"{prefix}/d/{key}", data, tags)
        return prefix

    def state(self, prefix: str) -> State:
        start = f"{prefix}/d/"
        keys = [key for key in self.judge.keys(start) if not key.endswith("/")]
        return {key[len(start) :]: (self.judge.get(key), self.judge.tags(key)) for key in keys}

    @contextlib.contextmanager
    def mount(self, prefix: str, options: str = "") -> Iterator[Mounted]:
        through = Emulator(self.service.service, self.proxy.url, iter(()), self.service.log)
        path = self.directory / f"mnt-{self.numbers:05}"
        chosen = ",".join(
            filter(None, [f"part_size={PART}", self.fuse and f"fuse={self.fuse}", options])
        )
        with mounted(through, self.bucket, path, chosen, prefix) as running:
            yield running

    def measure(self, act: Act) -> list[str]:
        """Return the kinds of requests that an act makes."""
        prefix = self.lay(act)
        with self.mount(prefix) as mount:
            self.proxy.board.set()
            act.run(mount.path / "d")
            asked = list(self.proxy.board.asked)
        assert self.state(prefix) == act.after, act.name
        return asked

    def recover(self, cache: Path) -> subprocess.CompletedProcess[str]:
        return zygote.run("recover", cache, env=KEYS)

    def kill_mount(self, act: Act, number: int, *, after: bool, kinds: str = ".*") -> str:
        """Kill the mount at an act's request (of these kinds) of this number; say what is wrong."""
        prefix = self.lay(act)
        returned = threading.Event()
        hold = Hold(after=after)
        with contextlib.suppress(AssertionError), self.mount(prefix) as mount:
            self.proxy.board.set(Rule(hold, kinds, after=number - 1, times=1))
            thread = threading.Thread(target=_try, args=(act, mount.path / "d", returned))
            thread.start()
            _wait_for_either(hold.struck, returned)
            mount.kill()
            self.kills += 1
            hold.released.set()
            thread.join(60)
            if thread.is_alive():
                return "a call hangs after the mount was killed"
            # The id of an upload that has just begun is known to nobody; its parts are none. It
            # may have been on its way while another request was held.
            asked = self.proxy.board.asked
            nameless = "POST uploads" in asked and not any("partNumber" in one for one in asked)
            self.proxy.board.set()
            cache = mount.cache_dir
        found = self.state(prefix)
        text = self._wrong(act, found, promised=returned.is_set(), when="before recovery")
        text = text or self._after_recovery(act, prefix, cache, promised=returned.is_set())
        return "" if nameless and text.startswith("uploads are left") else text

    def _after_recovery(self, act: Act, prefix: str, cache: Path, *, promised: bool) -> str:
        done = self.recover(cache)
        if "Traceback" in done.stderr:
            return f"recover: {done.stderr}"
        found = self.state(prefix)
        text = self._wrong(act, found, promised=promised, when="after recovery")
        if text:
            return f"{text}; recover said {done.stdout} {done.stderr}"
        left = list((cache / "staging").glob("*/*.data"))
        if left and done.returncode == 0:
            return f"recover says all is done and leaves {left}"
        uploads = [key for key in self.judge.uploads() if key.startswith(prefix)]
        return f"uploads are left: {uploads}" if uploads and not left else ""

    def _wrong(self, act: Act, found: State, *, promised: bool, when: str) -> str:
        if promised and found != act.after:
            return f"promised, and {when} there is {shown(found)}"
        if found in (act.before, act.after, *act.phases) or _is_between(act, found):
            return ""
        return f"{when} there is {shown(found)}"

    def kill_recovery(self, act: Act, number: int, *, after: bool) -> str:
        """Kill the mount at its last request, then `tagfs recover` at its own of this number.

        Return "done" when recovery has fewer requests.
        """
        prefix = self.lay(act)
        returned = threading.Event()
        hold = Hold(after=False)
        with contextlib.suppress(AssertionError), self.mount(prefix) as mount:
            self.proxy.board.set(Rule(hold, "PUT|POST uploadId|POST delete|POST append"))
            thread = threading.Thread(target=_try, args=(act, mount.path / "d", returned))
            thread.start()
            _wait_for_either(hold.struck, returned)
            mount.kill()
            hold.released.set()
            thread.join(60)
            cache = mount.cache_dir
        second = Hold(after=after)
        self.proxy.board.set(Rule(second, after=number - 1, times=1))
        process = zygote.begin("recover", cache, env=KEYS)
        wait_for(lambda: second.struck.is_set() or process.poll() is not None, 60)
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        self.kills += 1
        second.released.set()
        self.proxy.board.set()
        text = self._after_recovery(act, prefix, cache, promised=False)
        if not text and act.after != self.state(prefix) and act.before:
            taken_back = act.name == "rename a directory" and self.state(prefix) == act.before
            text = "" if taken_back else f"recovery left {shown(self.state(prefix))}"
        return text or ("done" if ended else "")


class Service:
    """An emulator that can be killed and started again on the same data, behind a proxy."""

    def __init__(self, kind: str, directory: Path, listen: str = "127.0.0.1:0") -> None:
        self._kind = kind
        self._directory = directory
        self._listen = listen
        self.process: subprocess.Popen[str] | None = None
        self._next: subprocess.Popen[str] | None = None
        self.url = ""

    def stand_by(self) -> None:
        """Make the process that will be the next service.

        Made when it is needed it would wait for the mount: the child of a fork closes the files
        that are open on it, and each close has to be uploaded first.
        """
        command = [sys.executable, "-m", "tagfs.emulator", "--data", str(self._directory / "data")]
        command += ["--service", self._kind, "--minimum-part-size", str(PART)]
        command += ["--bucket", "bucket-0", "--listen", self._listen]
        waiting = ["sh", "-c", 'read go; exec "$@" </dev/null', "sh", *command]
        pipe = subprocess.PIPE
        self._next = subprocess.Popen(waiting, stdin=pipe, stdout=pipe, text=True)

    def start(self) -> str:
        """Start it; return where it listens."""
        if self._next is None:
            self.stand_by()
        process, self._next = self._next, None
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        process.stdin.write("go\n")
        process.stdin.close()
        self.url = process.stdout.readline().split()[2]
        return self.url

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
            assert self.process.stdout is not None
            self.process.stdout.close()


def kill_service(
    ground: Ground, service: Service, act: Act, number: int, *, after: bool, kinds: str = ".*"
) -> str:
    """Kill the service at an act's request of this number and start it again; say what is wrong.

    The mount lives on, so that the act succeeds: late, and once.
    """
    service.stand_by()
    prefix = ground.lay(act)
    returned = threading.Event()
    hold = Hold(after=after)
    with ground.mount(prefix, "timeout=20") as mount:
        ground.proxy.board.set(Rule(hold, kinds, after=number - 1, times=1))
        thread = threading.Thread(target=_try, args=(act, mount.path / "d", returned))
        thread.start()
        _wait_for_either(hold.struck, returned)
        service.kill()
        ground.kills += 1
        hold.released.set()
        restart(ground, service)
        thread.join(60)
        if thread.is_alive():
            return "a call hangs after the service was killed"
        ground.proxy.board.set()
        found = ground.state(prefix)
        if not returned.is_set():
            return f"failed, and there is {shown(found)}"
        return "" if found == act.after else f"there is {shown(found)}"


def restart(ground: Ground, service: Service) -> None:
    url = service.start()
    host, port = url.removeprefix("http://").split(":")
    ground.proxy.upstream = (host, int(port))
    ground.judge = judge_of(ground.service.service, url, ground.bucket)


def _try(act: Act, directory: Path, returned: threading.Event) -> None:
    with contextlib.suppress(OSError):
        act.run(directory)
        returned.set()


def _wait_for_either(*events: threading.Event) -> None:
    wait_for(lambda: any(event.is_set() for event in events), 60)


def _is_between(act: Act, found: State) -> bool:
    """Say whether a directory is on its way: every file is at one place at least, and whole."""
    if act.name != "rename a directory":
        return False
    known = {**act.before, **act.after}
    whole = all(known.get(key) == what for key, what in found.items())
    names = {key.partition("/")[2] for key in found}
    return whole and names == {key.partition("/")[2] for key in act.before}


def shown(state: State) -> Any:
    return {key: (data[:20], len(data), tags) for key, (data, tags) in state.items()}
