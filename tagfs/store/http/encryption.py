"""How new objects are to be encrypted: what the user chose, and what it comes to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tagfs.errors import SettingsError
from tagfs.store.credentials.customer_key import read_customer_key
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http.endpoints import Endpoint

_LOCAL: Final = frozenset({"127.0.0.1", "::1", "[::1]", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """An encryption as requests name it.

    Attributes:
        method: the service's word; None for the bucket's own.
        key_id: of a key that the service manages; None for its usual one.
        customer_key: what encrypts each object; None where the service has the keys.
    """

    method: str | None = None
    key_id: str | None = None
    customer_key: bytes | None = None

    @property
    def hides_md5(self) -> bool:
        """Whether ETags are no MD5s of what was sent."""
        return self.customer_key is not None or "kms" in (self.method or "").lower()


NONE_CHOSEN: Final = Encryption()
"""The bucket's own encryption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionChoice:
    """The options sse, sse_kms_key_id and sse_c_key_file."""

    method: str | None = None
    key_id: str | None = None
    customer_key_file: Path | None = None

    def opened(self, dialect: Dialect, endpoint: Endpoint) -> Encryption:
        """Return what was chosen, the key read from its file.

        Raises:
            SettingsError: it makes no sense with this service.
            BadCredentials: others could read the file of the key.
        """
        if self.customer_key_file is not None:
            return self._by_customer(self.customer_key_file, dialect, endpoint)
        if self.method is not None and self.method not in dialect.encryptions:
            known = ", ".join(dialect.encryptions)
            raise SettingsError(f"sse={self.method}: {dialect.title} has {known}")
        if self.key_id is not None and "kms" not in (self.method or "").lower():
            word = next(word for word in dialect.encryptions if "kms" in word.lower())
            raise SettingsError(f"sse_kms_key_id needs sse={word}")
        return Encryption(method=self.method, key_id=self.key_id)

    def _by_customer(self, path: Path, dialect: Dialect, endpoint: Endpoint) -> Encryption:
        if self.method is not None or self.key_id is not None:
            raise SettingsError("sse_c_key_file excludes sse and sse_kms_key_id")
        if not dialect.customer_keys:
            raise SettingsError(f"sse_c_key_file: {dialect.title} takes no keys of customers")
        if endpoint.scheme != "https" and endpoint.host not in _LOCAL:
            raise SettingsError("sse_c_key_file needs https: the key goes with each request")
        return Encryption(customer_key=read_customer_key(path))


USUAL: Final = EncryptionChoice()
"""Nothing was chosen."""
