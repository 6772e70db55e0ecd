"""`encoding-type=url`: names in listings percent-encoded, for XML cannot hold every character."""

import re
from collections.abc import Callable
from urllib.parse import quote

from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
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
    if kind != "url":
        raise ServiceError("InvalidArgument", "Invalid Encoding Method specified in Request.")
    return element("EncodingType", "url"), encode_name


def encode_name(name: str) -> str:
    """Percent-encode a name; a blank becomes %20, for some SDKs decode `+` and some do not."""
    if _PLAIN.fullmatch(name):
        return name
    return quote(name, safe="/-_.~", errors="surrogateescape")
