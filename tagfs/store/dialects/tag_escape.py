"""How tags are written in XML: as they are, or percent-encoded as one service's manual wants them.

Pure. The OBS manual says that keys and values "must be URL encoded before being sent", and its
example does so; the vendor's SDKs send and read plain text. So either the service decodes what it
gets, or it keeps the encoded text literally. `AUTO` is right with both: it encodes only what
needs it and decodes once what is encoded throughout. The one thing that stays ambiguous is a
tag whose own text has a `%` and two hexadecimal digits, and such a tag is not written.
"""

import enum
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from tagfs.errors import InvalidTag
from tagfs.store.tags import TagSet

_SEQUENCE = re.compile("%[0-9A-Fa-f]{2}")
_BROKEN = re.compile("%(?![0-9A-Fa-f]{2})")
_HARMLESS = " _.:@-"


class TagEscape(enum.Enum):
    """When to percent-encode the keys and values of tags in XML."""

    OFF = "off"
    ON = "on"
    AUTO = "auto"

    def encode(
        self, tags: Mapping[str, str], before: Mapping[str, str], *, literal: bool = False
    ) -> TagSet:
        """Return the set as it is to be sent; `before` is the present one as it came.

        `literal` says that the service was seen to keep what is encoded as it comes.
        A tag that does not change is sent as it came where that is read the same again, so that
        an edit of one tag leaves alone what others wrote in another way.

        Raises:
            InvalidTag: a tag that nobody could read back.
        """
        if self is TagEscape.OFF:
            return TagSet(tags)
        came = {self._decode(key): (key, value) for key, value in before.items()}
        pairs = {}
        for key, value in tags.items():
            raw = came.get(key)
            if raw is not None and self._decode(raw[1]) == value and self._repeatable(*raw):
                pairs[raw[0]] = raw[1]
            else:
                pairs[self._encode(key, literal)] = self._encode(value, literal)
        return TagSet(pairs)

    def decode(self, tags: TagSet) -> TagSet:
        """Return the set that came as it is meant."""
        if self is TagEscape.OFF or not any("%" in k or "%" in v for k, v in tags.items()):
            return tags
        pairs = {self._decode(key): self._decode(value) for key, value in tags.items()}
        # Two keys that differ only in how they are written stay as they came: none gets lost.
        return TagSet(pairs) if len(pairs) == len(tags) else tags

    def _repeatable(self, key: str, value: str) -> bool:
        return self is TagEscape.AUTO and "%" not in key + value and "+" not in key + value

    def _encode(self, text: str, literal: bool) -> str:  # noqa: FBT001
        if self is TagEscape.AUTO:
            if _SEQUENCE.search(text):
                raise InvalidTag(
                    f"{text!r} has what looks like an encoded character, which the service may or "
                    f"may not decode: mount with obs_tag_urlencode=on or off, whichever it needs"
                )
            if literal or all((c.isascii() and c.isalnum()) or c in _HARMLESS for c in text):
                return text
        return quote(text, safe="-_.~")

    def _decode(self, text: str) -> str:
        if "%" not in text or _BROKEN.search(text):
            return text
        try:
            return unquote_to_bytes(text).decode()
        except UnicodeError:
            return text


PLAIN: Final = TagEscape.OFF
