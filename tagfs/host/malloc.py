"""How the C library keeps freed memory, which decides how much a mount seems to use.

A buffer that is a mapping of its own is given back as soon as it is freed, and so the kernel has to
find and clear each of its pages anew: 40 % of what reading a large file costs. So buffers of the
size of a range come from the heap, and are given back when nobody has used any for a moment.
"""

import contextlib
import ctypes
import threading
from typing import Final

_M_TRIM_THRESHOLD = -1
_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3
_FEW = 2
_LARGE = 16 * 1024 * 1024
"""Bytes from which a buffer is a mapping of its own: more than a range, or a part, has."""

_KEPT = 64 * 1024 * 1024
"""Free bytes at the end of a heap that stay there: what one reader has in flight, and more."""

SOON: Final = 1.0
"""Seconds after which freed memory is given back."""


def keep_little() -> None:
    """Let all threads share two heaps, which keep what readers need again and again (mallopt(3)).

    By default glibc makes up to eight heaps for each core, each of which keeps what its threads
    freed. To be called before there are threads; does nothing with other C libraries.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, _FEW)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT)


def trim_soon() -> None:
    """Give free memory back to the system in a moment (malloc_trim(3))."""
    timer = threading.Timer(SOON, _trim)
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # the host gives no thread
        timer.start()


def _trim() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
