"""docs/semantics.md names tests that exist, every promise, and every deviation from POSIX."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.mount.posix.deviations import DEVIATIONS

HERE = Path(__file__).parent
DOCUMENT = (HERE.parent / "docs" / "semantics.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\w+/)*test_\w+\.py)(?:::(\w+))?`", DOCUMENT)))
PROMISES = [
    *(f"T{n}" for n in range(1, 5)),
    *(f"D{n}" for n in range(1, 9)),
    *(f"G{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    *(f"F{n}" for n in range(1, 9)),
]


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_proves_a_promise_is_there(file: str, test: str) -> None:
    assert (HERE / file).is_file(), file
    assert names_in(file), f"{file} has no tests"
    if test:
        assert test in names_in(file)


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_has_a_proof(promise: str) -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith(f"| {promise} |")]
    assert rows
    assert all("test_" in row for row in rows)


def test_the_deviations_are_those_of_the_tests() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", DOCUMENT, re.MULTILINE)
    assert sorted(listed) == sorted(DEVIATIONS)
