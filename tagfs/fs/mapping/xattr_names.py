"""Names of extended attributes: what each one stands for.

Pure. The kernel forbids `user.*` on symlinks to everyone, so tags are also named `tag.<key>`,
which it passes through to a FUSE file system. Namespaces that are not ours are answered from
memory: the kernel asks for `security.capability` at every write.
"""

import enum
from dataclasses import dataclass
from typing import Final

from tagfs.fs.mapping.posix_metadata import RESERVED

MAX_NAME = 255
"""Bytes of an xattr name; the kernel refuses longer ones with ERANGE (xattr(7))."""


XATTR_CREATE = 1
XATTR_REPLACE = 2
"""Flags of setxattr(2)."""


class XattrKind(enum.Enum):
    """What a name stands for."""

    TAG = "one tag of the object"
    TAGGING = "the whole tag set, as the service writes it in a header"
    BUCKET_TAG = "one tag of the bucket"
    ANNOTATION = "one annotation of the object (S3)"
    META = "one entry of the user metadata"
    OBJECT = "a fact about the object, or a header that is kept with it"
    STATUS = "the state of the mount, as JSON"
    REFRESH = "setting it invalidates what is cached"
    REMOUNT = "asking for it changes options of the mount, which the name ends with"
    DESKTOP_TAGS = "user.xdg.tags: the labels of a file manager"
    OTHER_USER = "any other user.* name, kept in the user metadata"
    RESERVED_USER = "a user.* name of ours that stands for nothing"
    SYSTEM = "system.*: ACLs and the like, which are not kept"
    FOREIGN = "security.*, trusted.* and unknown namespaces"


@dataclass(frozen=True, slots=True)
class XattrName:
    """A name, taken apart: `rest` is the tag key, metadata name or field."""

    kind: XattrKind
    rest: str = ""


_WHOLE: Final = {
    "user.tagging": XattrKind.TAGGING,
    "tagging": XattrKind.TAGGING,
    "user.xdg.tags": XattrKind.DESKTOP_TAGS,
    "user.tagfs.status": XattrKind.STATUS,
    "user.tagfs.refresh": XattrKind.REFRESH,
}
ANNOTATION: Final = "user.annotation."
"""What names of annotations begin with; where there are none, such a name is like any other."""

REMOUNT: Final = "user.tagfs.remount."
"""What the name begins with that changes options: a question, because on a read-only mount the
kernel lets nobody set an attribute."""

_PREFIXES: Final = (
    (REMOUNT, XattrKind.REMOUNT),
    ("user.tag.", XattrKind.TAG),
    ("tag.", XattrKind.TAG),
    ("user.bucket.tag.", XattrKind.BUCKET_TAG),
    (ANNOTATION, XattrKind.ANNOTATION),
    ("user.meta.", XattrKind.META),
    ("user.object.", XattrKind.OBJECT),
    ("user.tagfs.", XattrKind.RESERVED_USER),
    ("user.bucket.", XattrKind.RESERVED_USER),
    ("user.", XattrKind.OTHER_USER),
    ("system.", XattrKind.SYSTEM),
)

OBJECT_FIELDS: Final = ("etag", "type", "version_id", "crc64")
"""What `user.object.<field>` tells, and cannot be set."""

OBJECT_CHOICES: Final = ("storage_class", "encryption", "acl")
"""What it tells as well, and the service can be asked to change."""

RESTORE: Final = "restore"
"""`user.object.restore`: the state of an archived object; set to a number of days it restores."""

OBJECT_HEADERS: Final = {
    name.replace("-", "_"): name
    for name in (
        "content-type",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "expires",
    )
}
"""The headers of an object by the `<field>` of `user.object.<field>`: these can be set."""


def parse_name(name: str) -> XattrName:
    """Say what an xattr name stands for; every name stands for something."""
    if name in _WHOLE:
        return XattrName(_WHOLE[name])
    for prefix, kind in _PREFIXES:
        if name.startswith(prefix):
            rest = name[len(prefix) :]
            if kind is XattrKind.META and not is_meta_name(rest):
                return XattrName(XattrKind.RESERVED_USER, rest)
            return XattrName(kind, rest)
    return XattrName(XattrKind.FOREIGN)


def is_meta_name(name: str) -> bool:
    """Say whether user metadata of this name is shown: not if it holds attributes or a link.

    Services keep names in lower case (letters, digits, hyphen), so only those can come back.
    """
    allowed = (
        name.isascii() and name.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()
    )
    return allowed and name == name.lower() and name not in RESERVED


def tag_name(key: str, *, on_link: bool, of_bucket: bool = False) -> str | None:
    """Return the name under which a tag is listed; None if the kernel would not take it."""
    prefix = "user.bucket.tag." if of_bucket else "tag." if on_link else "user.tag."
    name = prefix + key
    return name if key and "\0" not in key and len(name.encode("utf-8")) <= MAX_NAME else None
