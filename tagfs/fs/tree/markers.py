"""What a new object carries, and the markers of directories that exist only through their keys."""

from dataclasses import replace

from tagfs.errors import AlreadyExists
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.tag_policy import TagPolicy
from tagfs.fs.tree.lookup import TreeLookup
from tagfs.rules.rule import ObjectKind
from tagfs.store.objects import MARKER_TYPE, BytesSource, NewObject, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet

EMPTY = BytesSource(b"")


def new_object(
    env: FsContext,
    attributes: Attributes,
    *,
    tags: TagSet = NO_TAGS,
    given: TagSet = NO_TAGS,
    content_type: str = "",
) -> NewObject:
    """Return what travels with something made here that was not there before.

    The rules have `given` it some tags besides its own.
    """
    metadata = attributes.render() if env.choices.stored else {}
    headers = {"content-type": content_type} if content_type else {}
    return NewObject(metadata=metadata, headers=headers, tags=tags, defaults=given, exclusive=True)


class MarkerWriter:
    """Writes markers."""

    def __init__(self, env: FsContext, tree: TreeLookup, policy: TagPolicy) -> None:
        self._env = env
        self._tree = tree
        self._policy = policy

    def make(self, path: str, *, tags: TagSet = NO_TAGS) -> ObjectInfo:
        """Write the marker of a directory that exists only through its keys.

        Raises:
            AlreadyExists: it has one.
        """
        key = self._env.root.to_prefix(path)
        attributes = self._tree.directory(path).attributes
        owner = attributes.uid, attributes.gid  # nobody makes it now
        given = self._policy.given(path, ObjectKind.DIRECTORY, owner)
        new = new_object(self._env, attributes, tags=tags, given=given, content_type=MARKER_TYPE)
        try:
            return self._env.bucket.put(key, EMPTY, new)
        except AlreadyExists:
            if self._is_listed(key):
                raise
            return self._env.bucket.put(key, EMPTY, replace(new, exclusive=False))

    def _is_listed(self, key: str) -> bool:
        """Tell whether there is a marker, and not just a directory.

        Where directories are real one is there as soon as it has a file, and goes with its last:
        what that server says of a condition is of the directory.
        """
        page = self._env.bucket.list(key, limit=1)
        return any(info.key == key for info in page.objects)
