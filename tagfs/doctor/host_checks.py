"""What this host needs: the device, fusermount, libfuse, fuse.conf, and room for staged files."""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tagfs.config.options import DANGEROUS
from tagfs.config.settings import Settings
from tagfs.doctor.findings import Finding, fail, ok, warning
from tagfs.errors import SettingsError
from tagfs.fuse import loader
from tagfs.recovery.staging_directory import staging_base, why_not_private

_MOUNTERS = ("fusermount3", "fusermount")
_SMALL = 1024**3  # bytes


@dataclass(frozen=True, slots=True)
class Host:
    """Where things are on a host; tests look elsewhere."""

    device: Path = Path("/dev/fuse")
    fuse_conf: Path = Path("/etc/fuse.conf")
    uid: int = -1

    @property
    def is_root(self) -> bool:
        """Whether who mounts may do anything."""
        return (os.getuid() if self.uid == -1 else self.uid) == 0


def check_host(settings: Settings, host: Host) -> Iterator[Finding]:
    """Yield what was found of this host."""
    yield _device(host)
    yield _fusermount(host)
    yield _libfuse(settings)
    yield from _user_allow_other(settings, host)
    yield from _for_root(settings, host)
    yield _cache_dir(settings)


def _device(host: Host) -> Finding:
    check, path = "device", host.device
    container = "in a container: --device /dev/fuse --cap-add SYS_ADMIN"
    if not path.exists():
        return fail(check, f"{path} is missing", f"modprobe fuse; {container}")
    if not stat.S_ISCHR(path.stat().st_mode):
        return fail(check, f"{path} is no device", f"modprobe fuse; {container}")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return fail(check, f"{path}: {error.strerror}", f"chmod 666 {path}; {container}")
    return ok(check, f"{path} can be opened")


def _fusermount(host: Host) -> Finding:
    check = "fusermount"
    found = next((path for name in _MOUNTERS if (path := shutil.which(name))), None)
    install = "Debian, Ubuntu: apt install fuse3"
    if found is None and host.is_root:
        return warning(check, "neither fusermount3 nor fusermount is on PATH", install)
    if found is None:
        return fail(check, "neither fusermount3 nor fusermount is on PATH", install)
    if not host.is_root and not Path(found).stat().st_mode & stat.S_ISUID:
        return fail(check, f"{found} is not setuid root", f"chmod u+s {found}, or mount as root")
    return ok(check, found)


def _libfuse(settings: Settings) -> Finding:
    try:
        return ok("libfuse", loader.choose(settings.fuse).version())
    except SettingsError as error:
        return fail("libfuse", "none can be loaded", str(error))


def _user_allow_other(settings: Settings, host: Host) -> Iterator[Finding]:
    check = "allow_other"
    if not {"allow_other", "allow_root"} & settings.fuse_options.keys():
        return
    if host.is_root:
        yield ok(check, "root may use it")
        return
    try:
        lines = host.fuse_conf.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    if "user_allow_other" in (line.strip() for line in lines):
        yield ok(check, f"{host.fuse_conf} has user_allow_other")
    else:
        yield fail(
            check,
            f"{host.fuse_conf} does not let users give it",
            f"write the line user_allow_other into {host.fuse_conf}, or mount as root",
        )


def _for_root(settings: Settings, host: Host) -> Iterator[Finding]:
    for check, name in DANGEROUS.items():
        if name not in settings.fuse_options:
            continue
        if host.is_root:
            danger = "whoever can write the bucket can become root here"
            yield warning(check, danger, f"leave {check} out, or keep others from the bucket")
        else:
            yield fail(check, "it is for root alone", f"leave {check} out, or mount as root")


def _cache_dir(settings: Settings) -> Finding:
    """Look at the directory as it is, or at the one it would be made in; nothing is made."""
    check, path = "cache_dir", settings.cache_dir
    if settings.read_only:
        return ok(check, "not needed: a read-only mount stages nothing")
    other = "choose another with -o cache_dir=DIR"
    found = staging_base(path)
    while not found.exists() and found != found.parent:
        found = found.parent
    if why := why_not_private(staging_base(path)):
        return fail(check, why, f"chmod go-w it, or {other}")
    if why := _why_not_written(found):
        return fail(check, why, other)
    room = os.statvfs(found)
    free = room.f_bavail * room.f_frsize
    if free < _SMALL:
        shown = f"{path} has {free // 1024**2:,} MiB free"
        return warning(check, shown, f"what is being written has to fit: {other}")
    return ok(check, f"{path} can be written, {free // 1024**3:,} GiB free")


def _why_not_written(found: Path) -> str:
    """Say why nothing can be made in a directory; "" if it can."""
    if not found.is_dir():
        return f"{found} is not a directory"
    if not os.access(found, os.W_OK | os.X_OK):
        return f"{found} cannot be written"
    # In /proc and the like root may write, and no file can be.
    return "" if os.statvfs(found).f_blocks else f"{found} holds no files"
