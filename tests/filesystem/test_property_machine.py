"""G4, G5, G12: what an object has besides its content, through all that programs and others do.

The model is what another client would see of each key: content, tags, user metadata, other
extended attributes, headers and permission bits. Names are few, so that files replace one another.
"""

import logging
import os
import stat
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tagfs.errors import NoSuchTag
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.posix_metadata import RESERVED
from tagfs.fs.mapping.xattr_metadata import parse_xattrs, with_xattrs
from tagfs.store.bucket import Limits
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.examples import examples
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of

PATHS = ("/f", "/g", "/d/f")
PART = 50

paths = st.sampled_from(PATHS)
words = st.sampled_from(("", "1", "é 2"))
few = st.dictionaries(st.sampled_from(("a", "b")), words, max_size=2)
contents = st.sampled_from((b"", b"x", b"y" * 60, b"z" * 170))


@dataclass
class Kept:
    """One object as another client sees it."""

    data: bytes = b""
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    xattrs: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    mode: int = 0o644

    def over(self, left: "Kept") -> "Kept":
        """Return this file renamed over another: each set it has not is the other's."""
        return Kept(
            self.data,
            self.tags or left.tags,
            self.metadata or left.metadata,
            self.xattrs or left.xattrs,
            {**left.headers, **self.headers},
            self.mode,
        )


class Machine(RuleBasedStateMachine):
    """A tree over a bucket in memory, whose other clients are the rules named `other_...`."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.directory = tempfile.TemporaryDirectory()
        self.pool = ThreadPoolExecutor(2)
        self.bucket = MemoryBucket(limits=Limits(min_part=PART, max_part=8 * PART))
        env = environment_of(self.bucket, Path(self.directory.name), self.pool, part_size=PART)
        self.fs = FileSystem(env, dict)
        self.objects: dict[str, Kept] = {}

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self.fs.close()
            self.pool.shutdown()
            logging.disable(logging.NOTSET)
            self.directory.cleanup()

    @initialize()
    def begin(self) -> None:
        self.fs.mkdir("/d", 0o755)

    def there(self, number: int) -> str:
        return sorted(self.objects)[number % len(self.objects)]

    # Other clients

    @rule(path=paths, data=contents, tags=few, metadata=few, xattrs=few, typed=st.booleans())
    def other_puts(
        self,
        path: str,
        data: bytes,
        tags: dict[str, str],
        metadata: dict[str, str],
        xattrs: dict[str, str],
        typed: bool,  # noqa: FBT001
    ) -> None:
        kept = Kept(data, dict(tags), dict(metadata), mode=0o600)
        kept.xattrs = {f"user.{name}": text.encode() for name, text in xattrs.items()}
        kept.headers = {"content-type": "text/x"} if typed else {"cache-control": "no-cache"}
        stored = {"mode": str(stat.S_IFREG | 0o600), **metadata}
        new = NewObject(
            tags=TagSet(tags), metadata=with_xattrs(stored, kept.xattrs), headers=kept.headers
        )
        self.bucket.put(path[1:], BytesSource(data), new)
        self.objects[path] = kept

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), tags=few)
    def other_tags(self, number: int, tags: dict[str, str]) -> None:
        path = self.there(number)
        self.bucket.put_tags(path[1:], TagSet(tags))
        self.objects[path].tags = dict(tags)

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2))
    def other_deletes(self, number: int) -> None:
        path = self.there(number)
        self.bucket.delete(path[1:])
        del self.objects[path]

    # Content

    @rule(path=paths, data=contents, tags=few, xattrs=few)
    def write(self, path: str, data: bytes, tags: dict[str, str], xattrs: dict[str, str]) -> None:
        """`cmd > file`, and what is set while it is open."""
        if path in self.objects:
            fh, _ = self.fs.open(path, os.O_WRONLY)  # the kernel truncates by a call of its own
            self.fs.truncate(None, 0, fh)
        else:
            fh = self.fs.create(path, 0o644, os.O_WRONLY)
        kept = self.objects.setdefault(path, Kept())
        kept.data = data
        self._end(fh, path, data, lambda: self._set(path, kept, tags, xattrs))

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), at=st.sampled_from((0, 1, 59, 200)), data=contents)
    def change_a_part(self, number: int, at: int, data: bytes) -> None:
        path = self.there(number)
        fh, _ = self.fs.open(path, os.O_RDWR)
        old = self.objects[path].data
        if data:  # the kernel passes no write of nothing on
            padded = old.ljust(at, b"\0")
            self.objects[path].data = padded[:at] + data + padded[at + len(data) :]
            self.fs.write(fh, at, data)
        self.fs.flush(fh)
        self.fs.release(fh)

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), size=st.sampled_from((0, 1, 60, 200)))
    def truncate(self, number: int, size: int) -> None:
        path = self.there(number)
        self.fs.truncate(path, size)
        self.objects[path].data = self.objects[path].data[:size].ljust(size, b"\0")

    def _end(self, fh: int, path: str, data: bytes, between: Callable[[], None]) -> None:
        half = len(data) // 2
        if half:
            self.fs.write(fh, 0, data[:half])
        between()
        if data:
            self.fs.write(fh, half, data[half:])
        self.fs.flush(fh)
        self.fs.release(fh)
        assert bytes(self._read(path)) == data

    def _read(self, path: str) -> bytes:
        fh, _ = self.fs.open(path, os.O_RDONLY)
        try:
            return bytes(self.fs.read(fh, 0, 1000))
        finally:
            self.fs.release(fh)

    # Properties

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), tags=few, xattrs=few)
    def set_properties(self, number: int, tags: dict[str, str], xattrs: dict[str, str]) -> None:
        path = self.there(number)
        self._set(path, self.objects[path], tags, xattrs)

    def _set(self, path: str, kept: Kept, tags: dict[str, str], xattrs: dict[str, str]) -> None:
        for key, text in tags.items():
            self.fs.setxattr(path, f"user.tag.{key}", text.encode(), 0)
            kept.tags[key] = text
        for name, text in xattrs.items():
            self.fs.setxattr(path, f"user.{name}", text.encode(), 0)
            kept.xattrs[f"user.{name}"] = text.encode()
            if name == "b":
                self.fs.setxattr(path, "user.meta.b", b"m", 0)
                kept.metadata["b"] = "m"

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), kind=st.sampled_from(("tag.a", "meta.a", "a")))
    def remove_one(self, number: int, kind: str) -> None:
        path = self.there(number)
        kept = self.objects[path]
        places: dict[str, Any] = {"tag.a": kept.tags, "meta.a": kept.metadata, "a": kept.xattrs}
        place = places[kind]
        name = "user.a" if kind == "a" else "a"
        try:
            self.fs.removexattr(path, f"user.{kind}")
        except NoSuchTag:
            assert name not in place
        else:
            del place[name]

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), mode=st.sampled_from((0o600, 0o640)))
    def chmod(self, number: int, mode: int) -> None:
        path = self.there(number)
        self.fs.chmod(path, stat.S_IFREG | mode)
        self.objects[path].mode = mode

    # Names

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), new=paths)
    def rename(self, number: int, new: str) -> None:
        old = self.there(number)
        self.fs.rename(old, new)
        if old == new:
            return
        moved, replaced = self.objects.pop(old), self.objects.get(new)
        self.objects[new] = moved if replaced is None else moved.over(replaced)

    @rule(path=paths, data=contents, tags=few, temporary=st.sampled_from(("/.f.Ab12Cd", "/t")))
    def save(self, path: str, data: bytes, tags: dict[str, str], temporary: str) -> None:
        """Write a new file and rename it over another: editors, rsync."""
        fh = self.fs.create(temporary, 0o644, os.O_WRONLY | os.O_EXCL)
        made = Kept(data)
        self._end(fh, temporary, data, lambda: self._set(temporary, made, tags, {}))
        self.fs.chmod(temporary, stat.S_IFREG | 0o640)
        self.fs.rename(temporary, path)
        made.mode = 0o640
        replaced = self.objects.get(path)
        self.objects[path] = made if replaced is None else made.over(replaced)

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), data=contents)
    def save_with_backup(self, number: int, data: bytes) -> None:
        """Rename the old file away, and write a new one in its place: vim, emacs."""
        path = self.there(number)
        self.fs.rename(path, path + "~")
        fh = self.fs.create(path, 0o644, os.O_WRONLY)
        self._end(fh, path, data, lambda: None)
        kept = deepcopy(self.objects[path])
        kept.data, kept.mode = data, 0o644
        self.objects[path] = kept
        self.fs.unlink(path + "~")

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2))
    def unlink(self, number: int) -> None:
        path = self.there(number)
        self.fs.unlink(path)
        del self.objects[path]

    @rule()
    def rename_the_directory(self) -> None:
        self.fs.rename("/d", "/e")
        self.fs.rename("/e", "/d")

    # What always holds

    @invariant()
    def check(self) -> None:
        keys = [key for key in self.bucket._below("") if not key.endswith("/")]
        assert {f"/{key}": self._stored(key) for key in keys} == self.objects
        for path, kept in self.objects.items():
            names = {f"user.tag.{key}" for key in kept.tags} | set(kept.xattrs)
            names |= {f"user.meta.{key}" for key in kept.metadata}
            assert set(self.fs.listxattr(path)) == names

    def _stored(self, key: str) -> Kept:
        found = self.bucket._shelf.get(key)
        metadata = dict(found.detail.metadata)
        return Kept(
            found.data,
            dict(self.bucket.get_tags(key)),
            {name: text for name, text in metadata.items() if name not in RESERVED},
            parse_xattrs(metadata),
            dict(found.detail.headers),
            stat.S_IMODE(int(metadata["mode"])),
        )


Machine.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=25, deadline=None
)
TestMachine = Machine.TestCase
