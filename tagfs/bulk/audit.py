"""The audit file: JSON lines of old and new tag sets, on the disk around every change.

Before a change is sent, a line says what it will be; after it, a line with the same `id` says how
it ended. A line of the first kind alone means that the change may or may not have been made.
"""

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from tagfs.bulk.opened_buckets import OpenedBucket
from tagfs.config.settings import BucketUrl, parse_url
from tagfs.errors import SettingsError
from tagfs.localfiles.append_log import DurableLines
from tagfs.store.tags import TagSet


@dataclass(frozen=True, slots=True)
class Record:
    """One change that was begun."""

    url: BucketUrl
    key: str
    old: TagSet
    new: TagSet
    fields: Mapping[str, str | None]


class Audit(AbstractContextManager["Audit"]):
    """Writes the audit file. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._lines = DurableLines(path)
        self._run = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._count = 0

    def __exit__(self, *_: object) -> None:
        self._lines.close()

    def begin(self, place: OpenedBucket, key: str, old: TagSet, new: TagSet) -> str:
        """Write down a change that is about to be made; return its id.

        Raises:
            SettingsError: it cannot be written, so the change must not be made.
        """
        with self._lock:
            self._count += 1
            name = f"{self._run}-{self._count}"
        self._write(
            {"id": name, **place.describe(), "key": key, "old": dict(old), "new": dict(new)}
        )
        return name

    def end(self, name: str, failure: Exception | None) -> None:
        """Write down how a change ended."""
        result: dict[str, Any] = {"id": name, "result": "failed" if failure else "done"}
        if failure is not None:
            result["reason"] = str(failure)
        self._write(result)

    def _write(self, line: dict[str, Any]) -> None:
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        self._lines.append(json.dumps({"time": now, **line}).encode())


def read_chains(path: Path) -> Iterator[list[Record]]:
    """Yield, object by object, the changes that an audit file tells of, the first one first.

    Torn lines are passed over. Memory holds a number for each change, whatever its size.

    Raises:
        SettingsError: there is no such file.
    """
    try:
        with path.open("rb") as file:
            places = sorted(_index(file))
            if not places and file.tell():
                raise SettingsError(
                    f"{path} records no change: name a file that --audit has written"
                )
            chain: list[Record] = []
            for place in places:
                file.seek(place & _OFFSET)
                record = _read(file.readline())
                if record is None:
                    continue
                if chain and (record.url, record.key) != (chain[0].url, chain[0].key):
                    yield chain
                    chain = []
                chain.append(record)
            if chain:
                yield chain
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None


_OFFSET_BITS: Final = 48
_OFFSET: Final = 2**_OFFSET_BITS - 1


def _index(file: IO[bytes]) -> Iterator[int]:
    """Yield numbers that sort by object, and for one object by place in the file."""
    offset = 0
    for line in file:
        record = _read(line)
        if record is not None:
            name = f"{record.url}/{record.key}".encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(name, digest_size=10).digest()
            yield (int.from_bytes(digest, "big") << _OFFSET_BITS) | offset
        offset += len(line)


def _read(line: bytes) -> Record | None:
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict) or "old" not in fields:
            return None
        key, old, new = fields["key"], fields["old"], fields["new"]
        if not all(isinstance(text, str) for text in (key, *old, *old.values(), *new.values())):
            return None
        return Record(parse_url(fields["url"]), key, TagSet(old), TagSet(new), fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SettingsError):
        return None
