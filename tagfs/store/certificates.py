"""Whose certificates are trusted: what was chosen, the environment's, or this host's store.

The one user of certifi, whose list stands in where a host has none.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import certifi

from tagfs.errors import SettingsError

_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "s3": ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    "": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
"""Variables that name a file or a directory, by service; "" for all that have none of their own."""

STORES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch; update-ca-certificates
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL, openEuler; update-ca-trust
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine
)
"""Where hosts have theirs: an interpreter that was built elsewhere does not know."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Certificates of authorities.

    Attributes:
        file, directory: where they are, each "" for none; directories are separated by ":".
        origin: who named them: "ca_bundle", "AWS_CA_BUNDLE"; "" for nobody.
    """

    file: str = ""
    directory: str = ""
    origin: str = ""

    def __str__(self) -> str:
        places = " and ".join(filter(None, (self.file, self.directory)))
        return f"{places} ({self.origin})" if self.origin else places

    def context(self) -> ssl.SSLContext:
        """Return what verifies a service.

        Raises:
            SettingsError: there are no certificates where the user said.
        """
        missing = [place for place in self._places() if not Path(place).exists()]
        if missing:
            raise SettingsError(f"{self.origin}={missing[0]} is not there: name a PEM file")
        try:
            return ssl.create_default_context(
                cafile=self.file or None, capath=self.directory or None
            )
        except OSError as error:  # ssl's are some
            reason = getattr(error, "reason", None) or error.strerror
            raise SettingsError(
                f"{self.origin or 'certificates'}={self.file} has no certificate ({reason})"
            ) from None

    def _places(self) -> Iterator[str]:
        yield from filter(None, [self.file, *self.directory.split(":")])


def find_trust(
    chosen: str | None,
    service: str = "",
    environment: Mapping[str, str] = os.environ,
    stores: tuple[str, ...] = STORES,
) -> Trust:
    """Return whose certificates are trusted; what is `chosen` goes before the environment.

    `stores` are tried after the place that this interpreter's OpenSSL knows.
    """
    if chosen:
        return _named(chosen, "ca_bundle")
    for name in _VARIABLES.get(service, _VARIABLES[""]):
        if value := environment.get(name, "").strip():
            return _named(value, name)
    file, directory = environment.get("SSL_CERT_FILE", ""), environment.get("SSL_CERT_DIR", "")
    if file or directory:
        names = [n for n, v in (("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directory)) if v]
        return Trust(file, directory, " and ".join(names))
    return _of_host(stores)


def _named(place: str, origin: str) -> Trust:
    return Trust("", place, origin) if Path(place).is_dir() else Trust(place, "", origin)


def _of_host(stores: tuple[str, ...]) -> Trust:
    """Return the host's own store: the file that its tools write, and the directory beside it."""
    known = ssl.get_default_verify_paths()
    file = next(filter(_has_some, (known.openssl_cafile, *stores)), "")
    if file:
        return Trust(file)
    directory = Path(known.openssl_capath)
    if directory.is_dir() and any(directory.glob("*.[0-9]")):
        return Trust("", str(directory))
    return Trust(certifi.where())


def _has_some(file: str) -> bool:
    try:
        return Path(file).stat().st_size > 0
    except OSError:
        return False
