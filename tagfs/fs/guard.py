"""What `no_delete` and `no_overwrite` refuse: nothing is lost here, not even by mistake.

Judged is what a call does to content: a new name for it, its attributes and its tags can always be
changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tagfs.errors import AlreadyExists, NotPermitted
from tagfs.fs.context import FsContext
from tagfs.fs.openfiles.open_file import OpenFile


class Guard:
    """Refuses calls with EPERM, before any request that changes something."""

    def __init__(self, env: FsContext) -> None:
        self._choices = env.choices

    @property
    def keeps_content(self) -> bool:
        """Whether content that the service has is not replaced."""
        return self._choices.no_overwrite

    def check_deletion(self, path: str) -> None:
        """Refuse to delete a file or a directory.

        Raises:
            NotPermitted
        """
        if self._choices.no_delete:
            raise NotPermitted(f"{path}: mounted with no_delete")

    def check_change(self, node: OpenFile) -> None:
        """Refuse to write into a file that has content on the service.

        One that is new, or empty, can be written: nothing is lost by that.

        Raises:
            NotPermitted
        """
        if self._choices.no_overwrite and not node.is_new and node.size:
            raise NotPermitted(f"{node.path}: mounted with no_overwrite")

    def check_unlink_open(self, path: str, *, is_replaced: bool | None) -> None:
        """Refuse to take the name of an open file away, to delete or to replace it.

        Raises:
            NotPermitted
        """
        self.check_deletion(path)
        if self._choices.no_overwrite and is_replaced is not False:
            raise NotPermitted(f"{path}: mounted with no_overwrite")

    @contextmanager
    def renaming(self, new: str, *, exclusive: bool) -> Iterator[bool]:
        """Yield whether a rename must find nothing at its new name: to replace is to delete.

        Raises:
            NotPermitted: something is there.
        """
        reason = "no_delete" if self._choices.no_delete else "no_overwrite"
        guarded = self._choices.no_delete or self._choices.no_overwrite
        try:
            yield exclusive or guarded
        except AlreadyExists:
            if exclusive or not guarded:
                raise
            raise NotPermitted(f"{new}: mounted with {reason}") from None
