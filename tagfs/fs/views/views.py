"""The views by tag: looked at like any other directory, answered by the catalogue alone."""

import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tagfs.catalogue import query
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.expression import Expression, Test
from tagfs.errors import AlreadyExists, NotADirectory, NotALink, NotFound, ReadOnly
from tagfs.fs.clock import Clock
from tagfs.fs.mapping.paths import Root
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.views.reader import ViewReader
from tagfs.fs.views.shown import Shown
from tagfs.fs.views.view_paths import (
    KINDS,
    QUERY,
    TAG,
    Place,
    encode,
    link_text,
    parse_place,
    parse_query,
)

PAGE: Final = 1000
"""Keys of a page of a listing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLook:
    """How the views by tag look.

    Attributes:
        name: of the directory, in the root of the mount.
        directory: the attributes of a directory here.
        is_mkdir: whether the calling process is in mkdir(2). The kernel looks first whether there
            is something of that name, and any query is there for everybody else.
        only: what the mount shows at all; None: everything.
    """

    name: str
    directory: Attributes
    is_mkdir: Callable[[], bool] = lambda: False
    only: Expression | None = None


class Views:
    """Answers for the paths below the directory of views that are about tags. Thread-safe."""

    def __init__(self, catalogue: Catalogue, root: Root, look: TagLook, clock: Clock) -> None:
        self._reader = ViewReader(catalogue, root, look.only, clock)
        self._is_mkdir = look.is_mkdir
        self._name = look.name
        self._catalogue = catalogue
        self._root = root
        self._directory = replace(look.directory, mode=stat.S_IFDIR | 0o555)

    def describe(self, path: str) -> Shown:
        """Return the attributes of something here.

        Raises:
            NotFound
        """
        place = self._place(path)
        if place.name is not None:
            text = link_text((self._name, *place.parts), self._target(place))
            link = replace(self._directory, mode=stat.S_IFLNK | 0o777)
            return Shown(link, len(text.encode("utf-8", "surrogateescape")))
        self._check_there(place)
        writable = place.parts == (QUERY,)
        return Shown(
            replace(self._directory, mode=stat.S_IFDIR | (0o755 if writable else 0o555)), 0
        )

    def names(self, path: str) -> Iterator[tuple[str, int]]:
        """Yield name and type of all that is in a directory here.

        Raises:
            NotFound, NotADirectory
        """
        place = self._place(path)
        if place.name is not None:
            self._target(place)
            raise NotADirectory(path)
        self._check_there(place)
        for name in self._directories(place):
            yield name, stat.S_IFDIR
        if place.wanted is not None:
            for name in sorted(self._reader.links(place.wanted)):  # as `ls` follows them
                yield name, stat.S_IFLNK

    def links(self, path: str) -> Mapping[str, str]:
        """Return the paths to which the links of a directory lead, by their names.

        Raises:
            NotFound
        """
        place = self._place(path)
        if place.wanted is None or place.name is not None:
            return {}
        return self._reader.links(place.wanted)

    def is_small(self, path: str) -> bool:
        """Say whether a directory of the mount seems to be one page of a listing."""
        prefix = self._root.to_prefix(path)
        return query.count_keys(self._catalogue, prefix, PAGE + 1) <= PAGE

    def read_link(self, path: str) -> str:
        """Return the text of a link here.

        Raises:
            NotFound, NotALink
        """
        place = self._place(path)
        if place.name is None:
            raise NotALink(path)
        return link_text((self._name, *place.parts), self._target(place))

    def mkdir(self, path: str) -> None:
        """Keep a query, so that it is listed.

        Raises:
            ReadOnly: nothing else can be made here.
            NotFound: it is no expression.
        """
        parts = self._parts(path)
        if len(parts) != 2 or parts[0] != QUERY:  # noqa: PLR2004  (query/EXPRESSION)
            raise ReadOnly(f"{path}: views are made of tags")
        parse_query(parts[1])
        if parts[1] in self._catalogue.kept_queries(self._root.prefix):
            raise AlreadyExists(path)
        self._catalogue.keep_query(self._root.prefix, parts[1])

    def rmdir(self, path: str) -> None:
        """Keep a query no longer.

        Raises:
            NotFound, ReadOnly
        """
        parts = self._parts(path)
        if len(parts) != 2 or parts[0] != QUERY:  # noqa: PLR2004
            raise ReadOnly(f"{path}: views are made of tags")
        if parts[1] not in self._catalogue.kept_queries(self._root.prefix):
            raise NotFound(path)
        self._catalogue.drop_query(self._root.prefix, parts[1])

    def age(self) -> float | None:
        """Return how many seconds ago all tags of the mount were read; None if never."""
        at = self._catalogue.scanned_at(self._root.prefix)
        return None if at is None else self._catalogue.clock.age(at)

    def _parts(self, path: str) -> tuple[str, ...]:
        return tuple(path.split("/")[2:])

    def _place(self, path: str) -> Place:
        parts = self._parts(path)
        place = parse_place(parts)
        is_query = len(parts) == 2 and parts[0] == QUERY  # noqa: PLR2004
        if is_query and parts[1] not in self._kept() and self._is_hidden(parts[1]):
            raise NotFound(path)
        return place

    def _is_hidden(self, name: str) -> bool:
        # File managers look for names with a dot everywhere.
        return name.startswith(".") or self._is_mkdir()

    def _kept(self) -> list[str]:
        return self._catalogue.kept_queries(self._root.prefix)

    def _check_there(self, place: Place) -> None:
        """Raise NotFound for a directory of a tag that nothing has."""
        if place.parts[:1] != (TAG,) or not isinstance(place.wanted, Test):
            return
        key, value = place.wanted.key.text, place.wanted.value
        values = self._reader.vocabulary(key).get(key, ())
        if not values or (value is not None and value.text not in values):
            raise NotFound("/".join(place.parts))

    def _directories(self, place: Place) -> list[str]:
        if not place.parts:
            return list(KINDS)
        if place.parts == (QUERY,):
            return sorted(self._kept())
        if place.parts != (TAG,) and place.tag is None:
            return []
        words = self._reader.vocabulary()
        found = words.get(place.tag, ()) if place.tag is not None else words
        mark = "" if place.tag is None else "="
        names = (encode(f"{mark}{text}") for text in found)
        return sorted(name for name in names if name is not None)

    def _target(self, place: Place) -> str:
        assert place.wanted is not None  # noqa: S101  (it has names)
        name = place.name or ""
        path = self._reader.links(place.wanted, name).get(name)
        if path is None:
            raise NotFound("/".join((*place.parts, name)))
        return path
