"""The key that the customer keeps, and the service encrypts with: read from a file of its own."""

import base64
import binascii
from pathlib import Path
from typing import Final

from tagfs.errors import SettingsError
from tagfs.store.credentials.private_files import read_private
from tagfs.store.credentials.values import NotAvailable

KEY_SIZE: Final = 32
"""Bytes of a key of AES-256."""


def read_customer_key(path: Path) -> bytes:
    """Return a key of 32 bytes that is written in base64 or in hex.

    Raises:
        SettingsError: there is none in the file.
        BadCredentials: others could read it.
    """
    try:
        text = read_private(path).strip()
    except NotAvailable as missing:
        raise SettingsError(f"sse_c_key_file={missing}") from None
    for decode in (base64.b64decode, bytes.fromhex):
        try:
            key = decode(text)
        except (binascii.Error, ValueError):
            continue
        if len(key) == KEY_SIZE:
            return key
    raise SettingsError(
        f"sse_c_key_file={path}: expected 32 bytes in base64 (openssl rand -base64 32) or in hex"
    )
