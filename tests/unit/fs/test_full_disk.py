"""D5. A local disk that has no room for a note: what was answered as done is recovered as done."""

import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagfs.config.settings import BucketUrl, Settings
from tagfs.errors import NotFound, StagingFull, Unreachable
from tagfs.fs.content import journal
from tagfs.fs.filesystem import FileSystem
from tagfs.recovery.staging_directory import StagingDirectory
from tagfs.store.objects import NewObject, ObjectInfo, Source
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write
from tests.simulation.recovering import recover


class Bucket(MemoryBucket):
    """Has no upload of its own accord end, and refuses those that are asked for if it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.is_away = False

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        if self.is_away:
            raise Unreachable("no answer")
        if threading.current_thread().name.startswith("tagfs-behind"):
            assert self.open.wait(60)
        return super().put(key, source, new)


@dataclass
class Host:
    tree: FileSystem
    bucket: Bucket
    cache_dir: Path
    monkeypatch: pytest.MonkeyPatch

    def fill_disk(self) -> None:
        """Let no note be written any more."""

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.monkeypatch.setattr(journal, "replace_file", full)

    def recovered(self, crashed: Path) -> dict[str, tuple[bytes, int, dict[str, str]]]:
        """Return what is on the service after a crash now, and `tagfs recover`."""
        shutil.copytree(self.cache_dir, crashed)
        said: list[str] = []
        recover(crashed, self.bucket, said.append)
        assert not [line for line in said if "unfinished" in line]
        keys = [info.key for info in self.bucket.list("", delimiter="").objects]
        return {key: self._found(key) for key in keys}

    def _found(self, key: str) -> tuple[bytes, int, dict[str, str]]:
        content = self.bucket.get(key)
        assert content.info.detail is not None
        mode = stat.S_IMODE(int(content.info.detail.metadata["mode"]))
        return bytes(content.data), mode, dict(self.bucket.get_tags(key))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A mount with `durability=local` that holds a file: closed, and not uploaded."""
    cache_dir, bucket = tmp_path / "cache", Bucket()
    url = BucketUrl(service="oss", bucket="bucket", prefix="")
    staging = StagingDirectory(Settings(url=url, cache_dir=cache_dir), Path("/mnt"))
    with tree_of(bucket, staging.path, FakeClock(), uploads_behind=2) as tree:
        # A temporary name: its upload waits for the rename, as an editor's or rsync's does.
        write(tree, f"/{TEMPORARY}", b"written")
        yield Host(tree, bucket, cache_dir, monkeypatch)
        monkeypatch.undo()
        bucket.is_away = False
        bucket.open.set()
    staging.close()


TEMPORARY = ".f.Ab12xY"
Found = dict[str, tuple[bytes, int, dict[str, str]]]
AS_IT_WAS: Found = {TEMPORARY: (b"written", 0o600, {})}


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
    host: Host, tmp_path: Path, name: str, *, is_full: bool, is_away: bool
) -> None:
    """Where neither disk nor service takes it the call fails, and nothing has changed."""
    act, after = ACTS[name]
    host.bucket.is_away = is_away
    if is_full:
        host.fill_disk()
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
    host.bucket.is_away = False
    assert host.recovered(tmp_path / "crashed") == after
