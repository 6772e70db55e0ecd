"""A catalogue in a temporary folder, with a clock that only a test moves on."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.clock import HostClock
from tagfs.catalogue.place import open_catalogue
from tagfs.store.objects import Detail, ObjectInfo
from tagfs.store.tags import TagSet

NAME = "oss-photos.sqlite"
T0 = 1_800_000_000.0
SIZE = 1024**3


@dataclass
class Time:
    """What a host's clocks say."""

    running: float = 1000.0
    wall: float = T0
    boot: str = field(default_factory=lambda: secrets.token_hex(4))

    def pass_time(self, seconds: float) -> None:
        self.running += seconds
        self.wall += seconds

    def reboot(self, wall: float) -> None:
        self.running, self.wall, self.boot = 10.0, wall, secrets.token_hex(4)

    @property
    def host(self) -> HostClock:
        return HostClock(lambda: self.boot, lambda: self.running, lambda: self.wall)


def opened(directory: Path, time: Time | None = None, size: int = SIZE) -> Catalogue:
    return open_catalogue(directory, NAME, size, (time or Time()).host)


def an_object(
    key: str, etag: str = "A" * 32, modified: float = T0 - 100, **detail: Any
) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size=3,
        etag=etag,
        last_modified_ns=int(modified * 1e9),
        detail=Detail(**detail) if detail else None,
    )


def tags(**pairs: str) -> TagSet:
    return TagSet(pairs)
