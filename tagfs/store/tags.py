"""Tag sets: a value that is valid by construction, and the rules by which services judge one.

Pure: no request, clock or lock. The rules differ by service and by what is tagged (an object or
a bucket), so they are data: a `TagRules` for each, kept in the service's dialect.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from tagfs.errors import InvalidTag, TagKeyTooLong, TagValueTooLong, TooManyTags


@dataclass(frozen=True, slots=True)
class TagSet(Mapping[str, str]):
    """All tags of one object or bucket, in the order in which the service gave them.

    Keys are unique. Changing one returns another set. Equality ignores the order.
    """

    _pairs: Mapping[str, str]

    def __init__(self, pairs: Mapping[str, str] | None = None) -> None:
        object.__setattr__(self, "_pairs", MappingProxyType(dict(pairs or {})))

    def __getitem__(self, key: str) -> str:
        return self._pairs[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and dict(self._pairs) == dict(other)

    def __hash__(self) -> int:
        return hash(frozenset(self._pairs.items()))

    def __repr__(self) -> str:
        return f"TagSet({dict(self._pairs)!r})"

    def with_tag(self, key: str, value: str) -> Self:
        """Return this set with one tag added or changed."""
        return type(self)({**self._pairs, key: value})

    def without_tag(self, key: str) -> Self:
        """Return this set without one tag, which need not be there."""
        return type(self)({k: v for k, v in self._pairs.items() if k != key})

    def with_defaults(self, defaults: Mapping[str, str], most: int) -> Self:
        """Return this set with those of the defaults whose keys it lacks, while there is room."""
        if not defaults:
            return self
        lacking = [(k, v) for k, v in defaults.items() if k not in self._pairs]
        return type(self)({**self._pairs, **dict(lacking[: max(most - len(self._pairs), 0)])})

    def beyond(self, defaults: Mapping[str, str]) -> Self:
        """Return the tags that were chosen: those that are not just defaults."""
        return type(self)({k: v for k, v in self._pairs.items() if defaults.get(k) != v})


NO_TAGS = TagSet()


def render_tagging(tags: Mapping[str, str]) -> str:
    """Write a tag set as services do in a header: `k1=v1&k2=v2`, percent-encoded UTF-8.

    A blank is %20 and a plus sign %2B: how a raw `+` is decoded differs between services.
    """
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in tags.items())


def parse_tagging(text: str) -> TagSet:
    """Read what `render_tagging` writes; `k` and `k=` both mean an empty value.

    Raises:
        InvalidTag: not of this form, not UTF-8, or a key that comes twice.
    """
    pairs: dict[str, str] = {}
    for item in text.split("&") if text else []:
        key, _, value = item.partition("=")
        if "=" in value:
            raise InvalidTag(f"more than one '=' in {item!r}: write %3D inside a tag")
        key, value = _unquote(key), _unquote(value)
        if key in pairs:
            raise InvalidTag(f"tag key {key!r} comes twice")
        pairs[key] = value
    return TagSet(pairs)


def _unquote(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise InvalidTag(f"bad percent-encoding in {text!r}")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        raise InvalidTag(f"not UTF-8: {text!r}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRules:
    """What one service accepts as tags of one kind of thing.

    Attributes:
        kind: what is tagged, for messages: "object" or "bucket".
        max_tags: tags in one set.
        max_key: characters (or bytes, see `in_bytes`) of a key.
        max_value: the same for a value.
        in_bytes: whether lengths count UTF-8 bytes instead of characters.
        edge_blanks: whether keys and values may begin or end with a blank.
        symbols: punctuation allowed besides Unicode letters, digits and blanks;
            None when the service allows every character but those in `forbidden`.
        forbidden: characters never allowed.
        reserved_prefixes: beginnings of keys, lower case, that the service keeps for itself.
        shown: characters, and keys in whole, that the service has shown itself, and so allows.
        source: where the rule is written.
    """

    kind: str
    max_tags: int
    max_key: int
    max_value: int
    in_bytes: bool = False
    edge_blanks: bool = True
    symbols: str | None = None
    forbidden: str = ""
    reserved_prefixes: tuple[str, ...] = ()
    shown: frozenset[str] = frozenset()
    source: str = ""

    def allowing(self, tags: Mapping[str, str]) -> "TagRules":
        """Return rules that allow a set which the service has shown, and others like it.

        Servers that speak another's protocol keep more in a tag than its makers wrote down.
        """
        try:
            self.check(tags)
        except InvalidTag:
            texts = [*tags, *tags.values()]
            return replace(
                self,
                max_tags=max(self.max_tags, len(tags)),
                max_key=max(self.max_key, *map(self._length, tags)),
                max_value=max(self.max_value, *map(self._length, tags.values())),
                edge_blanks=self.edge_blanks or any(text != text.strip(" ") for text in texts),
                shown=self.shown.union(filter(self.is_reserved, tags), *texts),
            )
        return self

    def check(self, tags: Mapping[str, str], present: Mapping[str, str] = NO_TAGS) -> None:
        """Raise the error for the first rule that a set breaks.

        What is `present` already and stays as it is was allowed by the service, which knows best.

        Raises:
            TooManyTags, TagKeyTooLong, TagValueTooLong, InvalidTag: named after the rule.
        """
        if len(tags) > max(self.max_tags, len(present)):
            raise TooManyTags(
                f"{len(tags)} tags: a service keeps at most {self.max_tags} on one {self.kind}"
            )
        for key, value in tags.items():
            if present.get(key) == value:
                continue
            self.check_key(key)
            self._check_text("value", value, of=key)
            if self._length(value) > self.max_value:
                raise TagValueTooLong(
                    f"value of tag {key!r}: {self._length(value)} {self._unit} long, "
                    f"at most {self.max_value} are allowed on one {self.kind}"
                )

    def check_key(self, key: str) -> None:
        """Raise the error for the first rule that a key breaks."""
        if not key:
            raise InvalidTag("empty tag key")
        self._check_text("key", key, of=key)
        if self._length(key) > self.max_key:
            raise TagKeyTooLong(
                f"tag key {key!r}: {self._length(key)} {self._unit} long, "
                f"at most {self.max_key} are allowed on one {self.kind}"
            )
        if self.is_reserved(key) and key not in self.shown:
            raise InvalidTag(f"tag key {key!r}: the service keeps such keys to itself")

    def fit(self, text: str) -> str:
        """Return a value that is allowed: with "_" for other characters, and cut where too long."""
        text = "".join(c if self._allowed(c) and c.isprintable() else "_" for c in text)
        text = text[: self.max_value]
        while self._length(text) > self.max_value:
            text = text[:-1]
        return text if self.edge_blanks else text.strip(" ")

    def is_reserved(self, key: str) -> bool:
        """Tell whether the service alone sets and removes tags of a key."""
        return key.lower().startswith(self.reserved_prefixes)

    def with_reserved(self, wanted: TagSet, present: TagSet) -> TagSet:
        """Return a wanted set with those tags that only the service can remove."""
        kept = {key: text for key, text in present.items() if self.is_reserved(key)}
        lost = {key: text for key, text in kept.items() if key not in wanted}
        return TagSet({**lost, **wanted}) if lost else wanted

    @property
    def _unit(self) -> str:
        return "bytes" if self.in_bytes else "characters"

    def _length(self, text: str) -> int:
        return len(text.encode("utf-8")) if self.in_bytes else len(text)

    def _check_text(self, half: str, text: str, *, of: str) -> None:
        if not text.isprintable() and any(
            "\ud800" <= c <= "\udfff" or c < " " or c == "\x7f" or c in "\ufffe\uffff"
            for c in text
            if c not in self.shown
        ):
            raise InvalidTag(f"{half} of tag {of!r}: not UTF-8, or has a control character")
        if not self.edge_blanks and text != text.strip(" "):
            raise InvalidTag(f"{half} of tag {of!r}: begins or ends with a blank")
        bad = next((c for c in text if not self._allowed(c)), None)
        if bad is not None:
            raise InvalidTag(f"{half} of tag {of!r}: {bad!r} is not allowed on one {self.kind}")

    def _allowed(self, char: str) -> bool:
        if char in self.shown:
            return True
        if char in self.forbidden:
            return False
        return self.symbols is None or char.isalnum() or char == " " or char in self.symbols
