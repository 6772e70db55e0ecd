"""G4, G5, G12: what an object has besides its content, through all that programs and others do.

The model is what another client sees of each key: content, tags, user metadata, other extended
attributes, headers, storage class, ACL, annotations and permission bits. Names are few, so that
files replace one another. A `Ground` is a file system over a bucket that others use as well.
"""

import os
import stat
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tagfs.errors import NoSuchTag
from tagfs.fs.filesystem import FileSystem

PATHS = ("/f", "/g", "/d/f")
PUBLIC = "public-read"
NOTE = "note"

paths = st.sampled_from(PATHS)
words = st.sampled_from(("", "1", "é 2"))
plain = st.dictionaries(st.sampled_from(("a", "b")), st.sampled_from(("1", "b 2")), max_size=2)
"""User metadata as SDKs send it: ASCII."""
few = st.dictionaries(st.sampled_from(("a", "b")), words, max_size=2)
contents = st.sampled_from((b"", b"x", b"y" * 60, b"z" * 170))
"""The largest are of several parts, where a ground has parts as small."""


@dataclass
class Kept:
    """One object as another client sees it.

    Attributes:
        headers: content-type, cache-control and storage-class, where they were chosen.
        acl: a canned word, "" for that of a new object.
    """

    data: bytes = b""
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    xattrs: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    mode: int = 0o644
    acl: str = ""
    notes: dict[str, bytes] = field(default_factory=dict)

    def over(self, left: "Kept") -> "Kept":
        """Return this file renamed over another: each set it has not is the other's."""
        return Kept(
            self.data,
            self.tags or left.tags,
            self.metadata or left.metadata,
            self.xattrs or left.xattrs,
            {**left.headers, **self.headers},
            self.mode,
            self.acl or left.acl,
            self.notes or left.notes,
        )


class Ground(Protocol):
    """A bucket: a file system over it, and what another client does and sees there.

    Attributes:
        archive: the word for a storage class that is not the usual one.
        annotations: whether objects have any.
    """

    fs: FileSystem
    archive: str
    annotations: bool

    def put(self, key: str, kept: Kept) -> None: ...
    def tag(self, key: str, tags: dict[str, str]) -> None: ...
    def delete(self, key: str) -> None: ...
    def stored(self) -> dict[str, Kept]:
        """Return all objects by their keys, without markers of directories."""
        ...

    def close(self) -> None: ...


class PropertyMachine(RuleBasedStateMachine):
    """Programs on a file system, and another client: the rules named `other_...`."""

    def ground(self) -> Ground:
        """Return an empty bucket."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.bucket = self.ground()
        self.fs = self.bucket.fs
        self.objects: dict[str, Kept] = {}

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self.bucket.close()

    @initialize()
    def begin(self) -> None:
        self.fs.mkdir("/d", 0o755)

    def there(self, number: int) -> str:
        return sorted(self.objects)[number % len(self.objects)]

    # Other clients

    @rule(
        path=paths,
        data=contents,
        tags=few,
        metadata=plain,
        xattrs=few,
        chosen=st.sets(st.sampled_from(("type", "class", "acl", "note"))),
    )
    def other_puts(
        self,
        path: str,
        data: bytes,
        tags: dict[str, str],
        metadata: dict[str, str],
        xattrs: dict[str, str],
        chosen: set[str],
    ) -> None:
        kept = Kept(data, dict(tags), dict(metadata), mode=0o600)
        kept.xattrs = {f"user.{name}": text.encode() for name, text in xattrs.items()}
        kept.headers = {"content-type": "text/x"} if "type" in chosen else {}
        kept.headers |= {"cache-control": "no-cache"} if "type" not in chosen else {}
        kept.headers |= {"storage-class": self.bucket.archive} if "class" in chosen else {}
        kept.acl = PUBLIC if "acl" in chosen else ""
        kept.notes = {NOTE: b"1"} if "note" in chosen and self.bucket.annotations else {}
        self.bucket.put(path[1:], kept)
        self.objects[path] = kept

    @precondition(lambda self: self.objects)
    @rule(number=st.integers(0, 2), tags=few)
    def other_tags(self, number: int, tags: dict[str, str]) -> None:
        path = self.there(number)
        self.bucket.tag(path[1:], tags)
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
    @rule(number=st.integers(0, 2), name=st.sampled_from(("type", "class", "acl", "note")))
    def choose(self, number: int, name: str) -> None:
        """Choose by an attribute what is no tag and no metadata."""
        path = self.there(number)
        kept = self.objects[path]
        match name:
            case "type":
                self.fs.setxattr(path, "user.object.content_type", b"text/y", 0)
                kept.headers["content-type"] = "text/y"
            case "class":
                self.fs.setxattr(path, "user.object.storage_class", self.bucket.archive.encode(), 0)
                kept.headers["storage-class"] = self.bucket.archive
            case "acl":
                self.fs.setxattr(path, "user.object.acl", PUBLIC.encode(), 0)
                kept.acl = PUBLIC
            case _ if self.bucket.annotations:
                self.fs.setxattr(path, f"user.annotation.{NOTE}", b"2", 0)
                kept.notes = {NOTE: b"2"}

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
        assert {f"/{key}": kept for key, kept in self.bucket.stored().items()} == self.objects
        for path, kept in self.objects.items():
            names = {f"user.tag.{key}" for key in kept.tags} | set(kept.xattrs)
            names |= {f"user.meta.{key}" for key in kept.metadata}
            found = set(self.fs.listxattr(path))
            assert {name for name in found if not name.startswith("user.annotation.")} == names
