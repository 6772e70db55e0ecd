"""What the bindings of libfuse 2 and of libfuse 3 have in common, and what they offer."""

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

Operations = Callable[..., Any]
"""`operations(name, *arguments)`, the callbacks that it has being its attributes."""

TIMEOUTS: Mapping[str, Any] = {
    "attr_timeout": 1,  # seconds; nothing can invalidate the kernel's caches, so they stay short
    "entry_timeout": 1,
    "negative_timeout": 1,
}


class Binding(Protocol):
    """One libfuse, loaded."""

    def version(self) -> str:
        """Return what is loaded, such as "libfuse 2.9"."""

    def context(self) -> tuple[int, int, int]:
        """Return uid, gid and pid of the process whose call is being served."""

    def leaver(self) -> Callable[[], None]:
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
