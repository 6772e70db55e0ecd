r"""The language of `tagfs tag find`: which tag sets match.

Pure. In order of binding, the tightest first:

    key           there is such a tag           key=value     ... with this value
    key!=value    not key=value                 key~regex     ... whose value matches, anywhere
    not X         X and Y        X or Y         ( X )

Keys and values of bare words may hold `*` (anything) and `?` (one character). In quotes, "..." or
'...', nothing is special but `\` before a quote or a `\`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Final, Literal

from tagfs.catalogue.regex import compile_regex, is_cheap
from tagfs.errors import SettingsError

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Word:
    """A key or value as written: quoted ones are literal."""

    text: str
    quoted: bool = False

    @property
    def is_pattern(self) -> bool:
        """Whether it holds a wildcard."""
        return not self.quoted and any(char in "*?" for char in self.text)

    def __str__(self) -> str:
        if not self.quoted:
            return self.text
        return '"' + self.text.replace("\\", "\\\\").replace('"', '\\"') + '"'


Operator = Literal["", "=", "!=", "~"]


@dataclass(frozen=True)
class Test:
    """One condition on one tag."""

    __test__ = False  # pytest: not a test
    key: Word
    operator: Operator = ""
    value: Word | None = None

    @cached_property
    def _key(self) -> re.Pattern[str] | None:
        return _glob(self.key.text) if self.key.is_pattern else None

    @cached_property
    def _value(self) -> re.Pattern[str] | None:
        if self.value is None:
            return None
        if self.operator == "~":
            return compile_regex(self.value.text)
        return _glob(self.value.text) if self.value.is_pattern else None

    @property
    def is_cheap(self) -> bool:
        """Whether it answers at once, whatever the tags."""
        return self.operator != "~" or self.value is None or is_cheap(self.value.text)

    def matches(self, tags: Tags) -> bool:
        """Say whether a tag set meets the condition."""
        if self._key is None:
            value = tags.get(self.key.text)
            found = value is not None and self._accepts(value)
        else:
            found = any(self._key.match(k) and self._accepts(v) for k, v in tags.items())
        return found is not (self.operator == "!=")

    def _accepts(self, value: str) -> bool:
        if self.value is None:
            return True
        if self._value is None:
            return value == self.value.text
        found = self._value.search if self.operator == "~" else self._value.match
        return found(value) is not None

    def __str__(self) -> str:
        return f"{self.key}{self.operator}{'' if self.value is None else self.value}"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    inner: "Expression"

    def matches(self, tags: Tags) -> bool:
        """Say whether the inner one does not match."""
        return not self.inner.matches(tags)

    def __str__(self) -> str:
        return f"not {self.inner}" if isinstance(self.inner, Test) else f"not ({self.inner})"


@dataclass(frozen=True, slots=True)
class And:
    """`and`."""

    left: "Expression"
    right: "Expression"

    def matches(self, tags: Tags) -> bool:
        """Say whether both match."""
        return self.left.matches(tags) and self.right.matches(tags)

    def __str__(self) -> str:
        return f"({self.left}) and ({self.right})"


@dataclass(frozen=True, slots=True)
class Or:
    """`or`."""

    left: "Expression"
    right: "Expression"

    def matches(self, tags: Tags) -> bool:
        """Say whether one of them matches."""
        return self.left.matches(tags) or self.right.matches(tags)

    def __str__(self) -> str:
        return f"({self.left}) or ({self.right})"


Expression = Test | Not | And | Or

MAX_DEPTH: Final = 50
"""Parentheses and `not` inside one another."""

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'"
_TOKEN: Final = re.compile(
    rf"""\s*(?:
      (?P<bracket>[()])
    | (?P<key>{_QUOTED}|[^\s()=!~"']+)
      (?:(?P<operator>!=|=|~)(?P<value>{_QUOTED}|[^\s()"']*))?
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    test: Test | None = None


MAX_TESTS: Final = 300
"""Conditions of an expression."""


def parse_expression(text: str, *, cheap: bool = False) -> Expression:
    """Read an expression; `cheap`: one that answers at once, whoever wrote it.

    Raises:
        SettingsError: it is none; says where.
    """
    tokens = _tokens(text)
    tests = [token.test for token in tokens if token.test is not None]
    if len(tests) > MAX_TESTS:
        raise SettingsError(f"{len(tests)} conditions: an expression has at most {MAX_TESTS}")
    costly = [str(one) for one in tests if cheap and not one.is_cheap]
    if costly:
        raise SettingsError(f"{costly[0]}: this regex may take long; fewer repetitions do not")
    parser = _Parser(text, tokens)
    found = parser.alternative(0)
    if parser.rest:
        raise SettingsError(f"{text!r}: cannot go on with {parser.rest[0].kind!r}: 'and' or 'or'?")
    return found


def _tokens(text: str) -> "list[_Token]":
    tokens = []
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            left = text[position:].strip()
            raise SettingsError(f"{text!r}: cannot read {left!r}{_hint(left)}")
        _check_slips(text, found)
        position = found.end()
        if found["bracket"]:
            tokens.append(_Token(found["bracket"]))
        elif found["operator"] is None and found["key"].lower() in _WORDS:
            tokens.append(_Token(found["key"].lower()))
        else:
            tokens.append(_Token(found[0].strip(), _test(text, found)))
    return tokens


_SLIPS: Final = {"&&": "and", "&": "and", "||": "or", "|": "or"}
"""What other languages write for our words."""


def _hint(left: str) -> str:
    """Say what is meant, perhaps, by what cannot be read."""
    if left.startswith("!~"):
        return ": write not KEY~REGEX"
    negated = re.match(r"!\s*([^\s=!~()]+)", left)
    if negated:
        return f": write not {negated[1]}"
    return ": write KEY=VALUE without blanks" if left[0] in "=!~" else ""


def _check_slips(text: str, found: re.Match[str]) -> None:
    """Refuse what is written as other languages have it: it would look for something else.

    In quotes it is what it says: team="=blue".
    """
    key, operator, value = found["key"], found["operator"], found["value"]
    if key in _SLIPS and operator is None:
        raise SettingsError(f"{text!r}: write {_SLIPS[key]} for {key}")
    if operator is None or not value or value[0] not in "=~":
        return
    bare = value.lstrip("=~")
    right = f"{key}~{bare}" if "~" in operator + value[0] else f"{key}{operator}{bare}"
    if operator == "!=" and value[0] == "~":
        right = f"not {right}"
    raise SettingsError(f"{text!r}: write {right} (a value that begins so is quoted)")


def _test(text: str, found: re.Match[str]) -> Test:
    operator: Operator = found["operator"] or ""  # type: ignore[assignment]  # the pattern's three
    value = None if found["value"] is None else _word(found["value"])
    key = _word(found["key"])
    if not key.text:
        raise SettingsError(f"{text!r}: an empty key")
    if operator == "~" and value is not None:
        try:
            compile_regex(value.text)
        except ValueError as error:
            raise SettingsError(f"{text!r}: {value.text!r} is no regex: {error}") from None
    return Test(key, operator, value)


def _word(raw: str) -> Word:
    if raw[:1] in ('"', "'"):
        return Word(re.sub(r"\\([\\\"'])", r"\1", raw[1:-1]), quoted=True)
    return Word(raw)


class _Parser:
    """Recursive descent over what is left of the tokens."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self.rest = tokens

    def alternative(self, depth: int) -> Expression:
        found = self._conjunction(depth)
        while self._next("or"):
            found = Or(found, self._conjunction(depth))
        return found

    def _conjunction(self, depth: int) -> Expression:
        found = self._single(depth)
        while self._next("and"):
            found = And(found, self._single(depth))
        return found

    def _single(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise SettingsError("an expression this deep is not read")
        if self._next("not"):
            return Not(self._single(depth + 1))
        if self._next("("):
            inner = self.alternative(depth + 1)
            if not self._next(")"):
                raise SettingsError(f"{self._text!r}: a ')' is missing")
            return inner
        if not self.rest or self.rest[0].test is None:
            where = f"before {self.rest[0].kind!r}" if self.rest else "at the end"
            raise SettingsError(f"{self._text!r}: a condition such as team=blue is missing {where}")
        test = self.rest.pop(0).test
        assert test is not None  # noqa: S101  (said above)
        return test

    def _next(self, kind: str) -> bool:
        if self.rest and self.rest[0].test is None and self.rest[0].kind == kind:
            self.rest.pop(0)
            return True
        return False


def _glob(text: str) -> re.Pattern[str]:
    return re.compile(translate(text.replace("[", "[[]")))
