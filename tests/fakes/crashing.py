"""A mount with `durability=local` over a bucket in memory, and what `tagfs recover` makes of it."""

import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tagfs.config.settings import BucketUrl, Settings
from tagfs.errors import Unreachable
from tagfs.fs.filesystem import FileSystem
from tagfs.recovery.staging_directory import StagingDirectory
from tagfs.store.objects import NewObject, ObjectInfo, Source
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of
from tests.simulation.recovering import recover

Found = dict[str, tuple[bytes, int, dict[str, str]]]
"""Content, permissions and tags, by key."""


class HeldBucket(MemoryBucket):
    """Has no upload end that nobody waits for.

    Attributes:
        is_away: every upload is refused.
        loses_answers: those that a program waits for are done, and nobody hears of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.is_away = False
        self.loses_answers = False

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        if self.is_away:
            raise Unreachable("no answer")
        if threading.current_thread().name.startswith("tagfs-behind"):
            assert self.open.wait(60)
        made = super().put(key, source, new)
        if self.loses_answers:
            raise Unreachable("no answer")
        return made


@dataclass
class CrashingHost:
    """A mount that can crash.

    Attributes:
        tree: of it; what is closed there waits for its upload until the end.
        said: what `tagfs recover` has said.
    """

    tree: FileSystem
    bucket: HeldBucket
    cache_dir: Path
    said: list[str]

    def crash(self, into: Path) -> Path:
        """Return a copy of the cache directory as a crash would leave it now."""
        shutil.copytree(self.cache_dir, into)
        return into

    def recover(self, crashed: Path) -> Found:
        """Run `tagfs recover`, and return what is on the service then."""
        self.bucket.is_away = self.bucket.loses_answers = False
        recover(crashed, self.bucket, self.said.append)
        return self.found()

    def found(self) -> Found:
        keys = [info.key for info in self.bucket.list("", delimiter="").objects]
        return {key: self._found(key) for key in keys}

    def _found(self, key: str) -> tuple[bytes, int, dict[str, str]]:
        content = self.bucket.get(key)
        assert content.info.detail is not None
        mode = stat.S_IMODE(int(content.info.detail.metadata["mode"]))
        return bytes(content.data), mode, dict(self.bucket.get_tags(key))


@contextmanager
def crashing_host(directory: Path) -> Iterator[CrashingHost]:
    """Mount a bucket with its cache directory in a directory."""
    cache_dir, bucket = directory / "cache", HeldBucket()
    url = BucketUrl(service="oss", bucket="bucket", prefix="")
    staging = StagingDirectory(Settings(url=url, cache_dir=cache_dir), Path("/mnt"))
    with tree_of(bucket, staging.path, FakeClock(), uploads_behind=2) as tree:
        try:
            yield CrashingHost(tree, bucket, cache_dir, [])
        finally:
            bucket.is_away = bucket.loses_answers = False
            bucket.open.set()
    staging.close()
