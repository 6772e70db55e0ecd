"""How one service differs from the others, as data.

A `Dialect` is all that `Client` and `Transport` know of a service. What cannot be a value is a
pure function that the dialect carries (its signer, where its regions live). The reason of a quirk
stands beside its value, in the module of the service.
"""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.credentials.values import Credentials, EnvironmentNames
from tagfs.store.dialects.tag_escape import PLAIN, TagEscape
from tagfs.store.objects import NOTHING
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
        payload: SHA-256 of the body in hex; None for one that is not signed.
    """

    method: str
    bucket: str = ""
    key: str = ""
    query: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    host: str = ""
    path: str = "/"
    payload: str | None = None


class Signer(Protocol):
    """A pure function of a request, a pair and a moment."""

    def __call__(
        self, request: Signable, credentials: Credentials, now: float
    ) -> Mapping[str, str]:
        """Return the headers to add; `now` in seconds since the epoch, on the service's clock."""
        ...


HEADER_NAME: Final = "[a-z0-9!#$%&'*+.^_`|~-]+"
"""What a header may be called (RFC 9110, 5.6.2): all that another tool can have written."""


class EmptyTagging(enum.Enum):
    """What a service answers to GET ?tagging where there are no tags."""

    EMPTY_SET = "200 and an empty TagSet"
    NOT_FOUND = "404 NoSuchTagSet"
    EMPTY_BODY = "200 and nothing at all"


class WriteKind(enum.Enum):
    """A way of writing an object that is to give it its tags in the same request."""

    PUT = "PutObject"
    UPLOAD = "a multipart upload"
    COPY = "a copy that takes the source's tags"
    RETAGGED_COPY = "a copy that is given other tags"
    REMADE_COPY = "a copy that is given other metadata"
    METADATA = "a change of metadata"
    SYMLINK = "PutSymlink"
    APPEND = "AppendObject"


class ListKeys(enum.Enum):
    """How a listing's XML is asked to write keys."""

    ENCODED = "always percent-encoded"
    PLAIN_FIRST = "as they are, percent-encoded where XML cannot carry them"


class MetadataText(enum.Enum):
    """How text beyond ASCII is written in a header of user metadata."""

    PLAIN = "as UTF-8"
    WORDS = "as encoded words (RFC 2047)"
    PERCENT = "percent-encoded"


class MetadataEdit(enum.Enum):
    """How user metadata of an object that is there is replaced."""

    SELF_COPY = "a copy of the object onto itself"
    SUBRESOURCE = "PUT ?metadata"


def _nothing(_host: str) -> None:
    return None


def _no_word(_host: str) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One service.

    Attributes:
        service: the URL scheme: "oss", "obs", "s3".
        title: the service's name, for people.
        header_prefix: begins the service's own headers, such as "x-oss-".
        environment: the variables that hold credentials.
        signer: returns the signer for a region, or for None when that is unknown.
        signs_payload: whether it signs the body's SHA-256, where that is known.
        endpoint: returns the host of a region.
        region: returns the region that a host belongs to, or None.
        likely_region: returns the region that stands in another server's host, or None.
        no_endpoint: says what a host is that serves no API; "" for all others.
        no_bucket: matches names of what cannot be used as a bucket.
        signs_domain: whether a bucket's own domain takes the place of its name in signatures.
        path_style_elsewhere: whether addressing=auto puts the bucket's name in the path on hosts
            whose region is not known, and where a certificate would not match the name.
        virtual_elsewhere: matches those of these hosts that serve no bucket in a path.
        limits: numbers that the service fixes.
        capabilities: what a bucket can do unless it says otherwise.
        object_tag_rules, bucket_tag_rules: what the service accepts as tags.
        tag_escape: how tags are written in XML.
        tag_carriers: the ways of writing that are known to keep tags; others are read back once.
        edits_show: whether every change of metadata is sure to move Last-Modified.
        counts_tags: whether HEAD and GET surely tell the number of tags, where there are any.
        empty_tagging: how "no tags" may be said.
        delete_bucket_tags_by_key: whether DELETE ?tagging=k1,k2 removes single bucket tags.
        list_version: of ListObjects, 1 or 2.
        list_keys: how keys are asked for.
        plus_is_blank: whether "+" means a blank in encoded keys.
        encoded_delete: whether DeleteMultipleObjects takes encoding-type in its query.
        silent_deletes: whether it answers nothing at all where nothing failed.
        get_headers: sent with every GET of content.
        exclusive: header and value which make a write fail when the key is taken.
        exclusive_operations: the operations that take it.
        versions_replace: whether it is ignored in buckets that keep versions, or did so once.
        hides_absence: whether 403 is what a key that is not there is to whoever may not list.
        control_plane: whether the account has a service of its own, which changes the tags of some
            buckets.
        conditional_deletes: whether deletions may name the version that is to go.
        taken_codes: what they answer when the key is taken.
        copy_tags, replace_tags, copy_metadata, replace_metadata: words of the copy's directives.
        copy_names_class: whether a copy names even the default storage class.
        server: what the service calls itself in every answer, where others speak its protocol too;
            "" where nobody does.
        checks_copied: whether UploadPartCopy surely heeds a condition on its source; else that is
            looked at again before the parts are put together.
        metadata_edit: how user metadata is replaced.
        hierarchical: what the service calls a bucket whose directories are real.
        renames: whether a parallel file system has POST ?rename.
        bucket_info: the subresource that describes a bucket; None for a HEAD.
        probes_tags: whether a mount first asks if objects can have tags at all.
        probes_links: whether the first link is preceded by one on trial.
        copies_links: whether a copy of a link is surely a link.
        plain_targets: whether a link's target is sent as it is where a header can carry it.
        not_a_link: answers (codes or statuses) to GetSymlink of an ordinary object.
        types_uploads: whether the service names what a multipart upload made.
        checksum_header: that has the CRC-64/XZ, decimal; None where there is none.
        part_checksum: algorithm of checksums that an upload and its parts may name; "" for none.
        md5_etags: whether an ETag without "-" is the MD5 of what was sent, in hex.
        error_header: where a HEAD puts the error's XML, base64; None where it does not.
        single_copy: bytes that one CopyObject takes; None for no limit.
        copy_part: bytes of one part when an object is copied by parts.
        expired_codes: error codes that fresh credentials may cure.
        throttled_codes: error codes that mean "slow down".
        metadata_name: regular expression that names of user metadata match whole.
        metadata_text: how metadata beyond ASCII is sent and returned.
        acl_header: the header that sets an ACL by a word, without prefix.
        default_acl: its word for what an object has unless an ACL is set.
        ownership: whether a bucket tells by ?ownershipControls that it has ACLs switched off.
        content_type: what the service keeps when none is sent.
        usual_encryption: what is reported of objects for which nobody chose one.
        encryptions: the words for an encryption that the service does, the one without keys first.
        customer_keys: whether it encrypts with keys that come with each request.
        uncopied: headers that are kept with an object and taken from no copy's source, by the names
            that `Detail.headers` has for them.
        archived: storage classes that must be restored before reading.
        default_storage_class: the class that needs no header.
        indexes_tags: whether it keeps an index of tags for buckets whose owners want one.
        lists_details: whether others who speak its protocol may list attributes and tags.
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
    signs_payload: bool = False
    likely_region: Callable[[str], str | None] = _nothing
    no_endpoint: Callable[[str], str] = _no_word
    no_bucket: re.Pattern[str] = re.compile("(?!)")
    signs_domain: bool = False
    virtual_elsewhere: re.Pattern[str] = re.compile("(?!)")
    path_style_elsewhere: bool = False
    tag_escape: TagEscape = PLAIN
    tag_carriers: frozenset[WriteKind] = frozenset(WriteKind)
    edits_show: bool = True
    counts_tags: bool = True
    empty_tagging: frozenset[EmptyTagging] = frozenset({EmptyTagging.EMPTY_SET})
    delete_bucket_tags_by_key: bool = False
    list_version: int = 2
    list_keys: ListKeys = ListKeys.ENCODED
    plus_is_blank: bool = False
    encoded_delete: bool = False
    silent_deletes: bool = False
    get_headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    exclusive: tuple[str, str] | None = None
    exclusive_operations: frozenset[str] = frozenset()
    versions_replace: bool = False
    conditional_deletes: bool = False
    control_plane: bool = False
    hides_absence: bool = False
    taken_codes: frozenset[str] = frozenset()
    copy_tags: str = "COPY"
    replace_tags: str = "REPLACE"
    copy_metadata: str = "COPY"
    replace_metadata: str = "REPLACE"
    copy_names_class: bool = False
    server: str = ""
    checks_copied: bool = True
    metadata_edit: MetadataEdit = MetadataEdit.SELF_COPY
    hierarchical: str = "a bucket with a hierarchical namespace"
    renames: bool = False
    bucket_info: str | None = None
    probes_tags: bool = False
    probes_links: bool = False
    copies_links: bool = True
    plain_targets: bool = False
    not_a_link: frozenset[int | str] = frozenset({"NotSymlink"})
    types_uploads: bool = False
    checksum_header: str | None = None
    part_checksum: str = ""
    md5_etags: bool = False
    error_header: str | None = None
    single_copy: int | None = None
    copy_part: int = 512 * 1024**2
    expired_codes: frozenset[str] = frozenset()
    throttled_codes: frozenset[str] = frozenset()
    metadata_name: str = "[a-z0-9-]+"
    metadata_text: MetadataText = MetadataText.PLAIN
    content_type: str = "application/octet-stream"
    acl_header: str = "acl"
    default_acl: str = "private"
    ownership: bool = False
    usual_encryption: str = ""
    encryptions: tuple[str, ...] = ("AES256", "KMS")
    customer_keys: bool = False
    uncopied: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    archived: frozenset[str] = frozenset()
    default_storage_class: str = "Standard"
    indexes_tags: bool = False
    lists_details: bool = False

    @property
    def metadata_prefix(self) -> str:
        """What begins a header of user metadata."""
        return self.header_prefix + "meta-"
