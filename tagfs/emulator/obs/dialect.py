"""What makes OBS different, each with its source in the reference (`obs-api.md`)."""

from collections.abc import Mapping

from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.tags import TagRules

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
        families=("x-obs-", "x-amz-"),
        namespace="http://{host}/doc/2015-06-30/",
        signed_parameters=_SIGNED,
        bucket_tags=TagRules(  # section 14
            count=20 if wide else 10,
            key=128 if wide else 36,
            value=255 if wide else 43,
            fits=_is_plain,
            decodes=decodes,
            invalid="InvalidTagError",
            too_many="InvalidTagError",
            malformed="MalformedXMLError",
        ),
        object_tags=TagRules(  # section 13
            count=10,
            key=36 if narrow else 128,
            value=43 if narrow else 255,
            fits=_is_plain,
            decodes=decodes,
            too_many="BadRequest",
        ),
        untagged="404",
        tagging_directive="REPLACE",  # section 9: a copy drops tags unless told
        classes=_CLASSES,
        shown_classes={"WARM": "STANDARD_IA", "COLD": "GLACIER"},
        archives=frozenset({"COLD", "DEEP_ARCHIVE"}),
        meta_limit=8 * 1024,
        shows_crc64=True,
        key_in_characters=True,
        blank="%20",
        shows_types=True,
        always_marks=True,
        object_tagging=chosen["object_tags"] == "on",
        links=chosen["symlinks"] == "on",
        renames_over=chosen["rename_over"] == "on",
    )
