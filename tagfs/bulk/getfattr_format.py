r"""getfattr's dump format: `# file: path`, a line `name="value"` for each attribute, a blank line.

Pure. Written exactly as getfattr 2.5 writes it and read as `setfattr --restore` reads it, so that
each program takes the other's files. Paths and names escape `\`, line ends (and `=` in names) as
`\nnn`; a value is text in quotes where at least 7 in 8 of its bytes are printable ASCII, else
`0s` and base64; `0x` and hex is read too. All else, the bytes of UTF-8 included, stays as it is.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tagfs.errors import InvalidTag, SettingsError
from tagfs.fs.mapping.xattr_names import XattrKind, parse_name, tag_name
from tagfs.store.tags import TagSet, parse_tagging, render_tagging

_FILE: Final = b"# file: "
_OCTAL: Final = re.compile(rb"\\([0-7]{1,3})")
_ESCAPE: Final = re.compile(rb'\\(?:([0-7]{1,3})|([\\"]))')
_PRINTABLE: Final = frozenset(range(0x20, 0x7F))
_IN_PATH: Final = re.compile(rb"[\\\n\r]")
_IN_NAME: Final = re.compile(rb"[\\\n\r=]")
_IN_VALUE: Final = re.compile(rb'[\\"\n\r\0]')
_BYTE: Final = 0xFF


@dataclass(frozen=True, slots=True)
class Block:
    """What a dump says of one file.

    Attributes:
        path: as written, unescaped.
        tags: those that are to be set.
        whole: `tags` is the whole set (it came as `user.tagging`).
        others: how many attributes are no tags.
        problem: why the block cannot be restored, or "".
        line: where it begins, from 1.
    """

    path: str
    tags: TagSet
    whole: bool = False
    others: int = 0
    problem: str = ""
    line: int = 0


@dataclass(slots=True)
class _Building:
    path: bytes
    line: int
    tags: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    others: int = 0
    problem: str = ""


def render_block(path: str, tags: Mapping[str, str], *, link: bool = False) -> bytes:
    """Write one file's tags; nothing for none, as getfattr does.

    Tags too long for the name of an attribute are written as one `user.tagging`.
    """
    if not tags:
        return b""
    pairs: list[tuple[bytes, bytes]] = []
    for key, value in tags.items():
        name = tag_name(key, on_link=link)
        if name is None:
            whole = "tagging" if link else "user.tagging"
            pairs = [(whole.encode(), render_tagging(tags).encode())]
            break
        pairs.append((name.encode(), value.encode()))
    lines = [_FILE + _escape(_IN_PATH, path.encode("utf-8", "surrogateescape"))]
    lines += [_escape(_IN_NAME, n) + b"=" + render_value(v) for n, v in sorted(pairs)]
    return b"\n".join(lines) + b"\n\n"


def render_value(value: bytes) -> bytes:
    """Write one value."""
    counted = value[:-1] if value.endswith(b"\0") else value
    odd = sum(byte not in _PRINTABLE for byte in counted)
    if len(counted) < odd * 8:
        return b"0s" + base64.b64encode(value)
    return b'"' + _IN_VALUE.sub(_escape_in_value, value) + b'"'


def _escape(special: re.Pattern[bytes], text: bytes) -> bytes:
    return special.sub(lambda found: b"\\%03o" % found[0][0], text)


def _escape_in_value(found: re.Match[bytes]) -> bytes:
    return b"\\" + found[0] if found[0] in b'\\"' else b"\\%03o" % found[0][0]


def read_blocks(lines: Iterable[bytes]) -> Iterator[Block]:
    """Read a dump, line by line.

    Raises:
        SettingsError: it is no dump.
    """
    building: _Building | None = None
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip(b"\n").removesuffix(b"\r")
        if line.startswith(_FILE):
            if building is not None:
                yield _finish(building)
            building = _Building(_unescape(line[len(_FILE) :]), number)
        elif not line:
            if building is not None:
                yield _finish(building)
            building = None
        elif building is not None:
            _read_attribute(building, line, number)
        else:
            raise SettingsError(f"line {number}: expected '# file: PATH', as getfattr -d writes it")
    if building is not None:
        yield _finish(building)


def _finish(building: _Building) -> Block:
    path = building.path.decode("utf-8", "surrogateescape")
    tags = TagSet(building.tags)
    return Block(path, tags, building.whole, building.others, building.problem, building.line)


def _read_attribute(building: _Building, line: bytes, number: int) -> None:
    raw_name, equals, raw_value = line.partition(b"=")
    try:
        name = parse_name(_unescape(raw_name).decode("utf-8"))
        if name.kind not in (XattrKind.TAG, XattrKind.TAGGING):
            building.others += 1
            return
        value = read_value(raw_value if equals else None).decode("utf-8")
        if name.kind is XattrKind.TAGGING:
            building.tags, building.whole = dict(parse_tagging(value)), True
        else:
            building.tags[name.rest] = value
    except UnicodeDecodeError:
        building.problem = building.problem or f"line {number}: not UTF-8"
    except InvalidTag as error:
        building.problem = building.problem or f"line {number}: {error}"


def read_value(text: bytes | None) -> bytes:
    """Read one value, in any of getfattr's three encodings.

    Raises:
        InvalidTag: none, or in no encoding.
    """
    if text is None:
        raise InvalidTag("no value: dump with getfattr -d")
    kind = text[:2].lower()
    try:
        if kind == b"0x":
            return bytes.fromhex(text[2:].decode("ascii"))
        if kind == b"0s":
            return base64.b64decode(text[2:], validate=True)
    except (ValueError, binascii.Error):
        raise InvalidTag(f"bad value {text.decode('utf-8', 'replace')!r}") from None
    if len(text) > 1 and text.startswith(b'"') and text.endswith(b'"'):
        text = text[1:-1]
    return _ESCAPE.sub(lambda m: m[2] or bytes([int(m[1], 8) & _BYTE]), text)


def _unescape(text: bytes) -> bytes:
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8) & _BYTE]), text)
