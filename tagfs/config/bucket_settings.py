"""Which bucket a user's choices mean: one answer for every command that opens one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tagfs.catalogue.place import catalogue_name
from tagfs.config.settings import Settings
from tagfs.store.certificates import find_trust
from tagfs.store.client.client import BucketSettings, find_way
from tagfs.store.credentials.chain import CredentialsChoice
from tagfs.store.http.encryption import EncryptionChoice
from tagfs.store.http.messages import Attempt
from tagfs.store.http.pacing import UNLIMITED, RateLimits
from tagfs.store.proxies import DIRECT
from tagfs.store.tags import parse_tagging

UPLOAD_THREADS = 16


def as_reached(settings: Settings) -> Settings:
    """Return the same with what the environment adds: what a mount tells, and recovery keeps.

    Raises:
        SettingsError
    """
    _, proxy = find_way(bucket_settings(settings))
    trust = find_trust(None, settings.url.service)
    if settings.ca_bundle is None and trust.origin:
        settings = replace(settings, ca_bundle=Path(trust.file or trust.directory).absolute())
    return replace(settings, proxy=proxy or DIRECT)


def catalogue_file(settings: Settings) -> str:
    """Return the name of the file in which this host keeps what it learns of a bucket."""
    url = settings.url
    return catalogue_name(url.service, url.bucket, settings.endpoint, settings.region)


def bucket_settings(
    settings: Settings, observer: Callable[[Attempt], None] | None = None
) -> BucketSettings:
    """Return what the store needs to know of what the user chose."""
    return BucketSettings(
        service=settings.url.service,
        bucket=settings.url.bucket,
        endpoint=settings.endpoint,
        region=settings.region,
        addressing=settings.addressing,
        parallel=settings.parallel + UPLOAD_THREADS,
        limits=rate_limits(settings),
        timeout=settings.timeout,
        tags_denied=settings.tags_denied,
        default_tags=parse_tagging(settings.default_tags),
        has_rules=settings.rules is not None,
        storage_class=settings.storage_class,
        acl=settings.acl,
        unlisted_absent=settings.unlisted == "absent",
        annotations=settings.annotations,
        encryption=EncryptionChoice(
            method=settings.sse,
            key_id=settings.sse_kms_key_id,
            customer_key_file=settings.sse_c_key_file,
        ),
        requester_pays=settings.requester_pays == "on",
        observer=observer,
        ca_bundle=str(settings.ca_bundle) if settings.ca_bundle else None,
        proxy=settings.proxy,
        obs_tag_urlencode=settings.obs_tag_urlencode,
        obs_tag_profile=settings.obs_tag_profile,
        credentials=CredentialsChoice(
            file=settings.credentials,
            process=settings.credential_process,
            profile=settings.credentials_profile,
            instance_role=settings.instance_role == "auto",
            anonymous=settings.anonymous == "on",
        ),
    )


def rate_limits(settings: Settings) -> RateLimits:
    """Return how fast requests may follow one another."""
    chosen = RateLimits(
        settings.max_requests_per_second, settings.upload_limit, settings.download_limit
    )
    return UNLIMITED if chosen == UNLIMITED else chosen
