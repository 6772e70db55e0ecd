"""Every command on URLs, judged by the vendor's SDK."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.service.bulk.conftest import Subject, run_tag, start_tag


@pytest.fixture
def tree(subject: Subject) -> Subject:
    subject.put("a", "logs/x.gz", "logs/y.gz", "logs/z.txt", "logs/deep/q.gz", "d/", keep="1")
    return subject


class TestSetAndGet:
    def test_set_keeps_the_others(self, tree: Subject) -> None:
        ran = tree.run("set", "team=blue", "retention=7y", f"{tree.url}/a", f"{tree.url}/d/")
        assert "2 changed" in ran.err
        assert tree.tags("a") == {"keep": "1", "team": "blue", "retention": "7y"}
        assert tree.tags("d/") == tree.tags("a")
        log = tree.requests()
        assert "1 unchanged" in tree.run("set", "team=blue", f"{tree.url}/a").err
        assert log.kinds() == {"GET tagging": 1}

    def test_get(self, tree: Subject) -> None:
        tree.tag("a", {"team": "blue", "部门": "市 场"})
        assert tree.run("get", f"{tree.url}/a").lines == ["team=blue", "部门=市 场"]
        assert tree.run("get", "-k", "team", f"{tree.url}/a").lines == ["team=blue"]
        missing = tree.run("get", "-k", "nope", f"{tree.url}/a", status=1)
        assert "no tag 'nope'" in missing.err
        lines = tree.run("get", "-R", f"{tree.url}/logs").lines
        assert lines[0] == f"{tree.url}/logs/deep/q.gz: keep=1"
        assert len(lines) == 4

    def test_replace_reads_only_to_know_that_there_can_be_tags(self, tree: Subject) -> None:
        log = tree.requests()
        tree.run("replace", "team=blue", f"{tree.url}/a", f"{tree.url}/logs/deep/q.gz")
        assert log.kinds() == {"GET tagging": 1, "PUT tagging": 2}
        assert tree.tags("a") == {"team": "blue"}

    def test_rm(self, tree: Subject) -> None:
        tree.tag("a", {"a": "1", "b": "2", "c": "3"})
        tree.run("rm", "a,c,missing", f"{tree.url}/a")
        assert tree.tags("a") == {"b": "2"}
        log = tree.requests()
        tree.run("rm", "--all", "-R", f"{tree.url}/")
        assert log.kinds() == {"GET list": 1, "GET tagging": 1, "DELETE tagging": 6}
        assert set(map(str, tree.all_tags().values())) == {"{}"}

    def test_odd_tags(self, tree: Subject) -> None:
        tree.run("set", "--tagging", "a%3Db=c%20d", "/not/a/tag=1", status=1)
        tree.run("set", "--tagging", "a%3Db=c%20d&k=", f"{tree.url}/a")
        assert tree.tags("a") == {"keep": "1", "a=b": "c d", "k": ""}

    def test_the_bucket_itself(self, tree: Subject) -> None:
        tree.run("set", "cost=42", "owner=me", tree.url)
        tree.run("rm", "owner", tree.url)
        assert dict(tree.sdk.get_bucket_tagging().tag_set.tagging_rule) == {"cost": "42"}
        assert tree.run("get", tree.url).lines == ["cost=42"]
        before = tree.all_tags()
        tree.run("set", "-R", "team=blue", tree.url)
        assert dict(tree.sdk.get_bucket_tagging().tag_set.tagging_rule) == {"cost": "42"}
        assert tree.all_tags() == {key: {**tags, "team": "blue"} for key, tags in before.items()}

    def test_an_implicit_directory_gets_its_marker(self, tree: Subject) -> None:
        assert tree.run("get", f"{tree.url}/logs/").lines == []
        tree.run("set", "team=blue", f"{tree.url}/logs/")
        assert tree.tags("logs/") == {"team": "blue"}
        ran = tree.run("set", "team=blue", f"{tree.url}/nothing/", status=1)
        assert "neither" in ran.err

    def test_links_are_tagged_themselves(self, tree: Subject) -> None:
        tree.sdk.put_symlink("a", "lnk")
        tree.run("set", "team=link", f"{tree.url}/lnk")
        assert tree.tags("lnk") == {"team": "link"}
        assert tree.tags("a") == {"keep": "1"}


class TestChoosing:
    @pytest.mark.parametrize(
        ("words", "keys"),
        [
            (["{}/logs/*.gz"], ["logs/x.gz", "logs/y.gz"]),
            (["{}/logs/[x]*"], ["logs/x.gz"]),
            (["{}/**/*.gz"], ["logs/deep/q.gz", "logs/x.gz", "logs/y.gz"]),
            (["{}/*/*/q.gz"], ["logs/deep/q.gz"]),
            (["{}/*"], ["a"]),
            (["{}/*/"], ["d/", "logs/"]),
            (["-R", "{}/l*"], ["logs/deep/q.gz", "logs/x.gz", "logs/y.gz", "logs/z.txt"]),
            (["-R", "{}/logs"], ["logs/deep/q.gz", "logs/x.gz", "logs/y.gz", "logs/z.txt"]),
            (["-R", "{}/a"], ["a"]),
            (["-R", "{}/d"], ["d/"]),
            (["-R", "{}/", "--include", "*.gz"], ["logs/deep/q.gz", "logs/x.gz", "logs/y.gz"]),
            (["-R", "{}/", "--exclude", "logs"], ["a", "d/"]),
            (["-R", "{}/logs", "--include", "deep/*", "--include", "z*"],
             ["logs/deep/q.gz", "logs/z.txt"]),
            (["-R", "{}/logs", "--exclude", "deep", "--exclude", "*.txt"],
             ["logs/x.gz", "logs/y.gz"]),
        ],
    )  # fmt: skip
    def test_targets(self, tree: Subject, words: list[str], keys: list[str]) -> None:
        ran = tree.run("set", "hit=1", "-v", *(word.format(tree.url) for word in words))
        assert [line.rpartition(": ")[0] for line in ran.lines] == [f"{tree.url}/{k}" for k in keys]
        assert [key for key, tags in tree.all_tags().items() if "hit" in tags] == keys

    def test_odd_keys_can_be_named_as_they_are_shown(self, subject: Subject) -> None:
        keys = ["100%", "a*b", "new\nline", "q?", "sp ace", "[x]", "back\\slash", "中文"]
        subject.put(*keys)
        shown = subject.run("find", "-0", "not *", subject.url).out.split("\0")[:-1]
        assert len(shown) == len(keys)
        for number, name in enumerate(shown):
            subject.run("set", f"n={number}", name)
        found = {tags["n"]: key for key, tags in subject.all_tags().items()}
        assert sorted(found.values()) == sorted(keys)
        assert [found[str(n)] for n in range(len(keys))] == sorted(keys, key=str.encode)

    def test_keys_that_no_request_can_name_are_reported(self, subject: Subject) -> None:
        subject.put("a//b", "c")
        ran = subject.run("set", "-R", "team=blue", f"{subject.url}/", status=1)
        assert "1 changed, 0 unchanged, 1 failed" in ran.err
        assert f"{subject.url}/a//b: key" in ran.err

    def test_many_pages_in_order(self, subject: Subject) -> None:
        subject.put(*(f"k{number:04}" for number in range(1203)))
        log = subject.requests()
        lines = subject.run("find", "not team", subject.url).lines
        assert lines == [f"{subject.url}/k{number:04}" for number in range(1203)]
        assert log.kinds() == {"GET list": 2, "GET tagging": 1203}


class TestTelling:
    def test_dry_run_sends_no_write(self, tree: Subject, tmp_path: Path) -> None:
        before = tree.all_tags()
        dump = tmp_path / "dump"
        dump.write_text('# file: a\nuser.tag.keep="2"\n')
        log = tree.requests()
        audit = tmp_path / "audit"
        for words, planned in (
            (
                ["set", "team=blue", "-R", f"{tree.url}/"],
                "6 changed, 0 unchanged, with 6 GET and 6",
            ),
            (["set", "keep=1", "-R", f"{tree.url}/"], "0 changed, 6 unchanged, with 6 GET and 0"),
            (["replace", "x=1", "-R", f"{tree.url}/"], "6 changed, 0 unchanged, with 0 GET and 6"),
            (["rm", "keep", f"{tree.url}/a"], "1 changed, 0 unchanged, with 1 GET and 1"),
            (["restore", "--base", tree.url, dump], "1 changed, 0 unchanged, with 1 GET and 1"),
            (["set", "team=blue", f"{tree.url}/logs/"], "1 changed, 0 unchanged"),
        ):
            ran = tree.run(*words, "--dry-run", "--audit", audit)
            assert planned in ran.err
        assert {row["method"] for row in log.rows()} == {"GET"}
        assert tree.all_tags() == before
        assert sorted(tmp_path.iterdir()) == [dump]
        ran = tree.run("set", "team=blue", "keep=2", f"{tree.url}/a", "-n")
        assert ran.lines == [f"{tree.url}/a: +team=blue keep=1 -> 2"]

    def test_json(self, tree: Subject) -> None:
        ran = tree.run("set", "--json", "team=blue", f"{tree.url}/a", f"{tree.url}/no", status=1)
        assert ran.records[0] == {
            "path": f"{tree.url}/a",
            "old": {"keep": "1"},
            "new": {"keep": "1", "team": "blue"},
        }
        assert "no such object" in ran.records[1]["error"]
        assert tree.run("get", "--json", f"{tree.url}/d/").records == [
            {"path": f"{tree.url}/d/", "tags": {"keep": "1"}}
        ]
        found = tree.run("find", "--json", "team", tree.url).records
        assert [record["path"] for record in found] == [f"{tree.url}/a"]

    def test_failures_are_reported_and_the_rest_is_done(self, tree: Subject) -> None:
        tree.tag("logs/y.gz", {f"k{n}": "v" for n in range(10)})
        ran = tree.run("set", "team=blue", "-R", f"{tree.url}/logs", status=1)
        assert "3 changed, 0 unchanged, 1 failed" in ran.err
        assert f"{tree.url}/logs/y.gz: 11 tags" in ran.err
        assert tree.tags("logs/z.txt")["team"] == "blue"
        assert len(tree.tags("logs/y.gz")) == 10

    def test_progress_is_lines_where_nobody_watches(self, tree: Subject) -> None:
        assert "\x1b" not in tree.run("set", "team=blue", "-R", f"{tree.url}/").err

    @pytest.mark.parametrize(
        "words",
        [
            ["set"],
            ["set", "team=blue"],
            ["set", "oss://bucket/a"],
            ["set", "team=blue", "team=red", "oss://bucket/a"],
            ["replace", "oss://bucket/a"],
            ["rm", "oss://bucket/a"],
            ["rm", "team"],
            ["rm", "team,", "oss://bucket/a"],
            ["get"],
            ["find", "team=", ],
            ["find", "team and", "oss://bucket"],
            ["restore", "--nope"],
            ["undo", "/no/such/file"],
            ["set", "--parallel", "0", "team=blue", "oss://bucket/a"],
        ],
    )  # fmt: skip
    def test_usage(self, words: list[str]) -> None:
        ran = run_tag(*words, status=2)
        assert "Error:" in ran.err

    @pytest.mark.parametrize("glob", ["zzz*", "a/*.nothing", "**/*.nothing"])
    def test_a_glob_that_matches_nothing_is_an_error(self, tree: Subject, glob: str) -> None:
        ran = tree.run("set", "team=blue", f"{tree.url}/{glob}", status=1)
        assert f"{glob}: nothing matches" in ran.err
        assert tree.run("set", "team=blue", f"{tree.url}/*", "--include", "zzz").status == 0

    def test_a_file_that_is_no_audit_is_an_error(self, tree: Subject, tmp_path: Path) -> None:
        dump = tmp_path / "tags.dump"
        dump.write_text('# file: a\nuser.tag.team="blue"\n')
        assert "records no change" in tree.run("undo", dump, status=1).err
        dump.write_text("")
        assert tree.run("undo", dump).err == "0 changed, 0 unchanged\n"

    def test_no_request_for_what_no_service_keeps(self, tree: Subject) -> None:
        log = tree.requests()
        for tag in ("k" * 129 + "=v", "k=" + "v" * 257, "k=a,b", "=v"):
            ran = tree.run("set", tag, "-R", f"{tree.url}/", status=1)
            assert ran.err.startswith("tagfs: ")
        many = [f"k{n}=v" for n in range(11)]
        tree.run("replace", *many, f"{tree.url}/a", status=1)
        assert len(log) == 0

    def test_what_is_wrong_is_said(self, tree: Subject, tmp_path: Path) -> None:
        none = {"OSS_ACCESS_KEY_ID": ""}
        ran = run_tag("get", f"{tree.url}/a", *tree.connection, env=none, status=1)
        assert "OSS_ACCESS_KEY_ID" in ran.err
        assert "no tagfs mount" in run_tag("get", tmp_path, status=1).err
        assert "endpoint" in run_tag("get", f"{tree.url}/a", status=1).err
        assert "s4" in run_tag("get", "s4://x/a", status=1).err
        wrong = {"OSS_ACCESS_KEY_SECRET": "wrong"}
        ran = run_tag("set", "a=b", f"{tree.url}/a", *tree.connection, env=wrong, status=1)
        assert "1 failed" in ran.err

    def test_a_reader_that_goes_ends_it(self, subject: Subject) -> None:
        subject.put(*(f"k{number:04}" for number in range(1100)))
        with start_tag("find", "not *", subject.url, *subject.connection) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            process.wait(60)
            assert process.stderr is not None
            assert b"Traceback" not in process.stderr.read()


class TestFind:
    def test_find(self, tree: Subject) -> None:
        tree.tag("logs/x.gz", {"team": "blue", "retention": "7y"})
        tree.tag("logs/y.gz", {"team": "blue"})

        def find(expression: str) -> list[str]:
            lines = tree.run("find", expression, tree.url).lines
            return [line.removeprefix(tree.url + "/") for line in lines]

        assert find("team=blue and not retention") == ["logs/y.gz"]
        assert find("team") == ["logs/x.gz", "logs/y.gz"]
        assert find("retention~^[0-9]+y$") == ["logs/x.gz"]
        assert find("not team and keep=1") == ["a", "d/", "logs/deep/q.gz", "logs/z.txt"]
        assert tree.run("find", "team", f"{tree.url}/d").lines == []


class TestAudit:
    def test_lines_and_undo(self, tree: Subject, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        before = tree.all_tags()
        tree.run("set", "-R", "team=blue", "--audit", audit, f"{tree.url}/")
        tree.run("replace", "only=this", "--audit", audit, f"{tree.url}/a", f"{tree.url}/d/")
        tree.run("rm", "--all", "--audit", audit, f"{tree.url}/a")
        lines = [json.loads(line) for line in audit.read_text().splitlines()]
        intents = [line for line in lines if "old" in line]
        results = {line["id"]: line["result"] for line in lines if "result" in line}
        assert len(intents) == 9
        assert {results[intent["id"]] for intent in intents} == {"done"}
        assert (audit.stat().st_mode & 0o777) == 0o600
        assert intents[0]["key"] in before
        assert "emulator-secret" not in audit.read_text()

        again = tmp_path / "again.jsonl"
        ran = run_tag("undo", audit, "--audit", again)
        assert "6 changed" in ran.err
        assert tree.all_tags() == before
        assert "0 changed, 6 unchanged" in run_tag("undo", audit).err

        run_tag("undo", again)
        assert tree.tags("a") == {}
        assert tree.tags("d/") == {"only": "this"}

    def test_changes_of_others_in_between_stay(self, tree: Subject, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        tree.run("set", "team=blue", "--audit", audit, f"{tree.url}/a")
        tree.tag("a", {"other": "1"})
        tree.run("set", "team=red", "--audit", audit, f"{tree.url}/a")
        run_tag("undo", audit)
        assert tree.tags("a") == {"other": "1"}

    def test_what_others_changed_is_left_alone(self, tree: Subject, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        tree.run("set", "-R", "team=blue", "--audit", audit, f"{tree.url}/logs")
        tree.tag("logs/x.gz", {"other": "1"})
        tree.sdk.delete_object("logs/y.gz")
        ran = run_tag("undo", audit, status=1)
        assert "2 changed" in ran.err
        assert "2 failed" in ran.err
        assert "not undone: the tags are other=1" in ran.err
        assert tree.tags("logs/x.gz") == {"other": "1"}
        assert tree.tags("logs/z.txt") == {"keep": "1"}

    def test_an_intent_without_result_is_undone(self, tree: Subject, tmp_path: Path) -> None:
        """A crash between the change and its last line: undo judges by the tags."""
        audit = tmp_path / "audit.jsonl"
        words = ["set", "team=blue", "--audit", str(audit), f"{tree.url}/a", f"{tree.url}/d/"]
        tree.run(*words)
        kept = [line for line in audit.read_text().splitlines() if "result" not in line]
        audit.write_text("\n".join(kept)[:-20])  # the last line torn, too
        run_tag("undo", audit)
        assert sorted(map(len, (tree.tags("a"), tree.tags("d/")))) == [1, 2]

    def test_no_audit_no_change(self, tree: Subject) -> None:
        before = tree.all_tags()
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full")
        ran = tree.run("set", "-R", "team=blue", "--audit", "/dev/full", f"{tree.url}/", status=1)
        assert "No space left" in ran.err
        assert tree.all_tags() == before
        ran = tree.run("set", "team=blue", "--audit", "/no/dir/x", f"{tree.url}/a", status=1)
        assert "No such file" in ran.err


class TestDump:
    def test_dump_and_restore(self, tree: Subject, tmp_path: Path) -> None:
        long = "长" * 100
        tree.tag("logs/x.gz", {long: "v", "b": "2"})
        tree.tag("a", {"q": "x", "中": "文", "e": "", "a=b": "c:/+"})
        tree.put("sp ace/new\nline", "back\\slash", n="1")
        tree.put("untagged", "shadow", "shadow/")
        tree.tag("shadow", {"o": "object"})
        tree.tag("shadow/", {"d": "directory"})
        tree.sdk.put_symlink("a", "lnk")
        tree.tag("lnk", {"team": "link"})
        tree.run("set", "cost=42", tree.url)
        dump = tmp_path / "dump"
        dump.write_text(tree.run("dump", "-R", tree.url).out)
        assert dump.read_text().startswith('# file: .\nuser.tag.cost="42"\n\n# file: a\n')
        before = tree.all_tags()
        tree.run("rm", "--all", "-R", tree.url)
        tree.run("rm", "--all", tree.url)
        tree.run("set", "new=1", f"{tree.url}/a")
        tree.run("restore", "--base", tree.url, dump)
        after = tree.all_tags()
        assert after.pop("a") == {**before.pop("a"), "new": "1"}
        assert after == before
        assert tree.run("get", tree.url).lines == ["cost=42"]
        assert sorted(tmp_path.iterdir()) == [dump]

        log = tree.requests()
        ran = tree.run("restore", "--base", tree.url, "--replace", "-", text=dump.read_bytes())
        assert "12 changed" in ran.err
        assert log.kinds()["GET tagging"] <= 2  # the bucket's, and none but that
        assert tree.tags("a") == {"q": "x", "中": "文", "e": "", "a=b": "c:/+"}

    def test_restore_elsewhere(self, tree: Subject, tmp_path: Path) -> None:
        dump = tmp_path / "dump"
        dump.write_text(
            '# file: mnt/old/x.gz\nuser.tag.a="1"\n\n# file: mnt/old/deep\nuser.tag.b="2"\n'
        )
        tree.run("restore", "--strip", "2", "--base", f"{tree.url}/logs", dump)
        assert tree.tags("logs/x.gz") == {"keep": "1", "a": "1"}
        assert tree.tags("logs/deep/") == {"b": "2"}
        ran = tree.run("restore", "--strip", "3", "--base", tree.url, dump, status=1)
        assert "no more than 3 components" in ran.err

    def test_a_dump_with_mistakes_changes_nothing(self, tree: Subject, tmp_path: Path) -> None:
        dump = tmp_path / "dump"
        dump.write_text(
            '# file: a\nuser.tag.t="1"\nuser.comment="x"\n\n# file: logs/x.gz\nuser.tag.t="a,b"\n\n'
            f'# file: d\nuser.tag.{"k" * 129}="1"\n'
        )
        log = tree.requests()
        ran = tree.run("restore", "--base", tree.url, dump, status=1)
        assert "line 5: logs/x.gz" in ran.err
        assert "2 of 3 entries" in ran.err
        assert "1 attributes of" in ran.err
        assert len(log) == 0
        ran = tree.run("restore", "--keep-going", "--base", tree.url, dump, status=1)
        assert "1 changed, 0 unchanged, 2 failed" in ran.err
        assert tree.tags("a") == {"keep": "1", "t": "1"}

    def test_no_dump(self, tree: Subject, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.write_text("hello\n")
        assert "line 1" in tree.run("restore", "--base", tree.url, other, status=1).err
        assert "no file" in tree.run("restore", "--base", tree.url, "/no/file", status=1).err

    def test_another_restore_is_not_mixed_in(self, tree: Subject, tmp_path: Path) -> None:
        dump = tmp_path / "dump"
        dump.write_text('# file: a\nuser.tag.t="1"\n\n# file: gone\nuser.tag.t="1"\n')
        tree.run("restore", "--base", tree.url, dump, status=1)
        assert (tmp_path / "dump.progress").exists()
        ran = tree.run("restore", "--base", tree.url, "--replace", dump, status=1)
        assert "another restore" in ran.err
        tree.put("gone")
        log = tree.requests()
        ran = tree.run("restore", "--base", tree.url, dump)
        assert "1 changed, 0 unchanged, 1 done before" in ran.err
        assert {row["key"] for row in log.rows()} == {"gone"}
        assert not (tmp_path / "dump.progress").exists()

    def test_local_files_move_into_a_bucket(self, tree: Subject, tmp_path: Path) -> None:
        """What getfattr says of local files is restored to the objects that they became."""
        local = tmp_path / "local"
        names = ["plain", "sp ace", "new\nline", "中文", "back\\slash", "d/x"]
        (local / "d").mkdir(parents=True)
        for name in names:
            (local / name).touch()
            try:
                os.setxattr(local / name, "user.tag.name", name.replace("\n", "").encode()[:9])
            except OSError:
                pytest.skip("no user.* attributes on the local file system")
            tree.put(name)
        command = ["getfattr", "-R", "-d", "."]
        dump = subprocess.run(command, cwd=local, capture_output=True, check=True).stdout
        # The backslash is refused by the service, so that one object is reported.
        ran = tree.run("restore", "--base", tree.url, "-k", text=dump, status=1)
        assert "1 failed" in ran.err
        for name in names:
            if "\\" not in name:
                assert tree.tags(name)["name"]
