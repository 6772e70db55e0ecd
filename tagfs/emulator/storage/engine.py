"""The whole store: opens a data directory and joins its parts."""

from collections.abc import Sequence
from pathlib import Path

from tagfs.emulator.storage.annotations import Annotations
from tagfs.emulator.storage.blobs import BlobDirectory, Incoming, Staged, stage_bytes
from tagfs.emulator.storage.buckets import Buckets
from tagfs.emulator.storage.contents import Contents
from tagfs.emulator.storage.database import Database
from tagfs.emulator.storage.listing import Page, Query, list_page
from tagfs.emulator.storage.objects import Objects
from tagfs.emulator.storage.records import Scan
from tagfs.emulator.storage.uploads import Uploads


class Storage:
    """Buckets, objects, contents and uploads of one data directory.

    Attributes:
        indexes: of the buckets that have one (MetaQuery): by their ids.

    Not safe for several processes or threads at once; one event loop owns it.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.database = Database(directory / "emulator.sqlite3")
        self._blobs = BlobDirectory(directory)
        self.contents = Contents(self.database, self._blobs)
        self._blobs.sweep(self.contents.names())
        self.buckets = Buckets(self.database)
        self.objects = Objects(self.database, self.contents)
        self.annotations = Annotations(self.database)
        self.indexes: dict[int, Scan] = {}
        self.uploads = Uploads(self.database, self.contents, self.objects)

    def receive(self) -> Incoming:
        """Begin to take in a content of unknown size."""
        return self._blobs.receive()

    def stage(self, data: bytes) -> Staged:
        """Stage a small content."""
        return stage_bytes(data)

    def list(self, bucket: int, query: Query) -> Page:
        """Return one page of a bucket's keys."""
        return list_page(self.database, bucket, query)

    def ensure_buckets(self, names: Sequence[str], now_ms: int) -> None:
        """Make the buckets that are not there yet."""
        for name in names:
            if self.buckets.get(name) is None:
                self.buckets.create(name, now_ms)

    def close(self) -> None:
        """Let go of the data directory."""
        self.database.close()
