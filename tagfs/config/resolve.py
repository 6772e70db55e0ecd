"""What the user chose, wherever it was said: -o, environment, settings file, in this order.

Last come the vendors' own files, for where a bucket is.

Everything is checked at once, and every mistake says where it was made.
"""

import difflib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from tagfs.config.cache_place import default_cache_dir
from tagfs.config.fuse_options import FUSE_OPTIONS
from tagfs.config.options import SOURCES, TABLE
from tagfs.config.settings import (
    COMMAND_LINE,
    BucketUrl,
    OptionValue,
    Settings,
    check_options,
)
from tagfs.config.toml_file import ConfigFiles
from tagfs.errors import BadUsage, SettingsError

PREFIX: Final = "TAGFS_"

_VENDORS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "oss": {"endpoint": ("OSS_ENDPOINT",), "region": ("OSS_REGION", "ALIBABA_CLOUD_REGION_ID")},
    "s3": {
        "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    },
}
"""The variables that say to the vendors' tools where a bucket is; Huawei's have none."""

_NAMES: Final = (*TABLE, *FUSE_OPTIONS)
_ANY: Final = BucketUrl(service="obs", bucket="any", prefix="")
"""A bucket that no section of a settings file and no variable of a vendor is about."""

_LIKE_OURS = 0.8
"""How like an option a variable TAGFS_... must be to be taken for a mistyped one."""


def choose(
    url: BucketUrl,
    options: Mapping[str, str | bool],
    environment: Mapping[str, str] = os.environ,
    fixed: Collection[str] = (),
) -> Settings:
    """Return the settings for a bucket; `options` are those of the command line.

    `fixed` are names that only these may choose, as those which a mount tells of itself.

    Raises:
        SettingsError: names everything that is wrong, not just the first.
    """
    mistakes: list[str] = []
    command = [OptionValue(name, value, COMMAND_LINE + name) for name, value in options.items()]
    ours = _of_environment(environment, mistakes)
    files = ConfigFiles(_single([*command, *ours], "config"), environment)
    written = files.givens(url, _single([*command, *ours], "profile"))
    vendors = _of_vendor(url.service, environment, [*command, *ours, *written])
    lower = [item for item in [*ours, *vendors, *written] if item.name not in fixed]
    if url is not _ANY and not {"endpoint", "region"} & set(fixed):
        lower += _of_vendors_files(url.service, environment, [*command, *ours, *written], vendors)
    given = [item for item in [*command, *lower] if item.name not in SOURCES]
    return check_options(url, given, [*mistakes, *files.mistakes])


def check_usage(
    options: Mapping[str, str | bool], environment: Mapping[str, str] = os.environ
) -> None:
    """Refuse a command line that is wrong for every bucket, before a command has done anything.

    What is wrong in other places alone is said when the bucket is known.

    Raises:
        BadUsage: names everything that is wrong, in other places as well.
    """
    try:
        choose(_ANY, options, environment)
    except BadUsage:
        raise
    except SettingsError:
        return


def chosen_cache_dir(
    options: Mapping[str, str | bool], environment: Mapping[str, str] = os.environ
) -> Path:
    """Return the cache directory that holds for mounts of any bucket.

    Raises:
        SettingsError
    """
    mistakes: list[str] = []
    given = [OptionValue(name, value, COMMAND_LINE + name) for name, value in options.items()]
    given += _of_environment(environment, mistakes)
    files = ConfigFiles(_single(given, "config"), environment)
    given += files.givens(None, _single(given, "profile"))
    mistakes += files.mistakes
    if mistakes:
        raise SettingsError("; ".join(mistakes))
    found = _single(given, "cache_dir")
    return Path(found) if found else default_cache_dir(environment)


def _single(given: list[OptionValue], name: str) -> str | None:
    return next((str(item.value) for item in given if item.name == name), None)


def _of_environment(environment: Mapping[str, str], mistakes: list[str]) -> list[OptionValue]:
    found = []
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or not value.strip():
            continue
        if name in _NAMES:
            found.append(OptionValue(name, value.strip(), variable))
        elif near := difflib.get_close_matches(name, _NAMES, 1, _LIKE_OURS):
            mistakes.append(f"{variable}: did you mean {PREFIX}{near[0].upper()}?")
    return found


def _of_vendor(
    service: str, environment: Mapping[str, str], given: list[OptionValue]
) -> list[OptionValue]:
    """Return what the vendor's own variables choose.

    Their region belongs to their endpoint: where the user chose an endpoint for tagfs, it would
    only make signatures for another region.
    """
    found = []
    for name, variables in _VENDORS.get(service, {}).items():
        if name == "region" and any(item.name == "endpoint" for item in given):
            continue
        variable = next((v for v in variables if environment.get(v, "").strip()), None)
        if variable is not None:
            found.append(OptionValue(name, environment[variable].strip(), variable))
    return found


def _of_vendors_files(
    service: str,
    environment: Mapping[str, str],
    given: list[OptionValue],
    vendors: list[OptionValue],
) -> list[OptionValue]:
    """Return what the files that credentials come from say of a place that nobody has chosen.

    Where the user names the credentials, he means those alone, and none of these files.
    """
    named = {item.name for item in given if item.value not in ("off", False)}
    if named & {"endpoint", "region", "credentials", "credential_process", "anonymous"}:
        return []
    from tagfs.store.credentials.places import place_in_files  # noqa: PLC0415  (and all of HTTP)

    found = place_in_files(service, _single(given, "credentials_profile"), environment)
    known = {item.name for item in vendors}
    if "endpoint" in known:
        return []
    return [
        OptionValue(name, value, origin)
        for name, (value, origin) in found.items()
        if name not in known
    ]
