"""The variants of the S3 service, chosen by `--option NAME=VALUE`.

mimic=aws|rgw|rgw19|rgw20
                       rgw: as Ceph RGW 16 was measured to do: tags given when a multipart
                       upload begins, or with a copy, are dropped;
                       GET ?tagging of an object without tags is 200 with an empty body;
                       repeated tag keys, any characters and `aws:` are accepted; the ETags of
                       copies come without quotes, and that of a completed upload is empty;
                       an edit of tags moves Last-Modified; conditions of copies, and of
                       completed uploads, are ignored. rgw19, rgw20: with what has come
                       since (`tagfs.emulator.s3.ceph`)
tagging_count=on|off   off: no x-amz-tagging-count, as LocalStack (default on)
acls=on|off            off: as in buckets whose owner is enforced: no ACL can be set (default on)
conditional=on|off     off: If-Match and If-None-Match do not guard a PUT (default on)
subresources=heeded|ignored
                       ignored: as rclone's server does: ?tagging and ?acl are taken for nothing,
                       so that PUT KEY?tagging is PutObject and DELETE KEY?tagging DeleteObject
ranges=206|200         200: what answers a part with 200 and Content-Range, as rclone's server
head=8k|any            8k: a request line and headers of more than 8 KiB are refused ("PutObject":
                       "the PUT request header is limited to 8 KB in size")
transcoding=off|on     on: compressed objects are decompressed on the way, as by GCS
annotations=on|off     off: objects have no annotations, and ?annotation is 501
abac=off|on            on: tags of buckets are changed by S3 Control alone: PutBucketTagging is 405

and those of `tagfs.emulator.engine.demands` and of `tagfs.emulator.s3.foreign`.
"""

from collections.abc import Iterable

from tagfs.emulator.engine.demands import KNOWN
from tagfs.emulator.s3 import foreign
from tagfs.emulator.s3.ceph import VERSIONS

_KNOWN = {
    **KNOWN,
    "head": ("8k", "any"),
    "transcoding": ("off", "on"),
    "annotations": ("on", "off"),
    "abac": ("off", "on"),
    **foreign.KNOWN,
    "mimic": tuple(VERSIONS),
    "tagging_count": ("on", "off"),
    "acls": ("on", "off"),
    "conditional": ("on", "off"),
    "subresources": ("heeded", "ignored"),
    "ranges": ("206", "200"),
}


def read_options(options: Iterable[str]) -> dict[str, str]:
    """Return what was chosen, defaults included.

    Raises:
        ValueError: there is no such option.
    """
    chosen = {name: values[0] for name, values in _KNOWN.items()}
    for option in options:
        name, _, value = option.partition("=")
        if value not in _KNOWN.get(name, ()):
            raise ValueError(f"unknown option {option!r}; see tagfs emulator --help-options")
        chosen[name] = value
    return chosen
