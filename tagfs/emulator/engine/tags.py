"""Tag sets: the rules of one service for one kind of thing, the XML, and the `tagging` header."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree

from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.xml_text import element, group, parse, text_of

_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRules:
    """The limits of one kind of tag set, and the codes of the errors.

    `fits` tells whether a key or value holds only what it may; lengths count characters. `decodes`
    says that names in a document are taken for percent-encoded.
    """

    count: int
    key: int
    value: int
    fits: Callable[[str], bool]
    reserved: str = ""
    decodes: bool = False
    invalid: str = "InvalidTag"
    too_many: str = "InvalidTag"
    malformed: str = "MalformedXML"
    allows_repeats: bool = False

    def check(self, pairs: Pairs) -> dict[str, str]:
        """Return the pairs as a tag set.

        Raises:
            ServiceError: they break a rule.
        """
        if len(pairs) > self.count:
            raise ServiceError(self.too_many, f"Tags cannot be more than {self.count}.")
        for key, value in pairs:
            self._check_pair(key, value)
        tags = dict(pairs)
        if len(tags) < len(pairs) and not self.allows_repeats:
            raise ServiceError(self.invalid, "Cannot provide multiple Tags with the same key.")
        return tags

    def _check_pair(self, key: str, value: str) -> None:
        if not 0 < len(key) <= self.key or not self.fits(key):
            raise ServiceError(self.invalid, "The TagKey you have provided is invalid.")
        if len(value) > self.value or not self.fits(value):
            raise ServiceError(self.invalid, "The TagValue you have provided is invalid.")
        if self.reserved and key.lower().startswith(self.reserved):
            raise ServiceError(self.invalid, "System tags cannot be added or updated by requester.")


def parse_header(text: str, rules: TagRules) -> dict[str, str]:
    """Read a `tagging` header: `k1=v1&k2=v2`, each side percent-encoded; `k` alone has no value.

    Raises:
        ServiceError: it is malformed, or the tags break a rule.
    """
    pairs = []
    for word in filter(None, text.split("&")):
        key, _, value = word.partition("=")
        if "=" in value:
            raise _bad_header()
        try:
            text.encode()  # bytes of the header that are not UTF-8 arrive as surrogates
            pairs.append((_decode_word(key), _decode_word(value)))
        except UnicodeError:
            raise _bad_header() from None
    if len({key for key, _ in pairs}) < len(pairs):
        raise _bad_header()
    return rules.check(pairs)


def _decode_word(text: str) -> str:
    return unquote(text.replace("+", " "), errors="strict")


def _bad_header() -> ServiceError:
    return ServiceError(
        "InvalidArgument",
        "The tagging header shall be encoded as UTF-8 then URLEncoded URL query parameters "
        "without tag name duplicates.",
    )


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
        raise ServiceError(rules.invalid) from None


def render_tags(tags: dict[str, str]) -> str:
    """Write the inside of the answer to a GET ?tagging."""
    pairs = (
        group("Tag", element("Key", key), element("Value", value)) for key, value in tags.items()
    )
    return group("TagSet", *pairs)
