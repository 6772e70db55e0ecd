"""Keys that come with each request (SSE-C): nothing is encrypted, keys are compared.

The manual of S3, "Using server-side encryption with customer-provided keys": the service keeps a
digest of the key, and refuses a read without it; so does OBS.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError

_PREFIX = "server-side-encryption-customer-"
ALGORITHM = f"{_PREFIX}algorithm"
DIGEST = f"{_PREFIX}key-MD5"
_KEY_SIZE = 32


def read_customer_key(context: Context, before: str = "") -> str:
    """Return the digest of the key that comes with a request, "" without one.

    `before` stands before the names: that of a copy's source has "copy-source-".

    Raises:
        ServiceError: it is no key, or was garbled.
    """
    algorithm = context.own(f"{before}{ALGORITHM}")
    key, digest = context.own(f"{before}{_PREFIX}key"), context.own(f"{before}{DIGEST}")
    if algorithm is None and key is None:
        return ""
    if algorithm != "AES256" or key is None or digest is None:
        raise ServiceError("InvalidArgument", "The encryption needs algorithm, key and MD5.")
    try:
        data = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    wrong = base64.b64encode(hashlib.md5(data).digest()).decode() != digest
    if len(data) != _KEY_SIZE or wrong:
        raise ServiceError("InvalidArgument", "The secret key was invalid for the algorithm.")
    return digest


def kept_headers(context: Context) -> dict[str, str]:
    """Return what is kept with an object of the key that it comes with."""
    digest, family = read_customer_key(context), context.dialect.family
    return {family + ALGORITHM: "AES256", family + DIGEST: digest} if digest else {}


def check_key(context: Context, kept: Mapping[str, str], before: str = "") -> None:
    """Refuse a request that has not the key of an object, or of an upload, that it concerns.

    Raises:
        ServiceError
    """
    wanted = kept.get(context.dialect.family + DIGEST, "")
    given = read_customer_key(context, before)
    if wanted == given:
        return
    if not wanted:
        raise ServiceError(
            "InvalidRequest", "The encryption parameters are not applicable to this object."
        )
    if not given:
        raise ServiceError(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters "
            "must be provided to retrieve the object.",
        )
    raise ServiceError("AccessDenied")
