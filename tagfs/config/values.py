"""How the value of a mount option is read: each parser returns it, or raises ValueError."""

import grp
import os
import pwd
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tagfs.catalogue.expression import parse_expression
from tagfs.config.limits import MAX_PARALLEL
from tagfs.errors import InvalidTag, SettingsError
from tagfs.localfiles.trusted import home
from tagfs.rules.place import RulesPlace
from tagfs.store.proxies import Direct, Proxy, parse_proxy, read_proxy
from tagfs.store.tags import parse_tagging

MAX_NAME: Final = 255
MAX_PORT: Final = 65535
MIN_MEMORY: Final = 16 * 1024**2
MIN_PART: Final = 100 * 1024
MAX_PART: Final = 5 * 1024**3

_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def seconds(text: str) -> float:
    """Read a time of up to a year."""
    value = float(text)
    if not 0 <= value <= 365 * 86400:
        raise ValueError(text)
    return value


def duration(text: str) -> float:
    """Read seconds: a number and perhaps s, m, h or d."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None:
        raise ValueError(text)
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def expression(text: str) -> str:
    """Read an expression about tags."""
    try:
        parse_expression(text)
    except SettingsError as error:
        raise ValueError(text) from error
    return text


def view_name(text: str) -> str:
    """Read the name of a directory."""
    if not text or "/" in text or text in (".", "..") or len(text.encode()) > MAX_NAME:
        raise ValueError(text)
    return text


def size(text: str) -> int:
    """Read bytes: a number and perhaps K, M or G, of 1024 each."""
    match = re.fullmatch(r"(\d+)([kKmMgG]?)(?:i?[bB])?", text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _UNITS[match[2].lower()]


def parallelism(text: str) -> int:
    """Read how many requests may be under way."""
    value = int(text)
    if not 1 <= value <= MAX_PARALLEL:
        raise ValueError(text)
    return value


def port(text: str) -> int:
    """Read a TCP port."""
    value = int(text)
    if not 1 <= value <= MAX_PORT:
        raise ValueError(text)
    return value


def rate(text: str) -> float:
    """Read how many of something a second may have; 0 for no limit."""
    value = float(text)
    if not 0 <= value <= 1e6:  # noqa: PLR2004  (more than one host sends)
        raise ValueError(text)
    return value


def memory(text: str) -> int:
    """Read bytes of memory."""
    value = size(text)
    if value < MIN_MEMORY:
        raise ValueError(text)
    return value


def part_size(text: str) -> int:
    """Read the bytes of one part of a multipart upload."""
    value = size(text)
    if not MIN_PART <= value <= MAX_PART:
        raise ValueError(text)
    return value


def numeric_id(text: str) -> int:
    """Read the number of a user or group; the greatest means "none" to chown(2)."""
    value = int(text)
    if not 0 <= value < 2**32 - 1:
        raise ValueError(text)
    return value


def user(text: str) -> int:
    """Read a user's number or name."""
    return numeric_id(text) if text.isdecimal() else _named(lambda: pwd.getpwnam(text).pw_uid, text)


def group(text: str) -> int:
    """Read a group's number or name."""
    return numeric_id(text) if text.isdecimal() else _named(lambda: grp.getgrnam(text).gr_gid, text)


def _named(find: Callable[[], int], text: str) -> int:
    try:
        return find()
    except KeyError:
        raise ValueError(text) from None


def octal(text: str) -> int:
    """Read permission bits."""
    value = int(text, 8)
    if not 0 <= value <= 0o777:  # noqa: PLR2004  (nine permission bits)
        raise ValueError(text)
    return value


def one_of(*words: str) -> Callable[[str], str]:
    """Return a parser of one of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return parse


def acl(text: str) -> str:
    """Read keep, off or a canned word; which there are is the service's to say."""
    if not re.fullmatch("[a-z]+(-[a-z]+)*", text):
        raise ValueError(text)
    return text


def tags(text: str) -> str:
    """Read tags as `user.tagging` has them; what the service takes is its dialect's to say."""
    try:
        parse_tagging(text)
    except InvalidTag as failure:
        raise ValueError(text) from failure
    return text


def encryption(text: str) -> str:
    """Read a word or the id of a key as a header carries it."""
    if not text.isascii() or not text.isprintable() or text != text.strip() or not text:
        raise ValueError(text)
    return text


def proxy(text: str) -> Proxy | Direct:
    """Read a proxy's URL, "none", or a file that holds one of these."""
    return read_proxy(path(text)) if text.startswith(("/", "~/")) else parse_proxy(text)


def command(text: str) -> str:
    """Read a command; a mount in the background has another working directory."""
    words = shlex.split(text)
    if not words:
        raise ValueError(text)
    if "/" in words[0]:
        words[0] = str(path(words[0]))
    return shlex.join(words)


def path(text: str) -> Path:
    """Read a path; a mount in the background has another working directory."""
    own = home(os.environ)
    return own / text[2:] if text.startswith("~/") and own else Path(text).absolute()


def rules(text: str) -> RulesPlace:
    """Read where rules are: a file of them, or a section of a settings file after its name."""
    found = re.fullmatch(r"(.+) \[(.*)\]", text)
    if found is None:
        return RulesPlace(path(text))
    return RulesPlace(path(found[1]), found[2])
