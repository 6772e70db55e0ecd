"""Annotations of objects, read and changed: S3's named texts beside an object."""

from collections.abc import Mapping
from pathlib import Path

from tagfs.store.client.annotations.file import AnnotationFile
from tagfs.store.client.annotations.requests import AnnotationRequests
from tagfs.store.client.annotations.transfer import AnnotationTransfer
from tagfs.store.client.context import ClientContext
from tagfs.store.client.reads.heads import ObjectHeads


class ObjectAnnotations:
    """Annotations; see `AnnotationStore` for what the methods promise."""

    def __init__(
        self,
        context: ClientContext,
        requests: AnnotationRequests,
        transfer: AnnotationTransfer,
        heads: ObjectHeads,
    ) -> None:
        self._api = context.api
        self._locks = context.locks
        self._requests = requests
        self._transfer = transfer
        self._heads = heads

    def save_in(self, directory: Path) -> None:
        """Save annotations there while their objects are rewritten, where recovery finds them."""
        self._transfer.directory = directory

    def set_saved(self, saved: AnnotationFile) -> int:
        """Set those of a file that was left which the object has not; return how many.

        Raises:
            NotFound: there is no object any more.
            TagfsError
        """
        return self._transfer.set_missing(saved, self._heads.head(saved.key))

    def list_annotations(self, key: str) -> Mapping[str, int]:
        """Return the sizes by name; see `AnnotationStore.list_annotations`."""
        self._api.check_key(key)
        return self._requests.list(key)

    def get_annotation(self, key: str, name: str) -> bytes:
        """Return one; see `AnnotationStore.get_annotation`."""
        self._api.check_key(key)
        return self._requests.get(key, name)

    def put_annotation(self, key: str, name: str, data: bytes) -> None:
        """Set one; see `AnnotationStore.put_annotation`."""
        self._api.check_key(key)
        # A rewrite under way would not take it along.
        with self._locks.hold(key), self._transfer.forgetting(key):
            self._requests.put(key, name, data)

    def delete_annotation(self, key: str, name: str) -> None:
        """Remove one; see `AnnotationStore.delete_annotation`."""
        self._api.check_key(key)
        with self._locks.hold(key), self._transfer.forgetting(key):
            self._requests.delete(key, name)
