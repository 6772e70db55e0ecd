"""How one service differs from the others, as data.

Where services differ in an algorithm, the dialect holds a function of plain values. The defaults
are what most services do.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tagfs.emulator.engine.errors import ErrorTable, Render
from tagfs.emulator.engine.rules import AppendRules, CopyRules, LinkRules, RestoreRules
from tagfs.emulator.engine.tags import TagRules
from tagfs.emulator.messages import Request
from tagfs.emulator.time_formats import exact_time

_AMZ = "x-amz-"
_AMZ_SCHEMES = frozenset({"AWS", "AWS4-HMAC-SHA256"})


class Promises(Protocol):
    """What a request promises of its body; `given` tells whether it promises anything.

    `kept` are the headers that the service keeps of it.
    """

    given: bool
    kept: dict[str, str]

    def update(self, data: bytes) -> None: ...

    def check(self, md5: str, crc: int, trailer: Mapping[str, str]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One service.

    Attributes:
        server: the `Server` header.
        host_labels: the host name labels that stand for the service itself.
        families: the prefixes of the headers that it knows, its own first.
        namespace: the XML namespace of its answers.
        owner: what it says of the account, in XML.
        errors: its error table.
        render_error: how it reports a failure.
        heads_errors: whether the answer to a HEAD that failed tells why in headers.
        expired_token: the code of an expired security token.
        request_id_bytes: how long its request ids are.
        names_hosts: whether answers have a host id too.
        reports_server_time: whether they tell how long the service took.
        signed_parameters: query parameters that belong to the resource of an old signature, in
            lower case.
        bucket_first: whether a bucket that does not exist is reported before the caller is known.
        versions: whether a version that does not exist is an error.
        versions_overwrite: whether a bucket that keeps versions ignores `forbid-overwrite`.
        dotted_buckets: whether the names of buckets may have dots.
        check_key: raises an error if an object must not be called so.
        blank: a space in a listing with `encoding-type=url`.
        render_time: a time, of milliseconds, in XML.
        strict_numbers: whether a numeric parameter out of its range is an error.
        promises: what the headers of a request promise of its body.
        no_digest: the code and the message of the refusal of a body that must be promised.
        tagging_needs_digest: whether the body of PUT ?tagging must be.
        aws_chunked: whether bodies may be in the chunks of AWS.
        object_tags: the rules for the tags of objects.
        bucket_tags: the rules for the tags of buckets.
        untagged: the answer to GET ?tagging of an object that has none: `404`, `200` with an
            empty set, or `empty`: 200 without a body, as Ceph RGW 16 does.
        untagged_bucket: the same of a bucket.
        bucket_tagged: the status of PUT ?tagging of a bucket.
        deletes_named_tags: whether DELETE ?tagging=KEY,... of a bucket removes these only.
        object_tagging: whether objects have tags at all.
        counts_tags: whether GET and HEAD show the number of tags.
        keeps_upload_tags: whether tags given when a multipart upload begins arrive.
        tagging_modifies: whether an edit of tags moves Last-Modified.
        acl_header: the header that names an object's canned ACL.
        default_acl: the ACL of an object whose request names none.
        canned_acls: the words that callers of a family may use, where not all of them.
        default_shows_bucket: whether an object shows its own ACL unless that is `default`; if not,
            either of its own and its bucket's lets everybody read.
        public_lists: whether everybody may list a bucket that everybody may read.
        grants: whether ACLs are more than words.
        acls: whether ACLs can be set; if not, the bucket's owner owns all there is.
        classes: storage classes as requests may name them, with the service's own names.
        bad_class: the code of the refusal of another class.
        not_in_file_systems: those that file systems have not.
        shown_classes: how the service names its classes to callers that speak x-amz-*.
        shows_standard: whether GET and HEAD show the class of a standard object too.
        answers_class: whether the answer to a stored object has its class.
        archives: those whose objects must be restored before they are read.
        default_type: the content type of what has none.
        meta_limit: how many bytes the names and values of the user metadata may have.
        meta_error: the code of the refusal of more.
        meta_name: tells whether the name of a metadata header is allowed.
        ascii_meta: whether metadata beyond ASCII is refused.
        encoded_words: whether metadata beyond ASCII is kept and shown as RFC 2047 has it.
        upper_etags: whether ETags have capital letters.
        other_etags: whether an ETag is hexadecimal, and yet no MD5.
        random_etags: whether the ETag of an upload is opaque, not the MD5 of the parts' MD5s.
        shows_md5: whether GET, HEAD and PUT show Content-MD5.
        crc64_header: the header of a content's CRC64; empty: there is none.
        etag_headers: whether answers that are documents have the ETag, and CRC64, in headers too.
        shown_kinds: the kinds of objects that GET, HEAD and listings tell.
        lists_restores: whether listings tell what is restored.
        listed_extra: what listings tell of an object besides, of a Context and the object.
        lists_crc64: whether listings of parts tell their CRC64.
        lists_location: whether the answer to a listing has the bucket's region.
        lists_default: how many keys a listing has unless asked for another number.
        always_marks: whether a truncated listing without a delimiter has a NextMarker too.
        writes_empty: whether listings write empty elements.
        uploads_name_owner: whether listings of uploads and parts name their owner.
        empty_token: whether an empty continuation token counts as none.
        continuation: how a key becomes a continuation token, and a token a key again; the latter
            raises ValueError.
        choose_range: the start and length of the part that a Range header asks for, of the
            headers and the content's size.
        range_status: of an answer that has a part of the content.
        head_ranges: whether HEAD knows ranges.
        all_conditions: whether If-Unmodified-Since counts beside If-Match.
        conditional_writes: whether If-Match and If-None-Match guard a PUT.
        conditional_completion: whether they guard the completion of an upload, too.
        refuses_conditions: whether a PUT with such a header is refused.
        exclusive_header: whether `forbid-overwrite` is known.
        checks_exclusive: whether it must say true or false.
        exists: the code of the refusal to overwrite.
        completes_all: whether `complete-all` stands for the list of parts.
        completion_sets_acl: whether the ACL that comes with the completion of an upload counts.
        repeats_completion: whether completing an upload again, with the same parts, succeeds again.
        reports_completed: whether the answer to a completed upload has the object's ETag.
        decodes_deleted: whether `EncodingType` says that the keys to delete are percent-encoded.
        deletes_any_key: whether keys that XML cannot hold can be deleted in bulk none the less.
        deletes_versions: whether the ETag of a key to delete in bulk must be the object's.
        deletes_uploads: whether a bucket can be deleted while uploads are under way.
        bare_acls: whether a request that has no ACL sets the default one.
        sequential_uploads: whether an upload can be begun whose parts have to come in order.
        lists_encryption: whether lists of parts show what the client says of its encryption.
        part_reads: the code of the refusal to read a part that an object has not; "": none is read.
        part_checksums: whether an upload is begun with an algorithm of its parts' checksums.
        copied_checksums: whether the same is told of a part that was copied.
        kept_markers: which objects whose keys end in "/" stay, whatever the answer to a deletion
            says: none, "occupied" ones that have something below them, or all of a "bulk".
        quiet_is_empty: whether a quiet deletion is answered by nothing.
        links: its symlinks, if it has them.
        appends: its appendable objects, if it has them.
        copies: its copies.
        restores: its archives.
        renames_over: whether a rename replaces what has the new name.
    """

    server: str
    host_labels: re.Pattern[str]
    families: tuple[str, ...]
    namespace: str
    owner: str
    errors: ErrorTable
    render_error: Render
    heads_errors: bool = False
    expired_token: str
    request_id_bytes: int = 16
    names_hosts: bool = True
    reports_server_time: bool = False
    signed_parameters: frozenset[str] = frozenset()
    bucket_first: bool = False
    versions: bool = True
    versions_overwrite: bool = False
    dotted_buckets: bool = True
    check_key: Callable[[str], None]
    blank: str = "+"
    render_time: Callable[[int], str] = exact_time
    strict_numbers: bool = False
    promises: Callable[[Mapping[str, str]], Promises]
    no_digest: tuple[str, str]
    tagging_needs_digest: bool = True
    aws_chunked: bool = True
    object_tags: TagRules
    bucket_tags: TagRules
    untagged: str
    untagged_bucket: str = "404"
    bucket_tagged: int = 204
    deletes_named_tags: bool = False
    object_tagging: bool = True
    counts_tags: bool = True
    keeps_upload_tags: bool = True
    tagging_modifies: bool = False
    acl_header: str = "acl"
    default_acl: str = "private"
    canned_acls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    default_shows_bucket: bool = False
    public_lists: bool = False
    grants: bool = True
    acls: bool = True
    classes: Mapping[str, str]
    bad_class: str = "InvalidStorageClass"
    not_in_file_systems: frozenset[str] = frozenset()
    shown_classes: Mapping[str, str] = field(default_factory=dict)
    shows_standard: bool = False
    answers_class: bool = True
    archives: frozenset[str]
    default_type: str = "binary/octet-stream"
    meta_limit: int
    meta_error: str = "MetadataTooLarge"
    meta_name: Callable[[str], bool] = lambda _: True
    ascii_meta: bool = False
    encoded_words: bool = False
    upper_etags: bool = False
    other_etags: bool = False
    random_etags: bool = False
    shows_md5: bool = False
    crc64_header: str = ""
    etag_headers: bool = False
    shown_kinds: frozenset[str] = frozenset()
    lists_restores: bool = False
    listed_extra: Callable[..., str] | None = None
    lists_crc64: bool = False
    lists_location: bool = False
    lists_default: int = 1000
    always_marks: bool = False
    writes_empty: bool = False
    uploads_name_owner: bool = True
    empty_token: bool = True
    continuation: tuple[Callable[[str], str], Callable[[str], str]]
    choose_range: Callable[[Mapping[str, str], int], tuple[int, int] | None]
    range_status: int = 206
    head_ranges: bool = True
    all_conditions: bool = False
    conditional_writes: bool = False
    conditional_completion: bool = True
    refuses_conditions: bool = False
    exclusive_header: bool = False
    checks_exclusive: bool = False
    exists: str = ""
    completes_all: bool = False
    completion_sets_acl: bool = False
    repeats_completion: bool = False
    reports_completed: bool = True
    decodes_deleted: bool = False
    deletes_any_key: bool = False
    deletes_versions: bool = False
    deletes_uploads: bool = False
    bare_acls: bool = True
    sequential_uploads: bool = False
    lists_encryption: bool = False
    part_reads: str = ""
    part_checksums: bool = False
    copied_checksums: bool = False
    kept_markers: Literal["", "occupied", "bulk"] = ""
    quiet_is_empty: bool = False
    links: LinkRules | None = None
    appends: AppendRules | None = None
    copies: CopyRules = field(default_factory=CopyRules)
    restores: RestoreRules = field(default_factory=RestoreRules)
    renames_over: bool = True

    @property
    def family(self) -> str:
        """Return the prefix of the service's own headers."""
        return self.families[0]

    def family_of(self, request: Request) -> str:
        """Return the prefix of the headers that the caller speaks, which the answer speaks too."""
        if len(self.families) == 1:
            return self.family
        scheme = request.headers.get("Authorization", "").partition(" ")[0]
        if scheme in _AMZ_SCHEMES or "AWSAccessKeyId" in request.query:
            return _AMZ
        return _AMZ if "X-Amz-Algorithm" in request.query else self.family

    def etag(self, text: str) -> str:
        """Return an ETag as the service writes it."""
        shown = text[::-1] if self.other_etags else text
        return shown.upper() if self.upper_etags else shown.lower()
