"""D2, D4, D5: open files through all their states, against a model of what each holds.

Two names, so that renames meet; uploads that are refused, or whose answer is lost, at every place.
After each step every handle reads what was written to it, the bucket holds exactly what was
uploaded, and what is neither uploaded nor unwanted is in the staging directory.
"""

import logging
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tagfs.errors import AccessDenied, TagfsError, Unreachable, Unsupported
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.openfiles.file_state import Clean, Dirty, Failed, FileState, Unlinked
from tagfs.store.bucket import Limits
from tagfs.store.objects import BytesSource, NewObject
from tests.examples import examples
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of

PART = 50
NAMES = ("/f", "/g")
UPLOADS = {"put", "start_upload", "upload_part", "complete_upload"}

paths = st.sampled_from(NAMES)
sizes = st.sampled_from((0, 1, 49, 50, 101, 230))
starts = st.sampled_from((0, 0, None, None, 1, 50, 60))
troubles = st.sampled_from((None, None, "refused", "lost"))


@dataclass
class Opened:
    """One open file as the model has it; `path` None once it has no name."""

    path: str | None
    fh: int
    data: bytearray
    mode: int
    state: type[FileState]
    is_new: bool = False
    may_be_there: bool = False
    replaces: bool = False
    unheard: bool = False
    copies: str | None = None


class Machine(RuleBasedStateMachine):
    """A file system over a bucket in memory, and what both should be."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)  # each failure is said, of hundreds
        self.directory = tempfile.TemporaryDirectory()
        self.pool = ThreadPoolExecutor(2)
        self.bucket = MemoryBucket(limits=Limits(min_part=PART, max_part=8 * PART))
        staging = Path(self.directory.name)
        env = environment_of(self.bucket, staging, self.pool, part_size=PART)
        self.fs = FileSystem(env, dict)
        self.staging = staging
        self.service: dict[str, bytes] = {}
        self.modes: dict[str, int] = {}
        self.files: list[Opened] = []
        self.kept = 0
        self.step = 0

    def teardown(self) -> None:
        try:
            for file in list(self.files):
                self.end(file, None)
            self.check()
        finally:
            self.fs.close()
            self.pool.shutdown()
            logging.disable(logging.NOTSET)
            self.directory.cleanup()

    @initialize(
        there=st.sampled_from((NAMES, NAMES[:1], NAMES[1:], ())),
        data=st.sampled_from((b"old", bytes(range(1, 231)))),
    )
    def begin(self, there: tuple[str, ...], data: bytes) -> None:
        for path in there:
            new = NewObject(metadata={"mode": str(stat.S_IFREG | 0o600)})
            self.bucket.put(path[1:], BytesSource(data), new)
            self.service[path], self.modes[path] = data, 0o600

    # What happens

    def at(self, path: str) -> Opened | None:
        return next((file for file in self.files if file.path == path), None)

    def pick(self, number: int) -> Opened:
        return self.files[number % len(self.files)]

    @rule(path=paths, exclusive=st.booleans())
    def open_it(self, path: str, *, exclusive: bool) -> None:
        if self.at(path) is not None:
            return
        if path in self.service:
            fh, _ = self.fs.open(path, os.O_RDWR)
            data = bytearray(self.service[path])
            self.files.append(Opened(path, fh, data, self.modes[path], Clean))
            return
        fh = self.fs.create(path, 0o644, os.O_RDWR | (os.O_EXCL if exclusive else 0))
        self.files.append(Opened(path, fh, bytearray(), 0o644, Dirty, is_new=True))

    @precondition(lambda self: self.files)
    @rule(number=st.integers(0, 9), at=sizes, length=st.sampled_from((1, 60, 150)))
    def write(self, number: int, at: int, length: int) -> None:
        file = self.pick(number)
        self.step += 1
        data = bytes([self.step % 251 + 1]) * length
        self.fs.write(file.fh, at, data)
        file.data.extend(bytes(max(0, at - len(file.data))))
        file.data[at : at + length] = data
        self.changed(file)

    @precondition(lambda self: self.files)
    @rule(number=st.integers(0, 9), size=sizes)
    def truncate(self, number: int, size: int) -> None:
        file = self.pick(number)
        self.fs.truncate(None, size, file.fh)
        file.data[size:] = bytes(max(0, size - len(file.data)))
        self.changed(file)

    @precondition(lambda self: self.files)
    @rule(number=st.integers(0, 9), path=paths, start=starts, length=st.sampled_from((1, 60, 500)))
    def copy(self, number: int, path: str, start: int | None, length: int) -> None:
        """Let a range be that of another file, as the kernel asks for; refused, it changes nothing.

        `start` None is where the file ends; 0 is a copy over all that it was.
        """
        file = self.pick(number)
        if path not in self.service or self.at(path) is not None:
            return
        if start == 0:
            self.truncate(number, 0)
        start = len(file.data) if start is None else start
        source, _ = self.fs.open(path, os.O_RDONLY)
        try:
            count = self.fs.copy_file_range(source, start, file.fh, start, length)
        except Unsupported:
            return
        finally:
            self.fs.release(source)
        data = self.service[path][start : start + length]
        assert count == len(data)
        if data:
            file.data.extend(bytes(max(0, start - len(file.data))))
            file.data[start : start + len(data)] = data
            file.copies = path
            self.changed(file)

    @rule(path=paths)
    def cp(self, path: str) -> None:
        """Copy a file over the other one, or to its free name; it is left open."""
        target = NAMES[1 - NAMES.index(path)]
        self.open_it(target, exclusive=False)
        self.copy(next(n for n, f in enumerate(self.files) if f.path == target), path, 0, 500)

    def make_copies(self, *origins: str) -> None:
        """Note that what was copied of files that change now was made before."""
        for file in self.files:
            if file.copies in origins:
                self.sent(file)
                file.copies = None

    def changed(self, file: Opened) -> None:
        if file.state is Clean:
            file.state = Dirty

    @rule(path=paths, mode=st.sampled_from((0o600, 0o644)))
    def chmod(self, path: str, mode: int) -> None:
        file = self.at(path)
        if file is None and path not in self.service:
            return
        self.fs.chmod(path, stat.S_IFREG | mode)
        if file is not None:
            file.mode = mode
        if file is None or file.state is Clean:
            self.modes[path] = mode

    @precondition(lambda self: self.files)
    @rule(number=st.integers(0, 9), trouble=troubles)
    def flush(self, number: int, trouble: str | None) -> None:
        file = self.pick(number)
        struck = self.in_trouble(trouble, file)
        try:
            self.fs.fsync(file.fh)
        except TagfsError:
            assert struck
            self.failed(file)
        else:
            self.sent(file)
        finally:
            self.bucket.before = self.bucket.after = None

    @precondition(lambda self: self.files)
    @rule(number=st.integers(0, 9), trouble=troubles)
    def close(self, number: int, trouble: str | None) -> None:
        self.end(self.pick(number), trouble)

    def end(self, file: Opened, trouble: str | None) -> None:
        """Release a handle without a flush before it, as after a write to a shared mapping."""
        struck = self.in_trouble(trouble, file)
        self.fs.release(file.fh)
        self.bucket.before = self.bucket.after = None
        if struck and file.state is Dirty:
            self.failed(file)
        if file.state is Dirty:
            self.sent(file)
        self.kept += file.state is Failed
        self.files.remove(file)

    def names(self) -> list[str]:
        """Names that are there, for programs."""
        return [path for path in NAMES if path in self.service or self.at(path) is not None]

    @precondition(lambda self: self.names())
    @rule(number=st.integers(0, 1))
    def unlink(self, number: int) -> None:
        path = self.names()[number % len(self.names())]
        file = self.at(path)
        self.fs.unlink(path)
        self.make_copies(path)
        self.service.pop(path, None)
        if file is not None:
            self.lost_name(file)

    @precondition(lambda self: self.names())
    @rule(number=st.integers(0, 1))
    def rename(self, number: int) -> None:
        old = self.names()[number % len(self.names())]
        self.rename_to_other(old)

    @rule(path=paths)
    def save(self, path: str) -> None:
        """Write a new file and rename it over another one before it is closed, as editors may."""
        if path in self.names():
            self.unlink(self.names().index(path))
        self.open_it(path, exclusive=True)
        self.write(len(self.files) - 1, 0, 60)
        self.rename_to_other(path)

    def rename_to_other(self, old: str) -> None:
        new = NAMES[1 - NAMES.index(old)]
        file, replaced = self.at(old), self.at(new)
        if file is not None and file.unheard and not file.is_new:
            return  # refused: the object is not the one that the file is known to derive from
        self.fs.rename(old, new)
        self.make_copies(old, new)
        if file is not None and file.is_new and file.replaces:
            self.sent(file)  # it had replaced that already, for its program
        if file is None or not file.is_new:
            self.service[new] = self.service.pop(old)
            self.modes[new] = self.modes[old]
        elif file.may_be_there:
            self.service.pop(old, None)
            file.may_be_there = False
        if replaced is not None:
            self.lost_name(replaced)
        if file is not None:
            file.path, file.replaces = new, file.is_new and new in self.service

    def lost_name(self, file: Opened) -> None:
        file.path = None
        file.state = Unlinked

    # How uploads end

    def in_trouble(self, trouble: str | None, of: Opened) -> list[str]:
        """Let the next upload of a file be refused, or its answer be lost; return what was struck.

        Parts of another file may be under way.
        """
        struck: list[str] = []
        if any(file.copies for file in self.files):
            return struck  # what would be struck may be a copy that has to be made first

        def refuse(operation: str, key: str) -> None:
            if operation in UPLOADS and f"/{key}" == of.path:
                struck.append(operation)
                raise AccessDenied("injected")

        def lose(operation: str, key: str) -> None:
            if operation == "put" and f"/{key}" == of.path:
                struck.append(operation)
                raise Unreachable("injected")

        self.bucket.before = refuse if trouble == "refused" else None
        self.bucket.after = lose if trouble == "lost" else None
        return struck

    def sent(self, file: Opened) -> None:
        if file.path is None:
            return
        if file.state is not Clean:
            self.service[file.path] = bytes(file.data)
            self.modes[file.path] = file.mode
        file.state = Clean
        file.copies = None
        file.is_new = file.may_be_there = file.replaces = file.unheard = False

    def failed(self, file: Opened) -> None:
        """An upload ended badly: what is there is the old or the new, and all is kept here."""
        assert file.path is not None
        file.state = Failed
        found = self.bucket._shelf.find(file.path[1:])
        old = self.service.get(file.path)
        assert (found.data if found else None) in (old, bytes(file.data))
        if found is not None and found.data != old:
            self.service[file.path] = found.data
            self.modes[file.path] = file.mode
            file.may_be_there, file.unheard = file.is_new, True

    # What always holds

    @invariant()
    def check(self) -> None:
        for file in self.files:  # a copy is made before the file that it is of changes
            node = self.fs.files.handle(file.fh).node
            if file.copies and isinstance(node.state, Clean):
                self.sent(file)
            file.copies = file.copies if node.is_copy else None
        stored = {f"/{key}": self.bucket._shelf.get(key) for key in self.bucket._below("")}
        assert {path: one.data for path, one in stored.items()} == self.service
        staged = 0
        for file in self.files:
            node = self.fs.files.handle(file.fh).node
            assert type(node.state) is file.state
            assert bytes(self.fs.read(file.fh, 0, 10_000)) == file.data
            assert (node.unlinked, node.failed) == (file.path is None, file.state is Failed)
            staged += node.staged is not None
            if file.path is not None:
                assert node.is_new is file.is_new
                found = self.fs.getattr(file.path)
                assert found["st_size"] == len(file.data)
                assert stat.S_IMODE(found["st_mode"]) == file.mode
        names = sorted(path.suffix for path in self.staging.iterdir())
        assert names.count(".data") == staged + self.kept
        failed = sum(file.state is Failed for file in self.files)
        assert names.count(".json") >= failed + self.kept


Machine.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=25, deadline=None
)
TestMachine = Machine.TestCase
