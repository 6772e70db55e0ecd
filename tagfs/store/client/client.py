"""`Client`: a bucket served over HTTP, whatever the service; and how one is opened.

A client is put together from parts, one module each. What a part uses stands in its constructor;
what it promises stands in the protocols of `tagfs.store.bucket`.
"""

import os
from dataclasses import dataclass, replace
from typing import Final, Literal

from tagfs.errors import SettingsError, TagfsError
from tagfs.store.bucket import Bucket, Capabilities
from tagfs.store.certificates import find_trust
from tagfs.store.client.api import Api
from tagfs.store.client.context import WriteChoices, client_context
from tagfs.store.client.control_plane import ControlPlane, find_control_plane
from tagfs.store.client.parts import Parts
from tagfs.store.credentials.chain import ANY_CREDENTIALS, CredentialsChoice, find_credentials
from tagfs.store.credentials.token_requests import HttpTokenRequests
from tagfs.store.credentials.values import CredentialsProvider
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.dialects.obs import OBS, TagProfile, choose_tags
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.dialects.tag_escape import TagEscape
from tagfs.store.http.authenticator import Authenticator
from tagfs.store.http.encryption import USUAL, EncryptionChoice
from tagfs.store.http.endpoints import Addressing, Endpoint, find_endpoint
from tagfs.store.http.messages import Observer
from tagfs.store.http.pacing import UNLIMITED, RateLimits
from tagfs.store.http.standing_headers import standing_headers
from tagfs.store.http.transport import Transport, TransportOptions
from tagfs.store.object_versions import VersionStore
from tagfs.store.proxies import Proxy, ProxyChoice, find_proxy
from tagfs.store.tag_index import TagIndex
from tagfs.store.tags import NO_TAGS, TagRules, TagSet

DIALECTS: Final = {dialect.service: dialect for dialect in (OSS, OBS, S3)}
"""The services that there are, by URL scheme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSettings:
    """Which bucket to open, and how; as the user chose it.

    Attributes:
        service: "oss", "obs" or "s3".
        endpoint: host with or without scheme and port; None for the region's.
        region: such as "cn-hangzhou"; None to take it from the endpoint. Without it, requests
            are signed in the older way that needs none.
        parallel: requests under way at most.
        limits: requests and bytes of a second, at most.
        timeout: seconds for one request with all its attempts, transfers not counted.
        tags_denied: what to do when an object must be rewritten whose tags may not be read.
        storage_class: of new objects; None for the bucket's own.
        acl: "keep" to read and carry ACLs, "off" to do neither, or a word to send with all writes.
        default_tags: of objects that are written, each but where they have its key.
        unlisted_absent, annotations: see `WriteChoices`.
        has_rules: some get tags by rules of paths.
        encryption: how new objects are encrypted, and with which key.
        requester_pays: say with every request that its sender pays for it.
        observer: called after every attempt.
        ca_bundle: file or directory of certificates to trust; None leaves it to the environment.
        proxy: the user's choice; None leaves it to the environment.
        obs_tag_urlencode: see `TagEscape`; of OBS alone.
        obs_tag_profile: which of the documented limits of bucket tags hold; of OBS alone.
        credentials: where they are, as far as the user chose.
    """

    service: str
    bucket: str
    endpoint: str | None = None
    region: str | None = None
    addressing: Addressing = "auto"
    parallel: int = 32
    limits: RateLimits = UNLIMITED
    timeout: float = 60.0
    tags_denied: Literal["fail", "drop"] = "fail"
    storage_class: str | None = None
    acl: str = "off"
    default_tags: TagSet = NO_TAGS
    unlisted_absent: bool = False
    annotations: str = "auto"
    has_rules: bool = False
    encryption: EncryptionChoice = USUAL
    requester_pays: bool = False
    observer: Observer | None = None
    ca_bundle: str | None = None
    proxy: ProxyChoice = None
    obs_tag_urlencode: Literal["auto", "on", "off"] = "auto"
    obs_tag_profile: TagProfile = "narrow"
    credentials: CredentialsChoice = ANY_CREDENTIALS


class Client:
    """A `Bucket` over HTTP. Remembers nothing but what the bucket cannot do.

    Every operation is a method of one part.

    Attributes:
        api: sends single requests.
        features: what was learnt of the bucket.
        control: the way to AWS's S3 Control; None where there is none.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        transport: Transport,
        choices: WriteChoices | None = None,
        control: ControlPlane | None = None,
    ) -> None:
        self.api = Api(name, dialect, transport)
        self.name = name
        self.limits = dialect.limits
        self.default_tags = (choices or WriteChoices()).default_tags
        self.bucket_tag_rules = dialect.bucket_tag_rules
        self.transport = transport
        self._context = client_context(self.api, choices or WriteChoices(), control)
        self.control = control
        self.features = self._context.features
        self._bind(Parts(self._context))

    def _bind(self, parts: Parts) -> None:
        self.check_listing = parts.probes.check_listing
        self.check, self.probe, self.describe = (
            parts.probes.check,
            parts.probes.probe,
            parts.probes.describe,
        )
        self.list, self.scan = parts.listing.list, parts.scans.scan
        self.lookup, self.head, self.head_many = (
            parts.heads.lookup,
            parts.heads.head,
            parts.heads.head_many,
        )
        self.get, self.get_many = parts.content.get, parts.content.get_many
        self.put, self.put_symlink = parts.writes.put, parts.links.put_symlink
        self.append, self.start_append = parts.appends.append, parts.appends.start_append
        self.start_upload, self.upload_part = (
            parts.multipart.start_upload,
            parts.multipart.upload_part,
        )
        self.copy_part, self.list_parts = parts.part_copies.copy_part, parts.multipart.list_parts
        self.complete_upload = parts.completion.complete_upload
        self.abort_upload = parts.multipart.abort_upload
        self.copy, self.set_metadata, self.rename = (
            parts.copies.copy,
            parts.edits.set_metadata,
            parts.renames.rename,
        )
        self.delete, self.delete_many = parts.deletes.delete, parts.batch_deletes.delete_many
        self.may_delete, self.probe_deletion = (
            parts.deletes.may_delete,
            parts.deletes.probe_deletion,
        )
        self._tags = parts.tags
        self.get_tags, self.get_tags_many = parts.tags.get_tags, parts.tags.get_tags_many
        self.put_tags, self.update_tags = parts.tags.put_tags, parts.tags.update_tags
        self.get_bucket_tags = parts.tags.get_bucket_tags
        self.update_bucket_tags = parts.tags.update_bucket_tags
        self.has_abac = parts.tags.resource.is_enabled
        self.versions: VersionStore = parts.versions
        self.tag_index: TagIndex | None = parts.tag_index
        self.get_acl, self.put_acl = parts.acls.get_acl, parts.acl_edits.put_acl
        self.restore = parts.restores.restore
        self._forgets = parts.acls.forget_below, parts.kept_annotations.forget_below
        self.list_annotations = parts.annotations.list_annotations
        self.get_annotation = parts.annotations.get_annotation
        self.put_annotation = parts.annotations.put_annotation
        self.delete_annotation = parts.annotations.delete_annotation
        self.save_annotations_in = parts.annotations.save_in
        self.set_saved_annotations = parts.annotations.set_saved

    @property
    def dialect(self) -> Dialect:
        """The service's."""
        return self.api.dialect

    @property
    def object_tag_rules(self) -> TagRules:
        """What the bucket takes as tags of an object, as far as it is known."""
        return self._tags.rules

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do; grows smaller as it refuses things."""
        return self.features.capabilities

    def distrust(self, prefix: str = "") -> None:
        """Let what was answered a moment ago of keys that begin with `prefix` serve no more."""
        for forget in self._forgets:
            forget(prefix)

    def close(self) -> None:
        """Interrupt requests that wait for another attempt; give back connections and threads."""
        self.transport.close()
        self._context.pool.shutdown(cancel_futures=True)
        self._context.trial_pool.shutdown(cancel_futures=True)


def find_dialect(settings: BucketSettings) -> Dialect:
    """Return the dialect of a service, with what the user knows of his region's tags.

    Raises:
        SettingsError: there is no such service.
    """
    dialect = DIALECTS.get(settings.service)
    if dialect is None:
        raise SettingsError(
            f"{settings.service!r} is no service: there are {', '.join(sorted(DIALECTS))}"
        )
    if dialect is not OBS:
        return dialect
    escape = TagEscape(settings.obs_tag_urlencode)
    return choose_tags(dialect, escape, settings.obs_tag_profile)


def credentials_for(settings: BucketSettings) -> CredentialsProvider:
    """Return what will look for credentials when they are needed.

    Raises:
        SettingsError
    """
    dialect = find_dialect(settings)
    choice = replace(settings.credentials, bucket=settings.bucket)
    trust = find_trust(settings.ca_bundle, settings.service)
    tokens = HttpTokenRequests(trust, settings.proxy)
    return find_credentials(
        settings.service, dialect.environment, choice, tokens=tokens, region=settings.region
    )


def find_way(settings: BucketSettings) -> tuple[Endpoint, Proxy | None]:
    """Return where a bucket is, and the proxy on the way to it.

    Raises:
        SettingsError
    """
    at = find_endpoint(
        find_dialect(settings),
        settings.bucket,
        settings.endpoint,
        settings.region,
        settings.addressing,
    )
    return at, find_proxy(at.scheme, at.host, at.port, settings.proxy, os.environ)


def open_bucket(settings: BucketSettings, credentials: CredentialsProvider | None = None) -> Client:
    """Return a client for a bucket; makes no request.

    `credentials` default to those that `credentials_for` finds.

    Raises:
        SettingsError
    """
    dialect = find_dialect(settings)
    if settings.parallel < 1 or settings.timeout <= 0:
        raise SettingsError("parallel must be at least 1, and timeout more than 0 seconds")
    try:
        dialect.object_tag_rules.check(settings.default_tags)
    except TagfsError as failure:
        raise SettingsError(f"default_tags: {failure}") from failure
    endpoint, proxy = find_way(settings)
    encryption = settings.encryption.opened(dialect, endpoint)
    provider = credentials or credentials_for(settings)
    options = TransportOptions(
        parallel=settings.parallel,
        limits=settings.limits,
        timeout=settings.timeout,
        observer=settings.observer,
        trust=find_trust(settings.ca_bundle, settings.service),
        standing=standing_headers(
            dialect, encryption=encryption, requester_pays=settings.requester_pays
        ),
        proxy=proxy,
    )
    authority = Authenticator(endpoint, dialect, provider)
    transport = Transport(endpoint, dialect, authority, options)
    choices = WriteChoices(
        tags_denied_drop=settings.tags_denied == "drop",
        storage_class=settings.storage_class,
        acl=settings.acl,
        default_tags=settings.default_tags,
        unlisted_absent=settings.unlisted_absent,
        annotations=settings.annotations,
        has_rules=settings.has_rules,
    )
    tokens = HttpTokenRequests(options.trust, settings.proxy)
    profile = settings.credentials.profile
    control = find_control_plane(dialect, endpoint, tokens, authority.credentials, profile)
    return Client(settings.bucket, dialect, transport, choices, control)


def _keeps_the_contract(client: Client) -> Bucket:
    return client
