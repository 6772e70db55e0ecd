"""Ending a running file system from another thread than libfuse's."""

import contextlib
import signal
import threading
from collections.abc import Callable

_WAKE = signal.SIGURG
"""A signal that nobody else uses and that ends no process."""
_PAUSE = 0.1  # seconds


class LoopStopper:
    """Ends libfuse's loop: what is being answered is answered first, then it is unmounted.

    libfuse's own handlers of signals do the same, but they tell nobody and cannot be asked. Must be
    made in the main thread, in which libfuse is to run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exit: Callable[[], None] | None = None
        self._asked = False
        self._over = threading.Event()
        signal.signal(_WAKE, lambda *_: None)

    def __call__(self) -> None:
        """Ask for the end; return when libfuse has left its loop."""
        with self._lock:
            self._asked = True
            if self._exit is not None:
                self._exit()
        while not self._over.wait(_PAUSE):
            # libfuse waits in the main thread, and looks only when a signal disturbs it.
            with contextlib.suppress(ProcessLookupError):
                signal.pthread_kill(threading.main_thread().ident or 0, _WAKE)

    def begun(self, leave: Callable[[], None]) -> None:
        """Note that libfuse serves, and what makes it leave its loop."""
        with self._lock:
            self._exit = leave
            if self._asked:
                leave()

    def is_over(self) -> None:
        """Note that libfuse serves no more: `leave` must not be called again."""
        with self._lock:
            self._exit = None
        self._over.set()
