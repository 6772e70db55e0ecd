"""D5. A local disk that has no room for a note: what was answered as done is recovered as done."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagfs.errors import NotFound, StagingFull
from tagfs.fs.content import journal
from tagfs.fs.filesystem import FileSystem
from tests.fakes.crashing import CrashingHost, Found, crashing_host
from tests.fakes.trees import write

TEMPORARY = ".f.Ab12xY"
"""A file of this name waits for its rename, as an editor's or rsync's does."""

AS_IT_WAS: Found = {TEMPORARY: (b"written", 0o600, {})}


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CrashingHost]:
    """A mount that holds a file: closed, and not uploaded."""
    with crashing_host(tmp_path) as host:
        write(host.tree, f"/{TEMPORARY}", b"written")
        yield host
        monkeypatch.undo()


def unlink_open(tree: FileSystem) -> None:
    tree.open(f"/{TEMPORARY}", os.O_RDONLY)
    tree.unlink(f"/{TEMPORARY}")


ACTS: dict[str, tuple[Callable[[FileSystem], object], Found]] = {
    "rename": (
        lambda tree: tree.rename(f"/{TEMPORARY}", "/g"),
        {"g": (b"written", 0o600, {})},
    ),
    "chmod": (
        lambda tree: tree.chmod(f"/{TEMPORARY}", 0o640),
        {TEMPORARY: (b"written", 0o640, {})},
    ),
    "setxattr": (
        lambda tree: tree.setxattr(f"/{TEMPORARY}", "user.tag.k", b"v", 0),
        {TEMPORARY: (b"written", 0o600, {"k": "v"})},
    ),
    "unlink": (lambda tree: tree.unlink(f"/{TEMPORARY}"), {}),
    "unlink, open": (unlink_open, {}),
}


@pytest.mark.parametrize("is_away", [False, True], ids=["service answers", "service away"])
@pytest.mark.parametrize("is_full", [False, True], ids=["room", "full"])
@pytest.mark.parametrize("name", ACTS)
def test_what_was_answered_is_recovered(
    host: CrashingHost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    *,
    is_full: bool,
    is_away: bool,
) -> None:
    """Where neither disk nor service takes it the call fails, and nothing has changed."""
    act, after = ACTS[name]
    host.bucket.is_away = is_away
    if is_full:
        monkeypatch.setattr(journal, "replace_file", full)
    if is_full and is_away and not name.startswith("unlink"):  # that needs neither
        after = AS_IT_WAS
        with pytest.raises(StagingFull):
            act(host.tree)
        assert host.tree.getattr(f"/{TEMPORARY}")["st_mode"] == stat.S_IFREG | 0o600
        assert not host.tree.listxattr(f"/{TEMPORARY}")
        with pytest.raises(NotFound):
            host.tree.getattr("/g")
    else:
        act(host.tree)
    assert host.recover(host.crash(tmp_path / "crashed")) == after
    assert not [line for line in host.said if "unfinished" in line]
