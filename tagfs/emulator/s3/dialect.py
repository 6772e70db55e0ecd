"""What makes S3 different, and what Ceph RGW 16 does otherwise (`s3-notes.md`)."""

import unicodedata
from collections.abc import Mapping

from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.tags import TagRules

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
    is_rgw = chosen["mimic"] == "rgw"

    def rules(count: int) -> TagRules:
        return TagRules(
            count=count,
            key=128,
            value=256,
            fits=(lambda _: True) if is_rgw else _is_plain,
            reserved="" if is_rgw else "aws:",
            too_many="InvalidTag" if is_rgw else "BadRequest",
            allows_repeats=is_rgw,
        )

    return Dialect(
        server="AmazonS3",
        families=("x-amz-",),
        namespace="http://s3.amazonaws.com/doc/2006-03-01/",
        signed_parameters=_SIGNED,
        object_tags=rules(10),
        bucket_tags=rules(50),
        untagged="empty" if is_rgw else "200",
        tagging_directive="COPY",
        classes={name: name for name in _CLASSES.split()},
        archives=frozenset({"GLACIER", "DEEP_ARCHIVE"}),
        meta_limit=2 * 1024,
        conditional_writes=chosen["conditional"] == "on",
        conditional_completion=not is_rgw,
        conditional_copies=not is_rgw,
        acls=chosen["acls"] == "on",
        counts_tags=chosen["tagging_count"] == "on",
        quotes_copies=not is_rgw,
        tells_completed=not is_rgw,
        tagging_modifies=is_rgw,
        keeps_upload_tags=not is_rgw,
        keeps_replaced_tags=not is_rgw,
    )
