"""`tagfs tag stat`: keys, values, counts and bytes, by a walk and from the index."""

from pathlib import Path

import pytest

from tests.service.bulk.conftest import Subject, run_tag
from tests.service.bulk.indexing import run_index

COUNTS = {
    "objects": 6,
    "bytes": 6 + 99,
    "untagged": {"objects": 2, "bytes": 2},
    "keys": {
        "team": {
            "objects": 3,
            "bytes": 102,
            "values": {
                "blue": {"objects": 2, "bytes": 101},
                "red": {"objects": 1, "bytes": 1},
            },
        },
        "cost": {
            "objects": 2,
            "bytes": 2,
            "values": {"": {"objects": 1, "bytes": 1}, "42": {"objects": 1, "bytes": 1}},
        },
    },
}
TABLE = """\
KEY         VALUE  OBJECTS       SIZE
team                     3  102 bytes
            blue         2  101 bytes
            red          1    1 bytes
cost                     2    2 bytes
            ""           1    1 bytes
            42           1    1 bytes
(untagged)               2    2 bytes
(all)                    6  105 bytes
"""
DIRECTORIES = """\
DIRECTORY        KEYS            UNTAGGED  OBJECTS       SIZE
oss://{name}     -                      1        1    1 bytes
oss://{name}/d   cost 2, team 2         0        3  102 bytes
oss://{name}/e   team 1                 1        2    2 bytes
"""


@pytest.fixture
def tree(subject: Subject) -> Subject:
    subject.put("top", "e/none")
    subject.put("d/1", team="blue", cost="42")
    subject.put("d/x/2", cost="")
    subject.put("e/3", team="red")
    subject.sdk.put_object("d/big", b"x" * 100)
    subject.tag("d/big", {"team": "blue"})
    return subject


def test_counts_by_a_walk(tree: Subject) -> None:
    assert tree.run("stat", "--json", tree.url).records == [COUNTS]
    assert tree.run("stat", tree.url).out == TABLE
    cut = tree.run("stat", "--values", "1", "-k", "team", tree.url).out
    assert "... 1 more" in cut
    assert "cost" not in cut


def test_counts_of_directories(tree: Subject) -> None:
    told = tree.run("stat", "--depth", "1", tree.url).out
    assert told.split() == DIRECTORIES.format(name=tree.name).split()
    records = tree.run("stat", "--depth", "2", "--json", tree.url).records
    assert [r["directory"].removeprefix(tree.url) for r in records] == ["", "/d", "/d/x", "/e"]
    assert [r["objects"] for r in records] == [1, 2, 1, 2]


def test_counts_from_the_index(tree: Subject, tmp_path: Path) -> None:
    """Without a request, and with its age; without one, everything is asked."""
    cache = ("-o", f"cache_dir={tmp_path}")
    asked = tree.run("stat", "--json", "--max-age", "1h", tree.url, *cache)
    assert asked.records == [COUNTS]
    assert "as of" not in asked.err
    assert "run tagfs index" in tree.run("stat", "--index=local", tree.url, *cache, status=1).err
    run_index(tree, tmp_path)
    log = tree.requests()
    for words in (("--max-age", "1h"), ("--index=local",)):
        ran = tree.run("stat", "--json", *words, tree.url, *cache)
        assert ran.records == [COUNTS]
        assert "as of " in ran.err
    assert len(log) == 0


def test_what_cannot_be_asked_is_reported() -> None:
    assert "1 failed" in run_tag("stat", "/", status=1).err
    run_tag("stat", "--depth", "-1", "oss://b", status=2)
