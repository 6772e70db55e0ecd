"""What the user chose: URL and mount options, read and checked once."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote

from tagfs.config.cache_place import default_cache_dir
from tagfs.config.foreign_options import advice
from tagfs.config.fuse_options import FUSE_OPTIONS, IGNORED, SELINUX, VALUED
from tagfs.config.options import DANGEROUS, PARSERS, REACHING, TABLE, MountOption
from tagfs.errors import BadUsage, SettingsError
from tagfs.rules.place import RulesPlace
from tagfs.store.proxies import ProxyChoice

SERVICES: Final = ("oss", "obs", "s3")


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
    addressing: Literal["auto", "virtual", "path", "cname"] = "auto"
    read_only: bool = False
    uid: int = field(default_factory=os.getuid)
    gid: int = field(default_factory=os.getgid)
    umask: int = 0o022
    file_mode: int | None = None
    dir_mode: int | None = None
    no_delete: Literal["off", "on"] = "off"
    no_overwrite: Literal["off", "on"] = "off"
    ttl: float = 60.0
    negative_ttl: float | None = None
    tag_ttl: float = 60.0
    attributes: Literal["stored", "listing"] = "stored"
    cache_dir: Path = field(default_factory=lambda: default_cache_dir(os.environ))
    catalogue: Literal["on", "off"] = "on"
    views: str = ""
    only: str = ""
    catalogue_size: int = 1024**3
    cache_size: int = 0
    memory: int = 256 * 1024**2
    parallel: int = 128
    max_requests_per_second: float = 0.0
    upload_limit: int = 0
    download_limit: int = 0
    part_size: int = 8 * 1024**2
    append_objects: str = ""
    timeout: float = 60.0
    durability: Literal["service", "local"] = "service"
    replace_tags: Literal["keep", "drop"] = "keep"
    desktop_tags: str = "off"
    acl: str = "keep"
    unlisted: Literal["denied", "absent"] = "denied"
    annotations: Literal["auto", "on", "off"] = "auto"
    sse: str | None = None
    sse_kms_key_id: str | None = None
    sse_c_key_file: Path | None = None
    requester_pays: Literal["off", "on"] = "off"
    content_type: Literal["auto", "off"] = "auto"
    default_tags: str = ""
    rules: RulesPlace | None = None
    policy: Literal["enforce", "warn", "off"] = "enforce"
    tags_denied: Literal["fail", "drop"] = "fail"
    storage_class: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_file: Path | None = None
    request_log: Path | None = None
    metrics: int | None = None
    ca_bundle: Path | None = None
    proxy: ProxyChoice = None
    credentials: Path | None = None
    credential_process: str | None = None
    credentials_profile: str | None = None
    instance_role: Literal["auto", "off"] = "auto"
    anonymous: Literal["off", "on"] = "off"
    obs_tag_urlencode: Literal["auto", "on", "off"] = "auto"
    obs_tag_profile: Literal["narrow", "wide"] = "narrow"
    fuse: Literal["auto", "2", "3"] = "auto"
    fuse_options: Mapping[str, Any] = field(default_factory=dict)


def reaching(settings: Settings) -> dict[str, str | None]:
    """Return how a bucket is reached, as it would be written after -o; nothing secret."""
    chosen = {name: getattr(settings, name) for name in REACHING}
    return {name: None if value is None else str(value) for name, value in chosen.items()}


def chosen_options(settings: Settings) -> dict[str, str]:
    """Return all options of a mount by name, libfuse's included; nothing secret.

    Only for comparison with others: numbers are decimal, whatever they were written as.
    """
    own = {name: getattr(settings, name) for name in PARSERS if not TABLE[name].secret}
    every = {**own, **settings.fuse_options}
    return {name: str(value) for name, value in every.items() if value is not None}


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


COMMAND_LINE: Final = "-o "
"""How the origin of an option begins that the command line has, and so each mistake in one."""

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
        BadUsage: the same, where the command line is among the places.
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
        usage = any(text.startswith(COMMAND_LINE) for text in wrong)
        raise (BadUsage if usage else SettingsError)("; ".join(dict.fromkeys(wrong)))
    chosen = {name: value for name, (_, value) in taken.items() if name in PARSERS}
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
    if name in PARSERS:
        try:
            return name, PARSERS[name](_text(TABLE[name], value))
        except ValueError:
            shown = f"={value}" if isinstance(value, str) and not TABLE[name].secret else ""
            raise SettingsError(f"{item.origin}{shown}: expected {TABLE[name].expects}") from None
    if name in VALUED:
        return name, _label(value) if name in SELINUX else value
    if name in FUSE_OPTIONS or name in DANGEROUS or name in {"ro", "rw"}:
        flag = _flag(item)
        return ("ro", not flag) if name == "rw" else (name, flag)
    if name in IGNORED or name in DANGEROUS.values() or name.startswith(("x-", "X-", "comment")):
        return name, value
    raise SettingsError(_unknown(item))


def _label(value: str | bool) -> str | bool:  # noqa: FBT001
    """Return a label as the kernel wants it: with a comma only within quotes."""
    bare = isinstance(value, str) and "," in value and not value.startswith('"')
    return f'"{value}"' if bare else value


def _text(option: MountOption, value: str | bool) -> str:  # noqa: FBT001
    if isinstance(value, str):
        return value
    if not option.alone:
        raise ValueError(value)
    return option.alone if value else option.default


def _flag(item: OptionValue) -> bool:
    text = str(item.value).lower()
    if text not in _YES | _NO:
        raise SettingsError(f"{item.origin}={item.value}: expected true or false")
    return text in _YES


def _decide_credentials(taken: dict[str, tuple[OptionValue, Any]]) -> list[str]:
    """Keep one of the ways to say who one is: that of the upper place."""
    ways: list[str] = [name for name in ("credentials", "credential_process") if name in taken]
    if taken.get("anonymous", (None, "off"))[1] == "on":
        ways.append("anonymous")
    ways.sort(key=list(taken).index)
    for other in ways[1:]:
        if _place(taken[ways[0]][0]) == _place(taken[other][0]):
            return [f"{taken[ways[0]][0].origin} and {other} exclude one another"]
        del taken[other]
    return []


def _place(item: OptionValue) -> str:
    return item.origin.removesuffix(item.name).removesuffix(item.name.upper())


def _unknown(item: OptionValue) -> str:
    where = "" if item.origin == item.name else f"{item.origin}: "
    if known := advice(item.name):
        return f"{where}unknown option {item.name!r}: {known}"
    near = difflib.get_close_matches(item.name, [*PARSERS, *FUSE_OPTIONS, *DANGEROUS, "ro"], 1)
    return f"{where}unknown option {item.name!r}" + (f": did you mean {near[0]!r}?" if near else "")


def split_options(texts: tuple[str, ...]) -> dict[str, str | bool]:
    """Read `-o a,b=c -o d` into names and values; True for a name alone.

    A comma within double quotes belongs to the value, as mount(8) has it of SELinux's contexts,
    which keep their quotes. Of `rw` and `ro` the last holds, as with mount(8): its helpers get a
    line of fstab, then -o.
    """
    options: dict[str, str | bool] = {}
    for text in texts:
        for item in re.findall(r'(?:="[^"]*"|[^,])+', text):
            name, equals, value = item.partition("=")
            options.pop({"ro": "rw", "rw": "ro"}.get(name.strip(), name.strip()), None)
            options[name.strip()] = value if equals else True
    return options
