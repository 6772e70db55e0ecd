"""The staging directory of one mount: made, locked and given back, and which bucket it is of.

`lock` is held while the mount runs, so a free lock means that the mount is gone. `mount.json`
says which bucket the staged files belong to and how to reach it. It holds no secret.
"""

import fcntl
import json
import logging
import os
import secrets
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tagfs.config.options import RECOVERED_WITH
from tagfs.config.resolve import choose
from tagfs.config.settings import Settings, parse_url
from tagfs.errors import SettingsError
from tagfs.localfiles.private import write_text
from tagfs.store.client.annotations.file import SUFFIX

log = logging.getLogger(__name__)

VERSION = 1
LOCK, RECORD = "lock", "mount.json"

_FIXED = ("endpoint", "region", "addressing", "ca_bundle", "proxy")
"""Those that this host may have other choices for by now, which lead elsewhere."""

_WAYS = {"credentials", "credential_process"}
"""Of these, one that is chosen now takes the place of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountRecord:
    """What `mount.json` says.

    Attributes:
        options: the mount options of `RECOVERED_WITH` that were chosen.
        started: when the mount began, seconds since the epoch.
    """

    url: str
    options: Mapping[str, str]
    mountpoint: str
    pid: int
    started: float

    @classmethod
    def of(cls, settings: Settings, mountpoint: Path) -> "MountRecord":
        """Describe a mount that begins now."""
        options = {}
        for name in RECOVERED_WITH:
            value = getattr(settings, name, None)
            if isinstance(value, Path):
                value = value.absolute()  # a mount in the background has another directory
            if value is not None:
                options[name] = str(value)
        url = settings.url
        return cls(
            url=f"{url.service}://{url.bucket}/{quote(url.prefix)}",
            options=options,
            mountpoint=str(mountpoint),
            pid=os.getpid(),
            started=time.time(),
        )

    @classmethod
    def parse(cls, text: str) -> "MountRecord":
        """Read what `render` wrote.

        Raises:
            SettingsError
        """
        try:
            fields = json.loads(text)
            if fields.pop("version") != VERSION:
                raise SettingsError("another version of tagfs wrote mount.json")
            record = cls(**fields)
            texts = [record.url, record.mountpoint, *record.options, *record.options.values()]
            float(record.started)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError):
            raise SettingsError("mount.json is damaged") from None
        known = record.options.keys() <= set(RECOVERED_WITH)
        if not known or not all(isinstance(text, str) for text in texts):
            raise SettingsError("mount.json is damaged")
        return record

    def render(self) -> str:
        """Write the record as JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({"version": VERSION, **fields})

    def settings(self, changes: Mapping[str, str | bool]) -> Settings:
        """Return how to reach the bucket, some options replaced by others.

        Raises:
            SettingsError
        """
        kept = dict(self.options)
        if _WAYS & changes.keys():
            kept = {name: value for name, value in kept.items() if name not in _WAYS}
        return choose(parse_url(self.url), {**kept, **changes}, fixed=_FIXED)


def staging_base(cache_dir: Path) -> Path:
    """Return the directory in which every mount makes its own."""
    return cache_dir / "staging"


def _check_private(base: Path) -> None:
    """Refuse a place where another user could put something else in the place of what is staged.

    Raises:
        SettingsError
    """
    if why := why_not_private(base):
        raise SettingsError(f"{why}: choose another cache_dir")


def why_not_private(base: Path) -> str:
    """Say why nothing is staged in a directory, which need not be there yet; "" if it may be."""
    if base.exists() or base.is_symlink():
        found = base.lstat()
        # A link would have bytes of private files land where another user wanted them.
        is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if not is_own or stat.S_IMODE(found.st_mode) & 0o022:
            return f"{base} is not yours alone"
    if base.parent.exists():
        above = base.parent.stat()
        replaceable = stat.S_IMODE(above.st_mode) & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH
        if above.st_uid not in {0, os.geteuid()} or replaceable:
            return f"{base.parent} can be changed by others"
    return ""


class StagingDirectory:
    """The directory of one running mount, locked while it runs."""

    def __init__(self, settings: Settings, mountpoint: Path) -> None:
        """Make and lock one.

        Raises:
            SettingsError: the cache directory cannot be used.
        """
        self._cache_dir = settings.cache_dir
        base = staging_base(settings.cache_dir)
        try:
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_private(base)
            self.path = base / f"{int(time.time())}-{secrets.token_hex(4)}"
            self.path.mkdir(mode=0o700)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._record(MountRecord.of(settings, mountpoint))
        except OSError as error:
            raise SettingsError(
                f"cache_dir={settings.cache_dir} cannot be used: {error.strerror}"
            ) from None

    def close(self) -> None:
        """Give the directory back, and delete it unless something in it is still to be saved."""
        kept = [p for p in self.path.iterdir() if p.suffix in (".data", ".json", SUFFIX)]
        if [path for path in kept if path.name != RECORD]:
            log.warning(
                "%s: holds what could not be uploaded: run `tagfs recover %s`",
                self.path,
                self._cache_dir,
            )
        else:
            for path in (*self.path.glob("*.tmp"), self.path / RECORD, self.path / LOCK):
                path.unlink(missing_ok=True)
            self.path.rmdir()
        os.close(self._lock)

    def _record(self, record: MountRecord) -> None:
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            write_text(directory, RECORD, record.render())
        finally:
            os.close(directory)
