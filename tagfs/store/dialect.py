"""How one service differs from the others, as data.

A `Dialect` is all that `Client` and `Transport` know of a service. What cannot be a value is a
pure function that the dialect carries (its signer, where its regions live). The reason of a quirk
stands beside its value, in the module of the service.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tagfs.store.bucket import NOTHING, Capabilities, Limits
from tagfs.store.credentials import Credentials, EnvironmentNames
from tagfs.store.tags import TagRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Signable:
    """What a signature covers.

    Attributes:
        key: not percent-encoded; "" for the bucket itself.
        bucket: "" for the service itself.
        query: decoded; an empty value means a name without "=".
        headers: names in lower case.
        host: as the Host header says it.
        path: the request line's path as it is sent, percent-encoded.
    """

    method: str
    bucket: str = ""
    key: str = ""
    query: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    host: str = ""
    path: str = "/"


class Signer(Protocol):
    """A pure function of a request, a pair and a moment."""

    def __call__(
        self, request: Signable, credentials: Credentials, now: float
    ) -> Mapping[str, str]:
        """Return the headers to add; `now` in seconds since the epoch, on the service's clock."""
        ...


class EmptyTagging(enum.Enum):
    """What a service answers to GET ?tagging where there are no tags."""

    EMPTY_SET = "200 and an empty TagSet"
    NOT_FOUND = "404 NoSuchTagSet"
    EMPTY_BODY = "200 and an empty TagSet, or nothing at all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One service.

    Attributes:
        service: the URL scheme: "oss", "obs", "s3".
        title: the service's name, for people.
        header_prefix: begins the service's own headers, such as "x-oss-".
        environment: the variables that hold credentials.
        signer: returns the signer for a region, or for None when that is unknown.
        endpoint: returns the host of a region.
        region: returns the region that a host belongs to, or None.
        limits: numbers that the service fixes.
        capabilities: what a bucket can do unless it says otherwise.
        object_tag_rules, bucket_tag_rules: what the service accepts as tags.
        list_version: of ListObjects, 1 or 2.
        url_listing: whether to ask for percent-encoded keys in XML.
        plus_is_blank: whether "+" means a blank in such keys.
        get_headers: sent with every GET of content.
        exclusive: header and value which make a write fail when the key is taken.
        copy_tags, replace_tags, copy_metadata, replace_metadata: words of the copy's directives.
        empty_tagging: how "no tags" is said.
        delete_bucket_tags_by_key: whether DELETE ?tagging=k1,k2 removes single bucket tags.
        checksum_header: where CRC-64/XZ is told, decimal; None where there is none.
        error_header: where a HEAD puts the error's XML, base64; None where it does not.
        single_copy: bytes that one CopyObject takes; None for no limit.
        copy_part: bytes of one part when an object is copied by parts.
        expired_codes: error codes that fresh credentials may cure.
        throttled_codes: error codes that mean "slow down".
        metadata_name: regular expression that names of user metadata match whole.
        content_type: what the service keeps when none is sent.
        archived: storage classes that must be restored before reading.
        default_storage_class: the class that needs no header.
    """

    service: str
    title: str
    header_prefix: str
    environment: EnvironmentNames
    signer: Callable[[str | None], Signer]
    endpoint: Callable[[str], str]
    region: Callable[[str], str | None]
    limits: Limits
    capabilities: Capabilities
    object_tag_rules: TagRules
    bucket_tag_rules: TagRules
    list_version: int = 2
    url_listing: bool = True
    plus_is_blank: bool = False
    get_headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    exclusive: tuple[str, str] | None = None
    copy_tags: str = "COPY"
    replace_tags: str = "REPLACE"
    copy_metadata: str = "COPY"
    replace_metadata: str = "REPLACE"
    empty_tagging: EmptyTagging = EmptyTagging.EMPTY_SET
    delete_bucket_tags_by_key: bool = False
    checksum_header: str | None = None
    error_header: str | None = None
    single_copy: int | None = None
    copy_part: int = 512 * 1024**2
    expired_codes: frozenset[str] = frozenset()
    throttled_codes: frozenset[str] = frozenset()
    metadata_name: str = "[a-z0-9-]+"
    content_type: str = "application/octet-stream"
    archived: frozenset[str] = frozenset()
    default_storage_class: str = "Standard"

    @property
    def metadata_prefix(self) -> str:
        """What begins a header of user metadata."""
        return self.header_prefix + "meta-"
