"""What a path below the directory of views means. Pure.

    tag/<key>/                        what has such a tag, and a directory for each value
    tag/<key>/=<value>/               what has it with this value
    untagged/                         what has no tags
    query/<expression>/               what matches

A `/` in a key, a value or an expression is written %2F, a `%` %25.
"""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from tagfs.catalogue.expression import Expression, Not, Test, Word, parse_expression
from tagfs.errors import NotFound, SettingsError
from tagfs.fs.mapping.paths import MAX_NAME, is_visible

TAG, UNTAGGED, QUERY = "tag", "untagged", "query"
_LONGEST_END: Final = 32
"""Bytes of what is taken for the ending of a name."""

KINDS: Final = (QUERY, TAG, UNTAGGED)


@dataclass(frozen=True, slots=True)
class Place:
    """A place among the views: a directory, or a name in one that shows objects.

    Attributes:
        parts: the components of the directory.
        wanted: which objects the directory shows; None where it has directories alone.
        tag: the key, of a directory that has a directory for each value.
        name: the name in it; None for the directory itself.
    """

    parts: tuple[str, ...]
    wanted: Expression | None = None
    tag: str | None = None
    name: str | None = None


def parse_place(parts: tuple[str, ...]) -> Place:
    """Say what the components below the directory of views mean.

    Raises:
        NotFound
    """
    match parts:
        case () | ("tag",) | ("query",):
            return Place(parts)
        case ("untagged", *rest):
            return _in(parts[:1], Not(Test(Word("*"))), rest)
        case ("query", text, *rest):
            return _in(parts[:2], parse_query(text), rest)
        case ("tag", key, value, *rest) if value.startswith("="):
            return _in(parts[:3], _test(key, value[1:]), rest)
        case ("tag", key, *rest):
            place = _in(parts[:2], Test(Word(unquote(key), quoted=True)), rest)
            return Place(place.parts, place.wanted, unquote(key), place.name)
        case _:
            raise NotFound("/".join(parts))


def parse_query(name: str) -> Expression:
    """Read an expression as the name of a directory.

    Raises:
        NotFound: it is none, or not UTF-8: no tag is either.
    """
    try:
        name.encode()
        return parse_expression(unquote(name), cheap=True)
    except (SettingsError, UnicodeEncodeError) as error:
        raise NotFound(str(error)) from None


def _test(key: str, value: str) -> Test:
    return Test(Word(unquote(key), quoted=True), "=", Word(unquote(value), quoted=True))


def _in(parts: tuple[str, ...], wanted: Expression, rest: Sequence[str]) -> Place:
    if len(rest) > 1:
        raise NotFound("/".join((*parts, *rest)))
    return Place(parts, wanted, name=rest[0] if rest else None)


def encode(text: str) -> str | None:
    """Return a text as one component of a path; None if it cannot be one."""
    name = text.replace("%", "%25").replace("/", "%2F")
    if name in (".", ".."):
        name = name.replace(".", "%2E")
    return name if is_visible(name) else None


def unique_names(paths: Sequence[str]) -> dict[str, str]:
    """Return the paths by names that differ: the last component, with an id where two have one.

    The id is of the path, so that a name stays whatever comes and goes beside it, unless it was
    alone before. A name that begins with "=" would be a value's.
    """
    names = [posixpath.basename(path) or "root" for path in paths]
    counts = Counter(names)
    found = {}
    for path, name in zip(paths, names, strict=True):
        if counts[name] > 1 or name.startswith("="):
            name = _with_id(name, path)  # noqa: PLW2901
        found[name] = path
    return found


def _with_id(name: str, path: str) -> str:
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    stem, end = posixpath.splitext(name.replace("=", "_", 1) if name.startswith("=") else name)
    if len(end.encode()) > _LONGEST_END:  # no ending, but a name with a dot in it
        stem, end = stem + end, ""
    room = MAX_NAME - len(end.encode()) - len(digest) - 1
    stem = stem.encode()[:room].decode("utf-8", "ignore")
    return f"{stem}.{digest}{end}"


def link_text(parts: Sequence[str], path: str) -> str:
    """Return the text of a link in a directory of views, `parts` below the root, to a path."""
    return "../" * len(parts) + path[1:] if path != "/" else "../" * len(parts)
