"""What makes OBS different, each with its source in the reference (`obs-api.md`)."""

import hashlib
from collections.abc import Mapping

from tagfs.emulator.engine.addressing import is_text
from tagfs.emulator.engine.body_upload import SINGLE_LIMIT
from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import OWNER_ID
from tagfs.emulator.engine.list_objects import parse_token, render_token
from tagfs.emulator.engine.ranges import choose_range
from tagfs.emulator.engine.rules import AppendRules, CopyRules, LinkRules, RestoreRules
from tagfs.emulator.engine.tags import TagRules
from tagfs.emulator.obs.errors import ERRORS
from tagfs.emulator.s3.checksums import S3Promises
from tagfs.emulator.s3.dialect import HOST_LABELS, NO_DIGEST
from tagfs.emulator.s3.errors import render_error
from tagfs.emulator.s3.tags import refusals
from tagfs.emulator.storage.records import Kind
from tagfs.emulator.xml_text import element

_KEY_LIMIT = 1024
_WORDS = frozenset({"private", "public-read", "public-read-write"})

_FORBIDDEN = frozenset(",*|/<>=\\") | {chr(code) for code in range(0x20)}

# Query parameters that belong to the resource (section 2.1), in lower case.
_SIGNED = frozenset(
    """
    acl attname append backtosource bucketstatus cdnnotifyconfiguration cors customdomain delete
    deletebucket directcoldaccess dispolicy encryption fileinterface getcontentsummary
    ignore-sign-in-query inventory length lifecycle listcontentsummary location logging metadata
    mirrorbacktosource modify multilistcontentsummary name notification obsalias obsbucketalias
    obscompresspolicy obsworkflowtriggerpolicy object-lock partnumber policy policystatus position
    publicaccessblock quota readahead rename replication requestpayment response-cache-control
    response-content-disposition response-content-encoding response-content-language
    response-content-type response-expires restore retention select select-type storageclass
    storageinfo storagepolicy symlink tagging torrent truncate uploadid uploads versionid versioning
    versions website x-image-process x-image-save-bucket x-image-save-object x-oss-process
    """.split()
)
_CLASSES = {
    "STANDARD": "STANDARD",
    "WARM": "WARM",
    "COLD": "COLD",
    "DEEP_ARCHIVE": "DEEP_ARCHIVE",
    "INTELLIGENT_TIERING": "INTELLIGENT_TIERING",
    "STANDARD_IA": "WARM",  # what callers with x-amz-* headers say
    "GLACIER": "COLD",
}


def _is_plain(text: str) -> bool:
    """Tell whether a key or value has no forbidden character, nor a blank at an edge."""
    return not _FORBIDDEN.intersection(text) and text == text.strip(" ")


def make_dialect(chosen: Mapping[str, str]) -> Dialect:
    """Return OBS as the options want it."""
    decodes = chosen["tag_encoding"] == "decode"
    wide = chosen["tag_limits"] == "wide"
    narrow = chosen["object_tag_limits"] == "strict"
    return Dialect(
        server="OBS",
        host_labels=HOST_LABELS,
        families=("x-obs-", "x-amz-"),
        namespace="http://{host}/doc/2015-06-30/",
        owner=element("ID", OWNER_ID),
        errors=ERRORS,
        render_error=render_error,
        heads_errors=True,
        expired_token="SecurityTokenExpired",  # noqa: S106 - a code
        check_key=check_key,
        blank="%20",
        promises=S3Promises,
        no_digest=NO_DIGEST,
        signed_parameters=_SIGNED,
        bucket_tags=TagRules(  # section 14
            count=(most := 20 if wide else 10),
            key=128 if wide else 36,
            value=255 if wide else 43,
            fits=_is_plain,
            decodes=decodes,
            malformed="MalformedXMLError",
            refusals=refusals(most, invalid="InvalidTagError", too_many="InvalidTagError"),
        ),
        object_tags=TagRules(  # section 13
            count=10,
            key=36 if narrow else 128,
            value=43 if narrow else 255,
            fits=_is_plain,
            decodes=decodes,
            refusals=refusals(10, too_many="BadRequest"),
        ),
        untagged="404",
        canned_acls={"x-obs-": _WORDS},
        classes=_CLASSES,
        not_in_file_systems=frozenset({"INTELLIGENT_TIERING"}),
        shown_classes={"WARM": "STANDARD_IA", "COLD": "GLACIER"},
        archives=frozenset({"COLD", "DEEP_ARCHIVE"}),
        meta_limit=8 * 1024,
        ascii_meta=True,  # section 5: "US-ASCII only for names and values"
        decodes_deleted=True,
        crc64_header="checksum-crc64ecma",
        shown_kinds=frozenset({Kind.APPENDABLE, Kind.SYMLINK}),
        lists_location=True,
        always_marks=True,
        continuation=(render_token, parse_token),
        choose_range=choose_range,
        exclusive_header=True,
        exists="ObjectAlreadyExists",
        object_tagging=chosen["object_tags"] == "on",
        links=LinkRules(  # section 12
            later_time=False,
            own_class=False,
            shows_crc64=True,
            crc64=None,
            always_quoted=False,
            refuses_body=True,
        ),
        appends=AppendRules(
            limit=10_000 * SINGLE_LIMIT,
            last_position=SINGLE_LIMIT,
            too_large="AppendTooLarge",
            no_position="InvalidArgument",
            etag=_appended_etag,
            reports_position=False,
            ignores_empty=False,
            reports_crc64=False,
            refuses_archived=True,
        ),
        copies=CopyRules(tags="REPLACE"),  # section 9: a copy drops tags unless asked not to
        restores=RestoreRules(shortens=False),
        renames_over=chosen["rename_over"] == "on",
    )


def _appended_etag(old: str, crc: int, size: int, md5: str) -> str:  # noqa: ARG001
    return hashlib.md5(f"{old}{md5}".encode()).hexdigest() if old else md5


def check_key(key: str) -> None:
    """Make sure that an object may be called so: 1 to 1024 characters, all of them UTF-8.

    Raises:
        ServiceError: it may not.
    """
    if not 0 < len(key) <= _KEY_LIMIT:
        raise ServiceError("KeyTooLongError")
    if not is_text(key):
        raise ServiceError("InvalidArgument", "The key is not UTF-8.")
