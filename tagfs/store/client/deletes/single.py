"""What is done with each key of a batch by itself, several at once."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

from tagfs.errors import AccessDenied, Interrupted, ObjectChanged, TagfsError
from tagfs.store.client.deletes.object_deletes import ObjectDeletes
from tagfs.store.objects import Denied, ObjectInfo, Spared


class SingleDeletes:
    """Deletes objects one by one, and looks at what is left of a batch."""

    def __init__(self, pool: Executor, deletes: ObjectDeletes) -> None:
        self._pool = pool
        self._deletes = deletes

    def delete(self, keys: Sequence[str], meant: Mapping[str, ObjectInfo]) -> dict[str, str]:
        """Delete each object; return the keys of those that stay, with the reasons."""
        failed: dict[str, str] = {}
        begun = [
            (key, self._pool.submit(self._deletes.delete, key, meant=meant.get(key)))
            for key in keys
        ]
        for key, outcome in begun:
            try:
                outcome.result()
            except Interrupted:
                raise
            except AccessDenied as failure:
                failed[key] = Denied(failure)
            except ObjectChanged as failure:
                failed[key] = Spared(failure)
            except TagfsError as failure:
                failed[key] = str(failure)
        return failed

    def still_there(self, keys: Sequence[str], meant: Mapping[str, ObjectInfo]) -> list[str]:
        """Return the keys that hold what is meant: neither gone, nor another's by now."""
        return self._those(
            keys, lambda key: key not in meant or self._deletes.is_there(key, meant[key])
        )

    def not_gone(self, keys: Sequence[str], meant: Mapping[str, ObjectInfo]) -> list[str]:
        """Return the keys to send again after a lost answer; raises as `ObjectDeletes.is_gone`."""
        return self._those(
            keys, lambda key: key not in meant or not self._deletes.is_gone(key, meant[key])
        )

    def perhaps_left(self, keys: Sequence[str], meant: Mapping[str, ObjectInfo]) -> list[str]:
        """Return the keys that a batch may have left, of which its answer says nothing."""
        return self._those(keys, lambda key: self._deletes.may_be_left(key, meant.get(key)))

    def _those(self, keys: Sequence[str], holds: Callable[[str], bool]) -> list[str]:
        found = self._pool.map(holds, keys)
        return [key for key, does in zip(keys, found, strict=True) if does]
