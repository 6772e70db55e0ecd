"""Buckets that keep versions: how many a copy leaves (docs/operating.md), and how they are read."""

import contextlib
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import zygote
from tests.mount.conftest import ALL
from tests.mounting import KEYS, Mounted, run, unmount, wait_for
from tests.versioned import VersionedBucket

WRITES = {"PutObject", "CopyObject", "CompleteMultipartUpload", "SetObjectMetadata", "AppendObject"}
"""What makes a version."""


def _tar(source: Path, target: Path) -> None:
    archive = source.parent / "a.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(source, arcname=target.name)
    run("tar", "xf", archive, "-C", target.parent)


def _zip(source: Path, target: Path) -> None:
    archive = source.parent / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(source, arcname=target.name)
    run("python3", "-m", "zipfile", "-e", archive, target.parent)


ONE = ["PutObject"]
# Each tool, what it takes for one new file with a mode and a time of its own, and how often its
# mode or times are set after it was closed.
TOOLS: dict[str, tuple[Callable[[Path, Path], object], list[str], int]] = {
    "cp": (lambda source, target: run("cp", source, target), ONE, 0),
    "cp -p": (lambda source, target: run("cp", "-p", source, target), ONE, 0),
    "cp -a": (lambda source, target: run("cp", "-a", source, target), ONE, 0),
    "tar x": (_tar, ONE, 0),
    "unzip": (_zip, ONE, 0),
    # Its temporary file, whose attributes go along, is renamed.
    "rsync -a": (lambda source, target: run("rsync", "-a", source, target), ["CopyObject"], 0),
    # These close a file before they set its mode, and its times.
    "install": (lambda source, target: run("install", "-m", "600", source, target), ONE, 1),
    "shutil.copy2": (shutil.copy2, ONE, 2),
}

# Who sets attributes of what is there copies it onto itself, which is a version; OBS has a request
# of its own for it, which changes the version that is there.
EDIT = {"oss": "CopyObject", "s3": "CopyObject", "obs": "SetObjectMetadata"}


@pytest.mark.services("oss", "s3")
def test_what_objects_were_and_what_was_deleted(mount: Mounted, tmp_path: Path) -> None:
    """`.tagfs/versions` by the tools that one would use, and `tagfs undelete`."""
    with contextlib.closing(VersionedBucket(mount.kind, mount.service.url, mount.bucket)) as kept:
        (mount.path / "d").mkdir()
        file, view = mount.path / "d/f", mount.path / ".tagfs/versions"
        file.write_bytes(b"old" * 100_000)
        mount.released()
        run("setfattr", "-n", "user.tag.team", "-v", "blue", file)
        file.write_bytes(b"new")
        run("setfattr", "-n", "user.tag.team", "-v", "red", file)
        assert run("ls", mount.path / ".tagfs").split()[-1] == "versions"
        assert run("find", view, "-mindepth", "1", "-maxdepth", "2").split() == [
            f"{view}/d",
            f"{view}/d/f",
        ]
        old, new = sorted((view / "d/f").iterdir(), key=lambda path: -path.stat().st_size)
        assert 'user.tag.team="blue"' in run("getfattr", "-d", old)
        assert old.read_bytes() == b"old" * 100_000
        file.unlink()
        assert not file.exists()
        before = kept.versions()
        for refused in (["rm", old], ["touch", old], ["cp", new, old], ["mkdir", view / "x"]):
            words = [str(word) for word in refused]
            assert subprocess.run(words, capture_output=True, check=False).returncode, refused
        assert kept.versions() == before
        run("cp", "-a", "--no-preserve=mode", old, file)  # no file of mine shall be read-only
        assert (mount.content("d/f"), mount.tags("d/f")) == (b"old" * 100_000, {"team": "blue"})
        run("tar", "--xattrs", "-cf", tmp_path / "all.tar", "-C", view, "d")
        assert "~" in run("tar", "-tf", tmp_path / "all.tar")
        run("rm", "-r", mount.path / "d")
        for keys in (KEYS, {}):  # with and without credentials in this shell
            done = zygote.run("undelete", str(file), "-o", "catalogue=off", env=keys)
            assert done.returncode == 0, done.stderr
            wait_for(file.exists)  # the kernel remembers for a second that it is not
            assert file.read_bytes() == b"old" * 100_000
            assert mount.tags("d/f") == {"team": "blue"}
            again = zygote.run("undelete", str(file), "-o", "catalogue=off", env=keys)
            assert again.returncode == 1
            run("rm", "-r", mount.path / "d")


@ALL
def test_versions_of_a_copy(mount: Mounted, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    source.chmod(0o640)
    log = mount.requests()
    for tool, (work, _, _) in TOOLS.items():
        work(source, mount.path / tool.replace(" ", "-"))
    unmount(mount)  # what waits to be written is
    rows = log.rows()
    made = {
        tool: [
            row["operation"]
            for row in rows
            if row["operation"] in WRITES and row["key"] == tool.replace(" ", "-")
        ]
        for tool in TOOLS
    }
    edit = EDIT[mount.kind]
    assert made == {tool: [*first, *[edit] * later] for tool, (_, first, later) in TOOLS.items()}
