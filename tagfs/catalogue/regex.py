"""Regular expressions over the values of tags: compiled, and what they may cost at most. Pure.

Python's engine goes back over what it tried, for as long as it takes, and nothing else of the
process goes on meanwhile. Who runs a command may wait for what he asked; who asks by a name in a
mount that others use as well may not make them wait.
"""

import re
from collections.abc import Iterable
from re import _constants as codes, _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

LONGEST: Final = 256
"""Characters of a value, on any service; so many repetitions are as good as any number."""

AFFORDED: Final = (LONGEST + 1) ** 3
"""Ways to match that a value may have to be tried in: some hundredths of a second."""

_ONCE: Final = (codes.SUBPATTERN, codes.ASSERT, codes.ASSERT_NOT, codes.ATOMIC_GROUP)
_REPEATS: Final = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


def compile_regex(text: str) -> re.Pattern[str]:
    """Return a compiled regular expression.

    Raises:
        ValueError: it is none, or no engine could run it; says why.
    """
    try:
        if any(_counts(parser.parse(text))):
            raise ValueError(f"no value has more than {LONGEST} characters to repeat")
        return re.compile(text)
    except (re.error, OverflowError) as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("too many parentheses in one another") from None


def is_cheap(text: str) -> bool:
    """Say whether a regular expression that can be compiled answers at once, whatever the value."""
    parsed = parser.parse(text)
    anchored = bool(parsed) and parsed[0] in (
        (codes.AT, codes.AT_BEGINNING),
        (codes.AT, codes.AT_BEGINNING_STRING),
    )
    return _ways(parsed) * (1 if anchored else LONGEST) <= AFFORDED


def _counts(parsed: Iterable[Any]) -> Iterable[bool]:
    """Yield of each repetition whether it is of a number that is too large."""
    for code, found in parsed:
        if code in _REPEATS:
            least, most, _ = found
            yield least > LONGEST or LONGEST < most < codes.MAXREPEAT
        for inner in _inside(code, found):
            yield from _counts(inner)


def _inside(code: Any, found: Any) -> list[Any]:
    if code is codes.BRANCH:
        return list(found[1])
    if code is codes.GROUPREF_EXISTS:
        return [part for part in found[1:] if part is not None]
    if code in _ONCE:
        return [found] if code is codes.ATOMIC_GROUP else [found[-1]]
    return [found[2]] if code in _REPEATS else []


def _ways(parsed: Iterable[Any]) -> int:
    """Return in how many ways at most a pattern can go over a value."""
    total = 1
    for code, found in parsed:
        inner = [_ways(part) for part in _inside(code, found)]
        if code in _REPEATS:
            most = min(int(found[1]), LONGEST)
            ways = most + 1 if inner == [1] else (inner[0] + 1) ** most
        else:
            ways = sum(inner) or 1
        total = min(total * ways, AFFORDED * LONGEST + 1)
    return total
