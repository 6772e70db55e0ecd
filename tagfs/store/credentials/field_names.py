"""What the many tools call the parts of a key pair, and how they write them. Pure.

No failure repeats a text that it could not read: a secret may be in it.
"""

import configparser
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.values import Credentials

_VENDORS = ("", "aws", "oss", "obs", "alibabacloud", "huaweicloudsdk")


def _of_all(*words: str) -> frozenset[str]:
    return frozenset(vendor + word for vendor in _VENDORS for word in words)


KEY_IDS: Final = _of_all("accesskeyid", "accessid", "ak", "access")
SECRETS: Final = _of_all("accesskeysecret", "secretaccesskey", "sk", "secret", "secretkey")
TOKENS: Final = _of_all("securitytoken", "sessiontoken", "ststoken", "token")
EXPIRIES: Final = frozenset({"expiration", "expiresat", "stsexpiration"})

ROLES: Final = frozenset(
    "rolearn ramrolearn sourceprofile credentialsource webidentitytokenfile oidcproviderarn "
    "loginsession".split()
)
"""Words of the tools for another identity, which a token service has to be asked for."""

_MILLISECONDS = 1e11
"""A time since the epoch above this is in milliseconds."""


def plain(name: str) -> str:
    """Return a name without what tools write differently: case, "-" and "_"."""
    return name.lower().replace("_", "").replace("-", "")


def parse_key_pair(fields: Mapping[str, object], origin: str) -> Credentials:
    """Return the key pair that names and values tell of; names that mean nothing are passed over.

    Raises:
        BadCredentials: a part is missing, or cannot be what it says.
    """
    words = {plain(name): value for name, value in fields.items()}
    key_id = _text(words, KEY_IDS, origin)
    secret = _text(words, SECRETS, origin)
    if not key_id or not secret:
        missing = "access_key_id" if not key_id else "access_key_secret"
        raise BadCredentials(f"{origin} has no {missing}")
    token = _text(words, TOKENS, origin)
    return Credentials(key_id, secret, token or None, _expiry(words, origin))


def has_pair(fields: Mapping[str, object]) -> bool:
    """Tell whether one half of a pair at least is there."""
    return any(plain(name) in KEY_IDS | SECRETS and value for name, value in fields.items())


def role_in(fields: Mapping[str, object]) -> str:
    """Return the name of a field that tells of a role or of single sign-on, "" without any."""
    for name, value in fields.items():
        word = plain(name)
        if value and (word in ROLES or word.startswith("sso")):
            return name
    return ""


def _text(words: Mapping[str, object], names: frozenset[str], origin: str) -> str:
    found = next((words[name] for name in words if name in names and words[name]), "")
    # A line feed from `export X=$(cat file)` or a file with CRLF is never part of a key.
    text = str(found).strip() if isinstance(found, str) else "\0"
    if not text.isascii() or not text.isprintable() or " " in text:
        raise BadCredentials(f"{origin}: a part of the key pair has characters that no key has")
    return text


def _expiry(words: Mapping[str, object], origin: str) -> float | None:
    found = next((words[name] for name in words if name in EXPIRIES and words[name]), None)
    if found is None:
        return None
    moment = parse_moment(found)
    if moment is None:
        raise BadCredentials(f"{origin}: the expiration is no time such as 2026-01-02T03:04:05Z")
    return moment


def parse_moment(found: object) -> float | None:
    """Return seconds since the epoch of a time as services and tools write it, or None."""
    try:
        seconds = float(found)  # type: ignore[arg-type]  # what is no number raises
    except OverflowError:
        return None
    except (TypeError, ValueError):
        pass
    else:
        if not math.isfinite(seconds):
            return None
        return seconds / 1000 if seconds > _MILLISECONDS else seconds
    try:
        moment = datetime.fromisoformat(str(found))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_json(text: str, origin: str) -> dict[str, Any]:
    """Return an object in JSON.

    Raises:
        BadCredentials
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):  # raised out here: the parser's own failure holds the text
        raise BadCredentials(f"{origin}: is not a JSON object")
    return found


def parse_ini(text: str, origin: str) -> dict[str, dict[str, str]]:
    """Return the sections of an INI file with their lines, names in lower case.

    Raises:
        BadCredentials
    """
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#", ";"), default_section="\0"
    )
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", 0) or getattr(error, "errors", [(0, "")])[0][0]
    else:
        return {name: dict(parser.items(name)) for name in parser.sections()}
    raise BadCredentials(f"{origin}, line {line}: is not NAME = VALUE below a [section]")


def parse_lines(text: str, origin: str) -> dict[str, str]:
    """Return lines of NAME=VALUE, as an EnvironmentFile or a shell script has them.

    Raises:
        BadCredentials
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip().removeprefix("export ")
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals:
            raise BadCredentials(f"{origin}, line {number}: is not NAME = VALUE")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found
