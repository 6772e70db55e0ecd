"""Changes of what an open file carries besides its content: with its next upload, or at once.

A change that goes along with an upload is written down first, where that was promised: if the local
disk has no room for that, the upload comes first, and the change is made on the service.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from tagfs.errors import NotFound, StagingFull, TagfsError
from tagfs.fs.context import FRESH_WITHIN
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.file_state import (
    Clean,
    Closed,
    Committing,
    Dirty,
    Failed,
    Unlinked,
    changed,
)
from tagfs.fs.openfiles.object_draft import ObjectDraft
from tagfs.fs.openfiles.open_object import OpenObject
from tagfs.store.objects import ObjectInfo


class OpenEdits(OpenObject):
    """An open file as an object, with what programs change of it without writing."""

    def flush(self, *, again: bool = False) -> None:
        """Upload what was changed: who knows its content does."""
        raise NotImplementedError

    def set_attributes(self, change: Callable[[Attributes], Attributes], *, times: bool) -> None:
        """Change mode, owner or times: with the next upload if one is due, else at once."""

        def changed(draft: ObjectDraft) -> ObjectDraft:
            times_set = times or draft.times_set
            return replace(draft, attributes=change(draft.attributes), times_set=times_set)

        self.revise(changed)

    def set_metadata(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Change the user metadata that is shown as `user.meta.*`."""
        self.revise(lambda draft: replace(draft, metadata=change(dict(draft.metadata))))

    def note_move(self, path: str, draft: ObjectDraft) -> None:
        """Write down under which name it is to go on, and with what, before it does.

        Raises:
            StagingFull: that would be forgotten by a crash; nothing has changed.
        """
        with self.lock:
            if self.staged is not None:
                to = self._target_at(path, self.env.root.to_key(path), draft)
                self._committer.rewrite_entry(self.staged, to, unlinked=False)

    def revise(self, change: Callable[[ObjectDraft], ObjectDraft]) -> None:
        """Change what the object carries: with the next upload if one is due, else at once."""
        with self.lock:
            match self.state:
                case Clean() | Closed() as sent if self.info is not None:
                    self._edit_object(self.info, change)
                    self.state = replace(sent, due=None) if isinstance(sent, Clean) else sent
                case Dirty() | Committing() | Failed() | Unlinked():
                    before = self.draft, self.state
                    self.draft = change(self.draft)
                    self.state = changed(self.state, edited=True)
                    try:
                        self._record_anew()
                    except StagingFull as full:
                        self.draft, self.state = before
                        self.upload_instead(full)
                        self.revise(change)
                case Clean() | Closed():
                    raise NotFound(f"{self.path}: not open any more")
                case _:
                    assert_never(self.state)

    def upload_instead(self, full: StagingFull) -> None:
        """Have the service take the file as it is: what `full` has no room for is done there.

        Raises:
            StagingFull: it does not; the file is as it was.
        """
        try:
            self.flush(again=self.failed)
        except TagfsError as error:
            raise full from error
        if self.dirty:
            raise full

    # Inside

    def _edit_object(self, info: ObjectInfo, change: Callable[[ObjectDraft], ObjectDraft]) -> None:
        """Let the object carry what `change` makes of what it has; or nothing has changed."""
        if info.detail is None:
            info = self.env.bucket.head(self.key, expected=info.type, max_age=FRESH_WITHIN)
            self.info = info
            self._adopt(info)
        draft = change(self.draft)
        stored, appendable = self.env.choices.stored, self._is_to_append
        metadata = draft.all_metadata(info, self.size, stored=stored, appendable=appendable)
        self.info = self.env.bucket.set_metadata(info, metadata, draft.headers)
        self.draft = draft
