"""What every part of the tree needs: the bucket, the user's choices, threads, clock and staging."""

import stat
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from tagfs.blockcache.block_cache import NO_CACHE, ContentCache
from tagfs.errors import ReadOnly, Unsupported
from tagfs.fs.clock import Clock, MonotonicClock
from tagfs.fs.content.hedged_reads import HedgedReads, ManyReadable
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.content.staged_file import StagingArea
from tagfs.fs.mapping.paths import Root
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.rules.policy import NO_POLICY, Policy
from tagfs.store import bucket
from tagfs.store.bucket import CachingBucket
from tagfs.store.scope import Everything, Scope

FRESH_WITHIN: Final = bucket.FRESH_WITHIN
"""Seconds: an answer of the service at most this old counts as having asked (promise D1)."""


UNKNOWN_TIME_NS = 315_619_200 * 10**9
"""The time of what nobody made, such as a directory without a marker: 1980-01-02, nanoseconds since
the epoch. It is the same on every mount and host, so that backups and media libraries see no
change, and the first that archives of every format hold in every time zone (zip begins in 1980)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FsOptions:
    """What the user chose that concerns the tree.

    Attributes:
        uid, gid: owner shown where an object's metadata names none.
        umask: bits taken away from the modes 0666 and 0777 that are shown where none is stored.
        file_mode, dir_mode: the modes shown instead; None: as `umask` has it.
        stored: keep and show mode, owner and times in user metadata; False means that they come
            from the listing and these choices, and no metadata is read for a stat.
        keep_replaced_tags: a file renamed over another one keeps what that had and it has not: its
            tags, headers and user metadata.
        typed_by_name: a new file gets the Content-Type that its name stands for.
        desktop_tags: how `user.xdg.tags` is kept: as the tag of this key, as one tag for each label
            ("keys"), or ("") like any other attribute.
        lists_annotations: the names of annotations are listed, for which each file is asked.
        append_objects: pattern of names (of paths, if it has a "/") whose new files become
            appendable objects, so that what is added later is sent alone; "" for none.
        uploads_behind: how many files are uploaded at once after their close was answered; 0: close
            is answered when the service has the file.
        part_size: bytes of the first parts of a multipart upload.
        read_only: refuse every change.
        no_delete, no_overwrite: refuse what would lose content that the service has.
        shared: others use the mount as well, and the kernel judges by owner and mode.
    """

    uid: int
    gid: int
    umask: int = 0o022
    file_mode: int | None = None
    dir_mode: int | None = None
    stored: bool = True
    keep_replaced_tags: bool = True
    typed_by_name: bool = True
    desktop_tags: str = ""
    lists_annotations: bool = False
    append_objects: str = ""
    uploads_behind: int = 0
    part_size: int = 8 * 1024**2
    read_only: bool = False
    no_delete: bool = False
    no_overwrite: bool = False
    shared: bool = False


def _unchangeable(options: str) -> None:
    raise Unsupported(options)


@dataclass(frozen=True, slots=True, kw_only=True)
class FsContext:
    """Everything that the parts of one mounted tree share.

    Attributes:
        caller: the uid and gid of the process that is being served.
        caller_execs: whether that process is within execve(2), which closes its descriptors; False
            if not known.
        caller_holds: whether that process has another descriptor of a path; False if not known.
        caller_lists: whether that process shows directories, and no extended attributes; None
            where nothing tells.
        policy: the rules about tags.
        clock_ns: nanoseconds since the epoch.
        clock: seconds by which everything here is measured that takes time or waits.
        executor: threads for reading ahead and for many small requests.
        upload_executor: threads for parts, apart so that they never wait behind one another.
        scope: what of the bucket this mount shows.
        content: content that was read, on this host's disk.
        hedged: asks slow reads a second time; None: each is asked once.
        remount: changes options of the mount, which are written as after -o.
    """

    bucket: CachingBucket
    root: Root
    choices: FsOptions
    executor: Executor
    upload_executor: Executor
    budget: MemoryBudget
    staging: StagingArea
    caller: Callable[[], tuple[int, int]]
    caller_execs: Callable[[], bool]
    caller_holds: Callable[[str], bool]
    caller_lists: Callable[[], bool | None]
    clock_ns: Callable[[], int]
    policy: Policy = NO_POLICY
    clock: Clock = field(default_factory=MonotonicClock)
    scope: Scope = field(default_factory=Everything)
    content: ContentCache = NO_CACHE
    hedged: HedgedReads | None = None
    remount: Callable[[str], None] = _unchangeable

    @property
    def reads(self) -> ManyReadable:
        """The bucket as content is read from it: asked a second time where it is slow."""
        return self.bucket if self.hedged is None else self.hedged.of(self.bucket)

    def check_writable(self) -> None:
        """Refuse a change where the mount allows none.

        Raises:
            ReadOnly
        """
        if self.choices.read_only:
            raise ReadOnly("mounted read-only")

    def default_file(self) -> Attributes:
        """Attributes of a file whose object tells none."""
        chosen, umask = self.choices.file_mode, self.choices.umask
        return self._default(stat.S_IFREG | (0o666 & ~umask if chosen is None else chosen))

    def default_directory(self) -> Attributes:
        """Attributes of a directory whose marker tells none, or that has no marker."""
        chosen, umask = self.choices.dir_mode, self.choices.umask
        return self._default(stat.S_IFDIR | (0o777 & ~umask if chosen is None else chosen))

    def new_attributes(self, mode: int) -> Attributes:
        """Attributes of something that the calling process makes now."""
        uid, gid = self.caller()
        now = self.clock_ns()
        return Attributes(mode=mode, uid=uid, gid=gid, mtime_ns=now, ctime_ns=now, atime_ns=now)

    def _default(self, mode: int) -> Attributes:
        return Attributes(
            mode=mode,
            uid=self.choices.uid,
            gid=self.choices.gid,
            mtime_ns=UNKNOWN_TIME_NS,
            ctime_ns=UNKNOWN_TIME_NS,
            atime_ns=UNKNOWN_TIME_NS,
        )
