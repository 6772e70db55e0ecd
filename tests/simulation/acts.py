"""What programs do, step by step: the calls of a kernel, and what the model learns of each."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from tagfs.errors import NoSuchTag, NotFound, TagfsError, Unreachable
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import split
from tests.simulation.kernel import Kernel, Nameless, Node
from tests.simulation.model import File, Model, Violation, shown, written
from tests.simulation.plan import Plan, Step
from tests.simulation.scheduler import Dead, Simulation
from tests.simulation.service import Weather

TTL = 5.0
"""Seconds for which a host believes what it knows."""

SETTLED = 1.1
"""Seconds after which what one host closed is what the other opens (D1), and some for the way."""


class HostDied(Unreachable):
    """The mount has died within a call, or before it."""


class Living:
    """A file system whose calls fail once its mount has died."""

    def __init__(self, sim: Simulation, fs: FileSystem) -> None:
        self._sim, self._fs = sim, fs

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._fs, name)

        def living(*args: object, **more: object) -> Any:
            try:
                self._check(name)
                result = call(*args, **more)
            except Dead:
                raise HostDied(f"{name}: the mount has died") from None
            self._check(name)
            return result

        return living

    def _check(self, name: str) -> None:
        if self._sim.current is not None and self._sim.current.is_cut:
            raise HostDied(f"{name}: the mount has died")


class Surroundings(Protocol):
    """What a step sees of the world.

    Attributes:
        busy, changed: how many calls change a path now, and when one did last.
    """

    sim: Simulation
    plan: Plan
    model: Model
    busy: dict[str, int]
    changed: dict[str, float]
    saves: int

    def token(self, size: int) -> bytes: ...


class Mounted(Protocol):
    """What a step sees of its host."""

    fs: FileSystem
    kernel: Kernel
    weather: Weather

    def owns(self, path: str) -> bool: ...


class Unknown(Exception):
    """After a failure it is not known what is there."""


class Act:
    """One step of a program."""

    def __init__(self, world: Surroundings, host: Mounted, step: Step) -> None:
        self.world, self.host, self.step = world, host, step
        self.kernel, self.model, self.sim = host.kernel, world.model, world.sim
        self.path = step[1]

    def run(self) -> None:
        self.sim.note(" ".join(self.step))
        if any(path in self.model.unsure for path in self.step[1:]):
            return
        try:
            getattr(self, self.step[0])()
        except TagfsError as error:
            self.sim.note(f"{self.step[0]} {self.path}: {type(error).__name__}: {error}")
            if not self._is_explained():
                raise Violation(
                    f"{' '.join(self.step)}: {type(error).__name__}: {error}"
                ) from error

        except Unknown:
            pass

    def _is_explained(self) -> bool:
        """Say whether something may fail: a request did."""
        return self.host.weather.struck > 0

    @contextmanager
    def changing(self, *paths: str) -> Iterator[None]:
        """Note that paths are being changed, for who looks from the other host."""
        busy, changed = self.world.busy, self.world.changed
        for path in paths:
            busy[path] = busy.get(path, 0) + 1
        try:
            yield
        finally:
            for path in paths:
                busy[path] -= 1
                changed[path] = self.sim.now

    def there(self, path: str) -> bool:
        return path in self.model.files

    # Files

    def write(self) -> None:
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY
        self._put(self.path, flags, int(self.step[2]), fsync=bool(self.step[3]))

    def exclusive(self) -> None:
        try:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
            self._put(self.path, flags, int(self.step[2]), fsync=bool(self.step[3]))
        except FileExistsError:
            pass

    def update(self) -> None:
        self._change(os.O_RDWR, int(self.step[2]), int(self.step[3]))

    def append(self) -> None:
        self._change(os.O_WRONLY | os.O_APPEND, -1, int(self.step[2]))

    def _change(self, flags: int, offset: int, size: int) -> None:
        if not self.there(self.path):
            return
        try:
            opened = self._open(self.path, flags)
        except NotFound:
            if self.there(self.path) and not self._was_changed(self.path):
                raise
            return
        self._write_and_close(opened, offset, size, fsync=False)

    def _put(self, path: str, flags: int, size: int, *, fsync: bool) -> None:
        opened = self._open(path, flags)
        self._write_and_close(opened, 0, size, fsync=fsync)

    def _write_and_close(self, opened: "Opened", offset: int, size: int, *, fsync: bool) -> None:
        try:
            self._write(opened, offset, size)
            if fsync:
                self._acknowledged(opened, self.host.fs.fsync)
        finally:
            self._close(opened)

    def _open(self, path: str, flags: int) -> "Opened":
        self.began = self.sim.now
        with self.changing(path):
            node, fh = self.kernel.open(path, flags, self._made, self._truncating)
        return Opened(node, fh, self._file(node, path), flags)

    def _made(self, node: Node, path: str) -> None:
        if self.there(path) and not self._is_explained():
            raise Violation(f"{path} was not found, but made before")
        node.file = self.model.make(path)

    @contextmanager
    def _truncating(self, node: Node, path: str) -> Iterator[None]:
        file = self._file(node, path)
        self.model.overwrites(file)
        with file.change(lambda _old: b""):
            yield

    def _file(self, node: Node, path: str) -> File:
        if node.file is None:
            if not self._is_explained():
                raise Violation(f"{path} is there, but was deleted")
            raise Unknown
        return node.file

    def _write(self, opened: "Opened", offset: int, size: int) -> None:
        data = self.world.token(size)
        while data:
            done = self._write_some(opened, offset, data)
            data = data[done:]
            offset += done if offset >= 0 else 0

    def _write_some(self, opened: "Opened", offset: int, data: bytes) -> int:
        self.model.overwrites(opened.file)
        done = len(data)
        with (
            self.changing(*opened.file.names[-1:]),
            opened.node.lock,
            opened.file.change(lambda old: written(old, offset, data[:done])),
        ):
            done = self.host.fs.write(opened.fh, max(offset, 0), data)
        return done

    def _close(self, opened: "Opened") -> None:
        try:
            if self.world.plan.is_power and self.world.plan.behind:
                self.host.fs.flush(opened.fh)  # what the disk was not told to keep may be lost
            else:
                self._acknowledged(opened, self.host.fs.flush)
        except TagfsError:
            self._failed_to_close(opened.file)
            raise
        finally:
            self.kernel.release(opened.node, opened.fh)

    def _failed_to_close(self, file: File) -> None:
        """What is seen afterwards is what the service has, which may be older or nothing."""
        file.revert()
        if file.acked < 0:
            self.model.failed(file.names[-1], deletes=file.names[-1])

    def _acknowledged(self, opened: "Opened", call: Callable[[int], None]) -> None:
        file, mark = opened.file, opened.file.mark
        with self.changing(*file.names[-1:]):
            call(opened.fh)
        file.acknowledge(mark)

    # Looking

    def read(self) -> None:
        self._read(lambda: None)

    def hold(self) -> None:
        seconds = self.host.weather.chance.random() * (0.3 if self.step[2] == "0" else 3.0)
        self._read(lambda: self.sim.sleep(seconds))

    def _read(self, pause: Callable[[], None]) -> None:
        own = self.host.owns(self.path)
        began, known = self.sim.now, self.model.files.get(self.path)
        mark = known.mark if known is not None else 0
        is_seen = self._is_quiet(self.path) and not self.world.plan.behind
        try:
            node, fh = self.kernel.open(self.path, os.O_RDONLY)
        except NotFound:
            since = self.world.changed.get(self.path, 0.0)
            is_known = own or (is_seen and self.sim.now - since > TTL + 1)
            if known is not None and is_known and not self._changed_since(began):
                raise Violation(f"read {self.path}: not found") from None
            return
        try:
            pause()
            data = bytes(self.host.fs.read(fh, 0, 1000))
        except TagfsError:
            if self._changed_since(began) or not own:
                return
            raise
        finally:
            self.kernel.release(node, fh)
        if known is not None and not self._changed_since(began) and (own or is_seen):
            if data not in [*known.history[mark:], *known.coming]:
                raise Violation(f"read {self.path}: {shown(data)}, not {shown(known.now[0])}")
        elif not any(data in [*file.history, *file.coming] for file in self.model.every):
            raise Violation(f"read {self.path}: {shown(data)} was never written")

    def _is_quiet(self, path: str) -> bool:
        """Say whether all hosts must see a path alike."""
        since = self.world.changed.get(path, 0.0)
        return not self.world.busy.get(path) and self.sim.now - since > SETTLED

    def _changed_since(self, began: float) -> bool:
        path = self.path
        return bool(self.world.busy.get(path)) or self.world.changed.get(path, 0.0) >= began

    def _was_changed(self, path: str) -> bool:
        return bool(self.world.busy.get(path, 0) > 1) or self._changed_since(self.began)

    def list(self) -> None:
        self.kernel.list(self.path)

    def stat(self) -> None:
        with suppress(NotFound):
            self.kernel.stat(self.path)

    def pause(self) -> None:
        self.sim.sleep(self.host.weather.chance.random() * 2)

    # Names

    def unlink(self) -> None:
        with self.kernel.directories(self.path):
            if not self.there(self.path) or self.path in self.model.unsure:
                return
            with self.changing(self.path):
                try:
                    self.kernel.unlink(self.path)
                except TagfsError:
                    self.model.failed(self.path, deletes=self.path)
                    raise
                self.model.unlink(self.path)

    def rename(self) -> None:
        self._rename(self.path, self.step[2])

    def _rename(self, old: str, new: str) -> None:
        if old == new:
            return
        with self.kernel.directories(old, new):
            if not self.there(old) or {old, new} & self.model.unsure:
                return
            with self.changing(old, new):
                try:
                    self.kernel.rename(old, new)
                except TagfsError:
                    self.model.failed(old, new, deletes=new)
                    raise
                self.model.rename(old, new)

    def save(self) -> None:
        """Write another file, and rename it over the one that is meant, as editors do."""
        parent, name = split(self.path)
        self.world.saves += 1
        temporary = f"{parent.rstrip('/')}/.{name}.{self.world.saves:06d}"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        self._put(temporary, flags, int(self.step[2]), fsync=bool(self.step[3]))
        self.kernel.on_path(temporary, lambda _node, path: self.host.fs.chmod(path, 0o640))
        self._rename(temporary, self.path)

    def mkdir(self) -> None:
        with self.kernel.directories(self.path):
            if self.path in self.model.directories:
                return
            with self.kernel.paths.hold(self.path, changes=True):
                try:
                    self.host.fs.mkdir(self.path, 0o755)
                except TagfsError:
                    self.model.unsure.add(self.path)
                    raise
                self.model.directories.add(self.path)

    def rmdir(self) -> None:
        with self.kernel.directories(self.path, self.path + "/x"):
            if self.path not in self.model.directories:
                return
            with self.kernel.paths.hold(self.path, changes=True):
                try:
                    self.host.fs.rmdir(self.path)
                except TagfsError:
                    self.model.unsure.add(self.path)
                    raise
                self.model.directories.discard(self.path)

    # Attributes

    def tag(self) -> None:
        self._tag(
            lambda path: self.host.fs.setxattr(
                path, f"user.tag.{self.step[2]}", self.step[3].encode(), 0
            ),
            lambda tags: {**tags, self.step[2]: self.step[3]},
        )

    def untag(self) -> None:
        name = self.step[2]
        file = self.model.files.get(self.path)
        if file is not None and all(name in tags for tags in file.tags):
            self._tag(
                lambda path: self.host.fs.removexattr(path, f"user.tag.{name}"),
                lambda tags: {key: value for key, value in tags.items() if key != name},
                may_lack=True,
            )

    def _tag(
        self,
        call: Callable[[str], None],
        change: Callable[[dict[str, str]], dict[str, str]],
        *,
        may_lack: bool = False,
    ) -> None:
        def changed(path: str, file: File) -> None:
            try:
                call(path)
            except NoSuchTag:
                if not may_lack:
                    raise
                return
            except TagfsError:
                file.tags += [change(tags) for tags in file.tags]
                raise
            file.tags = [change(tags) for tags in file.tags]

        self._on_path(changed)

    def _on_path(self, call: Callable[[str, File], None]) -> None:
        if not self.there(self.path):
            return
        began = self.sim.now

        def known(node: Node, called: str) -> None:
            call(called, self._file(node, self.path))

        with self.changing(self.path):
            try:
                self.kernel.on_path(self.path, known)
            except Nameless:
                pass
            except NotFound:
                if self.there(self.path) and self.world.changed.get(self.path, 0.0) < began:
                    raise

    def chmod(self) -> None:
        mode = 0o600 if self.step[2] == "k" else 0o640
        self._on_path(lambda path, _file: self.host.fs.chmod(path, mode))

    def touch(self) -> None:
        when = int(self.sim.now * 1e9)
        self._on_path(lambda path, _file: self.host.fs.utimens(path, when, when))


class Opened:
    """A file that a program has open."""

    def __init__(self, node: Node, fh: int, file: File, flags: int) -> None:
        self.node, self.fh, self.file, self.flags = node, fh, file, flags
