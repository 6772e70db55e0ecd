"""cp between mounts of different services: what is carried, and what is reported of the rest."""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mounting import Mounted, mounted, run

Pair = tuple[Mounted, Mounted]


@pytest.fixture(params=["oss obs", "obs s3", "s3 oss"])
def pair(
    request: pytest.FixtureRequest, services: Callable[[str], Emulator], tmp_path: Path
) -> Iterator[Pair]:
    """Mounts of two services."""
    one, two = (services(kind) for kind in request.param.split())
    with (
        mounted(one, one.take(), tmp_path / "one") as source,
        mounted(two, two.take(), tmp_path / "two") as target,
    ):
        yield source, target


def test_cp_a_carries_content_modes_links_and_tags(pair: Pair) -> None:
    """`cp -a` between services carries content, modes, times, links and tags."""
    source, target = pair
    tree = source.path / "tree"
    (tree / "sub dir").mkdir(parents=True)
    (tree / "sub dir/ü 中").write_bytes(b"content")
    (tree / "large").write_bytes(os.urandom(20_000_000))
    (tree / "empty").write_bytes(b"")
    (tree / "link").symlink_to("sub dir/ü 中")
    (tree / "dangling").symlink_to("/not here")
    tags = {"tree/sub dir/ü 中": {"team": "blue", "部门": "市场"}, "tree/large": {"k": "v"}}
    tags |= {"tree/sub dir/": {"kind": "directory"}, "tree/empty": {}, "tree/link": {"l": "1"}}
    for key, wanted in tags.items():
        prefix = "tag." if key == "tree/link" else "user.tag."
        for name, value in wanted.items():
            path = source.path / key
            os.setxattr(path, prefix + name, value.encode(), follow_symlinks=False)
    os.setxattr(tree / "large", "user.meta.color", b"blue")
    (tree / "sub dir/ü 中").chmod(0o640)
    os.chown(tree / "sub dir/ü 中", 1234, 4321)
    (tree / "sub dir").chmod(0o750)
    os.utime(tree / "large", (1_500_000_000, 1_500_000_000))
    run("cp", "-a", "--preserve=xattr", tree, target.path / "tree")
    assert target.keys() == source.keys()
    for key, wanted in tags.items():
        assert target.tags(key) == wanted, key
    for key in ("tree/sub dir/ü 中", "tree/large", "tree/empty"):
        assert target.content(key) == source.content(key)
    target.forget()
    for path in tree.rglob("*"):
        copy = target.path / path.relative_to(source.path)
        ours, theirs = path.lstat(), copy.lstat()
        for field in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
            assert getattr(theirs, field) == getattr(ours, field), (path, field)
        if stat.S_ISLNK(ours.st_mode):
            assert os.readlink(copy) == os.readlink(path)
        elif stat.S_ISREG(ours.st_mode):
            assert theirs.st_size == ours.st_size
    assert target.judge.head("tree/large").meta["color"] == "blue"


def attempt(*command: str | Path) -> tuple[int, list[str]]:
    """Run a tool; return its exit status and what it complained about."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("pair", ["oss obs"], indirect=True)
def test_what_the_other_service_refuses_is_reported_of_each_file(pair: Pair) -> None:
    """What the other service's rules refuse is reported by the tool's exit status and stderr (where
    tags were asked for: plain `cp -a` makes do without) and by the mount's log, file by file;
    everything else is carried."""
    source, target = pair
    (source.path / "tree").mkdir()
    for name in ("good", "bad", "worse"):
        (source.path / "tree" / name).write_bytes(name.encode())
        os.setxattr(source.path / "tree" / name, "user.tag.team", b"blue")
    os.setxattr(source.path / "tree/bad", "user.tag.sum", b"1=2")
    os.setxattr(source.path / "tree/worse", "user.tag.a/b", b"c")
    status, reported = attempt(
        "cp", "-a", "--preserve=xattr", source.path / "tree", target.path / "cp"
    )
    assert (status, len(reported)) == (1, 2)
    # cp reports the tag where the file should be, and leaves the file to the log.
    assert all(any(tag in line for line in reported) for tag in ("user.tag.sum", "user.tag.a/b"))
    status, reported = attempt("rsync", "-aX", f"{source.path}/tree/", target.path / "rsync")
    assert status == 23  # "partial transfer due to error"
    assert any("bad" in line and "user.tag.sum" in line for line in reported)
    assert any("worse" in line and "user.tag.a/b" in line for line in reported)
    run("cp", "-a", source.path / "tree", target.path / "quiet")
    for directory in ("cp", "rsync", "quiet"):
        for name in ("good", "bad", "worse"):
            assert target.content(f"{directory}/{name}") == name.encode()
            assert target.tags(f"{directory}/{name}") == {"team": "blue"}
        for name in ("bad", "worse"):
            refused = [line for line in target.log().splitlines() if "InvalidTag" in line]
            # rsync tags a file before it has its name.
            assert any(f"/{directory}/{name}'" in x or f"/.{name}." in x for x in refused), refused
