"""rename, merge, copy and import, judged by the vendor's SDK."""

from pathlib import Path

import pytest

from tests.service.bulk.conftest import Subject, run_tag


@pytest.fixture
def tree(subject: Subject) -> Subject:
    subject.put("d/1", Team="blue", x="1")
    subject.put("d/2", Team="blue", team="red")
    subject.put("d/3", x="1")
    subject.put("d/4")
    return subject


def test_rename(tree: Subject, tmp_path: Path) -> None:
    before = tree.all_tags()
    audit = tmp_path / "audit.jsonl"
    dry = tree.run("rename", "-R", "-n", "Team", "team", f"{tree.url}/d/", status=1)
    assert "-Team=blue +team=blue" in dry.out
    assert tree.all_tags() == before
    ran = tree.run("rename", "-R", "Team", "team", f"{tree.url}/d/", "--audit", audit, status=1)
    assert "1 changed, 2 unchanged, 1 failed" in ran.err
    assert f"{tree.url}/d/2: has team=red already" in ran.err
    assert tree.all_tags() == {**before, "d/1": {"x": "1", "team": "blue"}}
    tree.run("rename", "-R", "team=blue", "navy", f"{tree.url}/d/", "--audit", audit)
    assert tree.tags("d/1") == {"x": "1", "team": "navy"}
    run_tag("undo", audit)
    assert tree.all_tags() == before


def test_merge(tree: Subject) -> None:
    ran = tree.run("merge", "-R", "Team,TEAM", "team", f"{tree.url}/d/", status=1)
    assert "team=red Team=blue: which value is right?" in ran.err
    assert tree.tags("d/1") == {"x": "1", "team": "blue"}
    assert tree.tags("d/2") == {"Team": "blue", "team": "red"}
    tree.run("merge", "--force", "-R", "Team,TEAM", "team", f"{tree.url}/d/")
    assert tree.tags("d/2") == {"team": "red"}


def test_copy(tree: Subject) -> None:
    tree.run("copy", f"{tree.url}/d/1", f"{tree.url}/d/3", f"{tree.url}/d/4")
    assert tree.tags("d/3") == tree.tags("d/4") == {"Team": "blue", "x": "1"}
    tree.run("copy", "--replace", f"{tree.url}/d/2", f"{tree.url}/d/4")
    assert tree.tags("d/4") == {"Team": "blue", "team": "red"}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["rename", "a", "b=c", "oss://b/k"], 2),
        (["rename", "a", "b"], 2),
        (["merge", "a,", "b", "oss://b/k"], 2),
        (["copy", "oss://b/k"], 2),
        (["import", "--column", "", "x"], 2),
    ],
)
def test_bad_usage(words: list[str], status: int) -> None:
    run_tag(*words, status=status)


def test_copy_from_what_is_not_there(tree: Subject) -> None:
    tree.run("copy", f"{tree.url}/none", f"{tree.url}/d/1", status=1)
    tree.run("copy", f"{tree.url}/d/*", f"{tree.url}/d/1", status=2)
    assert tree.tags("d/1") == {"Team": "blue", "x": "1"}


def test_import(tree: Subject, tmp_path: Path) -> None:
    table = tmp_path / "tags.csv"
    table.write_text("key,tag:team,tag:cost\nd/3,blue,\nd%2F4,red,42\n")
    ran = tree.run("import", "--encoded", "--base", tree.url, table)
    assert "2 changed" in ran.err
    assert tree.tags("d/3") == {"x": "1", "team": "blue"}
    assert tree.tags("d/4") == {"team": "red", "cost": "42"}
    assert not Path(f"{table}.progress").exists()


def test_a_table_with_a_mistake_changes_nothing(tree: Subject, tmp_path: Path) -> None:
    before = tree.all_tags()
    table = tmp_path / "tags.csv"
    table.write_text(f"path,a\nd/3,good\nd/4,{'v' * 300}\n")
    words = ("import", "--key", "path", "--column", "a", "--base", tree.url, table)
    ran = tree.run(*words, status=1)
    assert "line 3: d/4" in ran.err
    assert tree.all_tags() == before
    tree.run(*words, "--keep-going", status=1)
    assert tree.tags("d/3") == {"x": "1", "a": "good"}
