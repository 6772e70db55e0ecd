"""XML as object stores write and read it: parsing, escaping, and the one document of errors.

The other documents are in `listings`, `uploads` and `documents`; nothing else of the project sees
XML. Pure functions: `parse_x` takes the bytes of an answer and returns a value or raises
`MalformedResponse`, whatever the bytes are; `render_x` returns the bytes of a request. Entities,
external documents and huge trees are off, and so are documents that declare a type.
Namespaces are ignored: services disagree about them.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

from lxml import etree

from tagfs.errors import InvalidRequest, MalformedResponse

MAX_DOCUMENT: Final = 32 * 1024**2
"""Bytes; a page of 1000 percent-encoded keys of 1023 bytes is 4 MiB."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NAMESPACE = re.compile(rb"""^([^<]*(?:<\?[^>]*>)?\s*<[A-Za-z]+)\s+xmlns=(?:"[^"]*"|'[^']*')""")
_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error[\s>]")
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DIGITS = re.compile("[0-9]{1,20}")
_SHOWN = 80  # characters of a document that an error message quotes


@dataclass(frozen=True, slots=True)
class ServiceError:
    """What a service says about a request that it refused.

    Attributes:
        code: the service's word, such as "NoSuchKey"; "" when the answer held none.
        endpoint: where the bucket really is, when the service tells.
        region: the bucket's, when the service tells.
    """

    code: str
    message: str = ""
    request_id: str = ""
    endpoint: str = ""
    region: str = ""


def key_decoder(*, plus_is_blank: bool) -> Callable[[str], str]:
    """Return what decodes the keys of an answer that are percent-encoded."""

    def decode(text: str) -> str:
        if plus_is_blank:
            text = text.replace("+", " ")
        if "%" not in text:
            return text
        try:
            return decode_percent(text)
        except MalformedResponse:
            return _no_path(text)

    return decode


def marker_decoder(*, plus_is_blank: bool) -> Callable[[str], str]:
    """Return what decodes such a key as the place where a listing goes on.

    Bytes that are not UTF-8 come as surrogates: `quote` writes them as they were.
    """

    def decode(text: str) -> str:
        if plus_is_blank:
            text = text.replace("+", " ")
        return unquote_to_bytes(text).decode(errors="surrogateescape")

    return decode


_UNSENT: Final = "//"  # in no path, and sent in no request


def _no_path(text: str) -> str:
    """Return what stands for a key that is not UTF-8: no name of a file, and no key that is sent.

    One such key must not cost the listing of those beside it.
    """
    return unquote_to_bytes(text).decode(errors="replace") + _UNSENT


def parse_error(body: bytes) -> ServiceError:
    """Read what a service answers when it refuses."""
    fields = fields_of(parse_document(body, "Error"))
    return ServiceError(
        fields.get("Code", ""),
        fields.get("Message", ""),
        fields.get("RequestId", ""),
        fields.get("Endpoint", ""),
        fields.get("Region", ""),
    )


def has_error_root(body: bytes) -> bool:
    """Tell whether a document is an error; services send blanks before it while they work."""
    return _ERROR.match(body) is not None


def parse_leaves(body: bytes, *roots: str) -> dict[str, str]:
    """Read the texts of a small document by the names of their elements, wherever they stand.

    Of two with one name the first counts.
    """
    found: dict[str, str] = {}
    for element in parse_document(body, *roots).iter():
        if len(element) == 0 and isinstance(element.tag, str):
            found.setdefault(element.tag, (element.text or "").strip())
    return found


def find_root(body: bytes) -> str | None:
    """Return the name of a document's root, without its namespace; None if it is no document."""
    try:
        root = etree.fromstring(body.lstrip(), _parser())
    except (etree.LxmlError, ValueError, LookupError):
        return None
    return _local_name(root.tag)


def is_representable(text: str) -> bool:
    """Tell whether XML 1.0 can carry `text` at all."""
    return _ILLEGAL.search(text) is None


def decode_percent(text: str) -> str:
    """Decode percent-encoded UTF-8: a key in a listing, a link's target in a header.

    Raises:
        MalformedResponse
    """
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise MalformedResponse(f"not percent-encoded UTF-8: {text!r}") from None


_local = threading.local()


def _parser() -> etree.XMLParser:
    """Return this thread's parser: lxml lets threads wait for one another on a shared one."""
    parser: etree.XMLParser | None = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
    return parser


def parse_document(body: bytes, *roots: str) -> etree._Element:
    """Return the root of a document, which has one of the names `roots`; namespaces are gone.

    Raises:
        MalformedResponse
    """
    if len(body) > MAX_DOCUMENT:
        raise MalformedResponse(f"a document of {len(body)} bytes")
    try:
        root = etree.fromstring(_NAMESPACE.sub(rb"\1", body.lstrip(), count=1), _parser())
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise MalformedResponse(f"not XML ({error}): {body[:_SHOWN]!r}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedResponse("a document with a document type")
    if root.tag.startswith("{"):  # a namespace that does not come first
        _strip_namespaces(root)
    if root.tag not in roots:
        raise MalformedResponse(f"<{root.tag}> where <{roots[0]}> was due")
    return root


Element = etree._Element  # noqa: SLF001 - its type, which has no other name


def _strip_namespaces(root: etree._Element) -> None:
    try:
        for element in root.iter():
            element.tag = _local_name(element.tag)
    except ValueError as error:  # libxml2 reads names that it does not write
        raise MalformedResponse(f"not XML ({error})") from None


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def fields_of(element: Element) -> dict[str, str]:
    """Return the texts of an element's children by their names."""
    return {child.tag: child.text or "" for child in element}


def required_field(element: etree._Element, name: str) -> str:
    """Return the text of a child that has to be there.

    Raises:
        MalformedResponse
    """
    text = fields_of(element).get(name)
    if not text:
        raise MalformedResponse(f"<{element.tag}> without <{name}>")
    return text


def parse_number(text: str) -> int:
    """Return a number that is not negative.

    Raises:
        MalformedResponse
    """
    if not _DIGITS.fullmatch(text.strip()):
        raise MalformedResponse(f"not a number: {text!r}")
    return int(text)


def parse_time(text: str) -> int:
    """Return nanoseconds since the epoch.

    Raises:
        MalformedResponse
    """
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND * 1000
    except (ValueError, TypeError, OverflowError):  # TypeError: no time zone
        raise MalformedResponse(f"not a time: {text!r}") from None


def escape_text(text: str) -> str:
    """Return text as it stands between tags.

    Raises:
        InvalidRequest: XML cannot carry it.
    """
    if not is_representable(text):
        raise InvalidRequest(f"XML cannot carry {text!r}")
    # A parser turns a bare carriage return into a line feed.
    return escape(text, {"\r": "&#13;"})


def render_document(root: str, inner: str) -> bytes:
    """Write a document; `inner` is what stands in its root."""
    return _DECLARATION + f"<{root}>{inner}</{root}>".encode()
