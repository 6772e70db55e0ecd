"""The dialects: what the engine may know of services, and that every refusal has its words."""

import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.tags import TagRules
from tagfs.emulator.obs import dialect as obs, options as obs_options
from tagfs.emulator.oss import dialect as oss
from tagfs.emulator.s3 import dialect as s3, options as s3_options

EMULATOR = Path(oss.__file__).parent.parent
DIALECTS = {
    "oss": oss.make_dialect(),
    "obs": obs.make_dialect(obs_options.read_options(())[0]),
    "s3": s3.make_dialect(s3_options.read_options(())),
}
MAY_USE: dict[str, set[str]] = {
    "storage": set(),
    "engine": {"storage"},
    "oss": {"engine", "storage"},
    "s3": {"engine", "storage"},
    "obs": {"engine", "s3", "storage"},
}
"""The folders, and what each may know of the others: the engine knows no service."""
ELSEWHERE: dict[str, set[str]] = {
    "oss": {
        "AccessControlListNotSupported",
        "DirectoryNotEmpty",
        "FsNotSupport",
        "FsObjectConflict",
        "IncompleteBody",
        "MalformedACLError",
        "MaxMessageLengthExceeded",
        "MissingSecurityHeader",
        "NoSuchTagSet",
        "ObjectHasAlreadyRestored",
        "OwnershipControlsNotFoundError",
        "RequestHeaderSectionTooLarge",
    },
    "obs": {"PartNotSequential"},
    "s3": {
        "DirectoryNotEmpty",
        "FsNotSupport",
        "FsObjectConflict",
        "InvalidTargetType",
        "NotSymlink",
        "ObjectHasAlreadyRestored",
        "ObjectNotAppendable",
        "PartNotSequential",
        "PositionNotEqualToLength",
        "SymlinkTargetNotExist",
    },
}
"""Codes of the engine that a service never gives: it has no such thing, or another code for it."""


def _imports(folder: str) -> set[str]:
    found = set()
    for path in (EMULATOR / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    words = (name.split(".") for name in found if name.startswith("tagfs.emulator."))
    return {word[2] for word in words} & MAY_USE.keys() - {folder}


def _codes(folder: str) -> Iterator[str]:
    for path in (EMULATOR / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "ServiceError":
                continue
            if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                yield node.args[0].value


def _named(value: object) -> Iterator[str]:
    """Yield the codes that a dialect names."""
    if isinstance(value, TagRules):
        yield from (refused.code for refused in value.refusals.values())
        yield value.malformed
    elif is_dataclass(value):
        names = {"bad_days", "known_status", "no_position", "not_archived", "too_large"}
        names |= {"bad_class", "exists", "expired_token", "meta_error", "no_digest"}
        for each in fields(value):
            inner = getattr(value, each.name)
            if each.name in names:
                yield inner if isinstance(inner, str) else inner[0]
            else:
                yield from _named(inner)


@pytest.mark.parametrize("folder", MAY_USE)
def test_folders_know_what_is_below_them(folder: str) -> None:
    assert _imports(folder) <= MAY_USE[folder]


@pytest.mark.parametrize("name", DIALECTS)
def test_every_error_has_an_entry(name: str) -> None:
    table = DIALECTS[name].errors
    codes = {*_codes("engine"), *_codes(name), *filter(None, _named(DIALECTS[name]))}
    codes |= set(_codes("s3")) if name == "obs" else set()
    assert codes - table.keys() == ELSEWHERE[name]


@pytest.mark.parametrize("name", DIALECTS)
def test_every_entry_is_an_error(name: str) -> None:
    for code, entry in DIALECTS[name].errors.items():
        assert entry.status >= 400 or code == "NotModified", code
        assert entry.message, code


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("key", ["a", "d/", "a/../b", "wörld", "q+r%", "x" * 1023])
def test_continuation_tokens_lead_back_to_the_key(name: str, key: str) -> None:
    render, parse = DIALECTS[name].continuation
    assert parse(render(key)) == key
    with pytest.raises(ValueError):
        parse("no token")


@pytest.mark.parametrize(
    ("name", "longest"), [("oss", "x" * 1023), ("obs", "ö" * 1024), ("s3", "ö" * 512)]
)
def test_the_longest_key(name: str, longest: str) -> None:
    dialect: Dialect = DIALECTS[name]
    dialect.check_key(longest)
    with pytest.raises(ServiceError):
        dialect.check_key(longest + "x")
