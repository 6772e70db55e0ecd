"""Names are POSIX's, HTTP's, S3's and a cache's words: the old private ones do not come back."""

import ast
import re
from collections.abc import Iterable, Iterator

import pytest

from tests.test_layers import MODULES, nodes_of

PRIVATE = frozenset(
    "told tell tells somebody doubt doubts spoil spoils doomed behind survivor survivors aside "
    "remains house hopeless patient labour strange stranger strangers met unheard hurry flavour "
    "personality".split()
)
"""Words that a reader who knows the field would not look for."""

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
