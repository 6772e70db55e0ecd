"""XML as the services write and read it: small and flat; namespaces are ignored on the way in."""

import re
from xml.etree import ElementTree

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_SPECIAL = re.compile('[&<>"\r]')
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


def text_of(node: ElementTree.Element, name: str) -> str | None:
    """Return the text of a child; None if there is no such child."""
    child = node.find(name)
    return None if child is None else child.text or ""
