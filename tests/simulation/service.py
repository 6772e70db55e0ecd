"""The bucket as one host sees it: requests take time, are refused, and lose their answers."""

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tagfs.errors import Throttled, Unreachable
from tagfs.store.key_locks import KeyLocks
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.simulation.scheduler import Simulation

SLOW = 5.0
"""Seconds that a slow request takes at most: longer than anything waits for."""

SLOWEST = 15.0
"""The same of the kind that is the slowest: others overtake it, however often they are slow."""


@dataclass
class Weather:
    """How the service is, on one host.

    Attributes:
        faults: how likely a request fails.
        slow: how likely it is slow.
        slowest: the kind of request that is slow more often than not.
        struck: requests that failed.
        unanswered: keys of large files whose completion was done, and nobody heard of it.
        effect: called before and after a request has its effect; may end the host.
    """

    chance: random.Random
    faults: float = 0.0
    slow: float = 0.1
    slowest: str = ""
    struck: int = 0
    unanswered: set[str] = field(default_factory=set)
    effect: Callable[[], None] = lambda: None


def travel(operation: str, sim: Simulation, weather: Weather) -> None:
    """Let a request, or its answer, take its time."""
    if operation == weather.slowest and weather.chance.random() < 0.6:
        sim.sleep(weather.chance.random() * SLOWEST)
    elif weather.chance.random() < weather.slow:
        sim.sleep(weather.chance.random() * SLOW)
    else:
        sim.sleep(weather.chance.random() * 0.02)
    weather.effect()


def view_of(bucket: MemoryBucket, sim: Simulation, weather: Weather) -> MemoryBucket:
    """Return a client's own view of a bucket: it shares the objects, and no lock of a client."""
    view = copy.copy(bucket)
    view._edits = KeyLocks()

    def before(operation: str, key: str) -> None:
        if operation == "delete_many_key":
            return
        travel(operation, sim, weather)
        if weather.chance.random() < weather.faults / 2:
            weather.struck += 1
            sim.note(f"  {operation} {key}: refused")
            raise weather.chance.choice((Unreachable, Throttled))("injected")
        sim.note(f"  {operation} {key}")

    def after(operation: str, key: str) -> None:
        if operation == "delete_many_key":
            return
        travel(operation, sim, weather)
        if weather.chance.random() < weather.faults / 2:
            weather.struck += 1
            sim.note(f"  {operation} {key}: answer lost")
            if operation == "complete_upload":
                weather.unanswered.add(f"/{key}")
            raise Unreachable("injected: answer lost")

    view.before, view.after = before, after
    return view
