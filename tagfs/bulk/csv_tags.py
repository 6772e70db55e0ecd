"""Tags from a table: a CSV file with a line for each object, as inventories and queries give them.

Pure. The first line names the columns. Each line becomes what a dump says of one file.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from tagfs.bulk.getfattr_format import Block
from tagfs.errors import SettingsError
from tagfs.store.tags import TagSet

PREFIXES: Final = ("tag:", "tag.")
"""How the name of a column begins that holds a tag, unless columns are chosen."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns mean what.

    Attributes:
        key: the column of the keys or paths.
        tags: the tag key that each column stands for; empty: the names of columns tell.
        encoded: keys are percent-encoded, as S3's inventories have them.
    """

    key: str = "key"
    tags: Mapping[str, str] = field(default_factory=dict)
    encoded: bool = False

    def read(self, lines: Iterable[bytes]) -> Iterator[Block]:
        """Read a table; an empty cell says nothing of its tag.

        Raises:
            SettingsError: it is no table, or lacks a column.
        """
        rows = csv.reader(_decoded(lines), strict=True)
        try:
            header = next(rows, [])
            columns = self._tag_columns(header)
            place = header.index(self.key)
            for row in rows:
                if row:
                    yield self._block(row, len(header), place, columns, rows.line_num)
        except csv.Error as error:
            raise SettingsError(f"line {rows.line_num}: {error}") from None

    def _tag_columns(self, header: list[str]) -> dict[int, str]:
        """Return the tag key of each column that holds a tag, by its position."""
        named = [name for name in header if name.startswith(PREFIXES)]
        for name in (self.key, *(self.tags or named)):
            if header.count(name) != 1:
                found = ", ".join(header) or "none"
                raise SettingsError(f"no column {name!r}, or several: the first line has {found}")
        chosen = self.tags or {name: name[len(PREFIXES[0]) :] for name in named}
        if not chosen:
            raise SettingsError(
                "which columns are tags? name each by --column COLUMN[=TAGKEY], or begin its name "
                f"with {PREFIXES[0]!r}"
            )
        if len(set(chosen.values())) < len(chosen):
            raise SettingsError("two columns stand for one tag")
        return {header.index(name): key for name, key in chosen.items()}

    def _block(
        self, row: list[str], width: int, place: int, tags: Mapping[int, str], line: int
    ) -> Block:
        if len(row) != width:
            return Block("?", TagSet(), problem=f"{len(row)} columns, not {width}", line=line)
        path = unquote_plus(row[place]) if self.encoded else row[place]
        found = TagSet({key: row[column] for column, key in tags.items() if row[column]})
        return Block(path, found, line=line, problem="" if path else "no key")


def parse_columns(words: Iterable[str]) -> dict[str, str]:
    """Read `COLUMN[=TAGKEY]` words.

    Raises:
        SettingsError: a column twice, or an empty name.
    """
    found: dict[str, str] = {}
    for word in words:
        column, _, key = word.partition("=")
        if not column or column in found:
            raise SettingsError(f"--column {word!r}: write each column once, as COLUMN[=TAGKEY]")
        found[column] = key or column
    return found


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise SettingsError(f"line {number} is not UTF-8") from None
