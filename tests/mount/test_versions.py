"""How many versions a copy leaves in a bucket that keeps them: docs/operating.md has the table."""

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.mount.conftest import ALL
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
