"""What the user chose: URL and mount options, read and checked once."""

import difflib
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote

from tagfs.errors import SettingsError
from tagfs.localfiles.trusted import home

SERVICES: Final = ("oss", "obs", "s3")

_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketUrl:
    """`oss://bucket/prefix`, taken apart; `prefix` is "" or ends in "/"."""

    service: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.service}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one mount was asked for. Times are seconds, sizes bytes.

    Attributes:
        fuse_options: passed through to libfuse, True for those without a value.
    """

    url: BucketUrl
    endpoint: str | None = None
    region: str | None = None
    addressing: Literal["auto", "virtual", "path"] = "auto"
    read_only: bool = False
    uid: int = field(default_factory=os.getuid)
    gid: int = field(default_factory=os.getgid)
    umask: int = 0o022
    ttl: float = 60.0
    tag_ttl: float = 60.0
    attributes: Literal["stored", "listing"] = "stored"
    cache_dir: Path = field(default_factory=lambda: default_cache_dir(os.environ))
    memory: int = 256 * 1024**2
    parallel: int = 64
    part_size: int = 8 * 1024**2
    append_objects: str = ""
    timeout: float = 60.0
    durability: Literal["service", "local"] = "service"
    replace_tags: Literal["keep", "drop"] = "keep"
    acl: str = "keep"
    content_type: Literal["auto", "off"] = "auto"
    tags_denied: Literal["fail", "drop"] = "fail"
    storage_class: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_file: Path | None = None
    request_log: Path | None = None
    metrics: int | None = None
    ca_bundle: Path | None = None
    credentials: Path | None = None
    credential_process: str | None = None
    credentials_profile: str | None = None
    instance_role: Literal["auto", "off"] = "auto"
    obs_tag_urlencode: Literal["auto", "on", "off"] = "auto"
    obs_tag_profile: Literal["narrow", "wide"] = "narrow"
    fuse: Literal["auto", "2", "3"] = "auto"
    fuse_options: Mapping[str, Any] = field(default_factory=dict)


def default_cache_dir(environment: Mapping[str, str]) -> Path:
    """Return where staged files are kept unless the user chose: private to one user."""
    if os.getuid() == 0:
        return Path("/var/cache/tagfs")
    base = environment.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "tagfs"
    own = home(environment)
    return own / ".cache" / "tagfs" if own else Path(f"/var/tmp/tagfs-{os.getuid()}")  # noqa: S108


def parse_url(text: str) -> BucketUrl:
    """Read `service://bucket[/prefix]`.

    Raises:
        SettingsError
    """
    match = re.fullmatch(r"(\w+)://([^/]+)/*(.*)", text)
    if match is None or match[1] not in SERVICES:
        known = ", ".join(f"{service}://bucket[/prefix]" for service in SERVICES)
        raise SettingsError(f"{text!r} is not a bucket: write {known}")
    try:
        prefix = unquote(match[3], errors="strict").strip("/")
        (match[2] + prefix).encode()
    except UnicodeError:
        raise SettingsError(f"{text!r}: names of buckets and keys are UTF-8") from None
    if "\0" in match[2] + prefix:
        raise SettingsError(f"{text!r}: a bucket or prefix cannot have a NUL in it")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise SettingsError(f"{text!r}: a prefix cannot have empty, '.' or '..' components")
    return BucketUrl(service=match[1], bucket=match[2], prefix=f"{prefix}/" if prefix else "")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 365 * 86400:
        raise ValueError(text)
    return value


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kKmMgG]?)(?:i?[bB])?", text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _UNITS[match[2].lower()]


def _positive(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MAX_PARALLEL:
        raise ValueError(text)
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MAX_PORT:
        raise ValueError(text)
    return value


MAX_PARALLEL: Final = 1024
MAX_PORT: Final = 65535
MIN_MEMORY: Final = 16 * 1024**2
MIN_PART: Final = 100 * 1024
MAX_PART: Final = 5 * 1024**3


def _memory(text: str) -> int:
    value = _size(text)
    if value < MIN_MEMORY:
        raise ValueError(text)
    return value


def _part_size(text: str) -> int:
    value = _size(text)
    if not MIN_PART <= value <= MAX_PART:
        raise ValueError(text)
    return value


def _id(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32 - 1:
        raise ValueError(text)
    return value


def _octal(text: str) -> int:
    value = int(text, 8)
    if not 0 <= value <= 0o777:  # noqa: PLR2004  (nine permission bits)
        raise ValueError(text)
    return value


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return parse


def _acl(text: str) -> str:
    """Read keep, off or a canned word; which there are is the service's to say."""
    if not re.fullmatch("[a-z]+(-[a-z]+)*", text):
        raise ValueError(text)
    return text


def _command(text: str) -> str:
    """Read a command; a mount in the background has another working directory."""
    words = shlex.split(text)
    if not words:
        raise ValueError(text)
    if "/" in words[0]:
        words[0] = str(_path(words[0]))
    return shlex.join(words)


def _path(text: str) -> Path:
    """Read a path; a mount in the background has another working directory."""
    own = home(os.environ)
    return own / text[2:] if text.startswith("~/") and own else Path(text).absolute()


@dataclass(frozen=True, slots=True)
class _Option:
    """One mount option: how its value is read, and what to say of a wrong one."""

    parse: Callable[[str], Any]
    expects: str


OPTIONS: Final[Mapping[str, _Option]] = {
    "endpoint": _Option(str, "a host, with or without http(s)://"),
    "region": _Option(str, "a region such as cn-hangzhou"),
    "addressing": _Option(_one_of("auto", "virtual", "path"), "auto, virtual or path"),
    "uid": _Option(_id, "a number"),
    "gid": _Option(_id, "a number"),
    "umask": _Option(_octal, "an octal number such as 022"),
    "ttl": _Option(_seconds, "seconds"),
    "tag_ttl": _Option(_seconds, "seconds"),
    "attributes": _Option(_one_of("stored", "listing"), "stored or listing"),
    "cache_dir": _Option(_path, "a directory"),
    "memory": _Option(_memory, "a size of at least 16M, such as 256M"),
    "parallel": _Option(_positive, f"a number from 1 to {MAX_PARALLEL}"),
    "append_objects": _Option(str, "a pattern of file names, such as *.log"),
    "part_size": _Option(_part_size, "a size from 100K to 5G, such as 16M"),
    "timeout": _Option(_seconds, "seconds"),
    "durability": _Option(_one_of("service", "local"), "service or local"),
    "replace_tags": _Option(_one_of("keep", "drop"), "keep or drop"),
    "acl": _Option(_acl, "keep, off, or a canned ACL such as bucket-owner-full-control"),
    "content_type": _Option(_one_of("auto", "off"), "auto or off"),
    "tags_denied": _Option(_one_of("fail", "drop"), "fail or drop"),
    "storage_class": _Option(str, "a storage class of the service"),
    "log_level": _Option(_one_of("debug", "info", "warning", "error"), "debug, info, ..."),
    "log_file": _Option(_path, "a file"),
    "request_log": _Option(Path, "a file"),
    "metrics": _Option(_port, "a port of this host from 1 to 65535"),
    "ca_bundle": _Option(_path, "a file"),
    "credentials": _Option(_path, "a file"),
    "credential_process": _Option(_command, "a command, its quotations closed"),
    "credentials_profile": _Option(str, "a profile of the vendor's tools"),
    "instance_role": _Option(_one_of("auto", "off"), "auto or off"),
    "obs_tag_urlencode": _Option(_one_of("auto", "on", "off"), "auto, on or off"),
    "obs_tag_profile": _Option(_one_of("narrow", "wide"), "narrow or wide"),
    "fuse": _Option(_one_of("auto", "2", "3"), "2 or 3 (of libfuse), or auto"),
}
"""Options of tagfs itself that take a value."""

FUSE_OPTIONS: Final = frozenset(
    "allow_other allow_root auto_unmount default_permissions fsname subtype large_read max_read "
    "hard_remove use_ino readdir_ino direct_io kernel_cache auto_cache noauto_cache entry_timeout "
    "negative_timeout attr_timeout ac_attr_timeout noforget remember nopath intr intr_signal "
    "modules max_write max_readahead max_background congestion_threshold async_read sync_read "
    "atomic_o_trunc big_writes no_remote_lock no_remote_flock no_remote_posix_lock splice_write "
    "splice_move splice_read debug nonempty blkdev blksize nodev nosuid exec noexec "
    "atime noatime diratime nodiratime sync async dirsync nothreads".split()
)
"""Options that libfuse 2 and mount(8) know and that are passed on."""

DANGEROUS: Final[Mapping[str, str]] = {"allow_suid": "suid", "allow_dev": "dev"}
"""Our words for what a mount is without unless root asks for it, and what libfuse calls that.

libfuse's own words change nothing: mount.fuse(8) adds them to the options of every line of fstab.
"""

_IGNORED: Final = frozenset(
    "_netdev nofail noauto auto user users nouser owner group nogroup defaults relatime norelatime "
    "strictatime lazytime nolazytime silent loud nomand iversion noiversion".split()
).union(DANGEROUS.values())
"""Options of /etc/fstab that concern whoever mounts, not the mounted."""


_VALUED: Final = frozenset(
    "fsname subtype max_read entry_timeout negative_timeout attr_timeout ac_attr_timeout "
    "remember intr_signal modules max_write max_readahead max_background congestion_threshold "
    "blksize".split()
)
"""Those of them that take a value; the others are there or are not."""

_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class OptionValue:
    """One choice of the user's, as it was written.

    Attributes:
        value: True for a name alone.
        origin: where it was written: "-o ttl", "TAGFS_TTL", "/etc/tagfs.toml: default.ttl".
    """

    name: str
    value: str | bool
    origin: str


def parse_options(url: BucketUrl, options: Mapping[str, str | bool]) -> Settings:
    """Check options that were all given in one place.

    Raises:
        SettingsError: names everything that is wrong, not just the first.
    """
    return check_options(url, [OptionValue(name, value, name) for name, value in options.items()])


def check_options(
    url: BucketUrl, given: Iterable[OptionValue], mistakes: Iterable[str] = ()
) -> Settings:
    """Check all choices at once; of several for one name the first holds.

    Raises:
        SettingsError: names everything that is wrong, those `mistakes` included.
    """
    wrong = list(mistakes)
    taken: dict[str, tuple[OptionValue, Any]] = {}
    for item in given:
        try:
            name, value = _read(item)
        except SettingsError as error:
            wrong.append(str(error))
            continue
        taken.setdefault(name, (item, value))
    wrong += _decide_credentials(taken)
    if wrong:
        raise SettingsError("; ".join(dict.fromkeys(wrong)))
    chosen = {name: value for name, (_, value) in taken.items() if name in OPTIONS}
    passed = {name: value for name, (_, value) in taken.items() if name in FUSE_OPTIONS and value}
    if taken.get("ro", (None, False))[1]:
        chosen["read_only"] = passed["ro"] = True
    if passed.get("allow_other"):
        passed.setdefault("default_permissions", True)
    passed |= _dangers(taken)
    return Settings(url=url, fuse_options=passed, **chosen)


def _dangers(taken: Mapping[str, tuple[OptionValue, Any]]) -> dict[str, bool]:
    """Return what is to count of setuid bits and device nodes; the careful word wins."""
    chosen = {name for name, (_, value) in taken.items() if value is True}
    return {
        libfuse: True
        for own, libfuse in DANGEROUS.items()
        if own in chosen and f"no{libfuse}" not in chosen
    }


def _read(item: OptionValue) -> tuple[str, Any]:
    """Return the name that a choice is kept by, and its value."""
    name, value = item.name, item.value
    if name in OPTIONS:
        try:
            return name, OPTIONS[name].parse(value if isinstance(value, str) else _no_value(value))
        except ValueError:
            shown = f"={value}" if isinstance(value, str) else ""
            raise SettingsError(f"{item.origin}{shown}: expected {OPTIONS[name].expects}") from None
    if name in _VALUED:
        return name, value
    if name in FUSE_OPTIONS or name in DANGEROUS or name in {"ro", "rw"}:
        flag = _flag(item)
        return ("ro", not flag) if name == "rw" else (name, flag)
    if name in _IGNORED or name.startswith(("x-", "comment")):
        return name, value
    raise SettingsError(_unknown(item))


def _no_value(value: bool) -> str:  # noqa: FBT001
    raise ValueError(value)


def _flag(item: OptionValue) -> bool:
    text = str(item.value).lower()
    if text not in _YES | _NO:
        raise SettingsError(f"{item.origin}={item.value}: expected true or false")
    return text in _YES


def _decide_credentials(taken: dict[str, tuple[OptionValue, Any]]) -> list[str]:
    """Keep one of the two ways to name credentials: that of the upper place."""
    ways = [name for name in ("credentials", "credential_process") if name in taken]
    if len(ways) < 2:  # noqa: PLR2004  (nothing to decide)
        return []
    places = [_place(taken[name][0]) for name in ways]
    if places[0] == places[1]:
        return [f"{taken[ways[0]][0].origin} and {ways[1]} exclude one another"]
    order = list(taken)
    del taken[max(ways, key=order.index)]
    return []


def _place(item: OptionValue) -> str:
    return item.origin.removesuffix(item.name).removesuffix(item.name.upper())


def _unknown(item: OptionValue) -> str:
    near = difflib.get_close_matches(item.name, [*OPTIONS, *FUSE_OPTIONS, *DANGEROUS, "ro"], 1)
    where = "" if item.origin == item.name else f"{item.origin}: "
    return f"{where}unknown option {item.name!r}" + (f": did you mean {near[0]!r}?" if near else "")


def split_options(texts: tuple[str, ...]) -> dict[str, str | bool]:
    """Read `-o a,b=c -o d` into names and values; True for a name alone.

    Of `rw` and `ro` the last holds, as with mount(8): its helpers get a line of fstab, then -o.
    """
    options: dict[str, str | bool] = {}
    for text in texts:
        for item in filter(None, text.split(",")):
            name, equals, value = item.partition("=")
            options.pop({"ro": "rw", "rw": "ro"}.get(name.strip(), name.strip()), None)
            options[name.strip()] = value if equals else True
    return options
