"""Looks at other processes by threads that may wait for them, for callbacks that may not.

No callback may wait for /proc of its caller. A descriptor that is close-on-exec is closed within
execve(2), whose task then holds its exec_update_lock until FUSE's FLUSH is answered; and reading
/proc/PID/fd, fdinfo, syscall, stat or cmdline of a task takes that same lock. A callback that
waited for it would never answer: neither the program nor tagfs nor any `ps` of the host would go
on. So a thread of its own looks, and the callback waits for milliseconds, or as long as that
thread does not wait for the kernel. No answer is an answer as well, "unknown", and the caller has a
safe way to go on without knowing. The thread ends its look by itself as soon as the call is
answered.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 0.05
"""Seconds after which a look that waits for the kernel is given up; one takes 0.1 ms."""

LONGEST = 2.0
"""Seconds after which any is given up: on a busy host a thread may get no processor for a while,
which is no reason not to know."""

PAUSE = 0.002
"""Seconds between two attempts to get a thread."""

LOOKERS = 4
"""Threads that look, and so callers within execve(2) that may hold one each. While they do, no
other look is made: unknown."""


class Lookers:
    """A few threads that do what may take for ever, for those who cannot wait. Thread-safe.

    They are daemons: the process may end while one of them waits for the kernel.
    """

    def __init__(
        self, threads: int = LOOKERS, patience: float = PATIENCE, longest: float = LONGEST
    ) -> None:
        self._threads = threads
        self._patience = patience
        self._longest = longest
        self._lock = threading.Lock()
        self._started = 0
        self._busy = 0
        self._looks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def ask(self, look: Callable[[], T]) -> T | None:
        """Return what `look` does; None if it fails, takes too long, or no thread is free."""
        if not self._reserve():
            return None
        answers, _stalls = self._look(look)
        return answers[0] if answers else None

    def stalls(self, look: Callable[[], object]) -> bool:
        """Say whether `look` waits for the kernel; False if that is not known.

        Where all threads wait it is put off: whom they wait for is answered in a moment.
        """
        end = time.monotonic() + self._longest
        while not self._reserve():
            if time.monotonic() >= end:
                return False
            time.sleep(PAUSE)
        _answers, stalls = self._look(look)
        return stalls

    def _look(self, look: Callable[[], T]) -> tuple[list[T], bool]:
        """Return what `look` does, if anything, and whether it waits for the kernel instead."""
        answers: list[T] = []
        looker: list[int] = []
        is_given_up = False
        under_way = threading.Lock()  # an Event would cost as much as the look
        under_way.acquire()

        def run() -> None:
            looker.append(threading.get_native_id())
            if not is_given_up:
                with contextlib.suppress(Exception):  # an unreadable /proc tells nothing
                    answers.append(look())
            with self._lock:
                self._busy -= 1
            under_way.release()

        self._looks.put(run)
        end = time.monotonic() + self._longest
        while not under_way.acquire(timeout=self._patience):
            stalls = bool(looker) and _waits_for_the_kernel(looker[0])
            if stalls or time.monotonic() >= end:
                is_given_up = True
                return [], stalls
        return answers, False

    def _reserve(self) -> bool:
        """Make sure that a thread is there for one look more."""
        with self._lock:
            if self._busy == self._threads:
                return False
            if self._started == self._busy:
                try:
                    threading.Thread(target=self._serve, name="tagfs-looker", daemon=True).start()
                except RuntimeError:  # the host gives no thread
                    return False
                self._started += 1
            self._busy += 1
            return True

    def _serve(self) -> None:
        while True:
            self._looks.get()()


def _waits_for_the_kernel(thread: int) -> bool:
    """Say whether a thread of this process waits uninterruptibly, as for another one's lock.

    Its state is behind a lock of this process, which nobody holds: it never calls execve(2).
    """
    try:
        stat = Path(f"/proc/self/task/{thread}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "D"
