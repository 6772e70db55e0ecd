"""What rules ask together, and what breaks them."""

import contextlib
import errno
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tagfs.errors import RulesError
from tagfs.rules.place import RulesPlace
from tagfs.rules.rule import Checked, Demands, ObjectKind, RuleSet
from tagfs.rules.rules_file import parse_rules, read_rules
from tagfs.rules.templates import Creation
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.tags import NO_TAGS, TagSet

TAGS = S3.object_tag_rules
FILE = ObjectKind.FILE
TEXTS = st.text(alphabet="[]rules=\"'{}\n #a", max_size=40)

RULES = """
[[rules]]
tags = {owner = "{user}", team = "none"}
required = ["owner"]
fixed = ["owner", "audit-*"]

[[rules]]
path = ["/blue/", "*.blue"]
tags = {team = "blue"}
inherit = ["project", "cost-*"]
required = "project"
allowed = {team = ["blue", "azure-*"]}
checked = "close"

[[rules]]
path = "/blue/free/"
reset = true
allowed = {team = "*e"}

[[rules]]
kind = "directory"
tags = {kind = "folder"}
"""


def rules(text: str = RULES) -> RuleSet:
    return parse_rules(text, RulesPlace(Path("rules.toml")), TAGS)


def about(key: str, kind: ObjectKind = FILE) -> Demands:
    return rules().about(key, kind)


def made(key: str) -> Creation:
    return Creation(key=key, uid=0, gid=0, now_ns=0)


@pytest.mark.parametrize(
    ("key", "kind", "directory", "tags"),
    [
        ("a", FILE, {}, {"owner": "root", "team": "none"}),
        ("a.blue", FILE, {}, {"owner": "root", "team": "blue"}),
        (
            "blue/a",
            FILE,
            {"project": "p", "cost-a": "1", "other": "x"},
            {"owner": "root", "team": "blue", "project": "p", "cost-a": "1"},
        ),
        ("blue/free/a", FILE, {"project": "p"}, {}),
        ("d", ObjectKind.DIRECTORY, {}, {"owner": "root", "team": "none", "kind": "folder"}),
        ("blue", ObjectKind.DIRECTORY, {}, {"owner": "root", "team": "blue", "kind": "folder"}),
    ],
)
def test_tags_of_new_objects(key, kind, directory, tags) -> None:
    assert about(key, kind).new_tags(made(key), TagSet(directory)) == tags


def test_what_a_directory_says_goes_before_a_default() -> None:
    found = rules("[[rules]]\ntags = {a = '1'}\ninherit = true").about("x", FILE)
    assert found.new_tags(made("x"), NO_TAGS) == {"a": "1"}
    assert found.new_tags(made("x"), TagSet({"a": "2", "b": "3"})) == {"a": "2", "b": "3"}


@pytest.mark.parametrize(
    ("key", "tags", "said"),
    [
        ("a", {"owner": "x"}, []),
        ("a", {}, ["must have a tag 'owner' and has none"]),
        ("blue/a", {"owner": "x", "project": "p"}, []),
        ("blue/a", {"owner": "x", "project": "p", "team": "azure-2"}, []),
        (
            "blue/a",
            {"owner": "x", "team": "red"},
            [
                "must have a tag 'project' and has none",
                "the tag 'team' may not be 'red': allowed are 'blue', 'azure-*'",
            ],
        ),
        ("blue/free/a", {}, []),
        ("blue/free/a", {"team": "red"}, ["the tag 'team' may not be 'red': allowed are '*e'"]),
    ],
)
def test_what_a_set_breaks(key, tags, said) -> None:
    assert [breach.text for breach in about(key).breaches(tags)] == said


@pytest.mark.parametrize(
    ("before", "after", "said", "number"),
    [
        ({"owner": "a"}, {"owner": "a", "x": "1"}, None, 0),
        ({}, {"owner": "a"}, None, 0),  # none had been set
        ({"owner": "a"}, {"owner": "b"}, "the tag 'owner' stays 'a'", errno.EPERM),
        ({"owner": "a"}, {}, "the tag 'owner' stays 'a'", errno.EPERM),
        ({"audit-1": ""}, {}, "the tag 'audit-1' stays ''", errno.EPERM),
        ({"project": "p"}, {}, "the tag 'project' may not be removed", errno.EPERM),
        ({}, {"team": "red"}, "the tag 'team' may not be 'red'", errno.EINVAL),
        ({"team": "red"}, {"team": "red", "x": "1"}, None, 0),  # not made worse
        ({"team": "red"}, {}, None, 0),
    ],
)
def test_what_a_change_breaks(before, after, said, number) -> None:
    found = about("blue/a").breaches_of_change(TagSet(before), TagSet(after))
    assert [b.text.partition(": allowed")[0] for b in found] == ([said] if said else [])
    if said:
        error = found[0].error("/blue/a")
        assert error.errno == number
        assert "rule " in str(error)
        assert "rules.toml, line " in str(error)


def test_what_was_chosen_is_not_just_given() -> None:
    found = about("blue/a")
    directory = TagSet({"project": "p"})
    given = found.new_tags(made("blue/a"), directory)
    assert found.chosen(given, directory) == {}
    assert found.chosen(TagSet({**given, "x": "1"}), directory) == {"x": "1"}
    assert found.chosen(TagSet({**given, "project": "q"}), directory) == {"project": "q"}
    assert found.chosen(TagSet({**given, "team": "azure-1"}), directory) == {"team": "azure-1"}
    assert found.only_required(given) == {"owner": "root", "project": "p"}


def test_when_new_objects_are_judged() -> None:
    assert about("a").checked is Checked.OPEN
    assert about("blue/a").checked is Checked.CLOSE
    assert about("blue/free/a").checked is Checked.OPEN
    assert not rules("[[rules]]\npath='a'").about("b", FILE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rules]\n", "rules.toml: "),
        ("", "no rules: write a table [[rules]]"),
        ("rules = 3", "no rules"),
        ("rules = [3]", "rule 1 of rules.toml: write it as a table"),
        ("[[rule]]\npath = 'a'", "'rule' is not known: write [[rules]]"),
        (
            "[[rules]]\npaths = 'a'",
            "rule 1 of rules.toml, line 1: 'paths' is not known: did you mean 'path'?",
        ),
        ("[[rules]]\n[[rules]]\npath = 3", "rule 2 of rules.toml, line 2: path: expected a text"),
        ("[[rules]]\npath = '/'", "path: '/' cannot be one"),
        ("[[rules]]\nkind = 'fifo'", "kind: 'fifo' cannot be one"),
        ("[[rules]]\ntags = 'a'", "tags: expected a table"),
        ("[[rules]]\ntags = {a = 3}", "tags.a: expected a text"),
        ("[[rules]]\ntags = {a = '{usr}'}", "tags.a: unknown field {usr}: did you mean {user}?"),
        ("[[rules]]\ntags = {a = 'x#{user}'}", "tags.a: value of tag 'a': '#' is not allowed"),
        ("[[rules]]\ntags = {'a#' = 'x'}", "tags.a#: key of tag 'a#'"),
        ("[[rules]]\nrequired = ['a#']", "required: key of tag 'a#'"),
        ("[[rules]]\nrequired = true", "required: expected a text, or a list of texts"),
        ("[[rules]]\ninherit = 3", "inherit: expected a text"),
        ("[[rules]]\nallowed = {a = []}", "allowed.a: expected values"),
        ("[[rules]]\nallowed = ['a']", "allowed: expected a table"),
        ("[[rules]]\nchecked = 'late'", "checked: expected 'open' or 'close', not 'late'"),
        ("[[rules]]\nreset = 1", "reset: expected true or false"),
        ("[[rules]]\ntags = {a = 'x'}\nallowed = {a = 'y'}", "tags.a: 'x' is none of the values"),
    ],
)
def test_mistakes_are_named_with_rule_and_line(text: str, said: str) -> None:
    with pytest.raises(RulesError) as caught:
        rules(text)
    assert said in str(caught.value)


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(RulesError) as caught:
        rules("[[rules]]\npaths = 'a'\n\n[[rules]]\nreset = 1")
    assert str(caught.value).count("rules.toml, line ") == 2


def written(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="no such file"):
        read_rules(RulesPlace(tmp_path / "none"), TAGS)
    (tmp_path / "odd").write_bytes(b"\xff")
    with pytest.raises(RulesError, match="not UTF-8"):
        read_rules(RulesPlace(tmp_path / "odd"), TAGS)
    assert read_rules(RulesPlace(written(tmp_path / "good", RULES)), TAGS)


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_file_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    """It decides about the user's data; who may read it does not matter."""
    with pytest.raises(RulesError, match=f"changed by others .mode {mode:04o}.: chmod go-w"):
        read_rules(RulesPlace(written(tmp_path / "r", RULES, mode)), TAGS)


SETTINGS = """\
[default]
ttl = 30

[[default.rules]]       # of all
required = ["of-default"]

[bucket."oss://photos"]
only = '''
[[bucket."oss://photos".rules]] is written below
'''
[[bucket."oss://photos".rules]]
required = ["first"]
  [[bucket . "oss://photos" . "rules"]]
required = ["second"]

[[rules]]
required = ["above-all"]
"""


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ("default", {4: "of-default"}),
        ('bucket."oss://photos"', {11: "first", 13: "second"}),
        ("", {16: "above-all"}),
    ],
)
def test_rules_of_a_settings_file(tmp_path: Path, section: str, found: dict[int, str]) -> None:
    place = RulesPlace(written(tmp_path / "tagfs.toml", SETTINGS), section)
    rules = read_rules(place, TAGS).rules
    assert [rule.required for rule in rules] == [(key,) for key in found.values()]
    for number, (rule, line) in enumerate(zip(rules, found, strict=True), 1):
        assert rule.name == f"rule {number} of {place}, line {line}"


@pytest.mark.parametrize("section", ["none", "default.ttl", "bucket", "]["])
def test_a_section_without_rules(section: str) -> None:
    with pytest.raises(RulesError, match=r"no rules|no section"):
        parse_rules(SETTINGS, RulesPlace(Path("t"), section), TAGS)


WORDS = st.sampled_from(
    ["path", "kind", "tags", "inherit", "required", "allowed", "fixed", "checked", "reset", "x"]
)
VALUES = st.recursive(
    st.booleans() | st.integers() | st.sampled_from(["", "*", "a", "{user}", "{", "file", "open"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["team", "a b", ""]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(WORDS, VALUES, max_size=3), max_size=3), TEXTS)
def test_any_file_gives_rules_or_our_error(tables: list[dict[str, object]], text: str) -> None:
    written = "\n".join(
        "[[rules]]\n" + "\n".join(f"{word} = {toml(value)}" for word, value in table.items())
        for table in tables
    )
    for whole in (written, text):
        with contextlib.suppress(RulesError):
            found = rules(whole).about("d/a.tif", FILE)
            found.breaches(found.new_tags(made("d/a.tif"), TagSet({"team": "x"})))


def toml(value: object) -> str:
    """Write a value as TOML does."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@given(st.text(max_size=300), st.sampled_from([S3, OSS, OBS]))
def test_a_value_that_is_fitted_is_allowed(text: str, dialect: Dialect) -> None:
    tag_rules = dialect.object_tag_rules
    tag_rules.check({"k": tag_rules.fit(text)})
