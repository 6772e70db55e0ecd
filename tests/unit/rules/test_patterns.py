"""Patterns of paths are those of .gitignore."""

import pytest

from tagfs.rules.patterns import PathPattern


@pytest.mark.parametrize(
    ("pattern", "key", "is_dir", "matches"),
    [
        ("*.tif", "a.tif", False, True),
        ("*.tif", "x/y/a.tif", False, True),
        ("*.tif", "a.tiff", False, False),
        ("logs", "logs", True, True),
        ("logs", "x/logs", False, True),
        ("logs", "x/logs/a/b", False, True),
        ("logs/", "logs", False, False),
        ("logs/", "logs", True, True),
        ("logs/", "x/logs/a", False, True),
        ("/logs", "logs/a", False, True),
        ("/logs", "x/logs", False, False),
        ("a/b", "a/b", False, True),
        ("a/b", "x/a/b", False, False),
        ("/a/*", "a/b", False, True),
        ("/a/*", "a/b/c", False, True),  # in the directory that it names
        ("/a/*.txt", "a/b/c.txt", False, False),
        ("/a/**/*.txt", "a/b/c.txt", False, True),
        ("/a/**/*.txt", "a/c.txt", False, True),
        ("/a/**", "a", True, False),
        ("/a/**", "a/b", True, True),
        ("**", "a/b", False, True),
        ("**/", "a", False, False),
        ("**/", "a/b", False, True),
        ("/**", "a\nb", False, True),
        ("[ab]?", "x/bz", False, True),
        ("[!ab]?", "x/bz", False, False),
        ("a.b", "axb", False, False),
    ],
)
def test_patterns(pattern: str, key: str, *, is_dir: bool, matches: bool) -> None:
    assert PathPattern.parse(pattern).matches(key, is_dir=is_dir) is matches


@pytest.mark.parametrize("text", ["", "/", " ", "//", "a//b"])
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        PathPattern.parse(text)
    assert str(caught.value) == text
