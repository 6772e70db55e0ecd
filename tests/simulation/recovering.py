"""`tagfs recover` within a simulation: the same code, over the simulated disk and service."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagfs.fs.mapping.paths import Root
from tagfs.recovery.abandoned import AbandonedDirectory
from tagfs.recovery.output import Output
from tagfs.recovery.recover import finish
from tagfs.recovery.run import OpenBucket, RecoveryRun, open_content
from tests.fakes.memory_bucket.bucket import MemoryBucket


class Lines(Output):
    """Has what recovery says noted."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def say(self, line: str) -> None:
        self._note(f"  recover: {line}")

    def complain(self, line: str) -> None:
        self._note(f"  recover: {line}")

    def expect(self, size: int) -> None:
        pass

    def advance(self, size: int) -> None:
        pass


class Run(RecoveryRun):
    """A run whose bucket is the simulated one."""

    def __init__(self, cache_dir: Path, bucket: MemoryBucket | None, output: Output) -> None:
        super().__init__(cache_dir, {}, output)
        self._bucket: Any = bucket

    @contextmanager
    def opened(self, directory: AbandonedDirectory) -> Iterator[OpenBucket | None]:
        if directory.record is None:
            self.problem(f"{directory.path}: {directory.trouble}")
            yield None
        else:
            yield OpenBucket(self._bucket, Root())


def recover(cache_dir: Path, bucket: MemoryBucket, note: Callable[[str], None]) -> None:
    """Do what `tagfs recover` does with what was left on a disk."""
    finish(Run(cache_dir, bucket, Lines(note)), force=False)


@dataclass
class Offered:
    """A staged file that is left on the disk: `tagfs recover --export` copies it out.

    Attributes:
        data: None if some of it is only in the version that it was made from.
    """

    path: str
    data: bytes | None
    tags: dict[str, str] | None


def left_behind(cache_dir: Path) -> list[Offered]:
    """Return what a user can still have out of a cache directory."""
    sweep = Run(cache_dir, None, Lines(lambda _line: None))
    found = []
    for directory, contents in sweep.directories():
        for staged in contents.files:
            if staged.entry is None or staged.settled:
                continue
            with open_content(directory, staged) as saved:
                assert saved is not None
                data = saved.source().read(0, saved.entry.size) if saved.is_complete else None
                found.append(Offered(f"/{saved.key}", data, saved.entry.tags))
    return found
