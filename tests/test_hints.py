"""What our messages and pages advise people to install is what we mean, whoever owns which name.

`tagfs` on PyPI is a foreign package, and `tagfs-mount` may become anybody's: neither is ever to
be fetched from an index. A library is named by its own name; tagfs is installed from a checkout.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagfs import extras
from tagfs.extras import how_to_add

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

COMMAND = re.compile(
    r"\b(?:pip3?|pipx|uv|uvx)\"?,?(?: \S+?)?? (?:install|inject|run|upgrade)\b([^\n`;#|&)]*)"
)
"""A command that fetches packages, and what it is to fetch."""

EXTRA = re.compile(r"\btagfs(?:-mount)?\[(?!\{?os\.getpid|PID\])")
"""Extras of ours by name: `.[extra]` is how they are asked for."""


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every file of the repository, man pages as they are read."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if hidden or {"__pycache__", "build", "dist"} & set(parts) or not path.is_file():
            continue
        try:
            yield "/".join(parts), path.read_text(encoding="utf-8").replace("\\-", "-")
        except UnicodeDecodeError:
            continue


def libraries() -> set[str]:
    """Return the names of what we depend on, extras included."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    names = {re.split(r"[\[>=]", text)[0] for one in lists for text in one}
    return names - {PROJECT["name"]}


def is_safe(word: str) -> bool:
    """Say whether a word of such a command can fetch no foreign package."""
    if word.startswith(("-", "/", "./", "{", "$")) or re.fullmatch(r"\.(\[[\w,$-]+\])?", word):
        return True
    return word in libraries()


def fetched(text: str) -> list[str]:
    """Return what commands in a text would fetch by a name that is not safe."""
    found = []
    for match in COMMAND.finditer(text):
        words = [word.strip("'\",:(") for word in match[1].split("2>")[0].split()]
        if "inject" in match[0]:  # into what is installed already
            words = words[1:]
        found += [match[0] for word in words if word and not is_safe(word)]
    return found


@pytest.mark.slow
def test_no_advice_is_to_install_a_foreign_package() -> None:
    wrong = []
    looked = 0
    for name, text in texts():
        if name == "tests/test_hints.py":
            continue
        looked += len(COMMAND.findall(text))
        wrong += [f"{name}: {command}" for command in fetched(text)]
        kept = text if name != "pyproject.toml" else ""  # refers to itself, as it is installed
        wrong += [f"{name}: {match[0]}" for match in EXTRA.finditer(kept)]
    assert wrong == []
    assert looked > 5


@pytest.mark.parametrize(
    "text",
    [
        "pip install 'tagfs[fuse3]'",
        "pip install tagfs",
        "pipx install tagfs-mount",
        "pipx inject tagfs-mount tagfs",
        "pipx run tagfs mount",
        "python -m pip install -U tagfs-mount[metrics]",
        "uv tool install tagfs",
        "pip install mfuse",
    ],
)
def test_the_test_would_find_it(text: str) -> None:
    assert fetched(text)


@pytest.mark.parametrize(
    "text",
    ["pip install .", "pipx install '.[emulator,metrics]'", "pipx inject tagfs-mount aiohttp"],
)
def test_and_lets_the_right_ones_be(text: str) -> None:
    assert not fetched(text)


def test_the_distribution_has_a_name_of_its_own() -> None:
    assert PROJECT["name"] == extras.DISTRIBUTION
    assert PROJECT["name"] != "tagfs"
    assert PROJECT["scripts"] == {"tagfs": "tagfs.__main__:main"}


@pytest.mark.parametrize("library", [extras.EMULATOR, extras.LIBFUSE3, extras.METRICS])
def test_hints_name_the_library_itself(library: str) -> None:
    assert library in libraries()
    assert how_to_add(library, "/opt/tagfs") == f"/opt/tagfs/bin/python -m pip install {library}"
    pipx = "/home/me/.local/share/pipx/venvs/tagfs-mount"
    assert how_to_add(library, pipx) == f"pipx inject tagfs-mount {library}"
