"""Views by tag, with the oddest names that keys and tags may have: all is listed, and resolves."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import zygote
from tests.emulated import Emulator
from tests.judges import judge_of
from tests.mounting import KEYS, Mounted, mounted

NAMES = (
    "new\nline",
    "l" * 255,
    "\u4e16" * 85,  # 255 bytes
    "s." + "e" * 253,  # all but a letter looks like its ending
    "." + "h" * 254,
    "=equals",
    "=" + "l" * 254,
    *("= ", " ", "-rf", "quo\"te'", "tab\t", "%2F", "%", "\\", "e\u0301", "🐟", "*?[x]", "\u202e"),
)
VALUES = {
    "": "=",
    "a/b": "=a%2Fb",
    "/": "=%2F",
    ".": "=.",
    "..": "=..",
    "=": "==",
    " x ": "= x ",
    "+-.:=_": "=+-.:=_",
    "v" * 254: "=" + "v" * 254,
    "v" * 255: None,  # no room for a name: listed with its key alone
}
NOT_THERE = (b"tag/\xff", b"tag/k/=\xff", b"untagged/\xff", b"query/\xff=1", b"tag/team/=blue/\xff")


@pytest.fixture
def mount(service: Emulator, bucket: str, tmp_path: Path) -> Iterator[Mounted]:
    judge = judge_of(service.service, service.url, bucket)
    for name in NAMES:
        for directory in ("d", "e/f"):  # each twice, so that views have to tell them apart
            judge.put(f"{directory}/{name}", b"x", {"team": "blue"})
    for at, value in enumerate(VALUES):
        judge.put(f"v/{at}", b"x", {"k": value})
    judge.put("plain\nname", b"", {})
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        assert zygote.run("index", mount.path, env=KEYS).returncode == 0
        yield mount


def found(*words: str | Path) -> list[bytes]:
    command = ["timeout", "20", "find", *words, "-print0"]
    shown = subprocess.run(command, check=True, capture_output=True)
    assert not shown.stderr
    return shown.stdout.split(b"\0")[:-1]


@pytest.mark.services("oss", "s3")
def test_all_is_listed_and_resolves(mount: Mounted) -> None:
    views = mount.path / ".tagfs"
    links = found(views / "tag/team/=blue", "-type", "l")
    real = {os.fsencode(mount.path / d / name) for d in ("d", "e/f") for name in NAMES}
    assert {os.path.realpath(link) for link in links} == real
    assert len(links) == len(real)
    assert all(len(os.path.basename(link)) <= 255 for link in links)
    assert len(found("-L", views / "tag/team/=blue", "-type", "f")) == len(real)
    assert os.listdir(views / "untagged") == ["plain\nname"]

    names = os.listdir(views / "tag/k")
    assert {name for name in names if name.startswith("=")} == set(filter(None, VALUES.values()))
    assert {name for name in names if name.isdigit()} == set(map(str, range(len(VALUES))))
    for at, name in enumerate(VALUES.values()):
        if name is not None:
            assert os.listdir(views / "tag/k" / name) == [str(at)]


@pytest.mark.services("oss")
def test_what_is_not_utf_8_is_not_there_and_harms_nothing(mount: Mounted) -> None:
    views, blue = mount.path / ".tagfs", mount.path / ".tagfs/tag/team/=blue"
    before = sorted(os.listdir(blue))
    for name in NOT_THERE:
        path = os.fsencode(views) + b"/" + name
        for call in (os.stat, os.listdir, os.readlink, os.rmdir, os.mkdir):
            with pytest.raises(OSError, match=r"No such file|Read-only"):
                call(path)
    os.setxattr(mount.path / "v/0", "user.tag.k", b"9")  # which is written to the index
    assert "=9" in os.listdir(views / "tag/k")
    assert sorted(os.listdir(blue)) == before
    assert "anew" not in mount.log()
