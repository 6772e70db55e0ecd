"""The file of rules: TOML with a table `[[rules]]` for each, read and checked as a whole.

They may also stand in a settings file, or in one of its sections: `[[default.rules]]`.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

from tagfs.errors import InvalidTag, RulesError
from tagfs.localfiles.toml_text import parse_toml
from tagfs.localfiles.trusted import Untrusted, read_trusted
from tagfs.rules.patterns import PathPattern
from tagfs.rules.place import RulesPlace
from tagfs.rules.rule import Checked, ObjectKind, Rule, RuleSet
from tagfs.rules.templates import Template
from tagfs.store.tags import TagRules

T = TypeVar("T")

_RULES: Final = "rules"
_HEADER: Final = re.compile(r"\s*\[\[.+\]\]")
_NAMES: Final = ("path", "kind", *(f.name for f in fields(Rule) if f.name in {
    "tags", "inherit", "required", "allowed", "fixed", "checked", "reset"
}))  # fmt: skip


def read_rules(place: RulesPlace, object_tags: TagRules) -> RuleSet:
    """Read rules from a file that nobody else can change; `object_tags`: what the service accepts.

    Raises:
        RulesError: names the rule, its line, and everything that is wrong.
    """
    try:
        text = read_trusted(place.path)
    except FileNotFoundError:
        raise RulesError(f"rules={place}: no such file") from None
    except Untrusted as error:
        raise RulesError(f"rules={place}: {error}") from None
    return parse_rules(text, place, object_tags)


def parse_rules(text: str, place: RulesPlace, object_tags: TagRules) -> RuleSet:
    """Read rules from the text of a file; raises as `read_rules`."""
    try:
        document = parse_toml(text)
    except ValueError as error:
        raise RulesError(f"{place.path}: {error}") from error
    tables = _rules_in(document, place)
    if not isinstance(tables, list):
        raise RulesError(f"{place}: no rules: write a table [[rules]] for each")
    lines = list(_header_lines(text, place))
    mistakes: list[str] = []
    rules = []
    for number, table in enumerate(tables, 1):
        line = f", line {lines[number - 1]}" if len(lines) == len(tables) else ""
        reader = _RuleReader(f"rule {number} of {place}{line}", object_tags, mistakes)
        rules.append(reader.read(table))
    if mistakes:
        raise RulesError("; ".join(mistakes))
    return RuleSet(tuple(rules))


def _rules_in(document: Any, place: RulesPlace) -> Any:
    """Return what a document has as rules; None if that is not there."""
    if place.section is None:
        others = [name for name in document if name != _RULES]
        if others:
            raise RulesError(f"{place}: {others[0]!r} is not known: write [[rules]]")
    try:
        section: Any = parse_toml(f"[{place.section}]") if place.section else {}
    except ValueError:
        raise RulesError(f"rules={place}: [{place.section}] is no section") from None
    while section:
        [(name, section)] = section.items()
        document = document.get(name) if isinstance(document, dict) else None
    return document.get(_RULES) if isinstance(document, dict) else None


def _header_lines(text: str, place: RulesPlace) -> Iterator[int]:
    """Yield the numbers of the lines that begin a rule."""
    for number, line in enumerate(text.splitlines(), 1):
        if _HEADER.match(line):
            with suppress(ValueError, RulesError):
                if _rules_in(parse_toml(line), place):
                    yield number


class _RuleReader:
    """Reads one table, and notes all that is wrong with it."""

    def __init__(self, name: str, object_tags: TagRules, mistakes: list[str]) -> None:
        self._name = name
        self._object_tags = object_tags
        self._mistakes = mistakes

    def read(self, table: Any) -> Rule:
        """Return the rule, as far as it can be read."""
        if not isinstance(table, dict):
            self._wrong("write it as a table [[rules]]")
            return Rule(name=self._name)
        for word in table.keys() - set(_NAMES):
            near = difflib.get_close_matches(word, _NAMES, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_NAMES)}"
            self._wrong(f"{word!r} is not known: {hint}")
        rule = Rule(
            name=self._name,
            paths=tuple(self._each(table, "path", PathPattern.parse)),
            kinds=frozenset(self._each(table, "kind", ObjectKind)) or frozenset(ObjectKind),
            tags=self._tags(table.get("tags", {})),
            inherit=tuple(self._patterns(table, "inherit")),
            required=tuple(self._each(table, "required", self._key)),
            allowed=self._allowed(table.get("allowed", {})),
            fixed=tuple(self._patterns(table, "fixed")),
            checked=self._checked(table.get("checked")),
            reset=self._flag(table.get("reset", False)),
        )
        self._check_defaults(rule)
        return rule

    def _wrong(self, text: str) -> None:
        self._mistakes.append(f"{self._name}: {text}")

    def _each(self, table: Mapping[str, Any], word: str, parse: Callable[[str], T]) -> Iterator[T]:
        """Yield what a list of texts, or a text alone, says."""
        given = table.get(word, [])
        for text in given if isinstance(given, list) else [given]:
            if not isinstance(text, str):
                self._wrong(f"{word}: expected a text, or a list of texts")
                return
            try:
                yield parse(text)
            except InvalidTag as error:
                self._wrong(f"{word}: {error}")
            except ValueError:
                self._wrong(f"{word}: {text!r} cannot be one")

    def _key(self, text: str) -> str:
        self._object_tags.check_key(text)
        return text

    def _patterns(self, table: Mapping[str, Any], word: str) -> Iterator[str]:
        """Yield patterns of keys; true stands for all of them."""
        if isinstance(table.get(word), bool):
            yield from ["*"] if table[word] else []
        else:
            yield from self._each(table, word, str)

    def _tags(self, table: Any) -> dict[str, Template]:
        found = {}
        for key, text in self._items("tags", table):
            if not isinstance(text, str):
                self._wrong(f"tags.{key}: expected a text")
                continue
            try:
                template = Template.parse(text)
                self._object_tags.check({key: template.literals})
            except (InvalidTag, ValueError) as error:
                self._wrong(f"tags.{key}: {error}")
            else:
                found[key] = template
        return found

    def _allowed(self, table: Any) -> dict[str, tuple[str, ...]]:
        found = {}
        for key, _ in self._items("allowed", table):
            values = tuple(self._each(table, key, str))
            if not values:
                self._wrong(f"allowed.{key}: expected values, as in {key} = ['blue', 'red']")
            found[key] = values
        return found

    def _items(self, word: str, table: Any) -> list[tuple[str, Any]]:
        if isinstance(table, dict):
            return list(table.items())
        self._wrong(f"{word}: expected a table, as in {word} = {{team = 'blue'}}")
        return []

    def _checked(self, text: Any) -> Checked | None:
        if text is None or text in tuple(Checked):
            return None if text is None else Checked(text)
        self._wrong(f"checked: expected 'open' or 'close', not {text!r}")
        return None

    def _flag(self, value: Any) -> bool:
        if not isinstance(value, bool):
            self._wrong("reset: expected true or false")
        return value is True

    def _check_defaults(self, rule: Rule) -> None:
        """Note tags that a rule gives and forbids at once."""
        for key, template in rule.tags.items():
            values, text = rule.allowed.get(key, ()), template.literal
            if values and text is not None and not any(fnmatchcase(text, v) for v in values):
                self._wrong(f"tags.{key}: {text!r} is none of the values that it allows")
