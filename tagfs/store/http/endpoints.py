"""Where a bucket is: an endpoint as the user writes it, and the addresses of requests to it."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from tagfs.errors import SettingsError
from tagfs.store.dialects.dialect import Dialect

Addressing = Literal["auto", "virtual", "path", "cname"]
"""Whether a bucket's name is in the host or in the path; "auto" decides by the host, and with
"cname" the host is the bucket's own."""

ADDRESSING: Final = "addressing"
REGION: Final = "region"
"""What a user may leave open, and a service's answer then decides."""

_BUCKET = re.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Old buckets of AWS, and what Ceph (rgw_relaxed_s3_bucket_names, TENANT:BUCKET) and MinIO let be.
_RELAXED = re.compile("[A-Za-z0-9][A-Za-z0-9._:-]{2,254}")
_PORTS = {"http": 80, "https": 443}
# Nothing that a server on the way would write in another form.
_ROOT = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One bucket's address.

    Attributes:
        host: to connect to; the bucket's name is part of it unless `path_style`.
        region: such as "cn-hangzhou"; None when unknown.
        root: the path before that of the bucket, percent-encoded; "" for none.
        own_domain: the host is the bucket's own, which need not have its name.
        undecided: what the user left open, of `ADDRESSING` and `REGION`.
    """

    scheme: str
    host: str
    port: int
    bucket: str
    path_style: bool
    region: str | None = None
    root: str = ""
    own_domain: bool = False
    undecided: frozenset[str] = frozenset()

    @property
    def service_host(self) -> str:
        """The host without the bucket's name."""
        plain = self.path_style or self.own_domain
        return self.host if plain else self.host.removeprefix(f"{self.bucket}.")

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The scheme and the authority."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        style = "path" if self.path_style else "cname" if self.own_domain else "virtual"
        region = f", region={self.region}" if self.region else ""
        return f"{self.scheme}://{self.service_host}{self.root} (addressing={style}{region})"

    @property
    def base(self) -> str:
        """The path of the bucket itself, ending in "/"."""
        return f"{self.root}/{quote(self.bucket, safe='')}/" if self.path_style else f"{self.root}/"

    def target(self, key: str | None, query: Mapping[str, str]) -> str:
        """Return path and query as they go on the request line; no key means the bucket."""
        path = self.base if key is None else self.base + quote(key, safe="/-_.~")
        text = "&".join(
            f"{name}={quote(value, safe='-_.~', errors='surrogateescape')}" if value else name
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
    _check_kind(dialect, bucket)
    if not is_label(bucket):
        _check_relaxed(dialect, bucket, addressing)
    undecided = {REGION} if region is None else set()
    if region is not None:
        region = region.removeprefix(f"{dialect.service}-")
    if not endpoint:
        if not region:
            raise SettingsError(f"set endpoint=HOST or region=NAME for {dialect.title}")
        endpoint = dialect.endpoint(region)
        if addressing == "cname":
            raise SettingsError("addressing=cname needs endpoint=HOST, the bucket's own domain")
    scheme, host, port, root = _split(endpoint)
    if dialect.no_endpoint(host):
        raise SettingsError(f"endpoint {host} is not for programs: {dialect.no_endpoint(host)}")
    # The bucket's own host is what consoles show, and is pasted as the endpoint.
    bare = host.removeprefix(bucket + ".") if dialect.region(host) is None else host
    region = region or dialect.region(bare) or dialect.likely_region(bare)
    if addressing == "cname":
        at = Endpoint(scheme, host, port, bucket, path_style=False, region=region, root=root)
        return replace(at, own_domain=True, undecided=frozenset(undecided))
    host = bare
    if root.rpartition("/")[2] == bucket:  # so is its path
        root = root.rpartition("/")[0]
    path_style = addressing == "path" or not is_label(bucket)
    if addressing == "auto" and not path_style:
        undecided.add(ADDRESSING)
        needed = _needs_path(dialect, bucket, scheme, host)
        path_style = _is_local(host) or bool(root) or needed
    return Endpoint(
        scheme,
        host if path_style else f"{bucket}.{host}",
        port,
        bucket,
        path_style,
        region,
        root,
        undecided=frozenset(undecided),
    )


def is_label(bucket: str) -> bool:
    """Say whether a bucket's name can be part of a host's."""
    return _BUCKET.fullmatch(bucket) is not None


def _check_kind(dialect: Dialect, bucket: str) -> None:
    """Refuse what stands where a bucket's name should, and is none.

    Raises:
        SettingsError
    """
    if bucket.startswith("arn:"):
        raise SettingsError(
            f"{bucket!r} is an ARN: an access point is mounted by its alias, s3://NAME-s3alias, "
            "which the console and `aws s3control get-access-point` show"
        )
    if dialect.no_bucket.search(bucket):
        raise SettingsError(
            f"{bucket!r} is a directory bucket (S3 Express One Zone), which tagfs cannot mount: "
            "it has sessions of its own, lists in no order and has no tags of objects"
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


def _split(endpoint: str) -> tuple[str, str, int, str]:
    text = endpoint if "://" in endpoint else f"https://{endpoint}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    root = parts.path.rstrip("/")
    wrong = parts.query or parts.fragment or parts.username is not None
    if not host or parts.scheme not in _PORTS or wrong or not _ROOT.fullmatch(root):
        raise SettingsError(f"endpoint {endpoint!r} is not [http://|https://]HOST[:PORT][/PATH]")
    return parts.scheme, host, port or _PORTS[parts.scheme], root


def _needs_path(dialect: Dialect, bucket: str, scheme: str, host: str) -> bool:
    """Tell whether a bucket's name goes into the path, as tools of S3 do it on foreign hosts.

    No certificate matches a host with a dot more than its wildcard has.
    """
    foreign = dialect.region(host) is None and not dialect.virtual_elsewhere.fullmatch(host)
    return dialect.path_style_elsewhere and (foreign or (scheme == "https" and "." in bucket))


def _is_local(host: str) -> bool:
    """Tell whether a bucket's name cannot be put before this host."""
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
