"""Where a mounted bucket is, on purpose, not what a local file system is: the only exceptions.

`docs/semantics.md` lists the same names, with the reasons; a test compares the two.
"""

from dataclasses import dataclass

from tests.mount.twins import Outcome


@dataclass(frozen=True)
class Deviation:
    """One thing that the mount does otherwise.

    Attributes:
        outcome: what comes of the call on the mount.
        reason: why; one sentence.
    """

    outcome: Outcome
    reason: str


def fails(errno_name: str, reason: str) -> Deviation:
    return Deviation(("failed", errno_name), reason)


def returns(value: int, reason: str) -> Deviation:
    return Deviation(("returned", value), reason)


# ENOTSUP and EOPNOTSUPP are one number on Linux; Python calls it ENOTSUP.
DEVIATIONS = {
    "hard-link": fails("EPERM", "an object has one key"),
    "rename-flags": fails("EINVAL", "services have no exchange and no whiteout"),
    "o-tmpfile": fails("ENOTSUP", "libfuse has no nameless files"),
    "fallocate": fails("ENOTSUP", "a bucket reserves no room"),
    "removed-directory": fails("ENOENT", "libfuse knows directories by their names alone"),
    "rename-ctime": returns(0, "a rename is the service's copy, which leaves metadata alone"),
    "directory-nlink": returns(1, "a directory's subdirectories are not counted"),
    "name-not-utf8": fails("EILSEQ", "keys of services are UTF-8"),
}
