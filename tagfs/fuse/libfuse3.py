"""The tree on libfuse 3: the only module that knows mfusepy.

Callbacks mean what they mean on libfuse 2. What libfuse 3 would change by itself is undone when
the kernel connects; what is gained are larger writes and reads (1 MiB instead of 128 KiB), and
since libfuse 3.17 lookups of one directory in parallel (before, it does not tell the kernel).
"""

import ctypes
import errno
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tagfs.errors import SettingsError
from tagfs.extras import LIBFUSE3, how_to_add
from tagfs.fuse.binding import (
    DEFAULTS,
    Callbacks,
    Operations,
    RequestMark,
    fill_stat,
    optional_text,
    stopper,
    text_of,
)
from tagfs.fuse.directory_pages import DirectoryEntries
from tagfs.fuse.readahead import Readahead

SONAMES = ("libfuse3.so.4", "libfuse3.so.3")
"""Since libfuse 3.17, and before."""

MISSING = "Debian, Ubuntu: apt install libfuse3-3, or libfuse3-4 where that is it"


def _find() -> str:
    for name in SONAMES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    raise SettingsError(f"libfuse 3 is missing ({MISSING})")


def _name(value: str | None) -> None:
    """Set what mfusepy looks for, and fusepy as well; None: nothing."""
    os.environ.pop("FUSE_LIBRARY_PATH", None)
    if value is not None:
        os.environ["FUSE_LIBRARY_PATH"] = value


_before = os.environ.get("FUSE_LIBRARY_PATH")
_name(_find())
try:
    import mfusepy
except ImportError:
    raise SettingsError(f"mfusepy is missing: {how_to_add(LIBFUSE3)}") from None
except (OSError, AttributeError) as error:  # it looks for libfuse when it is imported
    raise SettingsError(f"mfusepy cannot use libfuse 3: {error}") from None
finally:
    _name(_before)

RENAME_NOREPLACE = 1
"""The one flag of renameat2(2) that a bucket can heed."""

READDIR_PLUS = 1
"""The flag of a readdir that may tell attributes as well."""

FILL_DIR_PLUS = 2
"""The flag of an entry whose attributes are all there."""

MAX_COPY = 2**31
"""Bytes that the kernel may have copied at once, at most."""

MAX_WRITE = 1024 * 1024
"""Bytes of one write or read that libfuse 3 has buffers for."""

CAPABILITIES = {
    "async_read": 1 << 0,
    "atomic_o_trunc": 1 << 3,
    "splice_write": 1 << 7,
    "splice_move": 1 << 8,
    "splice_read": 1 << 9,
    "auto_inval_data": 1 << 12,
    "readdirplus": 1 << 13,
    "readdirplus_auto": 1 << 14,
    "parallel_dirops": 1 << 18,
    "handle_killpriv": 1 << 20,
}
"""FUSE_CAP_* of fuse_common.h; not the kernel's numbers."""

UNWANTED = (
    "atomic_o_trunc",  # the kernel empties files by a call of its own, as ever
    "splice_read",  # a write would be copied through a pipe
    "auto_inval_data",  # every read would ask for the attributes again
    "handle_killpriv",  # the kernel takes setuid bits off what is written to
)
"""What libfuse 3 wants unless it is configured otherwise, libfuse 2 does not, and why we do not."""

WANTED = ("parallel_dirops",)
"""What it does not want unless it is asked for."""

NUMBERS = ("max_write", "max_readahead", "max_background", "congestion_threshold")
"""Options of libfuse 2 that are agreed upon with the kernel on libfuse 3."""

CONFIG = ("hard_remove", "use_ino", "readdir_ino", "direct_io", "intr", "intr_signal")
"""Options of libfuse 2 that are fields of libfuse 3's configuration: mfusepy sets them."""

GONE = frozenset(
    "big_writes nonempty nopath sync_read no_remote_lock no_remote_flock no_remote_posix_lock "
    "async atime".split()
)
"""Options of libfuse 2 that libfuse 3 always has, never has, or that change nothing here."""

THREADS: Mapping[str, Any] = {"max_threads": 512, "max_idle_threads": 10}
"""As libfuse 2 has it; since 3.12 there would be 10 in all, and a slow request holds one."""


class Session(Callbacks, mfusepy.FUSE):  # type: ignore[misc]
    """mfusepy, with what it leaves out or does otherwise than the tree expects."""

    def __init__(
        self,
        operations: Operations,
        mountpoint: Path,
        options: Mapping[str, Any],
        ready: Callable[[], None],
    ) -> None:
        self._ready = ready
        self._call = operations
        self._asked = options
        self._readahead = None
        if "max_readahead" not in options:
            self._readahead = Readahead(mountpoint, MAX_WRITE)
        self._reading: dict[int, DirectoryEntries] = {}
        super().__init__(
            _Methods(operations), str(mountpoint), foreground=True, **to_options(options)
        )

    def init_fuse_3(self, connection: Any, config: Any) -> int:
        super().init_fuse_3(connection, config)
        negotiate(connection.contents, self._asked)
        self._ready()
        return 0

    def open(self, path: bytes, fip: Any) -> int:
        if self._readahead:
            self._readahead.on_open()
        return super().open(path, fip)

    def readdir_fuse_3(
        self, path: bytes | None, buf: Any, filler: Any, offset: int, fip: Any, flags: int
    ) -> int:
        """Hand over the page that begins at entry `offset`, with the attributes that are known."""
        fh, plus = fip.contents.fh, bool(flags & READDIR_PLUS)
        if not offset:
            self._reading[fh] = DirectoryEntries(self._call("readdir", optional_text(path), fh))
        entries = self._reading[fh]
        due = entries.page(offset, plus=plus)
        names = [text_of(entries.names[at]) for at in due] if plus else ()
        known = self._call("getattr_known", fh, names) if plus else (None,) * len(due)
        bare, full = mfusepy.c_stat(), mfusepy.c_stat()
        for at, attributes in zip(due, known, strict=True):
            if attributes is None:
                bare.st_mode, bare.st_ino = entries.kinds[at], entries.numbers[at]
                filler(buf, entries.names[at], bare, at + 1, 0)
            else:
                fill_stat(full, attributes)
                filler(buf, entries.names[at], full, at + 1, FILL_DIR_PLUS)
        return 0

    def releasedir(self, path: bytes | None, fip: Any) -> Any:
        self._reading.pop(fip.contents.fh, None)
        return self._call("releasedir", optional_text(path), fip.contents.fh)

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> Any:
        if flags & ~RENAME_NOREPLACE:  # no bucket exchanges two objects at once
            return -errno.EINVAL
        return self._call("rename_noreplace" if flags else "rename", text_of(old), text_of(new))

    def copy_file_range(self, *arguments: Any) -> Any:
        _path, source, start, _target, target, offset, length, _flags = arguments
        handles = source.contents.fh, start, target.contents.fh, offset
        return self._call("copy_file_range", *handles, min(length, MAX_COPY))

    def truncate_fuse_3(self, path: bytes | None, length: int, fip: Any) -> Any:
        fh = fip.contents.fh if fip else None
        return self._call("truncate", optional_text(path), length, fh)

    # A file without a name (hard_remove) has no attributes to set, as on libfuse 2.

    def chmod_fuse_3(self, path: bytes | None, mode: int, fip: Any) -> Any:
        return -errno.ENOENT if path is None else super().chmod_fuse_3(path, mode, fip)

    def chown_fuse_3(self, path: bytes | None, uid: int, gid: int, fip: Any) -> Any:
        return -errno.ENOENT if path is None else super().chown_fuse_3(path, uid, gid, fip)

    def utimens_fuse_3(self, path: bytes | None, times: Any, fip: Any) -> Any:
        return -errno.ENOENT if path is None else super().utimens_fuse_3(path, times, fip)


class _Methods:
    """The callbacks as methods, which mfusepy calls one by one."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._operations, name)
        return partial(self._operations, name) if callable(found) else found


def to_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what libfuse 3 reads itself of options that were meant for libfuse 2."""
    elsewhere = GONE.union(NUMBERS, CAPABILITIES)
    chosen: dict[str, Any] = {**DEFAULTS}
    if _number() >= (3, 12):
        chosen |= THREADS
    else:
        elsewhere |= {"max_threads"}
    chosen |= {name: value for name, value in options.items() if name not in elsewhere}
    for name in CONFIG:
        if name in chosen:
            chosen[name] = int(chosen[name])
    return chosen


def negotiate(connection: Any, options: Mapping[str, Any]) -> None:
    """Tell the kernel what is wanted of it: what libfuse 2 would have, in larger pieces."""
    unwanted = sum(CAPABILITIES[name] for name in UNWANTED)
    asked = {*WANTED, *(name for name in options if name in CAPABILITIES)}
    wanted = sum(CAPABILITIES[name] for name in asked)
    if options.get("sync_read"):
        unwanted |= CAPABILITIES["async_read"]
    for field in ("want", "want_ext"):  # since 3.17 there are both, and they have to agree
        if hasattr(connection, field):
            value = getattr(connection, field) & ~unwanted | wanted & connection.capable
            setattr(connection, field, value)
    for name in NUMBERS:
        if name in options:
            setattr(connection, name, int(options[name]))
    connection.max_write = min(connection.max_write, MAX_WRITE)
    connection.max_read = int(options.get("max_read", 0))  # has to agree with the mount option


def _number() -> tuple[int, int]:
    return mfusepy.fuse_version_major, mfusepy.fuse_version_minor


def version() -> str:
    """Return what is loaded."""
    return "libfuse {}.{}".format(*_number())


def context() -> tuple[int, int, int]:
    """Return uid, gid and pid of the process whose call is being served."""
    uid, gid, pid = mfusepy.fuse_get_context()
    return uid, gid, pid


def request_mark() -> RequestMark:
    """Return what marks the request that is being served."""
    return RequestMark(lambda: mfusepy._libfuse.fuse_get_context().contents)  # noqa: SLF001


def stop_callback() -> Callable[[], None]:
    """Return what makes `run` return soon; to be asked for in a callback, called anywhere."""
    return stopper(mfusepy._libfuse)  # noqa: SLF001


def run(
    operations: Operations,
    mountpoint: Path,
    options: Mapping[str, Any],
    ready: Callable[[], None],
) -> None:
    """Serve until it is unmounted or ended by a signal.

    Raises:
        RuntimeError: libfuse refused, with its status.
    """
    connected = False

    def on_init() -> None:
        nonlocal connected
        connected = True
        ready()

    try:
        Session(operations, mountpoint, options, on_init)
    except RuntimeError:
        if not connected:  # after that, the status says that a signal ended it
            raise
