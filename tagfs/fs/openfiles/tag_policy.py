"""What the rules of a mount say of the tags of its files: what new ones get, and what is refused.

The rules themselves are pure (`tagfs/rules`); here is known who makes a file, in which directory,
and which tags that has.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from tagfs.errors import AccessDenied, NotFound, RuleBroken, Unsupported, ValueNotAllowed
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.paths import split
from tagfs.fs.mapping.temp_names import destination
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.rules.rule import Checked, Demands, ObjectKind
from tagfs.rules.templates import Creation
from tagfs.store.objects import Keep, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet

log = logging.getLogger(__name__)

FILE = ObjectKind.FILE

Chosen = TagSet | Literal[Keep.SOURCE, Keep.REPLACED_OR_SOURCE] | None
"""The tags of a copy; None: as if there were no rules."""


class TagPolicy:
    """Asks the rules. Without any, no method makes a request."""

    def __init__(self, env: FsContext, files: HandleTable) -> None:
        self._env = env
        self._files = files
        self._policy = env.policy
        self._unreadable = False

    def tags_of_new(
        self,
        path: str,
        kind: ObjectKind = FILE,
        owner: tuple[int, int] | None = None,
    ) -> TagSet:
        """Return all tags that a new object at a path gets, those of all objects included.

        `owner` are the uid and gid of who makes it; the process that is being served. It costs one
        request if a rule hands tags of the directory on, and these are not known.
        """
        most = self._env.bucket.object_tag_rules.max_tags
        return self.given(path, kind, owner).with_defaults(self._env.bucket.default_tags, most)

    def demands(self, path: str, kind: ObjectKind = FILE) -> Demands:
        """Return what the rules ask of an object; a temporary file of a tool has its last name."""
        return self._policy.rules.about(self._key(path, kind), kind)

    def given(
        self, path: str, kind: ObjectKind = FILE, owner: tuple[int, int] | None = None
    ) -> TagSet:
        """Return the tags that the rules give to a new object, the required ones first."""
        if not self._policy.rules:
            return NO_TAGS
        demands = self.demands(path, kind)
        if not (demands.tags or demands.inherit):
            return NO_TAGS
        uid, gid = self._env.caller() if owner is None else owner
        now = self._env.clock_ns()
        made = Creation(key=self._key(path, kind), uid=uid, gid=gid, now_ns=now)
        fit = self._env.bucket.object_tag_rules.fit
        tags = demands.new_tags(made, self._left_by_directory(path, demands), fit)
        return TagSet({**demands.only_required(tags), **tags})

    def fill(self, node: OpenFile) -> None:
        """Let an old file get the tags that it must have and lacks, when it is written."""
        if not self._policy.rules or node.is_new:
            return
        if given := self.required(node.path):
            with node.lock:
                node.draft = replace(node.draft, given=given)

    def required(self, path: str) -> TagSet:
        """Return those tags that the rules give which a file must have."""
        if not self._policy.rules:
            return NO_TAGS
        demands = self.demands(path)
        return demands.only_required(self.given(path)) if demands.required else NO_TAGS

    def judge_new(
        self, path: str, tags: TagSet, kind: ObjectKind = FILE, moment: Checked = Checked.OPEN
    ) -> None:
        """Refuse a new object that breaks a rule which is looked at now.

        Raises:
            RuleBroken, ValueNotAllowed
        """
        if self._policy.rules:
            self._policy.judge_new(path, self.demands(path, kind), tags, moment)

    def create(self, path: str, kind: ObjectKind) -> TagSet:
        """Return the tags for something that is made in one request.

        Raises:
            RuleBroken, ValueNotAllowed
        """
        given = self.given(path, kind)
        self.judge_new(path, given, kind)
        return given

    def judges(self, path: str, kind: ObjectKind) -> bool:
        """Say whether a change of an object's tags could break a rule.

        What a tool does to its temporary file counts when that gets its name: rsync -X takes tags
        away that its source has not.
        """
        if not self._policy.rules or _is_temporary(path, kind):
            return False
        return self.demands(path, kind).judges

    def judging(
        self, path: str, kind: ObjectKind, change: Callable[[TagSet], TagSet]
    ) -> Callable[[TagSet], TagSet]:
        """Return a change that raises RuleBroken or ValueNotAllowed where it breaks a rule."""
        if not self.judges(path, kind):
            return change
        demands = self.demands(path, kind)

        def judged(before: TagSet) -> TagSet:
            after = change(before)
            self._policy.judge(path, demands.breaches_of_change(before, after))
            return after

        return judged

    def chosen(self, path: str, kind: ObjectKind, tags: TagSet) -> TagSet:
        """Return those tags of an object that were chosen, for a file that replaces another."""
        chosen = tags.beyond(self._env.bucket.default_tags)
        demands = self.demands(path, kind)
        if not chosen or not (demands.tags or demands.inherit):
            return chosen
        return demands.chosen(chosen, self._left_by_directory(path, demands))

    def mover(self) -> tuple[int, int] | None:
        """Return the uid and gid of who renames, for threads that serve no call themselves."""
        return self._env.caller() if self._policy.rules else None

    def moved(
        self,
        old: str,
        key: str,
        new: str,
        kind: ObjectKind = FILE,
        *,
        replaces: bool,
        owner: tuple[int, int] | None = None,
    ) -> Chosen:
        """Return the tags of an object that is renamed, as far as the rules have a say.

        `replaces`: something is at the new name whose tags it keeps if it has none that were
        chosen. What has the same rules at both places is not judged: it was, or is older than they.
        Where objects have no tags at all, one is judged as what is made, or written anew, there.
        `owner`: see `given`.

        Raises:
            RuleBroken: at its new place it would break one, or have a value that is not allowed:
                for EINVAL rename(2) has another meaning.
        """
        if not self._policy.rules:
            return None
        before, after = self.demands(old, kind), self.demands(new, kind)
        is_new = _is_temporary(old, kind)  # and gets its name only now
        judges = bool(after) if is_new else after.judges and after != before
        gives = replaces and bool(before.tags or before.inherit)
        if not self._env.bucket.capabilities.object_tags:
            if judges and not replaces:
                self._filled(new, kind, NO_TAGS, after, is_new=is_new, owner=owner)
            return None
        own = self._read(key, FRESH_WITHIN) if judges or gives else None
        if own is None:
            return None
        if replaces and not self.chosen(old, kind, own):
            return Keep.REPLACED_OR_SOURCE
        if not judges:
            return Keep.SOURCE
        return self._filled(new, kind, own, after, is_new=is_new, owner=owner)

    def moved_object(
        self, info: ObjectInfo, key: str, owner: tuple[int, int] | None = None
    ) -> Chosen:
        """Return the same of an object that keeps its place in a directory which is renamed."""
        old, new = self._env.root.to_path(info.key), self._env.root.to_path(key)
        if old is None or new is None:
            return None
        kind = ObjectKind.DIRECTORY if key.endswith("/") else ObjectKind.FILE
        kind = ObjectKind.LINK if info.type is ObjectType.SYMLINK else kind
        return self.moved(old, info.key, new, kind, replaces=False, owner=owner)

    def check_moved(self, source: str, target: str) -> bool:
        """Judge all below one prefix as it will be below another; False if tags have to change.

        Without rules it costs nothing; else the listing of all.

        Raises:
            RuleBroken
        """
        if not self._policy.rules:
            return True
        token, stays = None, True
        while True:
            page = self._env.bucket.list(source, delimiter="", token=token)
            for info in page.objects:
                chosen = self.moved_object(info, target + info.key[len(source) :])
                stays = stays and chosen in (None, Keep.SOURCE)
            token = page.token
            if token is None:
                return stays

    def _filled(
        self,
        path: str,
        kind: ObjectKind,
        own: TagSet,
        demands: Demands,
        *,
        is_new: bool,
        owner: tuple[int, int] | None,
    ) -> Chosen:
        """Return the tags of an object at its new place: all that the rules give, if it `is_new`.

        Else those that it must have; what is fixed there, no tool has chosen.
        """
        most = self._env.bucket.object_tag_rules.max_tags
        lacks = is_new or any(key not in own for key in demands.required)
        fill = self.given(path, kind, owner) if lacks else NO_TAGS
        fill = fill if is_new else demands.only_required(fill)
        stays = {key: text for key, text in fill.items() if is_new and demands.is_fixed(key)}
        tags = TagSet({**own, **stays}).with_defaults(fill, most)
        try:
            self._policy.judge(path, demands.breaches(tags))
        except ValueNotAllowed as refusal:
            raise RuleBroken(str(refusal)) from refusal
        return Keep.SOURCE if tags == own else tags

    def _key(self, path: str, kind: ObjectKind) -> str:
        last = destination(path) if kind is FILE else None
        return self._env.root.to_key(last or path)

    def _left_by_directory(self, path: str, demands: Demands) -> TagSet:
        """Return those tags of a directory that its new entries get.

        One without a marker, made by another client or on its way to its new name, hands on what
        the one above it has.
        """
        if not demands.inherit:
            return NO_TAGS
        tags, parent = None, path
        while tags is None and parent != "/":
            parent = split(parent)[0]
            node = self._files.node(parent)
            made = node.new_tags() if node is not None and node.is_new else None
            prefix = self._env.root.to_prefix(parent)
            tags = made if made is not None or not prefix else self._read(prefix)
        return tags or NO_TAGS

    def _read(self, key: str, max_age: float | None = None) -> TagSet | None:
        """Return the tags of an object; None if there are none to be read."""
        try:
            return self._env.bucket.get_tags(key, max_age=max_age)
        except (NotFound, Unsupported):
            return None  # a directory without a marker, or nothing has tags
        except AccessDenied as error:
            if not self._unreadable:
                self._unreadable = True
                log.warning("rules are not applied to tags that may not be read: %s", error)
            return None


def _is_temporary(path: str, kind: ObjectKind) -> bool:
    return kind is FILE and destination(path) is not None
