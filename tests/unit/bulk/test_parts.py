"""The small parts of the bulk commands, one by one."""

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tagfs.bulk.arguments import add_tagging, split_keys, split_tags
from tagfs.bulk.audit import read_chains
from tagfs.bulk.ordered_pool import OrderedPool, Stop
from tagfs.bulk.progress_file import ProgressFile
from tagfs.errors import SettingsError
from tagfs.fuse.mountinfo import parse_mountinfo
from tagfs.globs import Filter, compile_glob, decode_pattern, has_magic
from tagfs.host.mount_table import Mount, find_mount, tagfs_mounts
from tagfs.localfiles.append_log import DurableLines
from tagfs.store.tags import TagSet
from tests.test_layers import MODULES, imports


class TestWords:
    def test_tags_come_first(self) -> None:
        words = ["team=blue", "empty=", "a=b=c", "oss://b/k=v", "x=y"]
        tags, targets = split_tags(words, lambda _: False)
        assert tags == {"team": "blue", "empty": "", "a": "b=c"}
        assert targets == ("oss://b/k=v", "x=y")
        assert split_tags(["./year=2024"], lambda _: False) == (TagSet(), ("./year=2024",))
        assert split_tags(["/y=1"], lambda _: False) == (TagSet(), ("/y=1",))

    def test_a_word_that_may_be_either_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="also a path"):
            split_tags(["team=blue", "year=2024", "x"], lambda word: word == "year=2024")
        with pytest.raises(SettingsError, match="twice"):
            split_tags(["a=1", "a=2", "x"], lambda _: False)

    def test_keys(self) -> None:
        assert split_keys(["team,cost", "a", "b"]) == (("team", "cost"), ("a", "b"))
        for words in ([], ["a,"], ["oss://b/k"], ["/mnt/x"], ["./x"]):
            with pytest.raises(SettingsError):
                split_keys(words)

    def test_tagging(self) -> None:
        assert add_tagging(TagSet({"a": "1"}), "b%3Dc=2") == {"a": "1", "b=c": "2"}
        with pytest.raises(SettingsError):
            add_tagging(TagSet(), "a=1=2")


class TestGlobs:
    @pytest.mark.parametrize(
        ("glob", "matches", "others"),
        [
            ("*.gz", ["a.gz", ".gz", "a\nb.gz"], ["d/a.gz", "a.gz.x"]),
            ("a?c", ["abc", "a中c"], ["a/c", "ac"]),
            ("**/x", ["x", "a/x", "a/b/x"], ["ax", "a/bx"]),
            ("a/**", ["a/b", "a/b/c", "a/"], ["b/a"]),
            ("[ab]x", ["ax", "bx"], ["cx"]),
            ("[!ab]x", ["cx"], ["ax", "/x"]),
            ("[]]", ["]"], ["["]),
            ("a[b", ["a[b"], ["ab"]),
            ("[*]", ["*"], ["x"]),
            ("a.b", ["a.b"], ["axb"]),
            ("[^a]", ["^", "a"], ["b"]),
        ],
    )
    def test_matches(self, glob: str, matches: list[str], others: list[str]) -> None:
        regex = compile_glob(glob)
        assert all(regex.fullmatch(text) for text in matches)
        assert not any(regex.fullmatch(text) for text in others)

    @given(st.text(alphabet="ab*?[]!^-\\/&|~", max_size=12))
    def test_every_text_is_a_glob(self, text: str) -> None:
        compile_glob(text)

    @given(st.text(max_size=10))
    def test_what_is_encoded_is_plain(self, text: str) -> None:
        encoded = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))
        plain = text.encode("utf-8", "replace").decode()
        assert not has_magic(encoded)
        assert compile_glob(decode_pattern(encoded)).fullmatch(plain)

    def test_filter(self) -> None:
        chosen = Filter(["*.gz", "d/*.txt"], ["tmp", "old-*"])
        assert chosen.wants("a.gz")
        assert chosen.wants("x/y/a.gz")
        assert chosen.wants("d/a.txt")
        assert not chosen.wants("a.txt")
        assert not chosen.wants("x/d/a.txt")
        assert not chosen.wants("tmp/a.gz")
        assert not chosen.wants("x/tmp/y/a.gz")
        assert not chosen.wants("x/old-a.gz")
        assert Filter().wants("anything")


class TestMounts:
    TABLE = (
        "22 1 0:21 / / rw - ext4 /dev/vda rw\n"
        "40 22 0:50 / /mnt rw,nosuid - fuse.tagfs oss://b rw,user_id=0\n"
        "41 22 0:51 / /mnt/sp\\040ace rw shared:1 - fuse.tagfs oss://c/pre\\040fix/ rw\n"
        "42 22 0:52 / /other rw - fuse.sshfs host: rw\n"
    )

    def test_table(self) -> None:
        mounts = tagfs_mounts(parse_mountinfo(self.TABLE))
        assert mounts == [Mount("/mnt", "oss://b"), Mount("/mnt/sp ace", "oss://c/pre fix/")]

    def test_the_innermost_mount_holds_a_path(self) -> None:
        mounts = tagfs_mounts(parse_mountinfo(self.TABLE))
        assert find_mount("/mnt/x", mounts) == mounts[0]
        assert find_mount("/mnt/sp ace/x", mounts) == mounts[1]
        assert find_mount("/mntx", mounts) is None
        assert mounts[1].below("/mnt/sp ace/x/y") == "/x/y"
        assert mounts[1].below("/mnt/sp ace") == "/"


class TestDurableLines:
    def test_many_threads(self, tmp_path: Path) -> None:
        path = tmp_path / "lines"

        def write(number: int) -> None:
            for count in range(20):
                line = b"%d-%d" % (number, count)
                lines.append(line)
                assert line + b"\n" in path.read_bytes()

        with DurableLines(path) as lines:
            threads = [threading.Thread(target=write, args=(n,)) for n in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(set(path.read_bytes().splitlines())) == 320

    def test_a_torn_line_does_not_damage_the_next(self, tmp_path: Path) -> None:
        path = tmp_path / "lines"
        path.write_bytes(b"one\ntor")
        with DurableLines(path) as lines:
            lines.append(b"two")
        assert path.read_bytes() == b"one\ntor~\ntwo\n"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
    def test_a_full_disk_fails_all(self, tmp_path: Path) -> None:
        lines = DurableLines(tmp_path / "lines")
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, lines._file)
        for add in (lines.append, lines.append, lines.note):
            with pytest.raises(SettingsError, match="No space left"):
                add(b"x")

    def test_half_of_a_number_is_no_number(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A disk that takes less than a line: no other line goes on from there."""
        path = tmp_path / "p"
        write = os.write
        with ProgressFile(path, {}) as progress:
            with monkeypatch.context() as patch:
                room = iter((1, 0))

                def full(fd: int, data: bytes) -> int:
                    left = next(room)
                    if not left:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    return write(fd, data[:left])

                patch.setattr("os.write", full)
                with pytest.raises(SettingsError, match="No space left"):
                    progress.add(12)
            with pytest.raises(SettingsError, match="No space left"):
                progress.add(3)
        with ProgressFile(path, {}) as progress:
            progress.add(4)
        with ProgressFile(path, {}) as progress:
            assert [number for number in range(50) if number in progress] == [4]

    def test_one_user(self, tmp_path: Path) -> None:
        with DurableLines(tmp_path / "lines", exclusive=True), pytest.raises(SettingsError):
            DurableLines(tmp_path / "lines", exclusive=True)


def test_progress(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with ProgressFile(path, {"dump": "x"}) as progress:
        progress.add(7)
        progress.add(3)
        assert 3 not in progress
    with path.open("ab") as file:
        file.write(b"1")
    with ProgressFile(path, {"dump": "x"}) as progress:
        assert [n for n in range(10) if n in progress] == [3, 7]
        assert 10**9 not in progress
    with pytest.raises(SettingsError, match="another restore"):
        ProgressFile(path, {"dump": "y"})
    with ProgressFile(path, {"dump": "x"}) as progress:
        progress.finish()
    assert not path.exists()


def test_audit_is_read_by_object(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    url = "oss://bucket"
    lines = [
        {"id": "1", "url": url, "key": "a", "old": {}, "new": {"k": "1"}},
        {"id": "1", "result": "done"},
        {"id": "2", "url": url, "key": "b", "old": {"k": "1"}, "new": {}},
        {"id": "3", "url": url, "key": "a", "old": {"k": "1"}, "new": {"k": "2"}},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"id": "4", "ur')
    chains = {chain[0].key: [dict(r.new) for r in chain] for chain in read_chains(path)}
    assert chains == {"a": [{"k": "1"}, {"k": "2"}], "b": [{}]}


class TestEngine:
    def test_order_and_window(self) -> None:
        running: set[int] = set()
        most = 0
        taken = 0
        lock = threading.Lock()

        def work(number: int) -> int:
            nonlocal most
            with lock:
                running.add(number)
                most = max(most, len(running))
            time.sleep(0.002 * (number % 3))
            with lock:
                running.discard(number)
            return number

        def numbers():
            nonlocal taken
            for number in range(300):
                taken += 1
                yield number

        engine = OrderedPool(work, lambda n: n, Stop(), parallel=8)
        for done, result in enumerate(engine.run(numbers())):
            assert result == done
            assert taken - done <= 8 * 4 + 1
        assert most == 8
        assert done == 299

    def test_same_identity_one_after_the_other(self) -> None:
        seen: list[int] = []

        def work(number: int) -> int:
            time.sleep(0.001 * (10 - number))
            seen.append(number)
            return number

        assert list(OrderedPool(work, lambda _: "same", Stop(), 8).run(range(10))) == list(
            range(10)
        )
        assert seen == list(range(10))

    def test_stop_finishes_what_has_begun(self) -> None:
        stop = Stop()
        begun: list[int] = []

        def work(number: int) -> int:
            begun.append(number)
            if number == 20:
                stop.set()
            time.sleep(0.005)
            return number

        results = list(OrderedPool(work, lambda n: n, stop, 4).run(range(1000)))
        assert sorted(results) == sorted(begun)
        assert 20 in results
        assert len(results) < 60

    def test_a_bug_is_raised(self) -> None:
        with pytest.raises(ZeroDivisionError):
            list(OrderedPool(_divide, lambda n: n, Stop(), 4).run(iter([1, 0, 1])))


def _divide(number: int) -> int:
    return 1 // number


@pytest.mark.slow
def test_the_package_is_on_top_and_knows_little() -> None:
    for name, path in MODULES.items():
        used = {i for i in imports(path) if i in MODULES}
        if not name.startswith("tagfs.bulk"):
            assert name == "tagfs.cli" or not any(i.startswith("tagfs.bulk") for i in used), name
            continue
        below = tuple(
            f"tagfs.{name}" for name in ("bulk", "store", "catalogue", "rules", "terminal")
        )
        outside = {i for i in used if not i.startswith(below)}
        allowed = {
            "tagfs",
            "tagfs.config.resolve",
            "tagfs.errors",
            "tagfs.globs",
            "tagfs.localfiles.append_log",
            "tagfs.host.mount_table",
            "tagfs.config.bucket_settings",
            "tagfs.config.limits",
            "tagfs.config.options",
            "tagfs.config.settings",
            "tagfs.config.tag_policy",
            "tagfs.manual.completed_values",
            "tagfs.config.values",
        }
        assert outside <= {
            *allowed,
            "tagfs.fs",
            "tagfs.fs.mapping.paths",
            "tagfs.fs.mapping.xattr_names",
        }, name
