"""How many versions a copy leaves in a bucket that keeps them: docs/operating.md has the table."""

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mounting import Mounted, run, unmount

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
# Each tool, and what it takes for one new file with a mode and a time of its own.
TOOLS: dict[str, tuple[Callable[[Path, Path], object], list[str]]] = {
    "cp": (lambda source, target: run("cp", source, target), ONE),
    "cp -p": (lambda source, target: run("cp", "-p", source, target), ONE),
    "cp -a": (lambda source, target: run("cp", "-a", source, target), ONE),
    "tar x": (_tar, ONE),
    "unzip": (_zip, ONE),
    # Its temporary file, whose attributes go along, is renamed.
    "rsync -a": (lambda source, target: run("rsync", "-a", source, target), ["CopyObject"]),
    # These close a file before they set its mode, and its times.
    "install": (
        lambda source, target: run("install", "-m", "600", source, target),
        [*ONE, "CopyObject"],
    ),
    "shutil.copy2": (shutil.copy2, [*ONE, "CopyObject", "CopyObject"]),
}


@pytest.mark.services("s3")
@pytest.mark.parametrize("tool", TOOLS)
def test_versions_of_a_copy(mount: Mounted, tmp_path: Path, tool: str) -> None:
    source, target = tmp_path / "source", mount.path / "target"
    source.write_bytes(b"x" * 3_000_000)
    source.chmod(0o640)
    work, written = TOOLS[tool]
    log = mount.requests()
    work(source, target)
    unmount(mount)  # what waits to be written is
    made = [row for row in log.rows() if row["operation"] in WRITES and row["key"] == "target"]
    assert [row["operation"] for row in made] == written
