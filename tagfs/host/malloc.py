"""How the C library keeps freed memory, which decides how much a mount seems to use."""

import contextlib
import ctypes

_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3
_FEW = 2
_LARGE = 1024 * 1024
"""Bytes from which a buffer is a mapping of its own, given back as soon as it is freed."""


def keep_little() -> None:
    """Let all threads share two heaps, and large buffers go back to the system (mallopt(3)).

    By default glibc makes up to eight heaps for each core, each of which keeps what its threads
    freed. To be called before there are threads; does nothing with other C libraries.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, _FEW)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
