"""What open, create, read, write, truncate, flush, fsync and release do with one file.

Here is decided what is asked before a file is opened, what waits for what, and when close(2) sends.
"""

import os
import stat

from tagfs.errors import (
    AccessDenied,
    BadHandle,
    NotFound,
    ObjectChanged,
    StagingFull,
    TagfsError,
    Unsupported,
)
from tagfs.fs.build import Parts
from tagfs.fs.change_gate import ChangeGate
from tagfs.fs.content.reader import SMALL
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.guard import Guard
from tagfs.fs.mapping.temp_names import destination
from tagfs.fs.openfiles.kernel_pages import Pages
from tagfs.fs.openfiles.looking_opens import LookingOpens
from tagfs.fs.openfiles.open_file import Handle, OpenFile
from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import NO_TAGS

BRIEFLY = 0.05
"""Seconds that execve(2) may wait for what else is done with a file that it closes."""


class FileCalls:
    """The calls that open a file and go on with its handle."""

    def __init__(self, env: FsContext, parts: Parts, guard: Guard, gate: ChangeGate) -> None:
        self._env = env
        self._guard = guard
        self._gate = gate
        self._files = parts.files
        self._tree = parts.tree
        self._creator = parts.creator
        self._heritage = parts.heritage
        self._policy = parts.policy
        self._replaced = parts.replaced
        self._due = parts.due
        self._write_back = parts.due.uploads
        self._prefetcher = parts.prefetcher
        self._kernel_sizes = parts.kernel_sizes
        self._kernel_pages = parts.kernel_pages
        self._looking = LookingOpens()

    def open(self, path: str, flags: int, *, looks: bool = False) -> tuple[int, Pages]:
        """Open a file; return its handle, and what the kernel does with the pages that it has.

        The kernel cuts reads at the size it knows. Where the service has another one now, reads
        go around the kernel's cache.

        Raises:
            NotFound, AccessDenied, ReadOnly
        """
        writable = flags & os.O_ACCMODE != os.O_RDONLY
        if path in self._replaced:
            raise NotFound(path)
        if writable:
            self._kernel_pages.discard(path)
            self._gate.enter(path)
            self._due.before_opened(path)
        handle = self._files.open(
            path,
            lambda: self._find_for_open(path, writable=writable),
            writable=writable,
            append=bool(flags & os.O_APPEND),
        )
        try:
            if writable:
                self._guard.check_change(handle.node)
                self._policy.fill(handle.node)
                return handle.fh, Pages.DROPPED
            if looks or self._looking.looks(flags):
                handle.node.open_reader(handle, looks=True)
            else:
                handle.node.open_reader(handle, self._prefetcher.on_open(path))
        except TagfsError:
            self._files.release(handle.fh)
            raise
        self._looking.opened(handle, flags)
        if self._kernel_sizes.is_outdated(path, handle.node.size):
            self._kernel_pages.discard(path)
            return handle.fh, Pages.BYPASSED
        return handle.fh, self._kernel_pages.opened(path, handle)

    def create(self, path: str, mode: int, flags: int) -> int:
        """Make a new file and open it; its object is created when it is closed.

        Raises:
            ObjectChanged: there is one by now; the kernel looks again and opens that.
            AlreadyExists, NotShown: there is one that this mount does not show, or would not.
        """
        self._gate.enter()
        key = self._env.root.to_key(path)
        attributes = self._creator.prepare(
            path, stat.S_IFREG | stat.S_IMODE(mode), exclusive=bool(flags & os.O_EXCL)
        )
        if not flags & (os.O_EXCL | os.O_TRUNC) and self._is_there_by_now(key):
            raise ObjectChanged(f"{path}: another client has made it")
        left, given = self._heritage.for_new(path)
        self._env.scope.check_tags(key, left.tags or NO_TAGS, given)
        handle = self._files.create(
            path,
            attributes,
            exclusive=bool(flags & os.O_EXCL) or self._guard.keeps_content,
            append=bool(flags & os.O_APPEND),
        )
        self._kernel_pages.discard(path)
        self._tree.times.on_entry(path)
        self._heritage.inherit(handle.node, left, given)
        if self._env.choices.stored:
            self._due.attributes.on_create(path)
        return handle.fh

    def read(self, fh: int, offset: int, length: int) -> bytes | memoryview:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        handle = self._files.handle(fh)
        return handle.node.read(handle, offset, length)

    def write(self, fh: int, offset: int, data: bytes | memoryview, *, mapped: bool = False) -> int:
        """Put bytes at `offset`; return how many: fewer if the local disk took no more.

        `mapped`: they come from a shared mapping, which never appends, whatever handle it uses.

        Raises:
            StagingFull: it took none; or not all of a mapped page, and the kernel tries no more.
        """
        handle = self._files.handle(fh)
        if not handle.writable:
            raise BadHandle("not open for writing")
        self._kernel_sizes.discard(handle.node.path)
        self._settle(handle.node)
        done = handle.node.write(offset, data, append=handle.append and not mapped)
        if mapped and done < len(data):
            raise StagingFull(f"{handle.node.path}: the local disk took {done} bytes of a page")
        return done

    def copy_range(self, fh: int, start: int, target: int, offset: int, length: int) -> int:
        """Let `length` bytes of one file be those of another; return how many.

        They are copied by the service, when the target is closed.

        Raises:
            Unsupported: what is asked for cannot be done so; the kernel reads and writes then.
        """
        source, copy = self._files.handle(fh), self._files.handle(target)
        if not copy.writable:
            raise BadHandle("not open for writing")
        info = self._unchanged(source)
        able = start == offset and not copy.append and self._env.bucket.capabilities.part_copies
        if info is None or not able or info.size <= self._env.choices.part_size:
            raise Unsupported(f"{copy.node.path}: not copied by the service")
        self._kernel_sizes.discard(copy.node.path)
        self._settle(copy.node)
        end = min(start + length, info.size)
        if start < end and not self._gate.copies.take(copy.node, info, start, end):
            raise Unsupported(f"{copy.node.path}: not copied by the service")
        return max(0, end - start)

    @staticmethod
    def _unchanged(source: Handle) -> ObjectInfo | None:
        """Return the version that a handle reads, None if anything was or may be changed here."""
        if source.node.staged is not None or source.node.has_writer_besides(source):
            return None
        return source.reader.info if source.reader is not None and not source.writable else None

    def truncate(self, path: str | None, size: int, fh: int | None = None) -> None:
        """Cut or extend a file; without an open writer it is uploaded before this returns."""
        self._gate.enter()
        if fh is not None:
            self._settle(self._files.handle(fh).node).truncate(size)
            return
        if path is None:
            raise BadHandle("neither a path nor a handle")
        handle = self._files.handle(self.open(path, os.O_RDWR)[0])
        was_changed = handle.node.dirty
        try:
            if handle.node.has_writer_besides(handle):
                handle.node.truncate(size)  # whose close uploads it
            elif handle.node.size != size:
                handle.node.truncate(size)
                handle.node.flush()
        except TagfsError:
            if not was_changed and len(handle.node.handles) > 1:
                handle.node.revert(handle)  # or the next writer would finish what has failed
            raise
        finally:
            self._files.release(handle.fh)

    def flush(self, fh: int) -> None:
        """Upload what a handle's file has changed: a descriptor of it is being closed.

        Not the emptiness that a shell's `> file` makes before anything is written: its second
        descriptor shows that the file is not finished. And not within execve(2), which nobody
        hears the end of: the host could not be looked at meanwhile, and the release follows.
        """
        handle = self._files.handle(fh)
        node = handle.node
        node.is_finished = True
        if self._is_due(handle) and self._is_answered_early(node):
            return
        if self._is_due(handle) or self._due.attributes.attributes(node.path) is not None:
            if self._env.caller_execs():
                if self._is_due(handle):
                    self._leave_to_release(node)
                return
            self._settle(node)
        if not self._is_due(handle):
            return
        node.flush_deferred = node.size == 0 and self._env.caller_holds(node.path)
        if not node.flush_deferred:
            if not node.is_copy and self._write_back.accepts():
                node.judge_tags()
                if self._write_back.enqueue(node):
                    return
            if node.is_new and node.size <= SMALL:
                self._prefetcher.on_rename_target(destination(node.path))
            node.flush()
            self._write_back.start_now(node)

    def _is_answered_early(self, node: OpenFile) -> bool:
        """Answer for a file's upload if that needs neither the service nor a look at the caller.

        Nothing is waited for then, so it does not matter whether it is within execve(2).
        """
        if not node.size or node.is_copy or self._due.attributes.attributes(node.path) is not None:
            return False
        if not self._write_back.accepts():
            return False
        node.judge_tags()
        return self._write_back.enqueue_at_once(node)

    def _settle(self, node: OpenFile) -> OpenFile:
        """Set what waits to be set on an open file: what it becomes now must not undo that."""
        self._due.before_changed(node.path)
        return node

    @staticmethod
    def _is_due(handle: Handle) -> bool:
        return handle.node.dirty and (handle.writable or handle.node.flush_deferred)

    @staticmethod
    def _leave_to_release(node: OpenFile) -> None:
        """Note that a file is owed to a program, unless an upload, which notes it, is under way."""
        node.flush_deferred = True
        if node.lock.acquire(timeout=BRIEFLY):
            try:
                node.journal_commit()
            finally:
                node.lock.release()

    def fsync(self, fh: int) -> None:
        """Upload what a handle's file has changed."""
        node = self._files.handle(fh).node
        node.is_finished = True
        self._settle(node).flush()

    def release(self, fh: int) -> None:
        """Forget a handle; its last descriptor is closed."""
        try:
            handle = self._files.handle(fh)
        except BadHandle:
            return
        self._looking.released(handle)
        self._kernel_pages.released(handle.node.path, handle)
        self._files.release(fh)

    def _find_for_open(self, path: str, *, writable: bool) -> ObjectInfo | None:
        """Return what is on the service, asking it if the file is to be changed."""
        key = self._env.root.to_key(path)
        if not writable:
            return self._env.bucket.known(key)
        return self._env.bucket.head(key, max_age=FRESH_WITHIN)

    def _is_there_by_now(self, key: str) -> bool:
        """Say whether an object is there, whatever is remembered: its content is to be kept."""
        try:
            self._env.bucket.head(key, max_age=FRESH_WITHIN)
        except NotFound:
            return False
        except AccessDenied:
            return self._env.bucket.lookup(key, max_age=FRESH_WITHIN).info is not None
        return True
