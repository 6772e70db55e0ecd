"""Globs over keys, and which of the keys found are wanted.

Pure. `*` and `?` stop at "/", `**` does not, `[...]` is one of some characters (`[!...]` none).
"""

import fnmatch
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

_MAGIC: Final = re.compile(r"[*?[]")
_PIECES: Final = re.compile(r"\*\*/?|\*|\?|\[!?\]?[^\]]*\]|[^*?[]+|\[", re.DOTALL)


def has_magic(text: str) -> bool:
    """Say whether a text is a glob."""
    return _MAGIC.search(text) is not None


def literal_head(pattern: str) -> str:
    """Return what a match must begin with."""
    found = _MAGIC.search(pattern)
    return pattern if found is None else pattern[: found.start()]


def decode_pattern(text: str) -> str:
    """Decode the percent-encoding of a glob; what was encoded is never special."""
    pieces = []
    for piece in re.split(r"([*?[\]])", text):
        decoded = unquote(piece)
        pieces.append(piece if decoded == piece else re.sub(r"([*?[])", r"[\1]", decoded))
    return "".join(pieces)


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Return a regex that matches, whole, what a glob matches."""
    return re.compile("".join(map(_translate, _PIECES.findall(pattern))), re.DOTALL)


def _translate(piece: str) -> str:
    match piece:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if len(piece) > 2 and piece[0] == "[" and piece[-1] == "]":  # noqa: PLR2004  (not "[]")
        # fnmatch knows the odd corners of character sets: "(?s:[...])" and an end.
        return "(?!/)" + fnmatch.translate(piece).removeprefix("(?s:").rpartition(")")[0]
    return re.escape(piece)


class Filter:
    """`--include` and `--exclude`: which files below a target are wanted.

    A glob without "/" is compared with the name, one with "/" with the path below the target. What
    lies in an excluded directory is excluded.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = [_compile(glob) for glob in include]
        self._exclude = [_compile(glob) for glob in exclude]

    @property
    def is_set(self) -> bool:
        """Whether anything may be unwanted."""
        return bool(self._include or self._exclude)

    def wants(self, path: str) -> bool:
        """Say whether a path below the target (a directory's may end in "/") is wanted."""
        if not self.is_set:
            return True
        path = path.rstrip("/")
        if self._include and not _any(self._include, path):
            return False
        if not self._exclude:
            return True
        ends = [found.start() for found in re.finditer("/", path)] + [len(path)]
        return not any(_any(self._exclude, path[:end]) for end in ends)


def _compile(glob: str) -> tuple[bool, re.Pattern[str]]:
    trimmed = glob.rstrip("/").removeprefix("./")
    return "/" in trimmed, compile_glob(trimmed)


def _any(globs: list[tuple[bool, re.Pattern[str]]], path: str) -> bool:
    name = path.rpartition("/")[2]
    return any(regex.fullmatch(path if whole else name) for whole, regex in globs)
