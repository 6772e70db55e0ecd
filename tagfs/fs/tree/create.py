"""Making directories, special files and symlinks; what a new thing's attributes are."""

import stat
from dataclasses import replace

from tagfs.errors import NotPermitted
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.inheritance import new_headers
from tagfs.fs.mapping.paths import split
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.deferred_work import DeferredWork
from tagfs.fs.openfiles.tag_policy import TagPolicy
from tagfs.fs.tree.heritage import Heritage
from tagfs.fs.tree.lookup import TreeLookup
from tagfs.fs.tree.markers import EMPTY, new_object
from tagfs.fs.tree.symlinks import write_symlink
from tagfs.rules.rule import ObjectKind
from tagfs.store.objects import MARKER_TYPE


class Creator:
    """Makes what is not there yet; what waits to be deleted at its path goes first."""

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        due: DeferredWork,
        heritage: Heritage,
        policy: TagPolicy,
    ) -> None:
        self._env = env
        self._policy = policy
        self._tree = tree
        self._due = due
        self._write_back = due.uploads
        self._heritage = heritage

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory by writing its marker.

        Raises:
            AlreadyExists
        """
        attributes = self.prepare(path, stat.S_IFDIR | stat.S_IMODE(mode))
        given = self._policy.create(path, ObjectKind.DIRECTORY)
        marker = self._env.root.to_prefix(path)
        if self._write_back.accepts():
            self._write_back.make_directory(path, attributes, {"content-type": MARKER_TYPE}, given)
            self._env.bucket.expect_empty(marker)
        else:
            new = new_object(self._env, attributes, given=given, content_type=MARKER_TYPE)
            self._env.bucket.put(marker, EMPTY, new)
        self._tree.times.on_entry(path)

    def mknod(self, path: str, mode: int, rdev: int) -> None:
        """Make an empty file, fifo, socket or device node.

        Raises:
            NotPermitted: not a plain file, and attributes are not stored on this mount.
        """
        if not stat.S_IFMT(mode):
            mode |= stat.S_IFREG
        if not stat.S_ISREG(mode) and not self._env.choices.stored:
            raise NotPermitted(f"{path}: special files need attributes=stored")
        attributes = replace(self.prepare(path, mode), rdev=rdev)
        new = new_object(self._env, attributes, given=self._policy.create(path, ObjectKind.FILE))
        new = replace(new, headers=new_headers(path, typed=self._heritage.is_typed(attributes)))
        self._env.bucket.put(self._env.root.to_key(path), EMPTY, new)
        self._tree.times.on_entry(path)

    def symlink(self, path: str, text: str) -> None:
        """Make a symlink that readlink shows as `text`.

        Raises:
            AlreadyExists, NotPermitted
        """
        key = self._env.root.to_key(path)
        attributes = self.prepare(path, stat.S_IFLNK | 0o777)
        given = self._policy.create(path, ObjectKind.LINK)
        write_symlink(self._env.bucket, key, text, new_object(self._env, attributes, given=given))
        self._tree.times.on_entry(path)

    def prepare(self, path: str, mode: int, *, exclusive: bool = True) -> Attributes:
        """Make a path free; return the attributes of what the calling process makes there now.

        What waits to be deleted there is deleted first: later it would strike what is made. What
        is not shown stays: AlreadyExists if `exclusive`, else NotShown.

        A set-group-ID directory gives its group, and to directories its bit: inode(7). The kernel
        has just looked the directory up, so what it is is known.
        """
        self._due.before_made(path)
        self._env.scope.check_name(self._env.root.to_key(path), exclusive=exclusive)
        made = self._env.new_attributes(mode)
        if not self._env.choices.stored:
            return made
        parent = self._tree.lookup(split(path)[0]).attributes
        if not parent.mode & stat.S_ISGID:
            return made
        bit = stat.S_ISGID if stat.S_ISDIR(mode) else 0
        return replace(made, gid=parent.gid, mode=mode | bit)
