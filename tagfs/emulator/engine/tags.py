"""Tag sets: the rules of one service for one kind of thing, the XML, and the `tagging` header."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree

from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.xml_text import element, group, parse, text_of

_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")

Pairs = list[tuple[str, str]]


class Refused(NamedTuple):
    """How a service refuses tags for one reason; what is empty is what the error table says."""

    code: str
    message: str = ""
    ec: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRules:
    """The limits of one kind of tag set.

    Attributes:
        count: how many tags there may be.
        key: how long a key may be.
        value: how long a value may be.
        measure: the length of a key or value.
        fits: tells whether a key or value holds only what it may.
        reserved: what no key may begin with, in lower case.
        allows_repeats: whether a key may come twice.
        decodes: whether names in a document are taken for percent-encoded.
        needs_values: whether a tag in a document must have a value.
        plus_is_space: whether `+` in the header means a space.
        names_tag: whether a refusal names the tag.
        malformed: the code of the refusal of what is no tag document.
        refusals: how tags are refused, by reason: `count`, `key`, `key symbols`, `value`,
            `value symbols`, `reserved`, `repeated`; and in headers `form`, `text` and `twice`.
    """

    count: int
    key: int
    value: int
    measure: Callable[[str], int] = len
    fits: Callable[[str], bool]
    reserved: tuple[str, ...] = ()
    allows_repeats: bool = False
    decodes: bool = False
    needs_values: bool = True
    plus_is_space: bool = True
    names_tag: bool = False
    malformed: str = "MalformedXML"
    refusals: Mapping[str, Refused] = field(default_factory=dict)

    def check(self, pairs: Pairs) -> dict[str, str]:
        """Return the pairs as a tag set.

        Raises:
            ServiceError: they break a rule.
        """
        if len(pairs) > self.count:
            raise self.refusal("count")
        for key, value in pairs:
            if reason := self._wrong(key, value):
                extra = {"TagKey": key, "TagValue": value} if self.names_tag else {}
                raise self.refusal(reason, extra)
        tags = dict(pairs)
        if len(tags) < len(pairs) and not self.allows_repeats:
            raise self.refusal("repeated")
        return tags

    def _wrong(self, key: str, value: str) -> str:
        if not 0 < self.measure(key) <= self.key:
            return "key"
        if not self.fits(key):
            return "key symbols"
        if self.measure(value) > self.value:
            return "value"
        if not self.fits(value):
            return "value symbols"
        return "reserved" if key.lower().startswith(self.reserved or ("\0",)) else ""

    def refusal(self, reason: str, extra: dict[str, str] | None = None) -> ServiceError:
        """Return the refusal for a reason."""
        code, message, ec = self.refusals[reason]
        return ServiceError(code, message or None, ec=ec or None, extra=extra)


def parse_header(text: str, rules: TagRules) -> dict[str, str]:
    """Read a `tagging` header: `k1=v1&k2=v2`, each side percent-encoded; `k` alone has no value.

    Raises:
        ServiceError: it is malformed, or the tags break a rule.
    """
    pairs = []
    for word in filter(None, text.split("&")):
        key, _, value = word.partition("=")
        if "=" in value:
            raise rules.refusal("form")
        try:
            text.encode()  # bytes of the header that are not UTF-8 arrive as surrogates
            pairs.append((_decode_word(key, rules), _decode_word(value, rules)))
        except UnicodeError:
            raise rules.refusal("text") from None
    if len({key for key, _ in pairs}) < len(pairs):
        raise rules.refusal("twice")
    return rules.check(pairs)


def _decode_word(text: str, rules: TagRules) -> str:
    return unquote(text.replace("+", " ") if rules.plus_is_space else text, errors="strict")


def parse_document(data: bytes, rules: TagRules) -> dict[str, str]:
    """Read the body of a PUT ?tagging.

    Raises:
        ServiceError: it is no such document, or the tags break a rule.
    """
    root = parse(data)
    tag_set = None if root is None or root.tag != "Tagging" else root.find("TagSet")
    if tag_set is None:
        raise ServiceError(rules.malformed)
    return rules.check([_pair(node, rules) for node in tag_set])


def _pair(node: ElementTree.Element, rules: TagRules) -> tuple[str, str]:
    key, value = text_of(node, "Key"), text_of(node, "Value")
    if value is None and not rules.needs_values:
        value = ""
    if node.tag != "Tag" or key is None or value is None:
        raise ServiceError(rules.malformed)
    if not rules.decodes:
        return key, value
    return decode_text(key, rules), decode_text(value, rules)


def decode_text(text: str, rules: TagRules) -> str:
    """Undo percent-encoding, where it is that.

    Raises:
        ServiceError: the bytes are not UTF-8.
    """
    if "%" not in text or _ESCAPE.search(text):
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeError:
        raise ServiceError(rules.refusals["key symbols"].code) from None


def render_tags(tags: dict[str, str]) -> str:
    """Write the inside of the answer to a GET ?tagging."""
    pairs = (
        group("Tag", element("Key", key), element("Value", value)) for key, value in tags.items()
    )
    return group("TagSet", *pairs)
