"""G4, G5, G12: what objects have besides their content, over a bucket in memory: many steps."""

import logging
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import settings

from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.posix_metadata import RESERVED
from tagfs.fs.mapping.xattr_metadata import parse_xattrs, with_xattrs
from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.examples import STEADY, examples
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of
from tests.filesystem.property_machine import Ground, Kept, PropertyMachine

PART = 50


class InMemory:
    """A `Ground` in memory, which has everything that any service has."""

    archive = "IA"
    annotations = True

    def __init__(self) -> None:
        logging.disable(logging.CRITICAL)
        self._directory = tempfile.TemporaryDirectory()
        self._pool = ThreadPoolExecutor(2)
        self._bucket = MemoryBucket(
            limits=Limits(min_part=PART, max_part=8 * PART),
            capabilities=Capabilities(annotations=True),
        )
        directory = Path(self._directory.name)
        self.fs = FileSystem(
            environment_of(self._bucket, directory, self._pool, part_size=PART), dict
        )

    def put(self, key: str, kept: Kept) -> None:
        stored = {"mode": str(stat.S_IFREG | kept.mode), **kept.metadata}
        new = NewObject(
            tags=TagSet(kept.tags),
            metadata=with_xattrs(stored, kept.xattrs),
            headers=kept.headers,
            acl={"acl": kept.acl} if kept.acl else {},
        )
        self._bucket.put(key, BytesSource(kept.data), new)
        self._bucket._shelf.annotations[key] = dict(kept.notes)

    def tag(self, key: str, tags: dict[str, str]) -> None:
        self._bucket.put_tags(key, TagSet(tags))

    def delete(self, key: str) -> None:
        self._bucket.delete(key)

    def stored(self) -> dict[str, Kept]:
        keys = [key for key in self._bucket._below("") if not key.endswith("/")]
        return {key: self._stored(key) for key in keys}

    def _stored(self, key: str) -> Kept:
        found = self._bucket._shelf.get(key)
        metadata = dict(found.detail.metadata)
        return Kept(
            found.data,
            dict(self._bucket.get_tags(key)),
            {name: text for name, text in metadata.items() if name not in RESERVED},
            parse_xattrs(metadata),
            dict(found.detail.headers),
            stat.S_IMODE(int(metadata["mode"])),
            self._bucket._shelf.acls.get(key, {}).get("acl", ""),
            self._bucket._shelf.annotations.get(key, {}),
        )

    def close(self) -> None:
        self.fs.close()
        self._pool.shutdown()
        logging.disable(logging.NOTSET)
        self._directory.cleanup()


class Machine(PropertyMachine):
    def ground(self) -> Ground:
        return InMemory()


Machine.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=25, deadline=None, derandomize=STEADY
)
TestMachine = Machine.TestCase
