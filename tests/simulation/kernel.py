"""What stands between programs and a file system: the locks of the kernel, and of libfuse.

The kernel lets one call change the names of a directory at a time, and one the content or the
attributes of a file; flush, fsync and release hold nothing. libfuse lets no call walk through a
path that another renames or removes, hides open files that lose their names, and has their aliases
unlinked with the last handle.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress

from tagfs.errors import NotFound, ObjectChanged
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import split
from tagfs.fuse.hidden_files import HiddenFiles
from tests.simulation.model import File
from tests.simulation.primitives import Lock
from tests.simulation.scheduler import Simulation, Task


class Nameless(ObjectChanged):
    """A file has lost its name since it was found."""


_numbers = itertools.count()


class Node:
    """A file as the kernel knows it.

    Attributes:
        path: its name now; None: it has none any more.
        file: what the model has of it.
        alias: by what libfuse calls it then.
        lock: held by who changes it.
        opens: handles that are not released yet.
    """

    def __init__(self, sim: Simulation, path: str) -> None:
        self.path: str | None = path
        self.file: File | None = None
        self.alias: str | None = None
        self.number = next(_numbers)
        self.lock = Lock(sim)
        self.opens = 0

    @property
    def called(self) -> str | None:
        return self.path or self.alias


Heard = Callable[[Node, str], None]
"""Called when something happened to a file at a path."""


Truncating = Callable[[Node, str], AbstractContextManager[None]]


def _nothing(_node: Node, _path: str) -> AbstractContextManager[None]:
    return nullcontext()


def _ignore(_node: Node, _path: str) -> None:
    pass


class Paths:
    """libfuse's locks of paths: many walk through one, or one changes it."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._held: list[tuple[str, bool]] = []
        self._waiting: list[Task] = []

    @contextmanager
    def hold(self, *paths: str, changes: bool = False) -> Iterator[None]:
        mine = [(path, changes) for path in paths]
        while any(_meet(one, other) for one in mine for other in self._held):
            self._sim.wait(self._waiting)
        self._held += mine
        try:
            yield
        finally:
            for one in mine:
                self._held.remove(one)
            self._sim.wake(self._waiting)


def _meet(one: tuple[str, bool], other: tuple[str, bool]) -> bool:
    (path, changes), (theirs, they_change) = one, other
    return (changes and _goes_through(theirs, path)) or (
        they_change and _goes_through(path, theirs)
    )


def _goes_through(path: str, other: str) -> bool:
    return path == other or path.startswith(other + "/")


class Mark:
    """The mark on a request of the kernel, which here is the task."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._marked: set[int] = set()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Be one request: the mark goes with it."""
        try:
            yield
        finally:
            self._marked.discard(id(self._sim.current))

    def set(self) -> None:
        self._marked.add(id(self._sim.current))

    def take(self) -> bool:
        is_marked = id(self._sim.current) in self._marked
        self._marked.discard(id(self._sim.current))
        return is_marked


class Kernel:
    """The calls that programs of one host make.

    Attributes:
        nodes: files that have names, by path.
    """

    def __init__(
        self,
        sim: Simulation,
        fs: FileSystem,
        file_at: Callable[[str], File | None],
        *,
        looks: bool,
        lag: float = 0.0,
    ) -> None:
        """`lag`: seconds at most between libfuse's two calls for a rename over an open file."""
        self.fs = fs
        self._file_at = file_at
        self.nodes: dict[str, Node] = {}
        self._sim = sim
        self._looks = looks
        self._lag = lag
        self._renaming: set[int] = set()
        self._mark = Mark(sim)
        self.hidden = HiddenFiles(fs, self._mark, self._is_rename)  # type: ignore[arg-type]
        self.paths = Paths(sim)
        self._directories: dict[str, Lock] = {}
        self._aliases = 0

    def _is_rename(self) -> bool | None:
        return id(self._sim.current) in self._renaming if self._looks else None

    # Locks

    @contextmanager
    def directories(self, *paths: str) -> Iterator[None]:
        """Hold the directories in which names are changed."""
        with ExitStack() as stack:
            for path in sorted({split(path)[0] for path in paths}):
                lock = self._directories.setdefault(path, Lock(self._sim))
                stack.enter_context(lock)
            yield

    # Looking

    def stat(self, path: str) -> dict[str, object]:
        with self.paths.hold(path):
            return dict(self.hidden.getattr(path, None))

    def list(self, path: str) -> set[str]:
        with self.paths.hold(path):
            fh = self.fs.opendir(path)
            names = {name for name, *_ in self.fs.readdir(fh)}
            self.fs.releasedir(fh)
        return names - {".", ".."}

    def getxattr(self, path: str, name: str) -> bytes:
        with self.paths.hold(path):
            return self.fs.getxattr(path, name)

    # Files

    def open(
        self, path: str, flags: int, made: Heard = _ignore, truncating: Truncating = _nothing
    ) -> tuple[Node, int]:
        """Open a file, and make it if the flags say so; a stale answer is asked for again once.

        `made` is called, and `truncating` is entered, while nobody else can change it.
        """
        try:
            return self._open(path, flags, made, truncating)
        except ObjectChanged:
            return self._open(path, flags, made, truncating)

    def _open(self, path: str, flags: int, made: Heard, truncating: Truncating) -> tuple[Node, int]:
        if not flags & os.O_CREAT:
            with self.directories(path):
                node = self._found(path)
            return node, self._open_there(node, flags)
        with self.directories(path):
            with self.paths.hold(path):
                try:
                    self.hidden.getattr(path, None)
                    is_there = True
                except NotFound:
                    is_there = False
            if not is_there:
                self.nodes.pop(path, None)
                with self.paths.hold(path):
                    fh = self.fs.create(path, 0o644, flags)
                node = self.nodes[path] = Node(self._sim, path)
                node.opens = 1
                made(node, path)
                return node, fh
            if flags & os.O_EXCL:
                raise FileExistsError(path)
            node = self._known(path)
        fh = self._open_there(node, flags & ~(os.O_CREAT | os.O_TRUNC))
        if flags & os.O_TRUNC:
            try:
                with node.lock, truncating(node, path):
                    self.truncate(node, 0)
            except BaseException:
                self.release(node, fh)
                raise
        return node, fh

    def _known(self, path: str) -> Node:
        """Return what the kernel has found at a path: from then on it means that file."""
        node = self.nodes.get(path)
        if node is None:
            node = self.nodes[path] = Node(self._sim, path)
            node.file = self._file_at(path)
        return node

    def _found(self, path: str) -> Node:
        """Look a path up; the caller holds its directory, as the kernel does when it looks."""
        with self.paths.hold(path):
            self.hidden.getattr(path, None)
        return self._known(path)

    def _open_there(self, node: Node, flags: int) -> int:
        with self._called(node) as path:
            fh, _ = self.hidden.open(path, flags)
            node.opens += 1
        return fh

    @contextmanager
    def _called(self, node: Node) -> Iterator[str]:
        """Hold the name that a file has now; libfuse knows files by numbers, whatever their names.

        Raises:
            Nameless: it has none any more.
        """
        while (path := node.called) is not None:
            with self.paths.hold(path):
                if path == node.called:
                    yield path
                    return
        raise Nameless("no name is left")

    def truncate(self, node: Node, size: int) -> None:
        """Cut a file by its name, or its alias; the caller holds its lock."""
        with self._called(node) as path:
            self.fs.truncate(path, size)

    def release(self, node: Node, fh: int) -> None:
        """Let a handle go, some time after it was closed."""

        def later() -> None:
            self.fs.release(fh)
            node.opens -= 1
            if not node.opens and node.alias is not None:
                alias, node.alias = node.alias, None
                with self.paths.hold(alias, changes=True):
                    self.hidden.unlink(alias)

        self._sim.spawn("release", later)

    # Names

    def unlink(self, path: str) -> None:
        node = self._found(path)
        with node.lock, self.paths.hold(path, changes=True), self._mark.request():
            if node.opens:
                self._hide(node, path)
            else:
                self.hidden.unlink(path)
        self._gone(node, path)

    def rename(self, old: str, new: str) -> Node | None:
        """Rename a file; return the one that had the new name."""
        node = self._found(old)
        try:
            target = self._found(new)
        except NotFound:
            self.nodes.pop(new, None)
            target = None
        with ExitStack() as stack:
            both = {node} if target is None else {node, target}
            for one in sorted(both, key=lambda one: one.number):
                stack.enter_context(one.lock)
            stack.enter_context(self.paths.hold(old, new, changes=True))
            stack.enter_context(self._mark.request())
            self._renaming.add(id(self._sim.current))
            try:
                if target is not None and target.opens:
                    self._hide(target, new)
                    if self._lag:
                        self._sim.sleep(self._sim.chance.random() * self._lag)
                self.hidden.rename(old, new)
            finally:
                self._renaming.discard(id(self._sim.current))
        if target is not None:
            self._gone(target, new)
        del self.nodes[old]
        self.nodes[new] = node
        node.path = new
        return target

    def _hide(self, node: Node, path: str) -> None:
        self._aliases += 1
        alias = f"{split(path)[0].rstrip('/')}/.fuse_hidden{self._aliases:016x}"
        with suppress(NotFound):
            self.hidden.getattr(alias, None)
        self.hidden.rename(path, alias)
        node.path, node.alias = None, alias

    def _gone(self, node: Node, path: str) -> None:
        if self.nodes.get(path) is node:
            del self.nodes[path]
        node.path = None

    def on_path(self, path: str, call: Callable[[Node, str], None]) -> None:
        """Make a call that changes a file's attributes; no two of one file at a time."""
        with self.directories(path):
            node = self._found(path)
        with node.lock, self._called(node) as called:
            call(node, called)
