"""Files of `ID:SECRET` lines, as s3fs and ossfs have them, some of them for one bucket alone. Pure.

    ID:SECRET                   for every bucket that has no line of its own
    ID:SECRET:TOKEN             the same, for a while
    BUCKET:ID:SECRET            for one bucket
    BUCKET:ID:SECRET:TOKEN

Three parts are known by what they can be. A token goes over the wire as it is, so what may be
a secret is never taken for one.
"""

from collections.abc import Sequence
from typing import Final

from tagfs.errors import BadCredentials

MIN_TOKEN: Final = 65
"""Characters of the shortest token: the services' have hundreds, and no secret has more than 64."""

_PAIR, _THREE, _FOUR = 2, 3, 4
_PARTS: Final = ("access_key_id", "secret_access_key", "token")


def is_password_file(lines: Sequence[str]) -> bool:
    """Say whether lines (without comments) have a form of this module."""
    return all(":" in line and "=" not in line.partition(":")[0] for line in lines)


def pair_for(bucket: str, lines: Sequence[str], origin: str) -> dict[str, str]:
    """Return the parts of the pair for a bucket: its own line's, or the one for every bucket.

    Raises:
        BadCredentials: there is none, or there are two.
    """
    own: list[list[str]] = []
    general: list[list[str]] = []
    for line in lines:
        parts = [part.strip() for part in line.split(":")]
        if len(parts) > _PAIR and parts[0] == bucket and bucket:
            own.append(parts[1:])
        elif _is_general(parts):
            general.append(parts)
    found = own or general
    if len(found) > 1:
        whose = f"the bucket {bucket}" if own else "every bucket"
        raise BadCredentials(f"{origin} has two lines for {whose}")
    if not found:
        raise BadCredentials(
            f"{origin} has no line for the bucket {bucket}: write BUCKET:ID:SECRET, or ID:SECRET "
            "for all; with a token, lines of NAME = VALUE"
        )
    if len(found[0]) > _THREE:
        raise BadCredentials(f"{origin}: the line for the bucket {bucket} has too many parts")
    return dict(zip(_PARTS, found[0], strict=False))


def _is_general(parts: Sequence[str]) -> bool:
    """Say whether a line is for every bucket, not for another one by name."""
    if len(parts) == _PAIR:
        return True
    return len(parts) == _THREE and len(parts[2]) >= MIN_TOKEN
