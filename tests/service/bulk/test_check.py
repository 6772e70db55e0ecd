"""`tagfs tag check`: what does not follow the rules is named, and mended; judged by the SDK."""

from pathlib import Path

import pytest

from tests.service.bulk.conftest import Subject, run_tag

RULES = """
[[rules]]
path = "/given/"
tags = {team = "none", kind = "{ext}"}
inherit = ["project"]
required = ["team", "kind", "project"]

[[rules]]
path = "/owned/"
tags = {owner = "{uid}", host = "{host}"}
required = ["owner", "host"]

[[rules]]
path = "/strict/"
required = ["team"]
allowed = {team = ["blue", "red"]}
"""


@pytest.fixture
def tree(subject: Subject, tmp_path: Path) -> Subject:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "rules.toml").chmod(0o644)
    endpoint, options = subject.connection
    subject.connection = (endpoint, f"{options},rules={tmp_path}/rules.toml")
    subject.put("free/a", "given/a.tif")
    subject.put("given/", project="apollo", team="x", kind="")
    subject.put("given/b.tif", team="red", kind="tif", project="p")
    subject.put("strict/bad", team="green")
    subject.put("strict/none")
    subject.put("strict/good", team="blue")
    return subject


BROKEN = {
    ("given/a.tif", "team", "missing"),
    ("given/a.tif", "kind", "missing"),
    ("given/a.tif", "project", "missing"),
    ("strict/bad", "team", "value"),
    ("strict/none", "team", "missing"),
}


def test_what_breaks_a_rule_is_named(tree: Subject) -> None:
    log = tree.requests()
    ran = tree.run("check", "-R", tree.url, status=1)
    assert (
        "strict/bad: the tag 'team' may not be 'green': allowed are 'blue', 'red' (rule 3 of "
        in (ran.out)
    )
    assert len(ran.lines) == len(BROKEN)
    assert "7 checked, 3 break a rule" in ran.err
    assert "1  team: value  (rule 3 of " in ran.err
    assert log.kinds() == {"GET list": 1, "GET tagging": 6}  # none where nothing is asked
    told = tree.run("check", "-R", "--json", tree.url, status=1).records
    found = {(r["path"].removeprefix(f"{tree.url}/"), r["key"], r["fault"]) for r in told}
    assert found == BROKEN
    assert all("rules.toml, line " in record["rule"] for record in told)


def test_all_follows_the_rules(tree: Subject) -> None:
    ran = tree.run("check", "-R", f"{tree.url}/free/", f"{tree.url}/strict/good", status=0)
    assert ran.out == ""
    assert "2 checked, 0 break a rule" in ran.err
    tree.run("check", f"{tree.url}/none", status=0)  # nothing is asked of it
    assert "1 failed" in tree.run("check", f"{tree.url}/strict/gone", status=1).err


def test_what_can_be_mended_is(tree: Subject, tmp_path: Path) -> None:
    before = tree.all_tags()
    dry = tree.run("check", "-R", "--fix", "-n", tree.url, status=1)
    assert "given/a.tif: +team=none +kind=tif +project=apollo" in dry.out
    assert "nothing sent: would be 1 changed" in dry.err
    assert tree.all_tags() == before
    audit = tmp_path / "audit.jsonl"
    ran = tree.run("check", "-R", "--fix", "--audit", audit, tree.url, status=1)
    assert "7 checked, 2 break a rule; 1 changed, 6 unchanged" in ran.err
    mended = {"team": "none", "kind": "tif", "project": "apollo"}
    assert tree.all_tags() == {**before, "given/a.tif": mended}
    run_tag("undo", audit)
    assert tree.all_tags() == before


def test_who_made_it_is_known_by_its_metadata_alone(tree: Subject) -> None:
    tree.sdk.put_object("owned/a", b"x", headers={"x-oss-meta-uid": "7", "x-oss-meta-gid": "8"})
    tree.tag("owned/a", {"host": "h"})
    tree.put("owned/b", host="h")
    tree.put("owned/c", owner="9")
    ran = tree.run("check", "-R", "--fix", f"{tree.url}/owned/", status=1)
    assert "3 checked, 2 break a rule; 1 changed, 2 unchanged" in ran.err
    assert tree.tags("owned/a") == {"host": "h", "owner": "7"}
    assert tree.tags("owned/b") == {"host": "h"}


def test_bad_usage(subject: Subject, tmp_path: Path) -> None:
    subject.put("a")
    ran = subject.run("check", "-R", subject.url, status=2)
    assert "has no rules: name them by -o rules=FILE" in ran.err
    subject.run("check", "-n", subject.url, status=2)
    (tmp_path / "rules.toml").write_text("[[rules]]\nrequire = 'a'\n")
    (tmp_path / "rules.toml").chmod(0o644)
    option = f"rules={tmp_path}/rules.toml"
    ran = subject.run("check", "-R", subject.url, "-o", option, status=2)
    assert "rule 1 of" in ran.err
    assert "did you mean 'required'?" in ran.err


def test_a_directory_without_an_object_hands_on_what_the_one_above_it_has(tree: Subject) -> None:
    tree.put("given/x/y/deep.tif", "given/own/z/f.tif")
    tree.put("given/own/", project="other", team="x", kind="")
    tree.run("check", "-R", "--fix", f"{tree.url}/given/", status=0)
    assert tree.tags("given/x/y/deep.tif")["project"] == "apollo"
    assert tree.tags("given/own/z/f.tif")["project"] == "other"
