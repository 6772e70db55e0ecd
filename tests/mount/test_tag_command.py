"""`tagfs tag` on paths of a mount, judged by the vendor's SDK, getfattr and setfattr."""

import json
import os
import subprocess
from pathlib import Path

import oss2
import pytest

from tests.emulated import emulator
from tests.mount.conftest import MountFactory
from tests.mounting import Mounted, mounted, run
from tests.service.bulk.conftest import Ran, run_tag

ODD = ["plain", " sp ace ", "new\nline", "中文", "back\\slash", "eq=sign", "d/q?uo\"te'", "d/[x]*"]


def tag(mount: Mounted, *words: str | Path, status: int | None = 0, text: bytes = b"") -> Ran:
    return run_tag(*words, cwd=mount.path, status=status, text=text)


def fill(mount: Mounted) -> None:
    """Put odd names with tags, a tagged directory and a tagged link."""
    for number, name in enumerate(ODD):
        mount.sdk.put_object(name, b"x")
        set_tags(mount, name, {"n": str(number), "部门": "市场", "long": "much plain text " * 3})
    mount.sdk.put_object("untagged", b"x")
    mount.sdk.put_object("d/", b"")
    set_tags(mount, "d/", {"kind": "directory"})
    mount.sdk.put_symlink("plain", "lnk")
    set_tags(mount, "lnk", {"kind": "link"})


def set_tags(mount: Mounted, key: str, tags: dict[str, str]) -> None:
    rules = oss2.models.TaggingRule()
    for name, value in tags.items():
        rules.add(name, value)
    mount.sdk.put_object_tagging(key, oss2.models.Tagging(rules))


def all_tags(mount: Mounted) -> dict[str, dict[str, str]]:
    keys = mount.keys()
    return {key: mount.tags(key) for key in keys}


def blocks(dump: bytes) -> list[bytes]:
    return sorted(dump.split(b"\n\n"))


def getfattr_dump(path: Path, *options: str) -> bytes:
    command = ["getfattr", "-R", "-d", *options, "."]
    return subprocess.run(command, cwd=path, capture_output=True, check=True).stdout


BOTH = ("-h", "-m", r"^(user\.)?tag\.")
"""Options of getfattr that show the tags of links too."""


class TestDump:
    def test_it_is_what_getfattr_prints(self, mount: Mounted) -> None:
        fill(mount)
        run("setfattr", "-n", "user.tag.cost", "-v", "42", mount.path)
        ours = tag(mount, "dump", "-R", ".").out.encode("utf-8", "surrogateescape")
        assert blocks(ours) == blocks(getfattr_dump(mount.path, *BOTH))
        below = tag(mount, "dump", "-R", mount.path / "d").out
        assert below.startswith(f"# file: {str(mount.path)[1:]}/d\nuser.tag.kind=")

    def test_setfattr_restores_ours(self, mount: Mounted) -> None:
        fill(mount)
        before = all_tags(mount)
        dump = tag(mount, "dump", "-R", ".").out.encode("utf-8", "surrogateescape")
        tag(mount, "rm", "--all", "-R", ".")
        assert not any(all_tags(mount).values())
        command = ["setfattr", "-h", "--restore=-"]
        subprocess.run(command, cwd=mount.path, input=dump, check=True)
        assert all_tags(mount) == before

    def test_we_restore_getfattrs(self, mount: Mounted, tmp_path: Path) -> None:
        fill(mount)
        before = all_tags(mount)
        for number, encoding in enumerate(("text", "hex", "base64")):
            dump = tmp_path / f"dump{number}"
            dump.write_bytes(getfattr_dump(mount.path, *BOTH, "-e", encoding))
            tag(mount, "rm", "--all", "-R", ".")
            log = mount.requests()
            tag(mount, "restore", "--replace", dump)
            # A directory is not known as one: its name is tried as a file's first.
            assert log.kinds()["PUT tagging"] == len(ODD) + 3
            assert all_tags(mount) == before
        absolute = tmp_path / "absolute"
        command = ["getfattr", "-R", "-d", "-h", "-m", BOTH[2], "--absolute-names", str(mount.path)]
        absolute.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
        tag(mount, "rm", "--all", "-R", ".")
        run_tag("restore", absolute, cwd=tmp_path)
        assert all_tags(mount) == before

    def test_tags_too_long_for_a_name(self, mount: Mounted) -> None:
        """Written as user.tagging, which setfattr takes too."""
        mount.sdk.put_object("f", b"x")
        set_tags(mount, "f", {"长" * 100: "v", "b": "2"})
        before = all_tags(mount)
        dump = tag(mount, "dump", "f").out.encode()
        for restore in (["setfattr", "--restore=-"], None):
            tag(mount, "rm", "--all", "f")
            if restore is None:
                tag(mount, "restore", text=dump)
            else:
                subprocess.run(restore, cwd=mount.path, input=dump, check=True)
            assert all_tags(mount) == before


class TestPaths:
    def test_changes_show_on_the_mount_at_once(self, mount: Mounted) -> None:
        fill(mount)
        run("getfattr", "-R", "-d", mount.path)  # everything is cached now
        tag(mount, "set", "team=blue", "plain", "d", "lnk")
        assert os.getxattr(mount.path / "plain", "user.tag.team") == b"blue"
        assert os.getxattr(mount.path / "d", "user.tag.team") == b"blue"
        assert os.getxattr(mount.path / "lnk", "tag.team", follow_symlinks=False) == b"blue"
        assert mount.tags("lnk") == {"kind": "link", "team": "blue"}
        tag(mount, "replace", "-R", "a=b", "d")
        assert os.listxattr(mount.path / "d/[x]*") == ["user.tag.a"]
        url = f"oss://{mount.bucket}/plain"
        run_tag("rm", "team", url, "-o", f"endpoint={mount.service.url},region=cn-hangzhou")
        assert "user.tag.team" not in os.listxattr(mount.path / "plain")

    def test_get_and_find(self, mount: Mounted) -> None:
        fill(mount)
        assert tag(mount, "get", "d").lines == ["kind=directory"]
        assert tag(mount, "get", "lnk").lines == ["kind=link"]
        assert tag(mount, "get", "untagged").lines == []
        found = tag(mount, "find", "-0", "n", ".").out.split("\0")[:-1]
        assert found == [f"./{name}" for name in sorted(ODD, key=str.encode)]
        assert tag(mount, "find", "kind", mount.path).lines == [
            f"{mount.path}/d",
            f"{mount.path}/lnk",
        ]
        names = b"\0".join(os.fsencode(name) for name in found)
        words = ["xargs", "-0", "stat", "-c", "%s"]
        subprocess.run(words, input=names, cwd=mount.path, check=True, capture_output=True)

    def test_globs_and_names_that_look_like_them(self, mount: Mounted) -> None:
        fill(mount)
        assert tag(mount, "set", "-v", "x=1", "d/[x]*").lines == ["d/[x]*: +x=1"]
        lines = tag(mount, "set", "-v", "x=2", "p*", "d/q*").lines
        assert lines == ["plain: +x=2", "d/q?uo\"te': +x=2"]
        ran = tag(mount, "set", "x=1", "eq=sign", "plain", status=2)
        assert "also a path" in ran.err
        tag(mount, "set", "x=3", "./eq=sign")
        assert mount.tags("eq=sign")["x"] == "3"

    def test_an_implicit_directory_and_what_is_missing(self, mount: Mounted) -> None:
        mount.sdk.put_object("i/x", b"x")
        assert tag(mount, "get", "i").lines == []
        tag(mount, "set", "team=blue", "i")
        assert mount.tags("i/") == {"team": "blue"}
        assert os.getxattr(mount.path / "i", "user.tag.team") == b"blue"
        ran = tag(mount, "set", "team=blue", "missing", "i/x", status=1)
        assert "missing" in ran.err
        assert mount.tags("i/x") == {"team": "blue"}

    def test_the_root_is_the_bucket(self, mount: Mounted) -> None:
        fill(mount)
        tag(mount, "set", "cost=42", ".")
        assert dict(mount.sdk.get_bucket_tagging().tag_set.tagging_rule) == {"cost": "42"}
        assert tag(mount, "get", mount.path).lines == ["cost=42"]

    def test_a_prefix_mount(self, mount_with: MountFactory) -> None:
        mount = mount_with(prefix="pre fix")
        mount.sdk.put_object("pre fix/d/f", b"x")
        mount.sdk.put_object("outside", b"x")
        (mount.path / "new").mkdir()
        tag(mount, "set", "-R", "team=blue", ".")
        assert all_tags(mount)["pre fix/d/f"] == {"team": "blue"}
        assert all_tags(mount)["pre fix/new/"] == {"team": "blue"}
        assert mount.tags("outside") == {}
        tag(mount, "set", "root=1", ".")
        assert mount.tags("pre fix/")["root"] == "1"
        dump = tag(mount, "dump", "-R", ".").out
        assert blocks(dump.encode()) == blocks(getfattr_dump(mount.path, *BOTH))
        tag(mount, "rm", "--all", "-R", ".")
        tag(mount, "restore", text=dump.encode())
        assert mount.tags("pre fix/d/f") == {"team": "blue"}
        assert mount.tags("pre fix/")["root"] == "1"

    def test_requests_go_to_the_service(self, mount: Mounted) -> None:
        """One GET and one PUT an object, and one LIST in all; the mount only stats the target."""
        for number in range(40):
            mount.sdk.put_object(f"d/{number:02}", b"x")
        log = mount.requests()
        tag(mount, "set", "-R", "team=blue", "d")
        kinds = log.kinds()
        assert (kinds["GET tagging"], kinds["PUT tagging"]) == (40, 40)
        # Both words may be paths, and a path is looked up by two requests; then the LIST.
        assert kinds["GET list"] + kinds["HEAD"] <= 2 * 2 + 1


class TestWithoutCredentials:
    @pytest.fixture
    def bare(self) -> dict[str, str]:
        return {"OSS_ACCESS_KEY_ID": "", "OSS_ACCESS_KEY_SECRET": ""}

    def test_the_mount_does_it(self, mount: Mounted, bare: dict[str, str], tmp_path: Path) -> None:
        fill(mount)
        before = all_tags(mount)

        def through(*words: str | Path, status: int = 0, text: bytes = b"") -> Ran:
            ran = run_tag(*words, cwd=mount.path, env=bare, status=status, text=text)
            assert "going through the mount" in ran.err
            return ran

        dump = through("dump", "-R", ".").out.encode("utf-8", "surrogateescape")
        assert blocks(dump) == blocks(getfattr_dump(mount.path, *BOTH))
        audit = tmp_path / "audit"
        through("set", "team=blue", "-R", "--audit", audit, ".")
        assert all_tags(mount) == {k: {**t, "team": "blue"} for k, t in before.items()}
        through("undo", audit)
        assert all_tags(mount) == before
        through("rm", "--all", "-R", ".")
        assert not any(all_tags(mount).values())
        through("restore", text=dump)
        assert all_tags(mount) == before
        assert through("find", "kind", ".").lines == ["./d", "./lnk"]
        assert through("get", "missing", status=1).out == ""

    def test_a_url_says_what_is_missing(self, mount: Mounted, bare: dict[str, str]) -> None:
        ran = run_tag("get", f"oss://{mount.bucket}/x", env=bare, status=1)
        assert "OSS_ACCESS_KEY_ID" in ran.err


def test_the_status_shows_how_the_bucket_is_reached(mount: Mounted) -> None:
    status = json.loads(os.getxattr(mount.path, "user.tagfs.status"))
    assert status["url"] == f"oss://{mount.bucket}"
    assert status["endpoint"] == mount.service.url
    assert (status["region"], status["addressing"]) == ("cn-hangzhou", "auto")
    assert "ca_bundle" in status


def test_the_options_of_obs_hold_for_urls_and_paths(tmp_path: Path) -> None:
    """A tag of the wide profile, written as it is: what holds for the mount holds for commands."""
    wide, plain = f"{'k' * 37}={'v' * 44}", "a(b)=1"
    chosen = "obs_tag_profile=wide,obs_tag_urlencode=off"
    variants = ["tag_limits=wide", "tag_encoding=keep"]
    with (
        emulator(tmp_path, 1, service="obs", options=variants) as one,
        mounted(one, "bucket-0", tmp_path / "mnt", chosen) as mount,
    ):
        connection = f"endpoint={one.url},region=cn-north-4"
        url, audit = "obs://bucket-0", tmp_path / "audit"
        refused = run_tag("set", wide, url, "-o", connection, status=1)
        assert "36" in refused.err
        run_tag("set", wide, plain, url, "-o", f"{connection},{chosen}", "--audit", audit)
        assert mount.judge.bucket_tags() == dict(t.split("=") for t in (wide, plain))
        run_tag("rm", "--all", url, "-o", connection)
        tag(mount, "set", wide, plain, ".")
        assert mount.judge.bucket_tags() == dict(t.split("=") for t in (wide, plain))
        tag(mount, "rm", "--all", ".")
        run_tag("undo", audit)
        assert mount.judge.bucket_tags() == {}
