"""Running a file system in the kernel, on libfuse 2 or libfuse 3."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tagfs.errors import SettingsError
from tagfs.fuse.binding import Binding, Operations

MEANINGLESS = frozenset({"diratime", "nodiratime", "large_read"})
"""Options that mount(8) or old kernels know, no libfuse does, and a bucket does not need."""


def choose(wanted: str) -> Binding:
    """Load libfuse "2" or "3", or what is there ("auto"): 3 where both are.

    Raises:
        SettingsError: it is not there, with what to install.
    """
    loaders = {"3": _libfuse3, "2": _libfuse2}
    reasons = []
    for number in (wanted,) if wanted in loaders else loaders:
        try:
            return loaders[number]()
        except SettingsError as error:
            reasons.append(str(error))
    raise SettingsError("; or: ".join(reasons))


def _libfuse2() -> Binding:
    from tagfs.fuse import libfuse2  # noqa: PLC0415  (loads the library, as its namesake does)

    return libfuse2


def _libfuse3() -> Binding:
    from tagfs.fuse import libfuse3  # noqa: PLC0415

    return libfuse3


def run(
    binding: Binding,
    operations: Operations,
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
    known = {name: _escaped(value) for name, value in options.items() if name not in MEANINGLESS}
    try:
        binding.run(operations, mountpoint, {**known, **_guards(known)}, ready)
    except RuntimeError as error:
        raise SettingsError(f"libfuse could not mount {mountpoint} (status {error})") from None


def _guards(options: Mapping[str, Any]) -> dict[str, bool]:
    """Return what keeps setuid bits and device nodes of a bucket from counting, unless asked for.

    libfuse does so by itself where root mounts, unless an option says otherwise.
    """
    return {f"no{name}": True for name in ("suid", "dev") if not options.get(name)}


def _escaped(value: Any) -> Any:
    """Return a value of an option so that no part of it is taken for another option."""
    if not isinstance(value, str):
        return value
    return value.replace("\\", "\\\\").replace(",", "\\,")
