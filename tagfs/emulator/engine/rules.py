"""How services differ in links, appends, copies and restores: the parts of a dialect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRules:
    """The symlinks of a service.

    Attributes:
        later_time: whether Last-Modified through a link is the later of both times, not the link's.
        own_class: whether the storage class through a link is the link's, not its target's.
        shows_crc64: whether the target's CRC64 is reported through a link.
        crc64: that of a link itself.
        always_quoted: whether a target is percent-encoded even where it is plain ASCII.
        refuses_body: whether a request that makes a link must have no body.
    """

    later_time: bool
    own_class: bool
    shows_crc64: bool
    crc64: int | None
    always_quoted: bool
    refuses_body: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendRules:
    """The appendable objects of a service.

    Attributes:
        limit: how many bytes one may have.
        last_position: where the last append may begin.
        too_large: the code of the refusal of more.
        no_position: the code of the refusal of a request without a position.
        etag: the ETag after an append, of the old one, the new CRC64 and size, and the body's MD5.
        reports_position: whether the refusal of a wrong position tells the right one.
        ignores_empty: whether an append of nothing changes nothing.
        reports_crc64: whether the answer has the CRC64.
        refuses_archived: whether objects of an archive class are never appendable.
    """

    limit: int
    last_position: int
    too_large: str
    no_position: str
    etag: Callable[[str, int, int, str], str]
    reports_position: bool
    ignores_empty: bool
    reports_crc64: bool
    refuses_archived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRules:
    """The copies of a service.

    Attributes:
        tags: what becomes of tags unless a directive says so: COPY or REPLACE.
        edits_in_place: whether a copy onto itself takes the request's metadata whatever the
            directive, and keeps class and kind; if not, one that changes nothing is refused.
        any_size: whether the size does not matter within one bucket and class.
        too_large: the code and the message of the refusal of a source that is too large.
        known_status: the code of the refusal where If-None-Match or If-Modified-Since fails.
        conditional: whether conditions on the source are looked at.
        tagging_directive: whether it is looked at. If not, tags come along with the metadata, and
            are lost where that is replaced.
        quotes_etag: whether the ETag in the answer stands in quotes.
        guards_target: whether conditions on what is replaced are looked at.
        annotations: whether annotations go along, as far as the service has them.
        keeps_type: whether a copy that replaces the metadata, and names no content type, keeps it.
        keeps_meta: what the metadata begins with that such a copy keeps; "": none.
        refuses_body: whether a request with a body is refused.
        checks_range: whether a malformed range of a part is an error, not the whole object.
        digests_parts: whether the ETag of a copied part is its MD5, while it is not too large.
    """

    tags: str = "COPY"
    edits_in_place: bool = False
    any_size: bool = False
    too_large: tuple[str, str | None] = (
        "InvalidRequest",
        "The specified copy source is larger than the maximum allowable size for a copy source: "
        f"{5 * 1024**3}",
    )
    known_status: str = "PreconditionFailed"
    conditional: bool = True
    tagging_directive: bool = True
    quotes_etag: bool = True
    guards_target: bool = True
    annotations: bool = False
    keeps_type: bool = False
    keeps_meta: str = ""
    refuses_body: bool = True
    checks_range: bool = True
    digests_parts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRules:
    """How a service restores archived objects.

    Attributes:
        most_days: for how many days at most.
        default_days: for how many if the request does not say; None: it must.
        bad_days: the code of the refusal of too many.
        not_archived: the code and the message of the refusal of what is not archived.
        tiers: how fast it can be done, for the classes that have a choice; None: nobody looks.
        shortens: whether a restored copy's life can be made shorter.
    """

    most_days: int = 30
    default_days: int | None = None
    bad_days: str = "InvalidArgument"
    not_archived: tuple[str, str] = (
        "InvalidObjectState",
        "Restore is not allowed for the storage class.",
    )
    tiers: Mapping[str, frozenset[str]] | None = None
    shortens: bool = True
