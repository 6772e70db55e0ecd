"""What an expression leaves for a service's own index to look for. Pure.

Never less than what matches: which of it does is judged by the tags. What an index is documented to
answer is used alone: a tag that is equal to a value, or begins so, and whether there are tags.
"""

import re
from typing import Final

from tagfs.catalogue.expression import And, Expression, Not, Or, Test, Word
from tagfs.store.tag_index import (
    ANYTHING,
    AllOf,
    AnyOf,
    Condition,
    HasTags,
    TagBegins,
    TagEquals,
)

_PLAIN: Final = re.compile("[A-Za-z0-9_-]+")
"""Keys that are surely no path into the index's fields."""


def narrow(wanted: Expression) -> Condition:
    """Return what all that matches has in common."""
    match wanted:
        case And(left, right):
            return _all(narrow(left), narrow(right))
        case Or(left, right):
            return _any(narrow(left), narrow(right))
        case Not(inner):
            return _opposite(inner)
        case Test(operator="!="):
            return ANYTHING
        case Test(key, operator, value):
            return _of_tag(key, operator, value)


def _opposite(inner: Expression) -> Condition:
    match inner:
        case Not(doubled):
            return narrow(doubled)
        case And(left, right):
            return _any(_opposite(left), _opposite(right))
        case Or(left, right):
            return _all(_opposite(left), _opposite(right))
        case Test(key, "!=", value):
            return _of_tag(key, "=", value)
        case Test():
            return ANYTHING


def _of_tag(key: Word, operator: str, value: Word | None) -> Condition:
    exact = not key.is_pattern and _PLAIN.fullmatch(key.text)
    if not exact or value is None or operator == "~":
        return HasTags()
    start = re.split("[*?]", value.text, maxsplit=1)[0] if value.is_pattern else value.text
    if not start:
        return HasTags()
    return TagBegins(key.text, start) if value.is_pattern else TagEquals(key.text, start)


def _all(left: Condition, right: Condition) -> Condition:
    parts = [part for part in (left, right) if part != ANYTHING]
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _any(left: Condition, right: Condition) -> Condition:
    return ANYTHING if ANYTHING in (left, right) else AnyOf((left, right))
