"""The time that a catalogue goes by: it is kept on disk; steps of the host's clock mean nothing.

While a host is up, time is that since it was booted, which nobody sets; the first process of a
boot writes down what the calendar said of it. After a boot that was given an earlier date, what was
learnt before is in the future, and too old to be believed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class HostClock:
    """What a host tells of the time; tests have their own.

    Attributes:
        boot: the name of this boot, "" where nothing tells.
        running: seconds since it, suspension included.
        wall: seconds since the epoch.
    """

    boot: Callable[[], str]
    running: Callable[[], float]
    wall: Callable[[], float]


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


HOST: Final = HostClock(_boot, lambda: time.clock_gettime(time.CLOCK_BOOTTIME), time.time)


@dataclass(frozen=True, slots=True)
class CatalogueClock:
    """Milliseconds since the epoch, as the calendar had it when this boot first was seen."""

    host: HostClock
    offset: float

    @property
    def booted(self) -> int:
        """When the host was booted: of what is older, the age is only what the calendar says."""
        return int(self.offset * 1000)

    def now(self) -> int:
        """Return the time."""
        return int((self.host.running() + self.offset) * 1000)

    def age(self, at: int) -> float:
        """Return how many seconds ago something was; infinite for what is in the future."""
        passed = (self.now() - at) / 1000
        return passed if passed >= 0 else float("inf")
