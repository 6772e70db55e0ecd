"""The tags of an open file that is not on the service yet: its own, and what the rules give it."""

import contextlib
from collections.abc import Callable

from tagfs.errors import NotFound, StagingFull, Unsupported
from tagfs.fs.context import FRESH_WITHIN
from tagfs.fs.mapping.temp_names import destination
from tagfs.fs.openfiles.open_edits import OpenEdits
from tagfs.rules.rule import Checked, ObjectKind
from tagfs.store.tags import NO_TAGS, TagSet


class OpenTags(OpenEdits):
    """An open file as an object, with the tags that it will be created with."""

    def new_tags(self) -> TagSet | None:
        """Return the tags that a new file will be created with; None if it was created already."""
        given, own = self.draft.given, self._own_tags()
        return None if own is None else own.with_defaults(given, self._most_tags)

    def _own_tags(self) -> TagSet | None:
        """Return the same without what only the rules give."""
        tags, replaced = self.draft.tags, self.draft.replaces
        if not self.is_new:  # asked last, for an upload that ends clears the tags after that
            return None
        if tags is None and replaced is not None:
            with contextlib.suppress(NotFound, Unsupported):
                return self.env.bucket.get_tags(self.key, max_age=FRESH_WITHIN)
        return tags or NO_TAGS

    @property
    def _most_tags(self) -> int:
        return self.env.bucket.object_tag_rules.max_tags

    def set_tags(self, change: Callable[[TagSet], TagSet]) -> bool:
        """Change the tags that a new file will be created with; False if it was created already."""
        with self.lock:
            own = self._own_tags()
            if own is None:
                return False
            self._committer.note_kept_tags(own)
            before, self.draft = self.draft, self.draft.retagged(own, change, self._most_tags)
            try:
                self._record_anew()
            except StagingFull as full:
                self.draft = before
                self.upload_instead(full)
                return False
            return True

    def judge_tags(self) -> None:
        """Refuse a new file that lacks what the rules want of it by now.

        What a tool writes under a temporary name is judged when it gets its last one; what
        mknod(2) makes is not, for libfuse makes and releases it, and no program closes it.

        Raises:
            RuleBroken, ValueNotAllowed
        """
        policy, draft = self.env.policy, self.draft
        if (
            not policy.rules
            or self.is_dir
            or self.is_mknod
            or not self.is_new
            or draft.replaces is not None
        ):
            return
        if destination(self.path) is None:
            demands = policy.rules.about(self.key, ObjectKind.FILE)
            tags = (draft.tags or NO_TAGS).with_defaults(draft.given, self._most_tags)
            policy.judge_new(self.path, demands, tags, Checked.CLOSE)
