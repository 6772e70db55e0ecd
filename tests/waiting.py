"""Waiting for what comes by itself, soon after a call has returned; and for nothing else.

The kernel tells a mount that a file is closed for good (RELEASE) after close(2) has returned, and
that it has forgotten one (FORGET) whenever it likes: whoever asks a mount right after a call asks
too early. So does whoever asks of a thread or a process that was only told to do something.

How long a thing takes says how busy a machine is. That something is not waited for is shown by a
wait that would be far longer than any machine needs: see `soon`.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

SOON = 20
"""Seconds in which a very busy machine does what takes an idle one a moment."""

FAR = 3 * SOON
"""Seconds that nothing waits for: delays and timeouts that are shown not to count."""


def wait_for(condition: Callable[[], Any], seconds: float = FAR, pause: float = 0.02) -> None:
    """Return when a condition holds; fail when it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)


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
