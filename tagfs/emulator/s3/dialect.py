"""What makes S3 different, and what Ceph's gateway does otherwise, by its version."""

import re
import unicodedata
from collections.abc import Mapping

from tagfs.emulator.engine.addressing import is_text
from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import OWNER_ID
from tagfs.emulator.engine.list_objects import parse_token, render_token
from tagfs.emulator.engine.ranges import choose_range
from tagfs.emulator.engine.rules import CopyRules
from tagfs.emulator.engine.tags import TagRules
from tagfs.emulator.s3.ceph import AMAZON, QUINCY, SQUID, TENTACLE, VERSIONS
from tagfs.emulator.s3.checksums import S3Promises
from tagfs.emulator.s3.detailed_listing import listed_extra
from tagfs.emulator.s3.errors import ERRORS, render_error
from tagfs.emulator.s3.foreign import KEPT_MARKERS, maker
from tagfs.emulator.s3.tags import refusals
from tagfs.emulator.time_formats import exact_time, iso_time
from tagfs.emulator.xml_text import element

HOST_LABELS = re.compile("(?:s3|obs)(?:-accelerate|-fips|-website|-[a-z]{2}-[a-z0-9-]+)?")
NO_DIGEST = ("InvalidRequest", "Missing required header for this request: Content-MD5")
_KEY_LIMIT = 1024

_SYMBOLS = frozenset("_.:/=+-@")
_CLASSES = """
    STANDARD REDUCED_REDUNDANCY STANDARD_IA ONEZONE_IA INTELLIGENT_TIERING GLACIER DEEP_ARCHIVE
    GLACIER_IR EXPRESS_ONEZONE OUTPOSTS SNOW
"""

# "Signing and authenticating REST requests" (signature version 2) of the S3 manual.
_SIGNED = frozenset(
    """
    accelerate acl cors defaultobjectacl delete lifecycle location logging notification partnumber
    policy requestpayment response-cache-control response-content-disposition
    response-content-encoding response-content-language response-content-type response-expires
    restore select select-type tagging torrent uploadid uploads versionid versioning versions
    website
    """.split()
)


def _is_plain(text: str) -> bool:
    """Tell whether a key or value has only letters, numbers, spaces and `_.:/=+-@`."""
    return all(letter in _SYMBOLS or unicodedata.category(letter)[0] in "LNZ" for letter in text)


def make_dialect(chosen: Mapping[str, str]) -> Dialect:
    """Return S3 as the options want it."""
    has = VERSIONS[chosen["mimic"]]
    is_rgw = has < AMAZON

    def rules(count: int) -> TagRules:
        return TagRules(
            count=count,
            key=128,
            value=256,
            fits=(lambda _: True) if is_rgw else _is_plain,
            reserved=() if is_rgw else ("aws:",),
            allows_repeats=is_rgw,
            refusals=refusals(count, too_many="InvalidTag" if is_rgw else "BadRequest"),
        )

    return Dialect(
        server=maker(chosen),
        listed_extra=listed_extra(chosen["listing"]),
        host_labels=HOST_LABELS,
        families=("x-amz-",),
        namespace="http://s3.amazonaws.com/doc/2006-03-01/",
        owner=element("ID", OWNER_ID) + element("DisplayName", "emulator"),
        errors=ERRORS,
        render_error=render_error,
        expired_token="ExpiredToken",  # noqa: S106 - a code
        check_key=check_key,
        promises=S3Promises,
        no_digest=NO_DIGEST,
        signed_parameters=_SIGNED,
        object_tags=rules(10),
        bucket_tags=rules(50),
        untagged="200" if has >= QUINCY else "empty",
        classes={name: name for name in _CLASSES.split()},
        archives=frozenset({"GLACIER", "DEEP_ARCHIVE"}),
        meta_limit=2 * 1024,
        encoded_words=not is_rgw,
        public_lists=True,
        empty_token=False,
        deletes_versions=has >= TENTACLE,
        deletes_uploads=True,
        conditional_writes=chosen["conditional"] == "on",
        conditional_completion=has >= TENTACLE,
        render_time=iso_time if has >= TENTACLE else exact_time,
        bare_acls=False,
        part_reads="InvalidPart" if is_rgw else "InvalidPartNumber",
        part_checksums=chosen["checksums"] in {"on", "uncopied"} and has >= TENTACLE,
        copied_checksums=chosen["checksums"] == "on",
        kept_markers=KEPT_MARKERS[chosen["directories"]],
        other_etags=chosen["etags"] == "other",
        range_status=int(chosen["ranges"]),
        acls=chosen["acls"] == "on",
        counts_tags=chosen["tagging_count"] == "on",
        repeats_completion=has >= QUINCY,
        reports_completed=has >= QUINCY,
        tagging_modifies=is_rgw,
        keeps_upload_tags=has >= SQUID,
        continuation=(render_token, parse_token),
        choose_range=choose_range,
        copies=CopyRules(
            conditional=has >= QUINCY,
            quotes_etag=not is_rgw,
            tagging_directive=not is_rgw,
            guards_target=not is_rgw,
            annotations=chosen["annotations"] == "on" and not is_rgw,
        ),
    )


def check_key(key: str) -> None:
    """Make sure that an object may be called so: 1 to 1024 bytes of UTF-8.

    Raises:
        ServiceError: it may not.
    """
    if not 0 < len(key.encode("utf-8", "surrogateescape")) <= _KEY_LIMIT:
        raise ServiceError("KeyTooLongError")
    if not is_text(key):
        raise ServiceError("InvalidArgument", "The key is not UTF-8.")
