"""Tag sets: the rules for objects and for buckets, the XML, and the `x-oss-tagging` header.

Lengths of object tags count characters, as the pages of 2022 and later say, those of bucket tags
bytes; "letters" are all Unicode letters, as the vendor's live tests show.
"""

from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree

from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.xml_text import element, group, parse, render, text_of

_SYMBOLS = frozenset(" +-=._:/")
_RESERVED = ("http://", "https://", "aliyun", "acs:")


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits of one kind of tag set."""

    count: int
    key: int
    value: int
    for_buckets: bool

    def check(self, pairs: list[tuple[str, str]]) -> dict[str, str]:
        """Return the pairs as a tag set.

        Raises:
            ServiceError: they break a rule.
        """
        if len(pairs) > self.count:
            raise ServiceError("TooManyTags", f"The number of tags is over {self.count}.")
        for key, value in pairs:
            self._check_pair(key, value)
        tags = dict(pairs)
        if len(tags) < len(pairs):
            raise ServiceError("RepeatedTags")
        return tags

    def _check_pair(self, key: str, value: str) -> None:
        if not 0 < self._length(key) <= self.key:
            raise _invalid(key, value, "0010-00000209")
        if self._length(value) > self.value:
            raise _invalid(key, value, "0010-00000214")
        if self.for_buckets:
            if key.lower().startswith(_RESERVED):
                raise _invalid(key, value, "0010-00000207")
        elif not (_is_plain(key) and _is_plain(value)):
            raise _invalid(key, value, "0010-00000217")

    def _length(self, text: str) -> int:
        return len(text.encode("utf-8", "surrogateescape")) if self.for_buckets else len(text)


OBJECT_RULES = Rules(count=10, key=128, value=256, for_buckets=False)
BUCKET_RULES = Rules(count=20, key=64, value=128, for_buckets=True)


def _is_plain(text: str) -> bool:
    return all(letter.isalnum() or letter in _SYMBOLS for letter in text)


def _invalid(key: str, value: str, ec: str) -> ServiceError:
    return ServiceError("InvalidTag", ec=ec, extra={"TagKey": key, "TagValue": value})


def parse_header(text: str) -> dict[str, str]:
    """Read `x-oss-tagging`: `k1=v1&k2=v2`, each side percent-encoded; `k` alone has an empty value.

    Raises:
        ServiceError: it is malformed, or the tags break a rule.
    """
    pairs = []
    for word in filter(None, text.split("&")):
        key, *values = word.split("=")
        if len(values) > 1:
            raise _bad_header("0010-00000219")
        try:
            pairs.append((_decode(key), _decode(values[0] if values else "")))
        except UnicodeError:
            raise _bad_header("0010-00000216") from None
    if len({key for key, _ in pairs}) < len(pairs):
        raise _bad_header("0010-00000217")
    return OBJECT_RULES.check(pairs)


def _decode(text: str) -> str:
    text.encode()  # bytes of the header that are not UTF-8 arrive as surrogates
    return unquote(text, errors="strict")


def _bad_header(ec: str) -> ServiceError:
    return ServiceError("InvalidArgument", "The x-oss-tagging header is invalid.", ec=ec)


def parse_document(data: bytes, rules: Rules) -> dict[str, str]:
    """Read the body of a PUT ?tagging.

    Raises:
        ServiceError: it is no such document, or the tags break a rule.
    """
    root = parse(data)
    tag_set = None if root is None or root.tag != "Tagging" else root.find("TagSet")
    if tag_set is None:
        raise ServiceError("MalformedXML")
    return rules.check([_pair(node) for node in tag_set])


def _pair(node: ElementTree.Element) -> tuple[str, str]:
    key, value = text_of(node, "Key"), text_of(node, "Value")
    if node.tag != "Tag" or key is None:
        raise ServiceError("MalformedXML")
    return key, value or ""


def render_document(tags: dict[str, str]) -> bytes:
    """Write the answer to a GET ?tagging."""
    pairs = (
        group("Tag", element("Key", key), element("Value", value)) for key, value in tags.items()
    )
    return render("Tagging", group("TagSet", *pairs))
