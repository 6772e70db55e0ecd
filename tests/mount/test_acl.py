"""ACLs: what carrying them costs, where there are none, and where a right is missing."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator, emulator
from tests.mount.conftest import ALL, Faults, MountFactory
from tests.mount.test_recover import recovered
from tests.mounting import Mounted, mounted, run, wait_for
from tests.properties import ACL, Properties, everything, granted

NONE = {"oss": "default", "obs": [], "s3": []}


def is_public(properties: Properties, key: str) -> bool:
    acl = properties.acl(key)
    if properties.kind == "oss":
        return acl == "public-read"
    return [pair[1] for pair in acl] == ["READ"]


def make_public(properties: Properties, key: str) -> None:
    properties.put(key, b"x" * 10, {ACL[properties.kind]: "public-read"})


@ALL
def test_what_it_costs(mount: Mounted) -> None:
    """New files cost nothing; a rewrite reads the ACL beside the tags, mv beside the copy."""
    (mount.path / "warm").write_bytes(b"x")
    with (mount.path / "warm").open("ab") as file:  # S3 is asked once whether there are ACLs
        file.write(b"y")
    log = mount.requests()
    (mount.path / "new").write_bytes(b"x")
    assert "GET acl" not in log.kinds()
    make_public(Properties(mount), "f")
    (mount.path / "f").stat()
    log = mount.requests()
    (mount.path / "f").write_bytes(b"new")
    assert (log.kinds()["GET acl"], log.kinds()["PUT"], log.kinds()["PUT acl"]) == (1, 1, 0)
    log = mount.requests()
    (mount.path / "new").rename(mount.path / "newer")
    kinds = log.kinds()
    assert (kinds["PUT copy"], kinds["DELETE"], kinds["PUT acl"]) == (1, 1, 0)
    assert kinds["GET acl"] <= 1
    assert is_public(Properties(mount), "f")


@ALL
def test_after_a_refresh_a_rewrite_asks_anew(mount: Mounted) -> None:
    """What was read for the rewrite before it, a moment ago, serves no more."""
    properties = Properties(mount)
    for name in ("warm", "f"):
        properties.put(name, b"x", {})
        for _ in range(2):
            (mount.path / name).write_bytes(b"new")
        make_public(properties, name)
        os.setxattr(mount.path, "user.tagfs.refresh", b"")
        (mount.path / name).write_bytes(b"newer")
        assert is_public(properties, name)


@ALL
def test_right_to_read_is_missing(mount: Mounted, refusals: Faults) -> None:
    make_public(Properties(mount), "f")
    refusals.set("deny:op=GetObjectAcl")
    for _ in range(3):
        run("sh", "-c", 'printf y >> "$1"', "sh", mount.path / "f")
    assert mount.content("f") == b"x" * 10 + b"yyy"
    assert mount.log().count("ACLs may not be read") == 1


@ALL
def test_right_to_set_is_missing(mount: Mounted, refusals: Faults) -> None:
    """A request that is refused with an ACL goes on without, and the log says so once."""
    make_public(Properties(mount), "f")
    make_public(Properties(mount), "g")
    refusals.set("deny:op=PutObject:times=1")
    (mount.path / "f").write_bytes(b"new")
    (mount.path / "g").write_bytes(b"new")
    assert (mount.content("f"), mount.content("g")) == (b"new", b"new")
    assert mount.log().count("ACLs may not be set") == 1
    assert not is_public(Properties(mount), "f")
    assert is_public(Properties(mount), "g")


@ALL
@pytest.mark.parametrize("answer", ["status=501:code=NotImplemented", "garbage"])
def test_servers_without_acls(mount: Mounted, refusals: Faults, answer: str) -> None:
    for name in ("f", "g"):
        mount.judge.put(name, b"x")
    refusals.set(f"{answer}:op=GetObjectAcl")
    log = mount.requests()
    (mount.path / "f").write_bytes(b"new")
    assert log.kinds()["GET acl"] == 1
    (mount.path / "g").write_bytes(b"newer")
    assert log.kinds()["GET acl"] == 1
    assert (mount.content("f"), mount.content("g")) == (b"new", b"newer")


@ALL
def test_switched_off(mount_with: MountFactory) -> None:
    mount = mount_with("acl=off")
    make_public(Properties(mount), "f")
    log = mount.requests()
    (mount.path / "f").write_bytes(b"new")
    (mount.path / "f").rename(mount.path / "g")
    assert not {"GET acl", "PUT acl"} & log.kinds().keys()
    assert Properties(mount).acl("g") == NONE[mount.kind]


@ALL
def test_a_word_for_all(mount_with: MountFactory) -> None:
    mount = mount_with("acl=public-read")
    properties = Properties(mount)
    mount.judge.put("old", b"x")
    log = mount.requests()
    (mount.path / "f").write_bytes(b"new")
    (mount.path / "old").chmod(0o600)
    (mount.path / "old").rename(mount.path / "older")
    (mount.path / "d").mkdir()
    kinds = log.kinds()
    for key in ("f", "older", "d/"):
        assert is_public(properties, key), key
    assert "GET acl" not in kinds


@pytest.fixture
def enforced(tmp_path: Path) -> Iterator[Emulator]:
    with emulator(tmp_path / "enforced", buckets=2, service="s3", options=("acls=off",)) as one:
        yield one


def test_owner_enforced(enforced: Emulator, tmp_path: Path) -> None:
    """Where a bucket has ACLs switched off, that is asked once, and no ACL ever."""
    with mounted(enforced, enforced.take(), tmp_path / "mnt") as mount:
        for name in ("f", "g"):
            mount.judge.put(name, b"x")
        (mount.path / "f").write_bytes(b"new")
        wait_for(lambda: "ACLs switched off" in mount.log())
        log = mount.requests()
        (mount.path / "g").write_bytes(b"new")
        (mount.path / "g").rename(mount.path / "h")
        assert not {"GET acl", "PUT acl", "GET ownershipControls"} & log.kinds().keys()


@pytest.mark.services("oss", "obs")
def test_appendable_objects(mount: Mounted) -> None:
    """What was appended to keeps everything, and so does what is made of it."""
    properties = Properties(mount)
    wanted = everything(mount.kind)
    properties.append("log", b"x", {**wanted, ACL[mount.kind]: "public-read"})
    for command in ('printf y >> "$1"', 'chmod 600 "$1"', 'sed -i s/x/z/ "$1"'):
        run("sh", "-c", command, "sh", mount.path / "log")
        assert properties.lost("log", wanted) == {}
        assert is_public(properties, "log"), command


@ALL
@pytest.mark.parametrize("durability", ["service", "local"])
def test_after_a_crash(mount_with: MountFactory, refusals: Faults, durability: str) -> None:
    """What a killed mount had staged is finished with all that the file inherited."""
    mount = mount_with(f"durability={durability},timeout=2")
    properties = Properties(mount)
    wanted = everything(mount.kind)
    acls = granted(mount.kind)
    properties.put("f", b"old", {**wanted, **acls})
    properties.put("over", b"old", {**wanted, **acls})
    acl = properties.acl("f")
    (mount.path / "f").rename(mount.path / "f~")
    with contextlib.ExitStack() as stack:
        saved = stack.enter_context((mount.path / "f").open("wb"))
        saved.write(b"saved")
        saved.flush()
        over = stack.enter_context((mount.path / "over.new").open("wb"))
        over.write(b"over")
        (mount.path / "over.new").rename(mount.path / "over")
        (mount.path / "f~").unlink()
        refusals.set("status=500:op=PutObject")
        for file in (saved, over):
            with contextlib.suppress(OSError):
                file.close()
        mount.kill()
    refusals.clear()
    recovered(mount)
    for key, content in [("f", b"saved"), ("over", b"over")]:
        assert mount.content(key) == content
        assert properties.lost(key, wanted) == {}
        assert properties.acl(key) == acl
