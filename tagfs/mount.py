"""Running a file system in the kernel: the only module that knows the FUSE binding."""

import codecs
import ctypes
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tagfs.errors import SettingsError

# Named, the library is found by the loader; unnamed, fusepy runs ldconfig or a compiler for it.
os.environ.setdefault("FUSE_LIBRARY_PATH", "libfuse.so.2")

try:
    import fuse
except OSError as error:  # fusepy looks for libfuse when it is imported
    raise SettingsError(
        f"libfuse 2 is missing (Debian, Ubuntu: apt install libfuse2): {error}"
    ) from None

ENCODING = "tagfs_path"
"""UTF-8 that lets every byte through, so that names which are not UTF-8 reach us and get EILSEQ."""

OPTIONS: Mapping[str, Any] = {
    "big_writes": True,  # 128 KiB instead of 4 KiB for each write
    "max_read": 131072,
    "attr_timeout": 1,  # seconds; nothing can invalidate the kernel's caches, so they stay short
    "entry_timeout": 1,
    "negative_timeout": 1,
}


def _encode(text: str, _errors: str = "strict") -> tuple[bytes, int]:
    return text.encode("utf-8", "surrogateescape"), len(text)


def _decode(data: Any, _errors: str = "strict") -> tuple[str, int]:
    return bytes(data).decode("utf-8", "surrogateescape"), len(data)


def _find_codec(name: str) -> codecs.CodecInfo | None:
    return codecs.CodecInfo(_encode, _decode, name=ENCODING) if name == ENCODING else None


codecs.register(_find_codec)


class Binding(fuse.FUSE):  # type: ignore[misc]
    """fusepy, with what it leaves out: open flags of create, mapped pages, direct I/O, listings."""

    def __init__(
        self,
        operations: Any,
        mountpoint: Path,
        options: Mapping[str, Any],
        ready: Callable[[], None],
    ) -> None:
        self._ready = ready
        merged = {**OPTIONS, **options}
        super().__init__(operations, str(mountpoint), foreground=True, encoding=ENCODING, **merged)

    def init(self, _connection: Any) -> int:
        self._ready()
        return 0

    def open(self, path: bytes, fip: Any) -> int:
        info = fip.contents
        info.fh, direct = self.operations("open", path.decode(self.encoding), info.flags)
        info.direct_io = direct
        return 0

    def create(self, path: bytes, mode: int, fip: Any) -> int:
        info = fip.contents
        info.fh = self.operations("create", path.decode(self.encoding), mode, info.flags)
        return 0

    def write(self, path: bytes | None, buf: Any, size: int, offset: int, fip: Any) -> Any:
        name = "write_page" if fip.contents.writepage else "write"
        data = ctypes.string_at(buf, size)
        decoded = self._decode_optional_path(path)
        return self.operations(name, decoded, data, offset, fip.contents.fh)

    def readdir(self, path: bytes | None, buf: Any, filler: Any, _offset: int, fip: Any) -> int:
        stat = fuse.c_stat()
        entries = self.operations("readdir", self._decode_optional_path(path), fip.contents.fh)
        for name, kind in entries:
            stat.st_mode = kind
            if filler(buf, name.encode(self.encoding), stat, 0) != 0:
                break
        return 0


class _WithInit:
    """Adds the callback that tells when the kernel has begun to ask."""

    init = True

    def __init__(self, operations: Any) -> None:
        self._operations = operations

    def __call__(self, name: str, *arguments: Any) -> Any:
        return self._operations(name, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operations, name)


def run(
    operations: Any,
    mountpoint: Path,
    options: Mapping[str, Any],
    *,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve `operations` at `mountpoint` until it is unmounted.

    `options` are libfuse's, True for those without a value; `ready` is called when the kernel has
    begun to ask.

    Raises:
        SettingsError: libfuse refused, for a reason that it wrote to stderr.
    """
    try:
        Binding(_WithInit(operations), mountpoint, options, ready)
    except RuntimeError as error:
        raise SettingsError(f"libfuse could not mount {mountpoint} (status {error})") from None


def caller() -> tuple[int, int]:
    """Return uid and gid of the process whose call is being served."""
    uid, gid, _pid = fuse.fuse_get_context()
    return uid, gid


_RENAMES = {"x86_64": {82, 264, 316}, "aarch64": {38, 276}, "riscv64": {276}}
"""Numbers of rename, renameat and renameat2."""

_UNLINKS = {"x86_64": {87, 263}, "aarch64": {35}, "riscv64": {35}}
"""Numbers of unlink and unlinkat."""


def caller_renames() -> bool | None:
    """Say whether the process being served is in rename(2) or unlink(2); None if nothing tells.

    libfuse moves an open file out of the way by one and the same call before it is unlinked and
    before another is renamed over it.
    """
    _uid, _gid, pid = fuse.fuse_get_context()
    try:
        number = Path(f"/proc/{pid}/syscall").read_text(encoding="ascii").split()[0]
    except (OSError, IndexError):  # another user's process, or ptrace_scope forbids to look
        return None
    if not number.isdigit():
        return None
    # Neither of the two: io_uring, or a program of another architecture with other numbers.
    machine = os.uname().machine
    if int(number) in _RENAMES.get(machine, ()):
        return True
    return False if int(number) in _UNLINKS.get(machine, ()) else None


class Holders:
    """Says whether the process being served holds another descriptor of a file.

    A shell's `> file` opens it, duplicates the descriptor and closes the first one, all before a
    byte is written. That close is not the end of the file, and only /proc tells.
    """

    def __init__(self, mountpoint: Path) -> None:
        self._mountpoint = str(mountpoint.resolve()).rstrip("/")

    def __call__(self, path: str) -> bool:
        """Say whether the caller has `path` still open; False if that cannot be known."""
        _uid, _gid, pid = fuse.fuse_get_context()
        wanted = self._mountpoint + path
        directory = f"/proc/{pid}/fd"
        try:
            return any(_target(f"{directory}/{fd}") == wanted for fd in os.listdir(directory))
        except OSError:
            return False


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def check_host() -> None:
    """Raise what keeps this host from mounting anything.

    Raises:
        SettingsError: no /dev/fuse, or no right to open it.
    """
    device = Path("/dev/fuse")
    if not device.exists():
        raise SettingsError("/dev/fuse is missing: load the kernel module (modprobe fuse)")
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise SettingsError(f"/dev/fuse cannot be opened: {error.strerror}") from None
