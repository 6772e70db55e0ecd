"""What objects were before, in buckets that keep versions: values, and what can be done with them.

A version's content never changes, and neither do its metadata; its tags may.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tagfs.store.objects import Content, ObjectInfo
from tagfs.store.tags import TagSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """One version of one key, as a listing shows it.

    Attributes:
        info: the object as it was; of a delete marker only key and time count.
        version_id: the service's name for it; "null" for what was made before versions were kept.
        is_latest: whether it is what who asks for no version gets.
        is_marker: whether it says that the object was deleted then.
    """

    info: ObjectInfo
    version_id: str
    is_latest: bool = False
    is_marker: bool = False


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One answer to a listing of versions: by key, those of a key the newest first.

    `token` is where the next page begins, None after the last.
    """

    versions: tuple[ObjectVersion, ...]
    prefixes: tuple[str, ...] = ()
    token: tuple[str, str] | None = None


_TRIAL: Final = re.compile(
    r"(^|/)\.tagfs-(trial-[0-9a-f]{12}|doctor-[0-9a-f]{16}(-copy|-parts|-link)?)(/|$)"
)


def is_of_trial(key: str) -> bool:
    """Say whether something was at a key only to see what the service does: nobody wants it back.

    It was deleted at once, and stays a version where these are kept and may not be deleted.
    """
    return _TRIAL.search(key) is not None


class VersionStore(Protocol):
    """The versions of a bucket's objects. Nothing is remembered.

    A bucket that never kept versions has one of each object; a service that knows none raises
    `Unsupported`.
    """

    def list(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: tuple[str, str] | None = None,
        limit: int = 1000,
    ) -> VersionPage:
        """Return one page of the versions of keys that begin with `prefix`; one request.

        Raises:
            Unsupported, AccessDenied
        """
        ...

    def of_key(self, key: str) -> Sequence[ObjectVersion]:
        """Return all versions of one key, the newest first; a request for each 1,000."""
        ...

    def head(self, version: ObjectVersion) -> ObjectInfo:
        """Describe one version with its detail; a link is described itself.

        Raises:
            NotFound
        """
        ...

    def get(
        self,
        version: ObjectVersion,
        start: int = 0,
        length: int | None = None,
        *,
        if_match: str | None = None,
    ) -> Content:
        """Return bytes of one version; see `ObjectReads.get`."""
        ...

    def get_tags(self, version: ObjectVersion) -> TagSet:
        """Return the tags of one version."""
        ...

    def deleted_version(self, versions: Sequence[ObjectVersion]) -> ObjectVersion:
        """Return the version that `undelete` would bring back; no request.

        Raises:
            AlreadyExists, NotFound
        """
        ...

    def undelete(self, versions: Sequence[ObjectVersion]) -> ObjectVersion:
        """Let an object be there again as it was before it was deleted, tags and all.

        `versions` are all of its key, the newest first. What is written at the key meanwhile is
        left alone. The delete markers are taken away, which deletes no content; without the right
        to that the version is copied.

        Returns:
            what is there now.

        Raises:
            AlreadyExists: the object is not deleted.
            NotFound: there is no version of it.
        """
        ...

    def purge(self, key: str) -> None:
        """Delete all versions of a key that was made on trial, and its delete markers.

        Raises:
            Unsupported, AccessDenied
        """
        ...


def in_order(versions: Iterator[ObjectVersion]) -> list[ObjectVersion]:
    """Return versions of one key, the newest first; not every service lists markers among them."""
    return sorted(versions, key=lambda v: (not v.is_latest, -v.info.last_modified_ns))
