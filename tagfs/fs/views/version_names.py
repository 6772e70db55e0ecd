"""Names of versions among the views: when it was made, and the service's name for it. Pure.

2026-11-28T09:12:00Z~G001117FCE89978B0000401205D5DC9A
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from tagfs.fs.views.view_paths import encode
from tagfs.store.object_versions import ObjectVersion

SEPARATOR: Final = "~"


def version_name(version: ObjectVersion) -> str | None:
    """Return the name of a version; None if its id is too long for one."""
    moment = datetime.fromtimestamp(version.info.last_modified_ns // 10**9, UTC)
    return encode(f"{moment:%Y-%m-%dT%H:%M:%SZ}{SEPARATOR}{version.version_id}")


def by_name(versions: Iterable[ObjectVersion]) -> Mapping[str, ObjectVersion]:
    """Return what can be read of an object, by names that sort by time."""
    named = ((version_name(v), v) for v in versions if not v.is_marker)
    return {name: version for name, version in named if name is not None}


def may_be_version(name: str) -> bool:
    """Say whether a name looks like a version's."""
    moment, mark, version_id = name.partition(SEPARATOR)
    if not mark or not version_id:
        return False
    try:
        datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
