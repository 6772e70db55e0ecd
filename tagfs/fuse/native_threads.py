"""libfuse's threads as Python sees them: each is one thread, as long as it lives.

To Python a thread that it did not start is new with each callback. It makes the state of a thread,
with a stack and all that is local to it, and frees that when the callback returns: as much work as
a short callback. So the state is kept until the thread ends, which the C library says.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import Any

_LOCKED = 0
"""What PyGILState_Release(3) is given by who held the interpreter's lock before as well."""


class _ThisThread(threading.local):
    is_known = False


_this = _ThisThread()
_on_exit = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _forget(_nothing: Any) -> None:
    """Let the state go: with this last callback, when it returns."""
    ctypes.pythonapi.PyGILState_Release(_LOCKED)


_forgetting = _on_exit(_forget)


def _at_thread_exit() -> Callable[[], None] | None:
    """Return what has `_forget` called when the calling thread ends; None where nothing does.

    glibc calls this before it lets go of what is local to a thread in C, by which Python knows it.
    """
    try:
        add = ctypes.CDLL(None)["__cxa_thread_atexit_impl"]
    except (OSError, AttributeError):
        return None
    # It wants to know which library that goes with: any that stays, such as its own.
    own = ctypes.cast(add, ctypes.c_void_p)
    return lambda: add(_forgetting, None, own)


_add = _at_thread_exit()


def keep_thread() -> None:
    """Keep what Python knows of the calling thread, in a callback; Python's own need nothing."""
    if _this.is_known:
        return
    _this.is_known = True
    if _add is not None and not _is_pythons():
        ctypes.pythonapi.PyGILState_Ensure()
        _add()


def _is_pythons() -> bool:
    """Say whether Python started the calling thread, and so ends it."""
    here = threading.get_ident()
    started = (t for t in threading.enumerate() if not isinstance(t, threading._DummyThread))  # noqa: SLF001
    return any(thread.ident == here for thread in started)
