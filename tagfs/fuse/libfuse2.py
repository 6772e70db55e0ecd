"""The tree on libfuse 2: the only module that knows fusepy."""

import codecs
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tagfs.errors import SettingsError
from tagfs.fuse.binding import DEFAULTS, Callbacks, Operations, RequestMark, stopper

# Named, the library is found by the loader; unnamed, fusepy runs ldconfig or a compiler for it.
os.environ.setdefault("FUSE_LIBRARY_PATH", "libfuse.so.2")

try:
    import fuse
except OSError as error:  # fusepy looks for libfuse when it is imported
    raise SettingsError(
        f"libfuse 2 is missing (apt install libfuse2t64, or libfuse2 where that is it): {error}"
    ) from None

ENCODING = "tagfs_path"
"""UTF-8 that lets every byte through, so that names which are not UTF-8 reach us and get EILSEQ."""

OPTIONS: Mapping[str, Any] = {
    "big_writes": True,  # 128 KiB instead of 4 KiB for each write
    "max_read": 131072,
    **DEFAULTS,
}


NEWER = frozenset({"clone_fd", "max_threads", "max_idle_threads"})
"""Options of libfuse 3 that libfuse 2 does not know: they say how it serves, not what."""


def _encode(text: str, _errors: str = "strict") -> tuple[bytes, int]:
    return text.encode("utf-8", "surrogateescape"), len(text)


def _decode(data: Any, _errors: str = "strict") -> tuple[str, int]:
    return bytes(data).decode("utf-8", "surrogateescape"), len(data)


def _find_codec(name: str) -> codecs.CodecInfo | None:
    return codecs.CodecInfo(_encode, _decode, name=ENCODING) if name == ENCODING else None


codecs.register(_find_codec)


class Session(Callbacks, fuse.FUSE):  # type: ignore[misc]
    """fusepy, with what it leaves out."""

    def __init__(
        self,
        operations: Any,
        mountpoint: Path,
        options: Mapping[str, Any],
        ready: Callable[[], None],
    ) -> None:
        self._ready = ready
        self._call = operations
        known = {name: value for name, value in options.items() if name not in NEWER}
        merged = {**OPTIONS, **known}
        super().__init__(operations, str(mountpoint), foreground=True, encoding=ENCODING, **merged)

    def init(self, _connection: Any) -> int:
        self._ready()
        return 0

    def readdir(self, path: bytes | None, buf: Any, filler: Any, _offset: int, fip: Any) -> int:
        def fill(name: bytes, stat: Any) -> Any:
            return filler(buf, name, stat, 0)

        return self.fill_directory(path, fip.contents.fh, fuse.c_stat(), fill)


class _WithInit:
    """Adds the callback that tells when the kernel has begun to ask."""

    init = True

    def __init__(self, operations: Any) -> None:
        self._operations = operations

    def __call__(self, name: str, *arguments: Any) -> Any:
        return self._operations(name, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operations, name)


def version() -> str:
    """Return what is loaded."""
    number = fuse._libfuse.fuse_version()  # noqa: SLF001  (fusepy has no other way to it)
    return f"libfuse {number // 10}.{number % 10}"


def context() -> tuple[int, int, int]:
    """Return uid, gid and pid of the process whose call is being served."""
    uid, gid, pid = fuse.fuse_get_context()
    return uid, gid, pid


def request_mark() -> RequestMark:
    """Return what marks the request that is being served."""
    return RequestMark(lambda: fuse._libfuse.fuse_get_context().contents)  # noqa: SLF001


def stop_callback() -> Callable[[], None]:
    """Return what makes `run` return soon; to be asked for in a callback, called anywhere."""
    return stopper(fuse._libfuse)  # noqa: SLF001


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
    Session(_WithInit(operations), mountpoint, options, ready)
