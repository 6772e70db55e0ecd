"""Users of two mounts who keep a ledger: each knows what was acknowledged to it, and checks it.

A user has a directory of its own on one mount, its home, and looks at it by the other one as well.
What fails must have a reason (its mount was away, its disk was full), must have done all or
nothing, and is looked at when the mount is back. All else that fails, hangs or differs is reported.
"""

import contextlib
import ctypes
import errno
import multiprocessing
import os
import pickle
import random
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HANGS = 240.0
"""Seconds that no call may take, on a machine that two hundred processes share."""

SEEN = 15.0
"""Seconds after which the other mount has to see what was done (ttl and uploads behind close)."""

SIZES = (0, 1, 100, 4096, 4096, 20_000, 150_000, 250_000)
NAMES = "abcdefgh"
LATE = 10.0
"""Seconds for which the service may be busy with what is asked no more."""

FULL = 90.0
"""Seconds after a disk was full in which what was begun then may still fail."""

Tags = dict[str, str]


@dataclass(frozen=True)
class File:
    """What a user knows of a file."""

    data: bytes
    tags: Tags


@dataclass
class Ledger:
    """What one user reports: what is there, how much it did, and what was wrong.

    Attributes:
        failed: what files were to become by a change that failed, and that recovery may finish yet.
    """

    number: int
    files: dict[str, File] = field(default_factory=dict)
    failed: dict[str, File] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    excused: int = 0
    slowest: tuple[float, str] = (0.0, "")
    wrong: list[str] = field(default_factory=list)


class Board:
    """What users and who troubles them know of one another, in memory that they share.

    Attributes:
        turns: for each mount a number that is odd while it is away.
        full: for each mount when its disk was full last.
        ends: whether users are to come to their end.
    """

    def __init__(self, users: int) -> None:
        self.turns: Any = multiprocessing.Array(ctypes.c_long, 2, lock=False)
        self.full: Any = multiprocessing.Array(ctypes.c_double, 2, lock=False)
        self.ends: Any = multiprocessing.Value(ctypes.c_bool, lock=False)
        self.since: Any = multiprocessing.Array(ctypes.c_double, users, lock=False)
        self.acts: Any = multiprocessing.Array(ctypes.c_char * 16, users, lock=False)

    def hanging(self) -> list[str]:
        """Return what takes too long at this moment."""
        now = time.monotonic()
        return [
            f"user {number} hangs in {self.acts[number].value.decode()} since {now - began:.0f} s"
            for number, began in enumerate(self.since)
            if began and now - began > HANGS
        ]


class Wrong(AssertionError):
    """Something is not as it was acknowledged."""


class Failed(Exception):
    """A program reported a failure."""


Change = Mapping[str, File | None]


class User:
    """One process."""

    def __init__(self, number: int, mounts: tuple[Path, Path], board: Board, seed: int) -> None:
        self.ledger = Ledger(number)
        self._chance = random.Random(f"{seed} {number}")
        self._home = number % 2
        self._board = board
        self._root = mounts[self._home] / f"user-{number:03}"
        self._other = mounts[1 - self._home] / f"user-{number:03}"
        self._files = self.ledger.files
        self._changed: dict[str, float] = {}
        self._trees = 0
        self._story: deque[str] = deque(maxlen=40)

    def run(self) -> Ledger:
        while not self._board.ends.value:
            self._one(self._chance.choices(*zip(*ACTS.items(), strict=True))[0])
            time.sleep(self._chance.expovariate(2))
        self._settled()
        self._one(User.read_all)
        return self.ledger

    def _one(self, act: Callable[["User"], None]) -> None:
        """Do one thing, and say what was wrong with it."""
        name, number = act.__name__, self.ledger.number
        self._board.acts[number].value = name.encode()[:15]
        began = self._board.since[number] = time.monotonic()
        self.ledger.calls[name] = self.ledger.calls.get(name, 0) + 1
        try:
            act(self)
        except (Wrong, OSError, Failed) as wrong:
            text = f"user {number} on mount {self._home}, {name}: {wrong}"
            self.ledger.wrong.append(f"{text[:1500]}; before: {' '.join(self._story)}")
        self._board.since[number] = 0
        self.ledger.slowest = max(self.ledger.slowest, (time.monotonic() - began, name))

    # What is done, and what became of it

    def _change(self, call: Callable[[], object], after: Change) -> None:
        """Make a call that leads to such files; if it fails, find out what it did."""
        turn = self._board.turns[self._home]
        try:
            call()
        except (OSError, Failed) as error:
            self._excuse(error, turn, self._home)
            self._settle(after, cut=self._is_full(self._home))
        else:
            for name, file in after.items():
                self._set(name, file)

    def _set(self, name: str, file: File | None) -> None:
        size = "-" if file is None else len(file.data)
        self._story.append(f"{time.monotonic():.0f}:{name}={size}")
        self._changed[name] = time.monotonic()
        self.ledger.failed.pop(name, None)
        if file is None:
            self._files.pop(name, None)
        else:
            self._files[name] = file

    def _is_full(self, mount: int) -> bool:
        full: float = self._board.full[mount]
        return time.monotonic() - full < FULL

    def _excuse(self, error: Exception, turn: int, mount: int) -> None:
        """Let a failure pass that has a reason.

        Raises:
            The failure: it has none.
        """
        away = turn % 2 == 1 or self._board.turns[mount] != turn
        if not away:  # who kills a mount says so before, but a call may be quicker to fail
            time.sleep(0.5)
            away = self._board.turns[mount] != turn
        full = self._is_full(mount) and (
            isinstance(error, Failed) or getattr(error, "errno", 0) in {errno.ENOSPC, errno.EDQUOT}
        )
        if not away and not full:
            raise error
        self.ledger.excused += 1
        self._story.append(f"{time.monotonic():.0f}:({error})")

    def _settled(self) -> int:
        """Wait until the home mount is there; return its turn."""
        while True:
            turn = self._board.turns[self._home]
            if turn % 2 == 0:
                return int(turn)
            time.sleep(0.2)

    def _settle(self, after: Change, *, cut: bool) -> None:
        """Compare what a failed change left with what was there before, and what was wanted.

        Where the disk was full, a program may have stopped in the middle of a file. What a mount
        had sent when it was killed may still be done by the service.
        """
        self._settled()
        time.sleep(LATE)
        while True:
            turn = self._settled()
            try:
                found = {name: self._look(self._root / name) for name in after}
            except OSError as error:
                self._excuse(error, turn, self._home)
                continue
            break
        for name, wanted in after.items():
            old, now = self._files.get(name), found[name]
            allowed = now in (old, wanted) or (
                now is not None and _between(now, old, wanted, cut=cut)
            )
            self._set(name, now)
            if wanted is not None and now != wanted:
                self.ledger.failed[name] = wanted
            if not allowed:
                raise Wrong(f"{name} is {_shown(now)}; was {_shown(old)}, to be {_shown(wanted)}")
        moved = [self._files[n].data for n in after if n in self._files]
        for name, wanted in after.items():  # a rename never loses both names
            if wanted is None and len(after) > 1 and not moved:
                raise Wrong(f"{name} is at neither name")

    def _look(self, path: Path) -> File | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        names = [name for name in os.listxattr(path) if name.startswith("user.tag.")]
        return File(
            data, {n.removeprefix("user.tag."): os.getxattr(path, n).decode() for n in names}
        )

    def _query(self, call: Callable[[], None], mount: int | None = None) -> None:
        """Look at something, by the home mount unless another is named."""
        mount = self._home if mount is None else mount
        turn = self._board.turns[mount]
        try:
            call()
        except (OSError, Failed, Wrong) as error:
            if isinstance(error, Wrong) and turn == self._board.turns[mount] and turn % 2 == 0:
                raise
            self._excuse(error, turn, mount)

    def _tool(self, *words: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in words],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode or done.stderr:  # tar only says so where an attribute cannot be set
            raise Failed(f"{words[0]}: status {done.returncode}: {done.stderr[-500:]}")
        return done.stdout

    def _data(self) -> bytes:
        size = self._chance.choice(SIZES)
        return (self._chance.randbytes(16) * (size // 16 + 1))[:size]

    def _name(self) -> str:
        return f"f/{self._chance.choice(NAMES)}"

    def _some(self) -> str:
        """Return a file that is there, or nothing."""
        there = sorted(name for name in self._files if name.startswith("f/"))
        return self._chance.choice(there) if there else ""

    # Acts

    def write(self) -> None:
        name, data = self._name(), self._data()
        old = self._files.get(name)
        new = File(data, old.tags if old else {})
        self._change(lambda: (self._root / name).write_bytes(data), {name: new})

    def write_tagged(self) -> None:
        """Create, tag, then close."""
        name, data = self._name(), self._data()
        old = self._files.get(name)
        tags = {"job": str(self._chance.randrange(1000)), "who": f"user {self.ledger.number}"}

        def call() -> None:
            with (self._root / name).open("wb") as file:
                file.write(data)
                for key, text in tags.items():
                    os.setxattr(file.fileno(), f"user.tag.{key}", text.encode())

        self._change(call, {name: File(data, {**(old.tags if old else {}), **tags})})

    def append(self) -> None:
        name, data = self._some(), self._chance.randbytes(300)
        if name:
            old = self._files[name]

            def call() -> None:
                with (self._root / name).open("ab") as file:
                    file.write(data)

            self._change(call, {name: File(old.data + data, old.tags)})

    def edit(self) -> None:
        """Change a few bytes in the middle, and put that on the disk."""
        name, data = self._some(), self._chance.randbytes(40)
        if name and self._files[name].data:
            old = self._files[name]
            at = self._chance.randrange(len(old.data))

            def call() -> None:
                with (self._root / name).open("r+b") as file:
                    file.seek(at)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())

            self._change(call, {name: File(old.data[:at] + data + old.data[at + 40 :], old.tags)})

    def cut(self) -> None:
        name = self._some()
        if name:
            old = self._files[name]
            size = self._chance.randrange(len(old.data) + 100)
            new = old.data[:size].ljust(size, b"\0")
            self._change(lambda: os.truncate(self._root / name, size), {name: File(new, old.tags)})

    def save(self) -> None:
        """Save as an editor does: a new file, on the disk, renamed over the old one."""
        name, data = self._name(), self._data()
        old = self._files.get(name)

        def call() -> None:
            new = self._root / "f" / ".save"
            with new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.rename(self._root / name)

        self._change(call, {name: File(data, old.tags if old else {})})
        self._drop("f/.save")

    def sed(self) -> None:
        name = self._some()
        if name and b"\0" not in self._files[name].data[:1]:
            old = self._files[name]
            new = old.data.replace(b"a", b"b")
            self._change(
                lambda: self._tool("sed", "-i", "-z", "s/a/b/g", self._root / name),
                {name: File(new, old.tags)},
            )
            self._drop(*(f"f/{n}" for n in self._listed("f") if n.startswith("sed")))

    def move(self) -> None:
        name, other = self._some(), self._name()
        if name and other != name:
            old, over = self._files[name], self._files.get(other)
            new = File(old.data, old.tags or (over.tags if over else {}))
            call = lambda: (self._root / name).rename(self._root / other)  # noqa: E731
            self._change(call, {other: new, name: None})

    def unlink(self) -> None:
        name = self._some()
        if name:
            self._change((self._root / name).unlink, {name: None})

    def tag(self) -> None:
        name, key = self._some(), self._chance.choice("kl")
        text = str(self._chance.randrange(1000))
        if name:
            old = self._files[name]
            call = lambda: os.setxattr(self._root / name, f"user.tag.{key}", text.encode())  # noqa: E731
            self._change(call, {name: File(old.data, {**old.tags, key: text})})

    def untag(self) -> None:
        name = self._some()
        if name and self._files[name].tags:
            old = self._files[name]
            key, *_ = old.tags
            tags = {k: v for k, v in old.tags.items() if k != key}
            call = lambda: os.removexattr(self._root / name, f"user.tag.{key}")  # noqa: E731
            self._change(call, {name: File(old.data, tags)})

    def tag_all(self) -> None:
        """Replace the whole set by a tool."""
        name, text = self._some(), str(self._chance.randrange(1000))
        if name:
            words = ("setfattr", "-n", "user.tagging", "-v", f"s={text}", self._root / name)
            self._change(
                lambda: self._tool(*words), {name: File(self._files[name].data, {"s": text})}
            )

    def chmod(self) -> None:
        """Mode and times are kept, and nothing else changes."""
        name = self._some()
        if name:
            path, mode = self._root / name, self._chance.choice((0o600, 0o640, 0o755))

            def call() -> None:
                path.chmod(mode)
                os.utime(path, (1_600_000_000, 1_600_000_000 + mode))
                found = path.stat()
                if (found.st_mode & 0o777, int(found.st_mtime)) != (mode, 1_600_000_000 + mode):
                    raise Wrong(f"{name}: {found}, not {mode:o}")

            self._change(call, {name: self._files[name]})

    def link(self) -> None:
        name, target = f"l{self._chance.randrange(3)}", f"f/{self._chance.choice(NAMES)}"
        path = self._root / name

        def call() -> None:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            os.symlink(target, path)

        turn = self._board.turns[self._home]
        try:
            call()
            self.ledger.links[name] = target
        except OSError as error:
            self._excuse(error, turn, self._home)
            self._drop(name)
            self.ledger.links.pop(name, None)

    def read_link(self) -> None:
        for name, target in self.ledger.links.items():

            def call(name: str = name, target: str = target) -> None:
                if (found := os.readlink(self._root / name)) != target:
                    raise Wrong(f"{name} -> {found}, not {target}")

            self._query(call)

    def read(self) -> None:
        name = self._some()
        if name:
            self._query(lambda: self._check_own(name))

    def read_all(self) -> None:
        for name in list(self._files):
            self._query(lambda name=name: self._check_own(name))  # type: ignore[misc]

    def read_there(self) -> None:
        """Read by the other mount what was done a while ago."""
        long_ago = time.monotonic() - SEEN
        there = [n for n in self._files if self._changed.get(n, 0) < long_ago]
        there = [n for n in there if n not in self.ledger.failed]
        if there and self._board.turns[self._home] % 2 == 0:
            name = self._chance.choice(sorted(there))
            call = lambda: self._check(self._other / name, self._files[name])  # noqa: E731
            self._query(call, 1 - self._home)

    def _check_own(self, name: str) -> None:
        """Compare a file with what is known of it; a change that failed may be done by now."""
        late, found = self.ledger.failed.get(name), self._look(self._root / name)
        if late is not None and found == late:
            self._set(name, late)
        elif found != self._files[name]:
            raise Wrong(f"{name} is {_shown(found)}, not {_shown(self._files[name])}")

    def _check(self, path: Path, expected: File) -> None:
        if (found := self._look(path)) != expected:
            raise Wrong(f"{path} is {_shown(found)}, not {_shown(expected)}")

    def _check_names(self, path: Path, expected: set[str]) -> None:
        if (found := set(os.listdir(path))) != expected:
            raise Wrong(f"{path} has {found}, not {expected}")

    def ls(self) -> None:
        expected = {name[2:]: len(f.data) for name, f in self._files.items() if name[:2] == "f/"}

        def call() -> None:
            lines = self._tool("ls", "-l", self._root / "f").splitlines()[1:]
            found = {line.split()[-1]: int(line.split()[4]) for line in lines}
            if found != expected:
                raise Wrong(f"ls says {found}, not {expected}")

        self._query(call)

    def _listed(self, name: str) -> list[str]:
        while True:
            turn = self._settled()
            try:
                return os.listdir(self._root / name)
            except OSError as error:
                self._excuse(error, turn, self._home)

    # Trees

    def copy_cp(self) -> None:
        self._copy("cp", lambda tree: self._tool("cp", "-a", self._root / "f", tree))

    def copy_rsync(self) -> None:
        def call(tree: Path) -> None:
            self._tool("rsync", "-aX", f"{self._root}/f/", f"{tree}/")

        self._copy("rsync", call)

    def copy_tar(self) -> None:
        def call(tree: Path) -> None:
            archive = self._root / "archive.tar"
            tar = ("tar", "--xattrs", "--warning=no-timestamp")  # clocks jump
            self._tool(*tar, "-C", self._root / "f", "-cf", archive, ".")
            tree.mkdir()
            self._tool(*tar, "--xattrs-include=user.*", "-C", tree, "-xf", archive)

        try:
            self._copy("tar", call)
        finally:
            self._drop("archive.tar")

    def _copy(self, kind: str, call: Callable[[Path], object]) -> None:
        """Copy all files with their tags; read the copy, rename it, and delete it."""
        self._trees += 1
        name = f"{kind}-{self._trees}"
        tree, moved = self._root / name, self._root / f"{name}-moved"
        files = {n[2:]: file for n, file in self._files.items() if n.startswith("f/")}
        turn = self._settled()
        try:
            call(tree)
            for one, file in files.items():
                self._check(tree / one, file)
            tree.rename(moved)
            for one, file in files.items():
                self._check(moved / one, file)
            self._check_names(moved, set(files))
            if self._chance.random() < 0.2:  # some stay
                for one, file in files.items():
                    self._set(f"{name}-moved/{one}", file)
                return
        except (OSError, Failed, Wrong) as error:
            away = self._board.turns[self._home] != turn
            self._drop(name, f"{name}-moved")
            if isinstance(error, Wrong) and not away:
                raise
            self._excuse(error, turn, self._home)
        else:
            self._drop(name, f"{name}-moved")

    def _drop(self, *names: str) -> None:
        """Delete files and trees that are in no ledger, however often it takes."""
        for name in names:
            path = self._root / name
            while os.path.lexists(path) or self._board.turns[self._home] % 2:
                turn = self._settled()
                try:
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink(missing_ok=True)
                except OSError as error:
                    self._excuse(error, turn, self._home)


ACTS: dict[Callable[[User], None], float] = {
    User.write: 8,
    User.write_tagged: 5,
    User.append: 6,
    User.edit: 4,
    User.cut: 2,
    User.save: 5,
    User.sed: 1,
    User.move: 5,
    User.unlink: 3,
    User.tag: 6,
    User.untag: 2,
    User.tag_all: 1,
    User.chmod: 2,
    User.link: 2,
    User.read_link: 2,
    User.read: 10,
    User.read_there: 8,
    User.ls: 2,
    User.copy_cp: 0.7,
    User.copy_rsync: 0.7,
    User.copy_tar: 0.7,
}
"""What users do, and how often."""


def _between(now: File, old: File | None, wanted: File | None, *, cut: bool) -> bool:
    """Say whether a file is what a program may leave that failed in the middle.

    Tags are set by calls of their own; content is in one piece, unless the disk was full.
    """
    known = [one for one in (old, wanted) if one is not None]
    pairs = {pair for one in known for pair in one.tags.items()}
    whole = now.data in [one.data for one in known]
    whole = whole or (cut and wanted is not None and wanted.data.startswith(now.data))
    return whole and set(now.tags.items()) <= pairs


def _shown(file: File | None) -> str:
    if file is None:
        return "absent"
    return f"{len(file.data)} bytes {file.data[:8]!r}..{file.data[-4:]!r} {file.tags}"


def work(number: int, mounts: tuple[Path, Path], board: Board, seed: int, ledger: Path) -> None:
    """Be a user, and leave a ledger."""
    user = User(number, mounts, board, seed)
    try:
        ledger.write_bytes(pickle.dumps(user.run()))
    except BaseException as error:  # noqa: BLE001  reported by the parent
        user.ledger.wrong.append(f"user {number} ended: {error!r}")
        ledger.write_bytes(pickle.dumps(user.ledger))
    finally:
        os._exit(0)  # nothing of the parent's is to be cleaned up here
