"""What a copy takes from its own request alone: encryption, and where a web site redirects to."""

import secrets
from typing import NamedTuple

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.customer_keys import ALGORITHM, kept_headers
from tagfs.emulator.engine.errors import ServiceError

_REDIRECT = "website-redirect-location"
ENCRYPTION = "server-side-encryption"
HIDDEN = "x-emulator-"
"""What the emulator itself notes among the headers of an object, or of an upload."""


class _Encryption(NamedTuple):
    """A family's words: the key id's header, the methods, and the key where none is named."""

    key_id: str
    methods: tuple[str, ...]
    default_key: str = ""


_DEFAULT_KEY = "arn:aws:kms:us-east-1:123456789012:key/default"
_WORDS = {
    "x-amz-": _Encryption(
        f"{ENCRYPTION}-aws-kms-key-id", ("AES256", "aws:kms", "aws:kms:dsse"), _DEFAULT_KEY
    ),
    "x-obs-": _Encryption(f"{ENCRYPTION}-kms-key-id", ("AES256", "kms"), _DEFAULT_KEY),
    "x-oss-": _Encryption(f"{ENCRYPTION}-key-id", ("AES256", "KMS", "SM4")),
}


def read_uncopied(context: Context) -> dict[str, str]:
    """Return these headers of a request, in the words of the service's own family.

    Raises:
        ServiceError: they make no sense.
    """
    own, words, found = context.dialect.family, _WORDS[context.family], {}
    if (where := context.own(_REDIRECT)) is not None:
        found[own + _REDIRECT] = where
    found |= kept_headers(context)
    word, key_id = context.own(ENCRYPTION), context.own(words.key_id)
    if word is not None and word not in words.methods:
        raise ServiceError("InvalidArgument", "The encryption method specified is not supported")
    with_key = "kms" in (word or "").lower()
    if key_id and not with_key:
        raise ServiceError("InvalidArgument", "A key id without kms makes no sense.")
    if word is not None:
        found[own + ENCRYPTION] = word.removeprefix("aws:") if own == "x-obs-" else word
    if with_key and (key_id or words.default_key):
        found[own + _WORDS[own].key_id] = key_id or words.default_key
    return found


def shown_uncopied(context: Context, headers: dict[str, str]) -> dict[str, str]:
    """Return kept headers as the caller's family calls them."""
    own, family = context.dialect.family, context.family
    if own == family:
        return headers
    names = {own + _REDIRECT: family + _REDIRECT, own + ENCRYPTION: family + ENCRYPTION}
    names[own + _WORDS[own].key_id] = family + _WORDS[family].key_id
    shown = {names.get(name, name): text for name, text in headers.items()}
    if shown.get(family + ENCRYPTION) == "kms":
        shown[family + ENCRYPTION] = "aws:kms"
    return shown


def is_uncopied(name: str) -> bool:
    """Tell whether a header that is kept with an object is one of these."""
    return name.startswith("x-") and not is_checksum(name)


def is_checksum(name: str) -> bool:
    """Tell whether a header that is kept with an object is a checksum of its content, as S3 has."""
    return name.startswith("x-amz-checksum-")


def etag_of(headers: dict[str, str], md5: str) -> str:
    """Return the ETag of a content: its MD5, but where KMS, or the customer's key, encrypts it.

    OSS writes the method in capitals, and keeps the MD5.
    """
    encrypted = any(
        (name.endswith(ENCRYPTION) and "kms" in word) or name.endswith(ALGORITHM)
        for name, word in headers.items()
    )
    return secrets.token_hex(16) if encrypted else md5
