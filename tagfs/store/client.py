"""`Client`: a bucket served over HTTP, whatever the service; and how one is opened.

The class is put together from modules by what they do to objects: calls <- reading, tagging <-
writing <- appending <- multipart <- copying.
"""

from dataclasses import dataclass
from typing import Final, Literal

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    NoSuchBucket,
    Refused,
    SettingsError,
    TagfsError,
    Unreachable,
)
from tagfs.store.bucket import Bucket
from tagfs.store.copying import Copying
from tagfs.store.credentials import CredentialsProvider, EnvironmentCredentials
from tagfs.store.endpoints import Addressing, find_endpoint
from tagfs.store.exchange import Observer, Request
from tagfs.store.oss import OSS
from tagfs.store.signing import Authority
from tagfs.store.transport import Options, Transport
from tagfs.store.wire import BucketDescription, parse_bucket_info, parse_listing

DIALECTS: Final = {dialect.service: dialect for dialect in (OSS,)}
"""The services that there are, by URL scheme."""

_CHECK_TIMEOUT = 5.0  # seconds; somebody waits for the mount


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSettings:
    """Which bucket to open, and how; as the user chose it.

    Attributes:
        service: "oss".
        endpoint: host with or without scheme and port; None for the region's.
        region: such as "cn-hangzhou"; None to take it from the endpoint. Without it, requests
            are signed in the older way that needs none.
        parallel: requests under way at most.
        timeout: seconds for one request with all its attempts, transfers not counted.
        tags_denied: what to do when an object must be rewritten whose tags may not be read.
        storage_class: of new objects; None for the bucket's own.
        observer: told of every attempt.
        ca_bundle: file of certificates to trust instead of the usual ones.
    """

    service: str
    bucket: str
    endpoint: str | None = None
    region: str | None = None
    addressing: Addressing = "auto"
    parallel: int = 32
    timeout: float = 60.0
    tags_denied: Literal["fail", "drop"] = "fail"
    storage_class: str | None = None
    observer: Observer | None = None
    ca_bundle: str | None = None


class Client(Copying):
    """A `Bucket` over HTTP. Remembers nothing but what the bucket cannot do."""

    def check(self, prefix: str = "") -> None:
        """Prove by one request that the bucket can be listed; fails within seconds.

        Raises:
            NoSuchBucket, BadCredentials, AccessDenied, Unreachable: with what to do about it.
        """
        request = Request(
            operation="ListObjects",
            method="GET",
            query={"prefix": prefix, "max-keys": "1"},
            subresource="list",
            timeout=min(_CHECK_TIMEOUT, self.transport.options.timeout),
            patient=False,
            quiet=True,
        )
        try:
            self._ask(request, parse_listing)
        except TagfsError as failure:
            raise self._explained(failure) from failure

    def describe(self) -> BucketDescription:
        """Return what GetBucketInfo tells of the bucket.

        Raises:
            NoSuchBucket, AccessDenied
        """
        request = Request(
            operation="GetBucketInfo",
            method="GET",
            query={"bucketInfo": ""},
            subresource="bucketInfo",
        )
        return self._ask(request, parse_bucket_info)

    def _explained(self, failure: TagfsError) -> TagfsError:
        where = f"{self.dialect.title} at {self.transport.endpoint.url}"
        names = self.dialect.environment
        match failure:
            case NoSuchBucket():
                advice = f"no bucket {self.name!r} at {where}: check its name, endpoint and region"
            case BadCredentials():
                advice = (
                    f"{where} refuses the key pair: check {names.access_key_id} and "
                    f"{names.secret_access_key} ({names.session_token} for temporary ones)"
                )
            case AccessDenied():
                advice = f"bucket {self.name!r} may not be listed: allow ListObjects to this key"
            case Unreachable():
                advice = f"cannot reach {where}: check endpoint, region and network"
            case Refused():
                advice = f"{where} does not answer for {self.name!r}: check endpoint and region"
            case _:
                return failure
        return type(failure)(f"{advice} ({failure})")


def open_bucket(settings: BucketSettings, credentials: CredentialsProvider | None = None) -> Client:
    """Return a client for a bucket; makes no request.

    `credentials` default to the service's environment variables.

    Raises:
        SettingsError
    """
    dialect = DIALECTS.get(settings.service)
    if dialect is None:
        raise SettingsError(
            f"{settings.service!r} is no service: there are {', '.join(sorted(DIALECTS))}"
        )
    if settings.parallel < 1 or settings.timeout <= 0:
        raise SettingsError("parallel must be at least 1, and timeout more than 0 seconds")
    endpoint = find_endpoint(
        dialect, settings.bucket, settings.endpoint, settings.region, settings.addressing
    )
    provider = credentials or EnvironmentCredentials(dialect.environment)
    options = Options(
        parallel=settings.parallel,
        timeout=settings.timeout,
        observer=settings.observer,
        ca_bundle=settings.ca_bundle,
    )
    transport = Transport(endpoint, dialect, Authority(endpoint, dialect, provider), options)
    return Client(
        settings.bucket,
        dialect,
        transport,
        tags_denied_drop=settings.tags_denied == "drop",
        storage_class=settings.storage_class,
    )


def _keeps_the_contract(client: Client) -> Bucket:
    return client
