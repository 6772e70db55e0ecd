"""Versions of Ceph's gateway (RGW), by what has come with each.

16 was measured. What 19 and 20 do otherwise is what their own suite expects of them, and what their
developers say of the change that brought it:

17  conditions on the source of a copy; an empty set of tags is a document, not an empty body;
    a completion tells the ETag, and is answered once more if it is sent again
19  tags that are given when a multipart upload begins
20  checksums, CRC64NVME too; conditions of completions and deletions; times of whole seconds

None of them heeds the directive for tags of a copy: they come along with the metadata, and go where
that is replaced. Nor do they look at conditions on what a copy replaces.
"""

from typing import Final

QUINCY: Final = 17
SQUID: Final = 19
TENTACLE: Final = 20
AMAZON: Final = 1000
"""Has all that any version has."""

VERSIONS: Final = {"aws": AMAZON, "rgw": 16, "rgw19": SQUID, "rgw20": TENTACLE}
"""By the name of the mimic."""
