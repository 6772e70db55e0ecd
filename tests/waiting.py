"""Waiting for what comes by itself, soon after a call has returned; and for nothing else.

The kernel reports to a mount that a file is closed for good (RELEASE) after close(2) has returned,
and that it has forgotten one (FORGET) whenever it likes: whoever asks a mount right after a call
asks too early. So does whoever asks of a thread or a process that was only asked to do something.

How long a thing takes says how busy a machine is. That something is not waited for is shown by a
wait that would be far longer than any machine needs: see `soon`.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from sys import _current_frames
from typing import Any

SOON = 20
"""Seconds in which a very busy machine does what takes an idle one a moment."""

FAR = 3 * SOON
"""Seconds that nothing waits for: delays and timeouts that are shown not to count."""


def wait_for(condition: Callable[[], Any], seconds: float = FAR, pause: float = 0.02) -> None:
    """Return when a condition holds; fail when it does not within `seconds`.

    It is asked often at first, and then every `pause` seconds.
    """
    end = time.monotonic() + seconds
    soon = 0.001
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(min(soon, pause))
        soon *= 1.5


def until_blocked(thread: threading.Thread) -> bool:
    """Return when a thread waits for something, or has ended: whether it waits.

    It waits if it stays where it is, and asleep, for some looks one after the other. On a busy
    machine a thread that is merely late may look so too: what a test says of it must hold then.
    """
    seen, looks = None, 0
    while thread.is_alive() and looks < BLOCKED_LOOKS:
        now = _whereabouts(thread)
        looks = looks + 1 if now is not None and now == seen else 0
        seen = now
        time.sleep(0.003)
    return thread.is_alive()


BLOCKED_LOOKS = 4


def _whereabouts(thread: threading.Thread) -> tuple[int, int] | None:
    """Say which instruction a thread sleeps in; None if it does not."""
    frame = _current_frames().get(thread.ident or 0)
    try:
        status = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
    except OSError:
        return None
    if frame is None or status.rpartition(")")[2].split()[0] != "S":
        return None
    return id(frame), frame.f_lasti


@contextlib.contextmanager
def soon(at_least: float = 0.0) -> Iterator[None]:
    """Fail when what is done inside waits for something: when it takes longer than `SOON`.

    What it must not wait for is to last much longer (`FAR`), or the test can only fail on a busy
    machine. `at_least` says how many seconds it does wait.
    """
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert at_least <= took < SOON + at_least, f"{took:.1f} s"


def moment() -> None:
    """Let some time pass in which what must not come would come; too little fails no test."""
    time.sleep(0.1)


def until_stale() -> None:
    """Wait until what a mount was answered counts no longer as having asked (D1).

    That is a second old then, by the clock of a process that is not ours. What the kernel keeps of
    it is as old; where that alone is in the way, `Mounted.forget_in_kernel` is quicker.
    """
    time.sleep(1.1)


def until_the_kernel_asks() -> None:
    """Wait until the kernel asks for a name again that any FUSE file system gave it."""
    time.sleep(1.05)


def until_listings_prove() -> None:
    """Wait until whatever changes now shows in a listing.

    Times there are whole seconds, and the service's own time is known by the second.
    """
    time.sleep(3.2)


def next_second() -> None:
    """Wait for the next whole second: what is made then has another Last-Modified."""
    time.sleep(1.01 - time.time() % 1)
