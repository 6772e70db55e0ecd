"""Rules about tags: what new files get, and what is refused, for each call that changes tags."""

import errno
import logging
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tagfs.catalogue.expression import parse_expression
from tagfs.catalogue.filtered_bucket import FilteredBucket
from tagfs.errors import NotShown, RuleBroken, ValueNotAllowed
from tagfs.fs.content.journal_entries import FileEntry, parse_note
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import Root
from tagfs.rules.place import RulesPlace
from tagfs.rules.policy import Mode, Policy
from tagfs.rules.rules_file import parse_rules
from tagfs.store.bucket import CachingBucket, Capabilities
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of, tree_of, write

RULES = """
[[rules]]
path = "/given/"
tags = {owner = "{user}", kind = "{ext}", team = "none"}
inherit = ["project"]

[[rules]]
path = "/strict/"
required = ["team"]
allowed = {team = ["blue", "red"]}
fixed = "serial"

[[rules]]
path = "/both/"
tags = {team = "blue"}
required = ["team"]
allowed = {team = ["blue", "red"]}

[[rules]]
path = "/late/"
required = ["team"]
checked = "close"

[[rules]]
path = "*.log"
tags = {class = "log"}
"""
TEAM = "user.tag.team"


@pytest.fixture
def bucket() -> MemoryBucket:
    """With directories of each kind, and old files that follow no rule."""
    one = MemoryBucket()
    for name in ("given", "strict", "both", "late", "free"):
        tags = TagSet({"project": "apollo", "other": "x"}) if name == "given" else NO_TAGS
        one.put(f"{name}/", BytesSource(b""), NewObject(tags=tags))
        one.put(f"{name}/old", BytesSource(b"old"), NewObject(tags=NO_TAGS))
    one.requests.clear()
    return one


def policy(mode: Mode = Mode.ENFORCE) -> Policy:
    return Policy(
        parse_rules(RULES, RulesPlace(Path("rules.toml")), MemoryBucket().object_tag_rules), mode
    )


def cached(bucket: MemoryBucket) -> CachingBucket:
    return CachedBucket(bucket, ttl=60, tag_ttl=60, counts_tags=True)


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(cached(bucket), tmp_path, policy=policy()) as one:
        yield one


def tagged(tree: FileSystem, path: str, tags: dict[str, str], data: bytes = b"x") -> None:
    """Make a file as `cp -a` does: tags are set before it is closed."""
    fh = tree.create(path, 0o600, os.O_WRONLY)
    try:
        tree.write(fh, 0, data)
        for key, value in tags.items():
            tree.setxattr(path, f"user.tag.{key}", value.encode(), 0)
        tree.flush(fh)
    finally:
        tree.release(fh)


GIVEN = {"owner": "root", "kind": "tif", "team": "none", "project": "apollo"}


@pytest.mark.parametrize(
    ("make", "key", "tags"),
    [
        (lambda tree: write(tree, "/given/a.tif"), "given/a.tif", GIVEN),
        (lambda tree: write(tree, "/given/a"), "given/a", {**GIVEN, "kind": ""}),
        (lambda tree: write(tree, "/given/a.tif", b""), "given/a.tif", GIVEN),
        (lambda tree: tree.mkdir("/given/d", 0o700), "given/d/", {**GIVEN, "kind": ""}),
        (lambda tree: tree.symlink("/given/l.tif", "x"), "given/l.tif", GIVEN),
        (lambda tree: tree.mknod("/given/n.tif", 0o100600, 0), "given/n.tif", GIVEN),
        (
            lambda tree: tagged(tree, "/given/a.tif", {"team": "red", "x": "1"}),
            "given/a.tif",
            {**GIVEN, "team": "red", "x": "1"},
        ),
        (
            lambda tree: tagged(tree, "/given/a.tif", dict.fromkeys("abcdefghij", "1")),
            "given/a.tif",
            dict.fromkeys("abcdefghij", "1"),  # no room for more
        ),
        (
            lambda tree: tagged(tree, "/given/a.tif", dict.fromkeys("abcdefgh", "1")),
            "given/a.tif",
            {**dict.fromkeys("abcdefgh", "1"), "owner": "root", "kind": "tif"},
        ),
        (lambda tree: write(tree, "/both/a"), "both/a", {"team": "blue"}),
        (lambda tree: tagged(tree, "/both/a", {"team": "red"}), "both/a", {"team": "red"}),
        (lambda tree: tagged(tree, "/late/a", {"team": "red"}), "late/a", {"team": "red"}),
        (lambda tree: tree.mkdir("/late/d", 0o700), "late/d/", {}),
        (lambda tree: write(tree, "/free/a"), "free/a", {}),
        (lambda tree: write(tree, "/free/a.log"), "free/a.log", {"class": "log"}),
        (lambda tree: write(tree, "/free/.a.log.Xy12zQ"), "free/.a.log.Xy12zQ", {"class": "log"}),
    ],
)
def test_what_new_objects_get(tree, bucket, make, key, tags) -> None:
    make(tree)
    assert bucket.get_tags(key) == tags


def test_they_cost_one_request_for_a_directory_and_none_without_inheritance(tree, bucket) -> None:
    """The tags of a directory are asked for once, and travel in the creating request."""
    for number in range(3):
        write(tree, f"/given/{number}.tif")
    looks = ("lookup", "head")  # of the kernel's, for paths
    asked = [(r.operation, r.key) for r in bucket.requests if r.operation not in looks]
    assert asked == [("get_tags", "given/"), *(("put", f"given/{n}.tif") for n in range(3))]
    bucket.requests.clear()
    write(tree, "/both/a")
    assert [r.operation for r in bucket.requests if r.operation not in looks] == ["put"]


def test_what_a_new_directory_gets_goes_on_to_its_files(tree, bucket) -> None:
    tree.mkdir("/given/d", 0o700)
    bucket.requests.clear()
    write(tree, "/given/d/a.tif")
    assert "get_tags" not in [r.operation for r in bucket.requests]
    assert bucket.get_tags("given/d/a.tif") == GIVEN


def test_tags_are_seen_before_the_file_is_there(tree) -> None:
    fh = tree.create("/given/a.tif", 0o600, os.O_WRONLY)
    assert tree.getxattr("/given/a.tif", "user.tag.project") == b"apollo"
    assert TEAM in tree.listxattr("/given/a.tif")
    tree.removexattr("/given/a.tif", TEAM)
    assert TEAM not in tree.listxattr("/given/a.tif")
    tree.flush(fh)
    tree.release(fh)
    assert TEAM not in tree.listxattr("/given/a.tif")
    assert tree.getxattr("/given/a.tif", "user.tag.owner") == b"root"


@pytest.mark.parametrize("size", [100, 3 * 102_400])
def test_a_large_file_gets_them_when_its_upload_begins(bucket, tmp_path, size) -> None:
    with tree_of(cached(bucket), tmp_path, policy=policy(), part_size=102_400) as tree:
        tagged(tree, "/given/a.tif", {"team": "red"}, b"x" * size)
        write(tree, "/given/b.tif", b"x" * size)
        write(tree, "/given/c.tif", b"x" * size, flags=0)
    assert bucket.get_tags("given/a.tif") == {**GIVEN, "team": "red"}
    assert bucket.get_tags("given/b.tif") == GIVEN
    assert bucket.get_tags("given/c.tif") == GIVEN


def test_appendable_files_get_them(bucket, tmp_path) -> None:
    with tree_of(cached(bucket), tmp_path, policy=policy(), append_objects="*.log") as tree:
        write(tree, "/free/a.log")
    assert bucket.get_tags("free/a.log") == {"class": "log"}


def test_files_whose_close_is_answered_first_get_them(bucket, tmp_path) -> None:
    with tree_of(cached(bucket), tmp_path, policy=policy(), uploads_behind=2) as tree:
        tree.mkdir("/given/d", 0o700)
        write(tree, "/given/d/a.tif")
        with pytest.raises(RuleBroken):
            write(tree, "/late/a")
    assert bucket.get_tags("given/d/") == {**GIVEN, "kind": ""}
    assert bucket.get_tags("given/d/a.tif") == GIVEN


@pytest.mark.parametrize(
    ("make", "number"),
    [
        (lambda tree: tree.create("/strict/a", 0o600, os.O_WRONLY), errno.EPERM),
        (lambda tree: tree.mkdir("/strict/d", 0o700), errno.EPERM),
        (lambda tree: tree.symlink("/strict/l", "x"), errno.EPERM),
        (lambda tree: tree.mknod("/strict/n", 0o100600, 0), errno.EPERM),
        (lambda tree: write(tree, "/late/a"), errno.EPERM),
        (lambda tree: tree.rename("/free/old", "/strict/a"), errno.EPERM),
        (lambda tree: tree.rename("/free", "/strict/free"), errno.EPERM),
        (lambda tree: tree.rename("/free", "/late/free"), errno.EPERM),
        (lambda tree: tree.setxattr("/strict/old", TEAM, b"green", 0), errno.EINVAL),
        (lambda tree: tree.setxattr("/strict/old", "user.tagging", b"team=green", 0), errno.EINVAL),
        (lambda tree: tagged(tree, "/both/a", {"team": "green"}), errno.EINVAL),
    ],
)
def test_what_breaks_a_rule_is_refused(tree, bucket, make, number) -> None:
    """And nothing has changed."""
    before = {info.key for info in bucket.list("", delimiter="").objects}
    with pytest.raises((RuleBroken, ValueNotAllowed)) as caught:
        make(tree)
    assert caught.value.errno == number
    assert "rules.toml, line " in str(caught.value)
    assert caught.value.log_level == logging.WARNING
    after = {info.key for info in bucket.list("", delimiter="").objects}
    assert after - before <= {"both/a"}  # made by its close, with the tags that it may have
    assert before <= after
    assert bucket.get_tags("strict/old") == NO_TAGS


def test_no_tag_goes_that_must_be_there_or_stays(tree, bucket) -> None:
    tree.setxattr("/strict/old", "user.tagging", b"team=blue&serial=1&x=1", 0)
    for change in (
        lambda: tree.removexattr("/strict/old", TEAM),
        lambda: tree.removexattr("/strict/old", "user.tagging"),
        lambda: tree.removexattr("/strict/old", "user.tag.serial"),
        lambda: tree.setxattr("/strict/old", "user.tag.serial", b"2", 0),
        lambda: tree.setxattr("/strict/old", "user.tagging", b"team=blue", 0),
        lambda: tree.setxattr("/strict/old", "user.tagging", b"serial=1", 0),
    ):
        with pytest.raises(RuleBroken):
            change()
    assert bucket.get_tags("strict/old") == {"team": "blue", "serial": "1", "x": "1"}
    tree.setxattr("/strict/old", TEAM, b"red", 0)
    tree.setxattr("/strict/old", "user.tag.serial", b"1", 0)  # no change
    tree.removexattr("/strict/old", "user.tag.x")
    assert bucket.get_tags("strict/old") == {"team": "red", "serial": "1"}


def test_an_old_file_that_breaks_rules_can_be_written_and_tagged(tree, bucket) -> None:
    """It is not made worse; what it must have and has a default for, it gets."""
    for name in ("strict", "both"):
        fh, _ = tree.open(f"/{name}/old", os.O_WRONLY)
        tree.write(fh, 0, b"new")
        tree.flush(fh)
        tree.release(fh)
        assert bucket.get(f"{name}/old").data == b"new"
        tree.setxattr(f"/{name}/old", "user.tag.x", b"1", 0)
    assert bucket.get_tags("strict/old") == {"x": "1"}
    assert bucket.get_tags("both/old") == {"team": "blue", "x": "1"}


def test_an_old_file_keeps_its_tags_and_gets_no_others(tree, bucket) -> None:
    bucket.put_tags("given/old", TagSet({"a": "1"}))
    tree.truncate("/given/old", 0)
    assert bucket.get_tags("given/old") == {"a": "1"}


@pytest.mark.parametrize("name", ["sedXy12zQ", ".goutputstream-A1B2C3", "4913", ".old.Xy12zQ"])
def test_editors_save_where_required_tags_have_a_default(tree, bucket, name) -> None:
    bucket.put_tags("both/old", TagSet({"team": "red", "a": "1"}))
    write(tree, f"/both/{name}", b"new")
    tree.rename(f"/both/{name}", "/both/old")
    assert bucket.get("both/old").data == b"new"
    assert bucket.get_tags("both/old") == {"team": "red", "a": "1"}
    with pytest.raises(RuleBroken):
        write(tree, f"/strict/{name}", b"new")
    assert bucket.get("strict/old").data == b"old"


@pytest.mark.parametrize("uploaded", [True, False])
def test_a_file_that_replaces_another_keeps_the_tags_that_were_chosen(
    tree, bucket, uploaded
) -> None:
    """What rules gave the new one does not count as brought by it: editors, sed -i, rsync."""
    bucket.put_tags("given/old", TagSet({"a": "1"}))
    fh = tree.create("/given/.new.tmp", 0o600, os.O_WRONLY)
    tree.write(fh, 0, b"new")
    if uploaded:
        tree.flush(fh)
        tree.release(fh)
    tree.rename("/given/.new.tmp", "/given/old")
    if not uploaded:
        tree.flush(fh)
        tree.release(fh)
    assert bucket.get("given/old").data == b"new"
    assert bucket.get_tags("given/old") == {"a": "1"}


def test_a_file_with_chosen_tags_brings_them(tree, bucket) -> None:
    bucket.put_tags("given/old", TagSet({"a": "1"}))
    tagged(tree, "/given/new.tif", {"b": "2"})
    tree.rename("/given/new.tif", "/given/old")
    assert bucket.get_tags("given/old") == {**GIVEN, "b": "2"}


def test_a_backup_leaves_its_tags_to_the_new_file(tree, bucket) -> None:
    bucket.put_tags("strict/old", TagSet({"team": "red"}))
    tree.rename("/strict/old", "/strict/old~")
    write(tree, "/strict/old", b"new")
    assert bucket.get_tags("strict/old") == {"team": "red"}


def test_links_that_replace_one_another(tree, bucket) -> None:
    """As `ln -sf` does."""
    tree.symlink("/given/l", "x")
    tree.setxattr("/given/l", "tag.a", b"1", 0)
    tree.symlink("/given/CuXyZ", "y")
    tree.rename("/given/CuXyZ", "/given/l")
    assert bucket.get_tags("given/l") == {**GIVEN, "kind": "", "a": "1"}
    assert tree.readlink("/given/l") == "y"


def test_moving_to_other_rules(tree, bucket) -> None:
    """Tags are kept; what must be there and has a default is filled in; values are judged."""
    tagged(tree, "/free/a", {"x": "1"})
    tree.rename("/free/a", "/both/a")
    assert bucket.get_tags("both/a") == {"x": "1", "team": "blue"}
    tree.rename("/both/a", "/strict/a")
    tree.setxattr("/strict/a", "user.tag.serial", b"7", 0)
    tree.rename("/strict/a", "/given/a")
    assert bucket.get_tags("given/a") == {"x": "1", "team": "blue", "serial": "7"}
    tree.setxattr("/given/a", TEAM, b"green", 0)
    with pytest.raises(RuleBroken):
        tree.rename("/given/a", "/both/a")
    assert bucket.get_tags("given/a")["team"] == "green"


def test_moving_a_directory_to_other_rules(tree, bucket) -> None:
    tree.mkdir("/free/d", 0o700)
    tagged(tree, "/free/d/a", {"x": "1"})
    tree.symlink("/free/d/l", "a")
    tree.rename("/free/d", "/both/d")
    assert bucket.get_tags("both/d/") == {"team": "blue"}
    assert bucket.get_tags("both/d/a") == {"x": "1", "team": "blue"}
    assert bucket.get_tags("both/d/l") == {"team": "blue"}
    bucket.requests.clear()
    tree.rename("/both/d", "/both/e")  # the same rules: nothing is asked
    assert "get_tags" not in [r.operation for r in bucket.requests if r.key != "both/d/l"]
    bucket.put_tags("both/e/a", TagSet({"team": "green"}))
    tree.rename("/both/e", "/free/e")
    with pytest.raises(RuleBroken):
        tree.rename("/free/e", "/both/e")
    assert [i.key for i in bucket.list("both/e/", delimiter="").objects] == []
    assert len(bucket.list("free/e/", delimiter="").objects) == 3


def test_a_new_file_that_is_renamed_before_its_close(tree, bucket) -> None:
    fh = tree.create("/free/a", 0o600, os.O_WRONLY)
    with pytest.raises(RuleBroken):
        tree.rename("/free/a", "/strict/a")
    tree.rename("/free/a", "/given/a.tif")
    tree.flush(fh)
    tree.release(fh)
    assert bucket.get_tags("given/a.tif") == GIVEN


def test_what_mknod_makes_is_not_judged_by_a_close(tree, bucket) -> None:
    """tar makes a file so that has attributes, sets these, and then opens it."""
    tree.release(tree.create("/late/a", 0o600, os.O_WRONLY | os.O_EXCL))
    tree.setxattr("/late/a", TEAM, b"blue", 0)
    fh, _ = tree.open("/late/a", os.O_WRONLY)
    tree.write(fh, 0, b"x")
    tree.flush(fh)
    tree.release(fh)
    assert (bucket.get("late/a").data, bucket.get_tags("late/a")) == (b"x", {"team": "blue"})
    for end in (tree.flush, tree.fsync):
        fh = tree.create("/late/b", 0o600, os.O_WRONLY)
        with pytest.raises(RuleBroken):
            end(fh)
        tree.release(fh)
        assert "late/b" not in keys_of(bucket)


def test_a_value_that_is_not_allowed_is_no_einval_of_a_rename(tree, bucket) -> None:
    """mv(1) says then that a directory would be moved into itself."""
    tagged(tree, "/free/a", {"team": "green"})
    for new in ("/strict/new", "/strict/old"):
        with pytest.raises(RuleBroken, match="may not be 'green'"):
            tree.rename("/free/a", new)
    assert bucket.get_tags("free/a") == {"team": "green"}


def test_a_move_fills_in_what_must_be_there_and_no_more(bucket, tmp_path) -> None:
    text = "[[rules]]\npath = '/both/'\ntags = {team = 'blue', note = 'x'}\nrequired = 'team'"
    rules = Policy(parse_rules(text, RulesPlace(Path("r")), MemoryBucket().object_tag_rules))
    with tree_of(cached(bucket), tmp_path, policy=rules) as tree:
        tree.rename("/free/old", "/both/moved")
        write(tree, "/both/new")
    assert bucket.get_tags("both/moved") == {"team": "blue"}
    assert bucket.get_tags("both/new") == {"team": "blue", "note": "x"}


def test_a_new_file_that_takes_the_place_of_an_old_one_is_not_judged(tree, bucket) -> None:
    """It keeps that one's tags, which are older than the rules, and makes nothing worse."""
    fh = tree.create("/late/new", 0o600, os.O_WRONLY)
    tree.write(fh, 0, b"new")
    tree.rename("/late/new", "/late/old")
    tree.flush(fh)
    tree.release(fh)
    assert bucket.get("late/old").data == b"new"
    assert bucket.get_tags("late/old") == NO_TAGS


def test_a_tools_temporary_file_is_judged_under_its_last_name(tree, bucket) -> None:
    """rsync -X sets attributes after it has closed the file."""
    write(tree, "/late/.a.Xy12zQ")
    with pytest.raises(RuleBroken):
        tree.rename("/late/.a.Xy12zQ", "/late/a")
    tree.setxattr("/late/.a.Xy12zQ", TEAM, b"blue", 0)
    tree.rename("/late/.a.Xy12zQ", "/late/a")
    assert bucket.get_tags("late/a") == {"team": "blue"}


def test_rsync_takes_no_tag_away_that_the_rules_give(tree, bucket) -> None:
    """It makes the attributes of its temporary file those of its source, then renames it."""
    write(tree, "/given/.a.tif.Xy12zQ")
    for key in ("team", "owner", "project"):
        tree.removexattr("/given/.a.tif.Xy12zQ", f"user.tag.{key}")
    tree.setxattr("/given/.a.tif.Xy12zQ", TEAM, b"red", 0)
    tree.rename("/given/.a.tif.Xy12zQ", "/given/a.tif")
    assert bucket.get_tags("given/a.tif") == {**GIVEN, "team": "red"}


@pytest.mark.parametrize("is_uploaded", [True, False])
def test_a_tool_over_a_file_leaves_its_tags(tree, bucket, *, is_uploaded: bool) -> None:
    """rsync -X takes away what only the rules gave: that is no choice of tags.

    With durability=local, or before its close, the new file is renamed before it is uploaded.
    """
    mine = {"team": "red", "mine": "1"}
    bucket.update_tags("both/old", lambda _: TagSet(mine))
    fh = tree.create("/both/.old.Xy12zQ", 0o600, os.O_WRONLY | os.O_EXCL)
    tree.write(fh, 0, b"new")
    if is_uploaded:
        tree.flush(fh)
    tree.removexattr("/both/.old.Xy12zQ", TEAM)
    tree.rename("/both/.old.Xy12zQ", "/both/old")
    tree.flush(fh)
    tree.release(fh)
    assert (bucket.get("both/old").data, bucket.get_tags("both/old")) == (b"new", mine)


def test_a_directory_without_a_marker_hands_on_what_is_above_it(bucket, tmp_path) -> None:
    """Another client made it, or it is being renamed: its marker is copied last."""
    text = "[[rules]]\npath = '/given/'\ninherit = 'project'\nrequired = 'project'"
    rules = Policy(parse_rules(text, RulesPlace(Path("r")), MemoryBucket().object_tag_rules))
    bucket.put("given/implicit/deep/file", BytesSource(b"x"), NewObject(tags=NO_TAGS))
    bucket.put("free/d/", BytesSource(b""), NewObject(tags=NO_TAGS))
    bucket.put("free/d/e/file", BytesSource(b"x"), NewObject(tags=NO_TAGS))
    with tree_of(cached(bucket), tmp_path, policy=rules) as tree:
        write(tree, "/given/implicit/deep/new")
        tree.rename("/free/d", "/given/d")
    for key in ("given/implicit/deep/new", "given/d/", "given/d/e/file"):
        assert bucket.get_tags(key) == {"project": "apollo"}


def test_a_tag_that_stays_is_brought_by_no_tool(bucket, tmp_path) -> None:
    text = "[[rules]]\ntags = {owner = '{user}'}\nfixed = 'owner'"
    rules = Policy(parse_rules(text, RulesPlace(Path("r")), MemoryBucket().object_tag_rules))
    with tree_of(cached(bucket), tmp_path, policy=rules) as tree:
        write(tree, "/free/.a.Xy12zQ")
        tree.setxattr("/free/.a.Xy12zQ", "user.tag.owner", b"anna", 0)
        tree.rename("/free/.a.Xy12zQ", "/free/a")
        with pytest.raises(RuleBroken):
            tagged(tree, "/free/b", {"owner": "anna"})
    assert bucket.get_tags("free/a") == {"owner": "root"}
    assert bucket.get_tags("free/b") == {"owner": "root"}


def test_what_is_refused_at_its_close_stays_on_disk(bucket, tmp_path) -> None:
    with tree_of(cached(bucket), tmp_path, policy=policy()) as tree:
        fh = tree.create("/late/a", 0o600, os.O_WRONLY)
        tree.write(fh, 0, b"precious")
        with pytest.raises(RuleBroken):
            tree.flush(fh)
        tree.setxattr("/late/a", TEAM, b"blue", 0)  # while it is open, that mends it
        tree.fsync(fh)
        tree.release(fh)
        assert bucket.get_tags("late/a") == {"team": "blue"}
        with pytest.raises(RuleBroken):
            write(tree, "/late/b", b"precious")
    assert "late/b" not in {i.key for i in bucket.list("", delimiter="").objects}
    assert b"precious" in [f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()]


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OFF])
def test_rules_that_are_not_enforced(bucket, tmp_path, mode, caplog) -> None:
    with tree_of(cached(bucket), tmp_path, policy=policy(mode)) as tree, caplog.at_level("WARNING"):
        write(tree, "/strict/a")
        tree.setxattr("/strict/a", TEAM, b"green", 0)
        write(tree, "/given/a.tif")
    assert bucket.get_tags("strict/a") == {"team": "green"}
    assert bucket.get_tags("given/a.tif") == GIVEN
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (2 if mode is Mode.WARN else 0)
    assert all("rules.toml, line " in text for text in said)
    caplog.clear()


def test_a_bucket_without_tags_is_written_all_the_same(tmp_path) -> None:
    bucket = MemoryBucket(capabilities=Capabilities(object_tags=False))
    with ExitStack() as stack:
        tree = stack.enter_context(tree_of(cached(bucket), tmp_path, policy=policy()))
        tree.mkdir("/given", 0o700)
        write(tree, "/given/a")
    assert bucket.get("given/a").data == b"x"


RENAMES = {
    "by copies": Capabilities(),
    "by copies, without tags": Capabilities(object_tags=False),
    "by the service": Capabilities(rename=True),
    "by the service, without tags": Capabilities(object_tags=False, rename=True),
}


@pytest.mark.parametrize(
    "case",
    [
        ("/free/old", "/strict/a", True),
        ("/free/old", "/strict/old", False),  # it keeps the tags that it has there, or has not
        ("/free/link", "/strict/link", True),
        ("/free", "/strict/free", True),
        ("/free/empty", "/strict/empty", True),
        ("/free/old", "/late/a", True),
        ("/free/old", "/both/a", False),
        ("/free", "/both/free", False),
        ("/strict/old", "/strict/a", False),  # the same rules: it is older than they
        ("/strict/old", "/free/a", False),
        ("/free/.a.Xy12zQ", "/free/a", False),
    ],
)
@pytest.mark.parametrize("capabilities", RENAMES.values(), ids=RENAMES)
@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.WARN])
def test_a_rename_is_judged_however_it_is_done(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capabilities: Capabilities,
    mode: Mode,
    case: tuple[str, str, bool],
) -> None:
    """Where objects have no tags at all, what comes is judged as what is made there."""
    old, new, refused = case
    bucket = MemoryBucket(capabilities=capabilities)
    for key in ("strict/", "both/", "late/", "free/", "free/empty/"):
        bucket.put(key, BytesSource(b""), NewObject(tags=NO_TAGS))
    link = {"mode": str(stat.S_IFLNK | 0o777)}
    for key in ("free/old", "free/.a.Xy12zQ", "strict/old"):
        bucket.put(key, BytesSource(b"x"), NewObject(tags=NO_TAGS))
    bucket.put("free/link", BytesSource(b"x"), NewObject(metadata=link, tags=NO_TAGS))
    before = keys_of(bucket)
    caplog.set_level(logging.WARNING)
    with tree_of(cached(bucket), tmp_path, policy=policy(mode)) as tree:
        if refused and mode is Mode.ENFORCE:
            with pytest.raises(RuleBroken):
                tree.rename(old, new)
            assert keys_of(bucket) == before
            return
        tree.rename(old, new)
    moved = [key.removeprefix(old[1:]) for key in before if f"{key}/".startswith(f"{old[1:]}/")]
    assert {new[1:] + rest for rest in moved} <= keys_of(bucket)
    assert not [key for key in keys_of(bucket) if f"{key}/".startswith(f"{old[1:]}/")]
    if capabilities.object_tags and new.startswith("/both") and mode is Mode.ENFORCE:
        assert all(bucket.get_tags(new[1:] + rest) == {"team": "blue"} for rest in moved)
    warned = [one for one in caplog.records if "policy=warn" in one.getMessage()]
    assert bool(warned) == (refused and mode is Mode.WARN)


def keys_of(bucket: MemoryBucket) -> set[str]:
    return {info.key for info in bucket.list("", delimiter="").objects}


def test_a_crash_loses_none_of_them(bucket, tmp_path) -> None:
    """They are in the note from which `tagfs recover` finishes a file, new or old."""
    with tree_of(cached(bucket), tmp_path, policy=policy()) as tree:
        made = tree.create("/given/a.tif", 0o600, os.O_WRONLY)
        old, _ = tree.open("/both/old", os.O_WRONLY)
        for fh in (made, old):
            tree.write(fh, 0, b"x")
            tree.files.handle(fh).node.journal_commit()
        notes = [parse_note(file.read_text()) for file in tmp_path.rglob("*.json")]
        found = {n.key: (n.tags, n.defaults) for n in notes if isinstance(n, FileEntry)}
        for fh in (made, old):
            tree.flush(fh)
            tree.release(fh)
    assert found == {"given/a.tif": (GIVEN, {}), "both/old": (None, {"team": "blue"})}


@pytest.mark.parametrize(("path", "made"), [("/both/a", True), ("/given/a.tif", False)])
def test_a_mount_of_some_objects_makes_what_the_rules_let_match(
    bucket, tmp_path, path, made
) -> None:
    """With `only=team=blue`: a file that the rules give this tag can be made, and no other."""
    for name in ("both/", "given/"):
        bucket.update_tags(name, lambda tags: tags.with_tag("team", "blue"))
    only = FilteredBucket(cached(bucket), parse_expression("team=blue"), None)
    with tree_of(only, tmp_path, policy=policy(), scope=only) as tree:
        if made:
            write(tree, path)
            tree.symlink("/both/l", "a")
        else:
            with pytest.raises(NotShown):
                write(tree, path)
    assert (path[1:] in {i.key for i in bucket.list("", delimiter="").objects}) is made


def test_patterns_begin_where_the_bucket_does(bucket, tmp_path) -> None:
    """Whatever part of it is mounted."""
    with ThreadPoolExecutor(2) as executor:
        whole = environment_of(cached(bucket), tmp_path, executor, None, policy())
        tree = FileSystem(replace(whole, root=Root("given/")), dict)
        write(tree, "/a.tif")
        tree.close()
    assert bucket.get_tags("given/a.tif") == GIVEN
