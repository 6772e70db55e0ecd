"""What a copy takes from its own request alone: encryption, and where a web site redirects to."""

import secrets

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError

_REDIRECT = "website-redirect-location"
_SSE = "server-side-encryption"
_KEY_IDS = {"x-amz-": f"{_SSE}-aws-kms-key-id", "x-obs-": f"{_SSE}-kms-key-id"}
_WORDS = {"x-amz-": ("AES256", "aws:kms", "aws:kms:dsse"), "x-obs-": ("AES256", "kms")}
_DEFAULT_KEY = "arn:aws:kms:us-east-1:123456789012:key/default"


def read_uncopied(context: Context) -> dict[str, str]:
    """Return these headers of a request, in the words of the service's own family.

    Raises:
        ServiceError: they make no sense.
    """
    own, found = context.dialect.family, {}
    if (where := context.own(_REDIRECT)) is not None:
        found[own + _REDIRECT] = where
    word, key_id = context.own(_SSE), context.own(_KEY_IDS[context.family])
    if word is not None and word not in _WORDS[context.family]:
        raise ServiceError("InvalidArgument", "The encryption method specified is not supported")
    if key_id and not is_kms(word or ""):
        raise ServiceError("InvalidArgument", "A key id without kms makes no sense.")
    if word is not None:
        found[own + _SSE] = word.removeprefix("aws:") if own == "x-obs-" else word
    if is_kms(word or ""):
        found[own + _KEY_IDS[own]] = key_id or _DEFAULT_KEY
    return found


def shown_uncopied(context: Context, headers: dict[str, str]) -> dict[str, str]:
    """Return kept headers as the caller's family calls them."""
    own, family = context.dialect.family, context.family
    if own == family:
        return headers
    names = {own + _REDIRECT: family + _REDIRECT, own + _SSE: family + _SSE}
    names[own + _KEY_IDS[own]] = family + _KEY_IDS[family]
    shown = {names.get(name, name): text for name, text in headers.items()}
    if shown.get(family + _SSE) == "kms":
        shown[family + _SSE] = "aws:kms"
    return shown


def is_kms(word: str) -> bool:
    """Tell whether a method of encryption has a key id, and ETags that are no MD5."""
    return "kms" in word


def is_uncopied(name: str) -> bool:
    """Tell whether a header that is kept with an object is one of these."""
    return name.startswith("x-")


def etag_of(headers: dict[str, str], md5: str) -> str:
    """Return the ETag of a content: its MD5, but where KMS encrypts it."""
    encrypted = any(name.endswith(_SSE) and is_kms(word) for name, word in headers.items())
    return secrets.token_hex(16) if encrypted else md5
