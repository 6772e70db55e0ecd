"""XML as the services write and read it: small and flat; namespaces are ignored on the way in."""

import re
from xml.etree import ElementTree

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_SPECIAL = re.compile('[&<>"\r]')
_PRIVATE = 0xF700  # where control characters stand for themselves meanwhile
_CONTROLS = frozenset(range(1, 0x20)) - frozenset(b"\t\n\r")
_REAL = {_PRIVATE + code: code for code in _CONTROLS}
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]|&#(x[0-9A-Fa-f]{1,6}|[0-9]{1,7});")
_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def escape(text: str) -> str:
    """Make text fit between tags."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], text)


def element(name: str, text: str | int) -> str:
    """Render an element that holds text."""
    return f"<{name}>{escape(text) if isinstance(text, str) else text}</{name}>"


def group(name: str, *inner: str) -> str:
    """Render an element that holds elements."""
    return f"<{name}>{''.join(inner)}</{name}>"


def render(root: str, *inner: str, namespace: str = "") -> bytes:
    """Render a document."""
    attribute = f' xmlns="{escape(namespace)}"' if namespace else ""
    text = f"{_DECLARATION}<{root}{attribute}>{''.join(inner)}</{root}>"
    return text.encode("utf-8", "surrogateescape")


def parse(data: bytes) -> ElementTree.Element | None:
    """Read a document; None if it is none. Namespaces are dropped; document types are refused."""
    # UTF-8 holds no NUL where there is none in the text: UTF-16 would hide a document type.
    if b"\0" in data or _DOCTYPE.search(data):
        return None
    try:
        # UTF-8 whatever the document says: an encoding that nobody knows is no ParseError.
        parser = ElementTree.XMLParser(encoding="utf-8")  # noqa: S314
        root = ElementTree.fromstring(data, parser)  # noqa: S314 - no document types, see above
    except (ElementTree.ParseError, ValueError):
        return None
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root


def parse_lax(data: bytes) -> ElementTree.Element | None:
    """Read a document that may hold control characters, which XML 1.0 forbids."""
    root = parse(_CONTROL.sub(_stand_in, data))
    for node in root.iter() if root is not None else ():
        node.text = (node.text or "").translate(_REAL)
    return root


def _stand_in(match: re.Match[bytes]) -> bytes:
    code = match[0][0]
    if match[1] is not None:
        code = int(match[1].lstrip(b"x"), 16 if match[1].startswith(b"x") else 10)
    return chr(_PRIVATE + code).encode() if code in _CONTROLS else match[0]


def text_of(node: ElementTree.Element, name: str) -> str | None:
    """Return the text of a child; None if there is no such child."""
    child = node.find(name)
    return None if child is None else child.text or ""
