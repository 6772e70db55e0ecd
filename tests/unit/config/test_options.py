"""The one table of mount options, and the fields of Settings that say the same to mypy."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from tagfs.config import cache_place
from tagfs.config.cache_place import default_cache_dir
from tagfs.config.fuse_options import FUSE_OPTIONS, IGNORED, VALUED
from tagfs.config.options import (
    DANGEROUS,
    PARSERS,
    REACHING,
    RECOVERED_WITH,
    SOURCES,
    TABLE,
    TOPICS,
)
from tagfs.config.settings import Settings, chosen_options, parse_options, parse_url, reaching
from tagfs.errors import SettingsError
from tagfs.host import mount_table
from tagfs.manual.completed_values import complete_options
from tagfs.manual.mount_options import help_text, markdown
from tagfs.monitoring.mount_status import MountStatus
from tagfs.recovery.staging_directory import MountRecord

URL = parse_url("oss://bucket")
FIELDS = {field.name: field for field in dataclasses.fields(Settings)}
BESIDES = {"url", "read_only", "fuse_options"}
"""Fields that are not an option's value: an argument, and what flags come to."""

BY_HOST = {"uid": os.getuid(), "gid": os.getgid(), "cache_dir": default_cache_dir(os.environ)}
CHOSEN = {
    "endpoint": "https://host:8443",
    "region": "cn-north-4",
    "addressing": "path",
    "ca_bundle": "/etc/ca.pem",
    "requester_pays": "on",
    "anonymous": "on",
    "sse_c_key_file": "/etc/key",
    "proxy": "http://user@proxy:3128",
    "obs_tag_urlencode": "off",
    "obs_tag_profile": "wide",
    "rules": "/etc/rules.toml",
    "policy": "warn",
}
"""A choice, not the default, of each option that says how a bucket is reached."""


def test_root_of_a_user_namespace_stages_in_its_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There `/var/cache` is the host's root's, whom nobody is there."""
    assert cache_place._is_own(tmp_path)
    assert cache_place._is_own(tmp_path / "none")
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert not cache_place._is_own(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    for is_own, place in ((True, "/var/cache/tagfs"), (False, "/home/me/.cache/tagfs")):
        monkeypatch.setattr(cache_place, "_is_own", lambda _, is_own=is_own: is_own)
        assert default_cache_dir({"HOME": "/home/me"}) == Path(place)


def test_the_fields_of_settings_are_the_options_with_a_value() -> None:
    assert FIELDS.keys() - BESIDES == PARSERS.keys()
    assert sum(len(topic.options) for topic in TOPICS) == len(TABLE), "a name stands twice"


@pytest.mark.parametrize("name", PARSERS)
def test_defaults_are_those_of_the_table(name: str) -> None:
    default = getattr(Settings(url=URL), name)
    if TABLE[name].default:
        assert PARSERS[name](TABLE[name].default) == default
    else:
        assert default == BY_HOST.get(name) or default in (None, "")


@pytest.mark.parametrize("name", PARSERS)
def test_values_are_those_of_the_table(name: str) -> None:
    hint = get_type_hints(Settings)[name]
    words = get_args(hint) if get_origin(hint) is Literal else ()
    assert set(TABLE[name].values) == set(words)
    for word in words:
        assert getattr(parse_options(URL, {name: word}), name) == word


@pytest.mark.parametrize("name", [name for name in PARSERS if not TABLE[name].alone])
def test_a_name_alone_says_what_is_expected(name: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_options(URL, {name: True})
    assert str(raised.value) == f"{name}: expected {TABLE[name].expects}"
    assert TABLE[name].expects


@pytest.mark.parametrize("name", [name for name in PARSERS if TABLE[name].alone])
def test_a_name_alone_may_stand_for_a_value(name: str) -> None:
    """As true and false of the settings file do."""
    for given, meant in ((True, TABLE[name].alone), (False, TABLE[name].default)):
        assert getattr(parse_options(URL, {name: given}), name) == meant


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("uid", "root", 0),
        ("uid", "0", 0),
        ("uid", "daemon", 1),
        ("gid", "root", 0),
        ("gid", "7", 7),
    ],
)
def test_owner_and_group_have_numbers_or_names(name: str, value: str, number: int) -> None:
    assert getattr(parse_options(URL, {name: value}), name) == number


@pytest.mark.parametrize("name", ["uid", "gid"])
@pytest.mark.parametrize("value", ["nobody-of-that-name", "-1", "4294967295", "", "\0", "1.5"])
def test_nobody_owns_nothing(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}=.*expected a number, or the name of a"):
        parse_options(URL, {name: value})


@pytest.mark.parametrize("name", TABLE)
def test_every_option_is_known_everywhere(name: str) -> None:
    option = TABLE[name]
    assert option.text
    assert f"| `{name}` |" in markdown()
    assert f"  {name}" in help_text()
    offered = {item.value for item in complete_options(None, None, name)}  # type: ignore[arg-type]
    assert (f"{name}=" if option.parse else name) in offered


def test_flags_and_sources_are_no_fields() -> None:
    flags = {name for name, option in TABLE.items() if option.parse is None}
    assert flags == {"ro", "allow_other", "default_permissions", *DANGEROUS}
    assert {"config", "profile"} == SOURCES
    assert not (PARSERS.keys() & FUSE_OPTIONS)
    assert VALUED <= FUSE_OPTIONS
    assert not IGNORED & (FUSE_OPTIONS | TABLE.keys())


@pytest.mark.parametrize("word", DANGEROUS.values())
def test_the_words_of_libfuse_for_danger_change_nothing(word: str) -> None:
    assert word not in parse_options(URL, {word: True}).fuse_options
    assert word in parse_options(URL, {f"allow_{word}": True}).fuse_options


def test_what_reaches_a_bucket_goes_from_mount_to_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the status of the mount, each one as it was chosen."""
    assert set(CHOSEN) == set(REACHING)
    assert all(CHOSEN[name] != TABLE[name].default for name in REACHING)

    settings = parse_options(URL, CHOSEN)
    status = json.dumps(MountStatus(settings, "2").without_files()).encode()
    monkeypatch.setattr(os, "getxattr", lambda _path, _name: status)
    asked = mount_table.ask_settings(mount_table.Mount("/mnt", str(URL)))
    assert reaching(asked) == reaching(settings) == CHOSEN


def test_a_status_of_nonsense_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reported = b'{"url": "oss://b", "addressing": "sideways"}'
    monkeypatch.setattr(os, "getxattr", lambda _path, _name: reported)
    with pytest.raises(SettingsError, match="addressing=sideways"):
        mount_table.ask_settings(mount_table.Mount("/mnt", "oss://b"))


def test_a_recovery_directory_keeps_what_the_table_says() -> None:
    settings = parse_options(URL, {**CHOSEN, "acl": "off", "storage_class": "IA"})
    record = MountRecord.of(settings, Path("/mnt"))
    assert set(REACHING) <= set(record.options) <= set(RECOVERED_WITH)
    assert MountRecord.parse(record.render()) == record
    again = record.settings({})
    for name in RECOVERED_WITH:
        assert getattr(again, name) == getattr(settings, name)


def test_a_recovery_directory_of_before_is_read() -> None:
    """Once it did not keep how tags of OBS are written."""
    record = MountRecord.of(parse_options(URL, CHOSEN), Path("/mnt"))
    before = {name: value for name, value in record.options.items() if "obs_tag" not in name}
    old = dataclasses.replace(record, options=before)
    assert MountRecord.parse(old.render()).settings({}).obs_tag_urlencode == "auto"


def test_the_options_that_a_mount_reports_have_no_secret() -> None:
    """... and is equal where the same was chosen, in whatever words."""
    words = {"proxy": "http://user:hidden@proxy:3128", "credential_process": "get hidden"}
    reported = chosen_options(parse_options(URL, {**words, "ttl": "5", "allow_other": True}))
    assert "hidden" not in json.dumps(reported)
    assert (reported["ttl"], reported["allow_other"], reported["upload_limit"]) == (
        "5.0",
        "True",
        "0",
    )
    same = [{"upload_limit": "1K", "umask": "022"}, {"upload_limit": "1024", "umask": "22"}]
    assert len({json.dumps(chosen_options(parse_options(URL, one))) for one in same}) == 1
