"""Names are POSIX's, HTTP's, S3's and a cache's words: the old private ones do not come back.

Nor do they in what the tests are called and say of themselves.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.test_layers import MODULES, nodes_of

TESTS = Path(__file__).parent

PRIVATE = frozenset(
    "told tell tells somebody doubt doubts spoil spoils doomed behind survivor survivors aside "
    "remains house hopeless patient labour strange stranger strangers met unheard hurry flavour "
    "personality".split()
)
"""Words that a reader who knows the field would not look for."""

ORDINARY = frozenset("behind aside met remains patient house labour hopeless".split())
"""Those that are meant as everybody means them, in what the tests say: nothing is left behind."""

PERHAPS = re.compile(
    "|".join(
        rf"(?<![A-Za-z]){word}(?![a-z])|{word.capitalize()}(?![a-z])" for word in PRIVATE - ORDINARY
    )
)
"""What a file has that has one of the others in a name or in prose."""

ALLOWED = frozenset({"uploads_behind", "UPLOADS_BEHIND", "tell"})
"""Names of options that stand in the code of others as well, and file.tell()."""


def names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name():
                yield node.id
            case ast.Attribute():
                yield node.attr
            case ast.arg():
                yield node.arg
            case ast.keyword(arg=str(name)):
                yield name


def private_words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)} & PRIVATE


def test_names_are_the_fields_words() -> None:
    private = [
        f"{module}: {name}"
        for module, path in MODULES.items()
        for name in {*names(nodes_of(path)), *module.split(".")} - ALLOWED
        if private_words(name)
    ]
    assert not private, "name it as POSIX, HTTP, S3 or a cache does"


PROMISE = re.compile(r"(\.\.\. )?[A-Z][0-9]+\. ")
"""How a docstring begins that quotes the promise, in its own words."""


def prose(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield the lines and the docstrings of modules, classes and functions, and names of these."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, "" if node.name in ALLOWED else node.name
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            text = ast.get_docstring(node) or ""
            if not PROMISE.match(text):
                yield getattr(node, "lineno", 1), text


def test_what_tests_say_is_in_the_fields_words() -> None:
    private = [
        f"{path.relative_to(TESTS)}:{line}: {word}"
        for path in TESTS.rglob("*.py")
        if PERHAPS.search(path.read_text())  # or it need not be parsed
        for line, text in prose(nodes_of(path))
        for word in private_words(text) - ORDINARY
    ]
    assert not private, "say it as POSIX, HTTP, S3 or a cache does"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("is_told", {"told"}),
        ("BehindTimes", {"behind"}),
        ("_DOOMED", {"doomed"}),
        ("untold_method", set()),
        ("metadata", set()),
    ],
)
def test_words_are_found_in_names(name: str, words: set[str]) -> None:
    assert private_words(name) == words
