"""`tagfs tag restore`: a dump is read twice, first to check all of it, then to write.

Paths of a dump are taken from a base: a directory as `setfattr --restore` does, or a URL, where
they are keys below it.
"""

import contextlib
import hashlib
import posixpath
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from tagfs.bulk.edits import Edit, addition, replacement, rules_of
from tagfs.bulk.getfattr_format import Block, read_blocks
from tagfs.bulk.opened_buckets import OpenedBuckets
from tagfs.bulk.tag_access import Address
from tagfs.bulk.targets import Kind, TagOwner, read_target
from tagfs.errors import InvalidName, InvalidTag, SettingsError, TagfsError
from tagfs.host.mount_table import find_mount, present_mounts

SHOWN: Final = 20
"""Mistakes of a dump that are shown before it is refused."""


@contextlib.contextmanager
def open_dump(name: str) -> Iterator[IO[bytes]]:
    """Open a dump so that it can be read twice; "-" is stdin.

    Raises:
        SettingsError: there is no such file.
    """
    if name == "-":
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            yield spool
        return
    path = Path(name)
    if not path.is_file():
        raise SettingsError(f"{name} is no file")
    with path.open("rb") as file:
        yield file


class Base:
    """Turns a dump's paths into items.

    Attributes:
        text: the URL, or the directory as it is found from anywhere.
    """

    def __init__(self, text: str, strip: int, places: OpenedBuckets) -> None:
        self._strip = strip
        self._places = places
        self._is_url = "://" in text
        if self._is_url:
            target = read_target(text, places)
            if target.kind is Kind.GLOB:
                raise SettingsError(f"{text!r}: a base cannot be a glob")
            self._place = target.place
            self.text = text
            self._prefix = target.key + "/" * bool(target.key and not target.key.endswith("/"))
        else:
            self.text = self._directory = str(Path(text).resolve())
            self._mounts = present_mounts()

    def find(self, path: str) -> TagOwner:
        """Return the item of a path.

        Raises:
            InvalidName, SettingsError: it has too few components, or is on no mount.
        """
        shown = path
        if self._strip:
            parts = path.split("/", self._strip)
            if len(parts) <= self._strip or not parts[-1]:
                raise InvalidName(f"has no more than {self._strip} components")
            path = parts[-1]
        return self._find_key(path, shown) if self._is_url else self._find_path(path, shown)

    def _find_key(self, path: str, shown: str) -> TagOwner:
        if path == ".":
            return TagOwner(self._place, Address(self._prefix), shown)
        key = self._prefix + path.lstrip("/")
        return TagOwner(self._place, Address(key, either=not key.endswith("/")), shown)

    def _find_path(self, path: str, shown: str) -> TagOwner:
        absolute = posixpath.normpath(posixpath.join(self._directory, path))
        mount = find_mount(absolute, self._mounts)
        if mount is None:
            raise SettingsError(f"{absolute} is on no tagfs mount: see --base")
        place = self._places.of_mount(mount)
        root = place.root
        assert root is not None  # noqa: S101  (it is a mount's)
        below = mount.below(absolute)
        if below == "/":
            return TagOwner(place, Address(root.prefix), shown)
        if path.endswith("/"):
            return TagOwner(place, Address(root.to_prefix(below)), shown)
        return TagOwner(place, Address(root.to_key(below), either=True), shown)


@dataclass(frozen=True, slots=True)
class Task:
    """One block of a dump that is to be restored."""

    number: int
    item: TagOwner
    edit: Edit


@dataclass(slots=True)
class Check:
    """What a first reading found.

    Attributes:
        blocks: how many there are.
        others: attributes that are no tags.
        mistakes: for a person, the first ones.
        bad: how many blocks cannot be restored.
        digest: of the file.
    """

    blocks: int = 0
    others: int = 0
    bad: int = 0
    mistakes: tuple[str, ...] = ()
    digest: str = ""


def check_dump(
    file: IO[bytes],
    base: Base,
    read: Callable[[Iterable[bytes]], Iterator[Block]] = read_blocks,
) -> Check:
    """Read a dump and judge all that it asks for, without a request.

    Raises:
        SettingsError: it is no dump.
    """
    found = Check()
    digest = hashlib.sha256()

    def lines() -> Iterator[bytes]:
        for line in file:
            digest.update(line)
            yield line

    for block in read(lines()):
        found.blocks += 1
        found.others += block.others
        try:
            rules_of(judge(block, base)).check(block.tags)
        except TagfsError as error:
            found.bad += 1
            if len(found.mistakes) < SHOWN:
                found.mistakes += (f"line {block.line}: {block.path}: {error}",)
    found.digest = digest.hexdigest()
    return found


def judge(block: Block, base: Base) -> TagOwner:
    """Return the item that a block is about.

    Raises:
        InvalidTag, InvalidName, SettingsError: the block cannot be restored, whatever its tags.
    """
    if block.problem:
        raise InvalidTag(block.problem)
    item = base.find(block.path)
    try:
        item.address.key.encode()
    except UnicodeEncodeError:
        raise InvalidName("the name is not UTF-8") from None
    return item


def edit_of(block: Block, *, replace: bool) -> Edit:
    """Return the change that a block asks for."""
    return replacement(block.tags) if replace or block.whole else addition(block.tags)
