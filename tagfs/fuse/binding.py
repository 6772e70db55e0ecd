"""What the bindings of libfuse 2 and of libfuse 3 have in common, and what they offer."""

import contextlib
import ctypes
import errno
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from tagfs.fs.mapping.stat_fields import Stat
from tagfs.fs.openfiles.kernel_pages import Pages
from tagfs.fuse.native_threads import keep_thread

log = logging.getLogger(__name__)

Operations = Callable[..., Any]
"""`operations(name, *arguments)`, the callbacks that it has being its attributes."""

DEFAULTS: Mapping[str, Any] = {
    "attr_timeout": 1,  # seconds; nothing can invalidate the kernel's caches, so they stay short
    "entry_timeout": 1,
    "negative_timeout": 1,
    "use_ino": True,  # libfuse's own numbers change with every mount
}
"""Options that both have, as they are unless the user says otherwise."""


NOWHERE = b"security."
"""Names that no file has. The kernel asks for `security.capability` before every write(2), and is
answered here: the tree below would say the same, at the price of a small write."""

_Largest = ctypes.c_char * (16 * 1024 * 1024)
"""One type for buffers of all sizes: making one for each size costs more than a small read."""


class Binding(Protocol):
    """One libfuse, loaded."""

    def version(self) -> str:
        """Return what is loaded, such as "libfuse 2.9"."""

    def context(self) -> tuple[int, int, int]:
        """Return uid, gid and pid of the process whose call is being served."""

    def request_mark(self) -> "RequestMark":
        """Return what marks the request that is being served."""

    def stop_callback(self) -> Callable[[], None]:
        """Return what makes `run` return soon; to be asked for in a callback, called anywhere."""

    def run(
        self,
        operations: Operations,
        mountpoint: Path,
        options: Mapping[str, Any],
        ready: Callable[[], None],
    ) -> None:
        """Serve until it is unmounted or ended by a signal.

        Raises:
            RuntimeError: libfuse refused, with its status.
        """


class RequestMark:
    """A mark on the request of the kernel that is being served; it is gone with that.

    One request may make several callbacks, in one thread, and nothing in them says so. But with
    each request libfuse writes down who asks, in a place of the thread's. What we write there
    instead is still there in the next callback of the same request, and in no other one: a number
    that no process has. (Nothing of Python's is: to it each callback is another thread.)
    """

    def __init__(self, context: Callable[[], Any]) -> None:
        """`context` returns libfuse's `struct fuse_context` of the calling thread."""
        self._context = context

    def set(self) -> None:
        """Mark the request; who asks is not known until `take`."""
        context = self._context()
        if context.pid >= 0:
            context.pid = ~context.pid

    def take(self) -> bool:
        """Take the mark away; False if there is none."""
        context = self._context()
        if context.pid >= 0:
            return False
        context.pid = ~context.pid
        return True


class Callbacks:
    """The callbacks in which both bindings fall short, for their sessions to inherit first.

    What they leave out: open flags, mapped pages, direct I/O, types and numbers in listings.
    """

    _call: Operations

    def _wrapper(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Run a callback of libfuse; return what it returns, or its errno as libfuse reads it.

        In the place of both bindings' own, which every callback goes through.
        """
        keep_thread()
        try:
            return callback(*arguments) or 0
        except OSError as error:
            return -error.errno if error.errno and error.errno > 0 else -errno.EIO
        except BaseException:  # nothing may get through to C
            log.exception("a bug in tagfs")
            return -errno.EIO

    def fgetattr(self, path: bytes | None, buf: Any, fip: Any) -> int:
        """Fill libfuse's `struct stat` of a path, or of an open file."""
        fh = fip.contents.fh if fip else None
        attributes = self._call("getattr", optional_text(path), fh)
        found = buf.contents
        ctypes.memset(buf, 0, ctypes.sizeof(found))
        fill_stat(found, attributes)
        return 0

    def open(self, path: bytes, fip: Any) -> int:
        """Open a file; say what the kernel does with the pages that it has of it."""
        info = fip.contents
        info.fh, pages = open_file(self._call, text_of(path), info.flags)
        info.direct_io = pages is Pages.BYPASSED
        info.keep_cache = pages is Pages.KEPT
        return 0

    def create(self, path: bytes, mode: int, fip: Any) -> int:
        """Make a file and open it."""
        info = fip.contents
        info.fh = self._call("create", text_of(path), mode, info.flags)
        return 0

    def read(self, path: bytes | None, buf: Any, size: int, offset: int, fip: Any) -> int:
        """Fill libfuse's buffer from a file; return how many bytes there were."""
        with buffer_of(buf, size) as where:
            data = self._call("read", optional_text(path), size, offset, fip.contents.fh)
            where[: len(data)] = data
            return len(data)

    def write(self, path: bytes | None, buf: Any, size: int, offset: int, fip: Any) -> Any:
        """Write what libfuse's buffer holds, without a copy of it."""
        info = fip.contents
        with buffer_of(buf, size) as data:
            name = "write_page" if info.writepage else "write"
            return self._call(name, optional_text(path), data, offset, info.fh)

    def getxattr(self, path: bytes, name: bytes, buf: Any, size: int, *position: int) -> int:
        """Put the value of an extended attribute into libfuse's buffer; return its bytes.

        With size 0 that is all that is asked for.
        """
        if name.startswith(NOWHERE):
            return -errno.ENODATA
        data: bytes = self._call("getxattr", text_of(path), text_of(name), *position)
        return _put(data, buf, size)

    def listxattr(self, path: bytes, buf: Any, size: int) -> int:
        """Put the names of a file's extended attributes into libfuse's buffer.

        Return how many bytes they take; with size 0 that is all that is asked for.
        """
        names: list[str] = self._call("listxattr", text_of(path), size)
        data = "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape")
        return _put(data, buf, size)

    def fill_directory(
        self, path: bytes | None, fh: int, stat: Any, fill: Callable[..., int]
    ) -> int:
        """Hand the entries of a directory to `fill(name, stat)` until it has no more room."""
        for name, kind, ino in self._call("readdir", optional_text(path), fh):
            stat.st_mode, stat.st_ino = kind, ino
            if fill(name.encode("utf-8", "surrogateescape"), stat) != 0:
                break
        return 0


def fill_stat(found: Any, attributes: Stat) -> None:
    """Fill a `struct stat`, which both bindings have under the same names."""
    found.st_ino = attributes["st_ino"]
    found.st_mode = attributes["st_mode"]
    found.st_nlink = attributes["st_nlink"]
    found.st_uid = attributes["st_uid"]
    found.st_gid = attributes["st_gid"]
    found.st_size = attributes["st_size"]
    found.st_blocks = attributes["st_blocks"]
    found.st_rdev = attributes["st_rdev"]
    for time, field in (
        (attributes["st_atime"], found.st_atimespec),
        (attributes["st_mtime"], found.st_mtimespec),
        (attributes["st_ctime"], found.st_ctimespec),
    ):
        field.tv_sec, field.tv_nsec = divmod(time, 1_000_000_000)


def _put(data: bytes, buf: Any, size: int) -> int:
    """Fill libfuse's buffer with all of an answer, unless it is asked only how many bytes it is."""
    if size and len(data) > size:
        return -errno.ERANGE
    if size and data:
        ctypes.memmove(buf, data, len(data))
    return len(data)


def text_of(path: bytes) -> str:
    """Return a path of libfuse; bytes that are not UTF-8 get through, and are EILSEQ later."""
    return path.decode("utf-8", "surrogateescape")


def optional_text(path: bytes | None) -> str | None:
    """Return the same; None for a file that has no name any more."""
    return None if path is None else text_of(path)


def open_file(operations: Operations, path: str, flags: int) -> tuple[int, Pages]:
    """Open a file, emptied if `flags` say so; return its handle, and what becomes of its pages.

    The kernel leaves the emptying to us with `atomic_o_trunc` alone.
    """
    fh, pages = operations("open", path, flags)
    if flags & os.O_TRUNC:
        try:
            operations("truncate", path, 0, fh)
        except OSError:
            with contextlib.suppress(OSError):
                operations("release", path, fh)
            raise
    return fh, pages


def buffer_of(pointer: Any, size: int) -> memoryview:
    """Return libfuse's buffer of `size` bytes, to be filled or read until the callback returns.

    It is to be released then: afterwards libfuse uses the memory for something else.
    """
    address = ctypes.addressof(pointer.contents)
    return memoryview(_Largest.from_address(address)).cast("B")[:size]


def stopper(library: Any) -> Callable[[], None]:
    """Return what ends the session of the callback that is being served."""
    session = ctypes.c_void_p(library.fuse_get_context().contents.fuse)
    return lambda: library.fuse_exit(session)
