"""The markers of Hadoop: an empty object `a/x_$folder$` beside the directory `a/x/`.

A listing shows the directory in their place. Once one was seen, what is not there is looked for in
this form as well, at one request more; buckets without any cost nothing.
"""

from collections.abc import Sequence
from typing import Final

from tagfs.errors import NotFound
from tagfs.store.bucket import Bucket
from tagfs.store.objects import Lookup, ObjectInfo, Page

SUFFIX: Final = "_$folder$"

FOLDER: Final = "a folder of Hadoop"
"""The ETag of what stands for such a directory where its keys are listed."""


def is_folder_marker(info: ObjectInfo) -> bool:
    """Tell whether an object stands for the directory that its name begins with."""
    if info.size or not info.key.endswith(SUFFIX):
        return False
    return info.key[info.key.rfind("/") + 1 :] != SUFFIX


class FolderMarkers:
    """What of `inner` looks otherwise. Thread-safe."""

    def __init__(self, inner: Bucket) -> None:
        self._inner = inner
        self._is_seen = False

    def shown(self, page: Page, *, is_first: bool) -> Page:
        """Return one page of a directory as a mount shows it.

        Of a directory that has files, another page than the first may have been the one before.
        """
        markers = [info for info in page.objects if is_folder_marker(info)]
        if not markers:
            return page
        self._is_seen = True
        hidden = {info.key for info in markers}
        objects = tuple(info for info in page.objects if info.key not in hidden)
        files = {info.key for info in objects}
        directories = {key.removesuffix(SUFFIX) for key in hidden} - files
        prefixes = {f"{key}/" for key in directories}.difference(page.prefixes)
        if not is_first:
            prefixes = {key for key in prefixes if not self._has_keys(key)}
        prefixes.update(page.prefixes)
        return Page(objects, tuple(sorted(prefixes)), page.token)

    def with_own(self, prefix: str, page: Page) -> Page:
        """Return the first page of all keys of a directory, with its own marker as first."""
        if not self._is_seen or not prefix.endswith("/"):
            return page
        if any(info.key == prefix for info in page.objects[:1]) or self._find(prefix[:-1]) is None:
            return page
        own = ObjectInfo(key=prefix, size=0, etag=FOLDER, last_modified_ns=0)
        return Page((own, *page.objects), page.prefixes, page.token)

    def found(self, key: str, found: Lookup) -> Lookup:
        """Return what is at a key, if only such a marker tells that it is a directory."""
        if not self._is_seen or found.is_prefix or found.info is not None:
            return found
        return Lookup(None, is_prefix=self._find(key) is not None)

    def beside(self, keys: Sequence[str]) -> list[str]:
        """Return the keys that go with those markers which are deleted."""
        if not self._is_seen:
            return []
        return [f"{key[:-1]}{SUFFIX}" for key in keys if key.endswith("/")]

    def _has_keys(self, prefix: str) -> bool:
        return bool(self._inner.list(prefix, delimiter="", limit=1).objects)

    def _find(self, key: str) -> ObjectInfo | None:
        try:
            info = self._inner.head(f"{key}{SUFFIX}")
        except NotFound:
            return None
        return info if is_folder_marker(info) else None
