"""Values of tags that are filled in when a file is made: `{user}`, `{date}` and their like.

Pure but for the names of users, groups and this host.
"""

import difflib
import functools
import grp
import pwd
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

_PIECES: Final = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What is known of a file that is being made.

    Attributes:
        key: its path in the bucket; of a directory without a "/" at its end.
        uid, gid: of the process that makes it.
        now_ns: nanoseconds since the epoch.
    """

    key: str
    uid: int
    gid: int
    now_ns: int

    @property
    def name(self) -> str:
        """The last component of its path."""
        return self.key.rpartition("/")[2]

    def time(self, form: str) -> str:
        """Return when that is, in UTC, as strftime(3) writes it."""
        return datetime.fromtimestamp(self.now_ns // 10**9, UTC).strftime(form)


@functools.lru_cache(1024)
def user_name(uid: int) -> str:
    """Return a user's name, its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@functools.lru_cache(1024)
def group_name(gid: int) -> str:
    """Return a group's name, its number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _ending(name: str) -> str:
    stem, dot, ext = name.rpartition(".")
    return ext.lower() if dot and stem else ""


def _stem(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


FIELDS: Final[Mapping[str, Callable[[Creation], str]]] = {
    "user": lambda made: user_name(made.uid),
    "group": lambda made: group_name(made.gid),
    "uid": lambda made: str(made.uid),
    "gid": lambda made: str(made.gid),
    "host": lambda _: socket.gethostname(),
    "date": lambda made: made.time("%Y-%m-%d"),
    "time": lambda made: made.time("%H:%M:%S"),
    "year": lambda made: made.time("%Y"),
    "month": lambda made: made.time("%m"),
    "day": lambda made: made.time("%d"),
    "name": lambda made: made.name,
    "stem": lambda made: _stem(made.name),
    "ext": lambda made: _ending(made.name),
    "dir": lambda made: made.key.rpartition("/")[0].rpartition("/")[2],
}
"""What may stand between braces; times are UTC."""

_SHAPES: Final[Mapping[str, str]] = {
    "uid": r"\d+",
    "gid": r"\d+",
    "date": r"\d{4}-\d\d-\d\d",
    "time": r"\d\d:\d\d:\d\d",
    "year": r"\d{4}",
    "month": r"\d\d",
    "day": r"\d\d",
}
"""What of another moment or another user looks the same; of all others, anything."""


@dataclass(frozen=True, slots=True)
class Template:
    """The value of a tag, perhaps with fields: `{user}`; `{{` and `}}` are plain braces."""

    text: str
    _pieces: tuple[tuple[str, bool], ...]  # literal text, or the name of a field

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one.

        Raises:
            ValueError: says what is wrong with it.
        """
        pieces: list[tuple[str, bool]] = []
        for piece in _PIECES.findall(text):
            if piece in ("{{", "}}"):
                pieces.append((piece[0], False))
            elif piece in ("{", "}"):
                raise ValueError(f"{text!r}: write {piece * 2} for a plain {piece}")
            elif piece[0] == "{":
                pieces.append((_known(piece[1:-1]), True))
            else:
                pieces.append((piece, False))
        return cls(text, tuple(pieces))

    @property
    def literal(self) -> str | None:
        """The value, if it has no fields."""
        if any(is_field for _, is_field in self._pieces):
            return None
        return "".join(piece for piece, _ in self._pieces)

    @property
    def fields(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(it for it, is_field in self._pieces if is_field)

    @property
    def literals(self) -> str:
        """All of it but its fields."""
        return "".join(piece for piece, is_field in self._pieces if not is_field)

    def render(self, made: Creation) -> str:
        """Return the value for one new file."""
        return "".join(FIELDS[it](made) if is_field else it for it, is_field in self._pieces)

    def may_give(self, value: str) -> bool:
        """Say whether some new file may get just this value."""
        shapes = (
            _SHAPES.get(it, ".*") if is_field else re.escape(it) for it, is_field in self._pieces
        )
        return re.fullmatch("".join(shapes), value, re.DOTALL) is not None


def _known(field: str) -> str:
    if field in FIELDS:
        return field
    near = difflib.get_close_matches(field, FIELDS, 1)
    hint = f"did you mean {{{near[0]}}}?" if near else "there are " + ", ".join(FIELDS)
    raise ValueError(f"unknown field {{{field}}}: {hint}")
