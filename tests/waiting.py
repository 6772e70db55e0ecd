"""Waiting for what comes by itself, soon after a call has returned.

The kernel tells a mount that a file is closed for good (RELEASE) after close(2) has returned, and
that it has forgotten one (FORGET) whenever it likes: whoever asks a mount right after a call asks
too early. So does whoever asks of a thread or a process that was only told to do something.
"""

import time
from collections.abc import Callable
from typing import Any


def wait_for(condition: Callable[[], Any], seconds: float = 15.0, pause: float = 0.02) -> None:
    """Return when a condition holds; fail when it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)
