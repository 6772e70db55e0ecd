"""Rules, and what those that are about one object ask of it together. Pure.

All rules that match hold, in the order of the file: of what two of them say of the same tag, the
later one does.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from tagfs.errors import RuleBroken, TagfsError, ValueNotAllowed
from tagfs.rules.patterns import PathPattern
from tagfs.rules.templates import Creation, Template
from tagfs.store.tags import TagSet


class ObjectKind(enum.StrEnum):
    """What an object is to programs."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


class Checked(enum.StrEnum):
    """When it is looked whether a new file has what it must have."""

    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one table of a file of rules says.

    Attributes:
        name: which one that is, for messages.
        paths: which objects it is about; none: all of them.
        kinds: the same.
        tags: what new ones get.
        inherit: patterns of the keys that new ones get from their directory.
        required: keys that they must have.
        allowed: patterns of the values that a key may have.
        fixed: patterns of the keys whose tags stay as they are.
        checked: when new ones are judged; None: as earlier rules say.
        reset: no earlier rule holds here.
    """

    name: str
    paths: tuple[PathPattern, ...] = ()
    kinds: frozenset[ObjectKind] = frozenset(ObjectKind)
    tags: Mapping[str, Template] = field(default_factory=dict)
    inherit: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    checked: Checked | None = None
    reset: bool = False

    def is_about(self, key: str, kind: ObjectKind) -> bool:
        """Say whether it holds for an object."""
        if kind not in self.kinds:
            return False
        is_dir = kind is ObjectKind.DIRECTORY
        return not self.paths or any(path.matches(key, is_dir=is_dir) for path in self.paths)


class Fault(enum.StrEnum):
    """How a set of tags breaks a rule."""

    MISSING = "missing"
    VALUE = "value"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One way in which the tags of an object break a rule."""

    fault: Fault
    key: str
    rule: str
    text: str

    def error(self, path: str) -> TagfsError:
        """Return what a program hears of it."""
        kind = ValueNotAllowed if self.fault is Fault.VALUE else RuleBroken
        return kind(f"{path}: {self.text} ({self.rule})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What the rules ask of one object; each of its parts with the name of the rule.

    Attributes:
        checked: when a new object is judged.
    """

    tags: Mapping[str, Template] = field(default_factory=dict)
    inherit: tuple[str, ...] = ()
    required: Mapping[str, str] = field(default_factory=dict)
    allowed: Mapping[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    checked: Checked = Checked.OPEN

    def __bool__(self) -> bool:
        """Whether they ask for anything."""
        return bool(self.tags or self.inherit or self.judges)

    @property
    def judges(self) -> bool:
        """Whether any set of tags can break them."""
        return bool(self.required or self.allowed or self.fixed)

    def inherited(self, directory: TagSet) -> TagSet:
        """Return those of a directory's tags that go to what is made in it."""
        return TagSet({key: text for key, text in directory.items() if _any(self.inherit, key)})

    def new_tags(
        self, made: Creation, directory: TagSet, fit: Callable[[str], str] = str
    ) -> TagSet:
        """Return the tags that a new object gets: what its directory says goes first.

        `fit` makes a value of what the service takes.
        """
        own = {key: fit(template.render(made)) for key, template in self.tags.items()}
        return TagSet({**own, **self.inherited(directory)})

    def only_required(self, tags: TagSet) -> TagSet:
        """Return those of the tags that an object must have."""
        return TagSet({key: text for key, text in tags.items() if key in self.required})

    def chosen(self, tags: TagSet, directory: TagSet) -> TagSet:
        """Return the tags of an object that were chosen: not just what the rules gave it."""
        left = self.inherited(directory)
        return TagSet(
            {
                key: text
                for key, text in tags.items()
                if left.get(key) != text
                and not (key in self.tags and self.tags[key].may_give(text))
            }
        )

    def breaches(self, tags: Mapping[str, str]) -> list[Breach]:
        """Return all that a set of tags breaks."""
        missing = [
            Breach(
                fault=Fault.MISSING,
                key=key,
                rule=rule,
                text=f"must have a tag {key!r} and has none",
            )
            for key, rule in self.required.items()
            if key not in tags
        ]
        return missing + [b for key, text in tags.items() for b in self._of_value(key, text)]

    def breaches_of_change(self, before: TagSet, after: TagSet) -> list[Breach]:
        """Return what a change of tags breaks that was not broken before."""
        found = []
        for key in {**before, **after}:
            old, new = before.get(key), after.get(key)
            if old == new:
                continue
            if old is not None and (rule := self._fixing(key)):
                found.append(_fixed(key, old, rule))
            elif new is None and key in self.required:
                text = f"the tag {key!r} may not be removed"
                rule = self.required[key]
                found.append(Breach(fault=Fault.MISSING, key=key, rule=rule, text=text))
            elif new is not None:
                found += self._of_value(key, new)
        return found

    def is_fixed(self, key: str) -> bool:
        """Say whether the tag of a key stays as it is."""
        return bool(self._fixing(key))

    def _fixing(self, key: str) -> str:
        return next((rule for fixed, rule in self.fixed.items() if fnmatchcase(key, fixed)), "")

    def _of_value(self, key: str, text: str) -> list[Breach]:
        values, rule = self.allowed.get(key, ((), ""))
        if not rule or _any(values, text):
            return []
        words = ", ".join(map(repr, values))
        said = f"the tag {key!r} may not be {text!r}: allowed are {words}"
        return [Breach(fault=Fault.VALUE, key=key, rule=rule, text=said)]


def _fixed(key: str, old: str, rule: str) -> Breach:
    text = f"the tag {key!r} stays {old!r}"
    return Breach(fault=Fault.FIXED, key=key, rule=rule, text=text)


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


NO_DEMANDS: Final = Demands()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of a bucket, in their order."""

    rules: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.rules)

    def about(self, key: str, kind: ObjectKind) -> Demands:
        """Return what is asked of an object; `key` of a directory has no "/" at its end."""
        found = [rule for rule in self.rules if rule.is_about(key, kind)]
        last = max((at for at, rule in enumerate(found) if rule.reset), default=0)
        return _joined(found[last:]) if found else NO_DEMANDS


def _joined(rules: list[Rule]) -> Demands:
    """Return what rules ask together, the later ones last."""
    checked = [rule.checked for rule in rules if rule.checked is not None]
    return Demands(
        tags={key: value for rule in rules for key, value in rule.tags.items()},
        inherit=tuple(dict.fromkeys(key for rule in rules for key in rule.inherit)),
        required={key: rule.name for rule in rules for key in rule.required},
        allowed={
            key: (values, rule.name) for rule in rules for key, values in rule.allowed.items()
        },
        fixed={key: rule.name for rule in rules for key in rule.fixed},
        checked=checked[-1] if checked else Checked.OPEN,
    )


NO_RULES: Final = RuleSet()
