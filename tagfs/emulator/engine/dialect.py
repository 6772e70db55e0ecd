"""How one service of the family differs from the others, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tagfs.emulator.engine.tags import TagRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One service of the family.

    Attributes:
        server: the `Server` header.
        families: the prefixes of the headers that it knows, its own first.
        namespace: the XML namespace of its answers.
        signed_parameters: query parameters that belong to the resource of a V2 signature, in
            lower case.
        object_tags: the rules for the tags of objects.
        bucket_tags: the rules for the tags of buckets.
        untagged: the answer to GET ?tagging of an object that has none: `404`, `200` with an
            empty set, or `empty`: 200 without a body, as Ceph RGW 16 does.
        tagging_directive: what a copy does with tags unless told.
        classes: storage classes as requests may name them, with the service's own names.
        shown_classes: how the service names its classes to callers that speak x-amz-*.
        archives: those whose objects must be restored before they are read.
        meta_limit: how many bytes the names and values of the user metadata may have.
        shows_crc64: whether answers carry the CRC64 of a content.
        key_in_characters: whether the limit of a key counts characters, not bytes.
        blank: a space in a listing with `encoding-type=url`.
        shows_types: whether listings tell links and appendable objects.
        always_marks: whether a truncated listing without a delimiter has a NextMarker too.
        conditional_writes: whether If-Match and If-None-Match guard a PUT.
        conditional_completion: whether they guard the completion of an upload, too.
        conditional_copies: whether conditions on a copy's source are looked at.
        counts_tags: whether GET and HEAD show the number of tags.
        keeps_upload_tags: whether tags given when a multipart upload begins arrive.
        keeps_replaced_tags: whether tags survive, or can be given to, a copy that replaces the
            metadata.
        quotes_copies: whether the ETag of a copy stands in quotes.
        tells_completed: whether the answer to a completed upload has the object's ETag.
        tagging_modifies: whether an edit of tags moves Last-Modified.
        object_tagging: whether objects have tags at all.
        links: whether the service has symlinks of its own.
        acls: whether ACLs can be set; if not, the bucket's owner owns all there is.
        renames_over: whether a rename replaces what has the new name.
    """

    server: str
    families: tuple[str, ...]
    namespace: str
    signed_parameters: frozenset[str]
    object_tags: TagRules
    bucket_tags: TagRules
    untagged: str
    tagging_directive: str
    classes: Mapping[str, str]
    archives: frozenset[str]
    meta_limit: int
    shown_classes: Mapping[str, str] = field(default_factory=dict)
    shows_crc64: bool = False
    key_in_characters: bool = False
    blank: str = "+"
    shows_types: bool = False
    always_marks: bool = False
    conditional_writes: bool = False
    conditional_completion: bool = True
    conditional_copies: bool = True
    counts_tags: bool = True
    keeps_upload_tags: bool = True
    keeps_replaced_tags: bool = True
    quotes_copies: bool = True
    tells_completed: bool = True
    tagging_modifies: bool = False
    object_tagging: bool = True
    links: bool = False
    acls: bool = True
    renames_over: bool = True

    @property
    def family(self) -> str:
        """Return the prefix of the service's own headers."""
        return self.families[0]
