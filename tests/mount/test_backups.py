"""Backups of a mount: what has not changed is not read again, be it mounted anew meanwhile.

restic and borg take a file for another one if its inode number, its ctime or its mtime differ from
last time; on a bucket each mistake is a download.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.judges import judge_of
from tests.mounting import RequestLog, mounted, run

FILES = {"a": b"one", "d/b": b"two" * 500_000, "d/e/c": b"", "marked/": b""}
"""What others have put there, in directories with and without a marker."""


def needs(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")


def restic(home: Path, source: Path) -> None:
    """Make a backup with restic, in a repository of its own."""
    needs("restic")
    repository = home / "repository"
    command = ["restic", "-q", "--no-cache", "-r", str(repository)]
    if not repository.exists():
        run(*command, "init")
    run(*command, "backup", source)


def borg(home: Path, source: Path) -> None:
    """Make a backup with borg, which reads the newest file of all once more in any case.

    That is one beside the mount, so that it says nothing here.
    """
    needs("borg")
    repository, newest = home / "repository", home / "newest"
    if not repository.exists():
        run("borg", "init", "-e", "none", repository)
        newest.touch()
    run("borg", "create", f"{repository}::{time.time_ns()}", source, newest)


def content_read(log: RequestLog) -> list[str]:
    """Return the keys whose content was read."""
    rows = [row for row in log.rows() if row["method"] == "GET" and not row["subresource"]]
    return sorted({row["key"] for row in rows})


@pytest.mark.services("oss", "s3")
@pytest.mark.parametrize("back_up", [restic, borg])
def test_the_second_backup_reads_no_content(
    service: Emulator,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    back_up: Callable[[Path, Path], None],
) -> None:
    home, point = tmp_path / "home", tmp_path / "mnt"
    home.mkdir()
    monkeypatch.setenv("BORG_BASE_DIR", str(home))
    monkeypatch.setenv("RESTIC_PASSWORD", "secret")
    judge = judge_of(service.service, service.url, bucket)
    for key, data in FILES.items():
        judge.put(key, data)
    with mounted(service, bucket, point) as mount:
        (point / "marked/own").write_bytes(b"made here")
        log = mount.requests()
        back_up(home, point)
        assert content_read(log) == ["a", "d/b", "marked/own"]
    with mounted(service, bucket, point) as mount:
        log = mount.requests()
        back_up(home, point)
        assert content_read(log) == []
        os.setxattr(point / "a", "user.tag.team", b"blue")  # changes neither content nor times
        (point / "d/b").write_bytes(b"changed")
    with mounted(service, bucket, point) as mount:
        log = mount.requests()
        back_up(home, point)
        assert content_read(log) == ["d/b"]
