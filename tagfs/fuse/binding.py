"""What the bindings of libfuse 2 and of libfuse 3 have in common, and what they offer."""

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

Operations = Callable[..., Any]
"""`operations(name, *arguments)`, the callbacks that it has being its attributes."""

DEFAULTS: Mapping[str, Any] = {
    "attr_timeout": 1,  # seconds; nothing can invalidate the kernel's caches, so they stay short
    "entry_timeout": 1,
    "negative_timeout": 1,
    "use_ino": True,  # libfuse's own numbers change with every mount
}
"""Options that both have, as they are unless the user says otherwise."""


_Largest = ctypes.c_char * (16 * 1024 * 1024)
"""One type for buffers of all sizes: making one for each size costs more than a small read."""


class Binding(Protocol):
    """One libfuse, loaded."""

    def version(self) -> str:
        """Return what is loaded, such as "libfuse 2.9"."""

    def context(self) -> tuple[int, int, int]:
        """Return uid, gid and pid of the process whose call is being served."""

    def stop_callback(self) -> Callable[[], None]:
        """Return what makes `run` return soon; to be asked for in a callback, called anywhere."""

    def run(
        self,
        operations: Operations,
        mountpoint: Path,
        options: Mapping[str, Any],
        ready: Callable[[], None],
    ) -> None:
        """Serve until it is unmounted or told to end by a signal.

        Raises:
            RuntimeError: libfuse refused, with its status.
        """


def open_file(operations: Operations, path: str, flags: int) -> tuple[int, bool]:
    """Open a file, emptied if `flags` say so; return its handle, and whether reads are direct.

    The kernel leaves the emptying to us with `atomic_o_trunc` alone.
    """
    fh, direct = operations("open", path, flags)
    if flags & os.O_TRUNC:
        try:
            operations("truncate", path, 0, fh)
        except OSError:
            with contextlib.suppress(OSError):
                operations("release", path, fh)
            raise
    return fh, direct


def buffer_of(pointer: Any, size: int) -> memoryview:
    """Return libfuse's buffer of `size` bytes, to be filled or read until the callback returns.

    It is to be released then: afterwards libfuse uses the memory for something else.
    """
    address = ctypes.addressof(pointer.contents)
    return memoryview(_Largest.from_address(address)).cast("B")[:size]


def read_into(operations: Operations, path: str | None, where: Any, offset: int, fh: int) -> int:
    """Fill `where`, a view of libfuse's buffer, from a file; return how many bytes there were."""
    with where:
        data = operations("read", path, len(where), offset, fh)
        where[: len(data)] = data
        return len(data)


def names_into(operations: Operations, path: str, buffer: Any, size: int) -> int:
    """Put the names of a file's extended attributes into libfuse's buffer of `size` bytes.

    Return how many bytes they take; with size 0 that is all that is asked for.
    """
    names: list[str] = operations("listxattr", path, size)
    text = "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape")
    if size and len(text) > size:
        return -errno.ERANGE
    if size and text:
        ctypes.memmove(buffer, text, len(text))
    return len(text)


def write_from(
    operations: Operations, path: str | None, data: memoryview, offset: int, info: Any
) -> Any:
    """Write what a view of libfuse's buffer holds, without a copy of it."""
    with data:
        name = "write_page" if info.writepage else "write"
        return operations(name, path, data, offset, info.fh)
