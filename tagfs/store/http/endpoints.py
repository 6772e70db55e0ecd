"""Where a bucket is: an endpoint as the user writes it, and the addresses of requests to it."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

from tagfs.errors import SettingsError
from tagfs.store.dialects.dialect import Dialect

Addressing = Literal["auto", "virtual", "path"]
"""Whether a bucket's name is in the host or in the path; "auto" decides by the host."""

_BUCKET = re.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Old buckets of AWS, and what Ceph (rgw_relaxed_s3_bucket_names, TENANT:BUCKET) and MinIO let be.
_RELAXED = re.compile("[A-Za-z0-9][A-Za-z0-9._:-]{2,254}")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One bucket's address.

    Attributes:
        host: to connect to; the bucket's name is part of it unless `path_style`.
        region: such as "cn-hangzhou"; None when unknown.
    """

    scheme: str
    host: str
    port: int
    bucket: str
    path_style: bool
    region: str | None = None

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The scheme and the authority."""
        return f"{self.scheme}://{self.authority}"

    @property
    def base(self) -> str:
        """The path of the bucket itself, ending in "/"."""
        return f"/{quote(self.bucket, safe='')}/" if self.path_style else "/"

    def target(self, key: str | None, query: Mapping[str, str]) -> str:
        """Return path and query as they go on the request line; no key means the bucket."""
        path = self.base if key is None else self.base + quote(key, safe="/-_.~")
        text = "&".join(
            f"{name}={quote(value, safe='-_.~')}" if value else name
            for name, value in query.items()
        )
        return f"{path}?{text}" if text else path


def find_endpoint(
    dialect: Dialect,
    bucket: str,
    endpoint: str | None = None,
    region: str | None = None,
    addressing: Addressing = "auto",
) -> Endpoint:
    """Work out a bucket's address from what the user chose.

    Without a scheme, https is meant. The region is taken from the endpoint's host, and the
    endpoint from the region, where one is missing.

    Raises:
        SettingsError
    """
    is_label = _BUCKET.fullmatch(bucket) is not None
    if not is_label:
        _check_relaxed(dialect, bucket, addressing)
    if region is not None:
        region = region.removeprefix(f"{dialect.service}-")
    if not endpoint:
        if not region:
            raise SettingsError(f"set endpoint=HOST or region=NAME for {dialect.title}")
        endpoint = dialect.endpoint(region)
    scheme, host, port = _split(endpoint)
    # The bucket's own host is what consoles show, and is pasted as the endpoint.
    host = host.removeprefix(bucket + ".") if dialect.region(host) is None else host
    path_style = (
        addressing == "path"
        or not is_label
        or (
            addressing == "auto" and (_is_local(host) or _needs_path(dialect, bucket, scheme, host))
        )
    )
    return Endpoint(
        scheme,
        host if path_style else f"{bucket}.{host}",
        port,
        bucket,
        path_style,
        region or dialect.region(host),
    )


def _check_relaxed(dialect: Dialect, bucket: str, addressing: Addressing) -> None:
    """Judge a name that no host can have: one that is there can be used in the path.

    Raises:
        SettingsError
    """
    relaxed = dialect.path_style_elsewhere and _RELAXED.fullmatch(bucket)
    if not relaxed:
        raise SettingsError(
            f"{bucket!r} cannot be a bucket: 3 to 63 lower-case letters, digits, '-' and '.'"
        )
    if addressing == "virtual":
        raise SettingsError(f"bucket {bucket!r} cannot be part of a host: addressing=path")


def _split(endpoint: str) -> tuple[str, str, int]:
    text = endpoint if "://" in endpoint else f"https://{endpoint}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in _PORTS or parts.path.strip("/") or parts.query:
        raise SettingsError(f"endpoint {endpoint!r} is not [http://|https://]HOST[:PORT]")
    return parts.scheme, host, port or _PORTS[parts.scheme]


def _needs_path(dialect: Dialect, bucket: str, scheme: str, host: str) -> bool:
    """Tell whether a bucket's name goes into the path, as tools of S3 do it on foreign hosts.

    No certificate matches a host with a dot more than its wildcard has.
    """
    return dialect.path_style_elsewhere and (
        dialect.region(host) is None or (scheme == "https" and "." in bucket)
    )


def _is_local(host: str) -> bool:
    """Tell whether a bucket's name cannot be put before this host."""
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
