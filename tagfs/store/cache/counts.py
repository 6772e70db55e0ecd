"""How a cache fares."""

from dataclasses import dataclass


@dataclass(slots=True)
class CacheCounts:
    """Answers from memory, from the service, and from another call's request; under the lock."""

    hits: int = 0
    misses: int = 0
    coalesced: int = 0
