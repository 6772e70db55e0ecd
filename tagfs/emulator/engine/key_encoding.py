"""`encoding-type=url`: names in listings percent-encoded, for XML cannot hold every character."""

import re
from collections.abc import Callable
from urllib.parse import quote

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.xml_text import element

_PLAIN = re.compile(r"[A-Za-z0-9/._~-]*")


def encoder(context: Context) -> tuple[str, Callable[[str], str]]:
    """Return the EncodingType element, or nothing, and the function that encodes names.

    Raises:
        ServiceError: an encoding other than `url` is asked for.
    """
    kind = context.parameter("encoding-type")
    if not kind:
        return "", str
    if kind.lower() != "url":
        raise ServiceError("InvalidArgument", "Invalid Encoding Method specified in Request")
    return url_encoder(context)


def url_encoder(context: Context) -> tuple[str, Callable[[str], str]]:
    """Return the EncodingType element and the function that encodes names."""
    blank = context.dialect.blank
    return element("EncodingType", "url"), lambda name: encode_name(name, blank)


def encode_name(name: str, blank: str) -> str:
    """Percent-encode a name; a space becomes `blank`."""
    if _PLAIN.fullmatch(name):
        return name
    return quote(name, safe="/-_.~", errors="surrogateescape").replace("%20", blank)
