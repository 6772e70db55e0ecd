"""An upload whose answer was lost has replaced the object: whoever has the file open goes on."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagfs.errors import ObjectChanged, Unreachable
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import Root
from tagfs.recovery.abandoned import AbandonedDirectory
from tagfs.recovery.finish_file import Conflict, FileFinisher
from tagfs.recovery.resume_upload import UploadResumer
from tagfs.recovery.run import open_content
from tagfs.store.bucket import Limits
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of

PART = 100
OLD = bytes(range(200)) * 5
NEW = OLD[:500] + b"!" + OLD[501:]
UPLOADS = {"put", "complete_upload"}


class Host:
    """One mount of a bucket whose answers to uploads may be lost."""

    def __init__(self, staging: Path, executor: ThreadPoolExecutor) -> None:
        limits = Limits(min_part=PART, max_part=8 * PART, max_copy_part=5 * PART)
        self.bucket = MemoryBucket(limits=limits)
        self.staging = staging
        cached = CachedBucket(self.bucket, ttl=60, tag_ttl=60)
        self.tree = FileSystem(environment_of(cached, staging, executor, part_size=PART), dict)
        self._executor = executor

    def lose_answers(self, *, lost: bool = True) -> None:
        def after(operation: str, _key: str) -> None:
            if operation in UPLOADS:
                raise Unreachable("the answer was lost")

        self.bucket.after = after if lost else None

    def flush_in_vain(self, fh: int) -> None:
        self.lose_answers()
        with pytest.raises(Unreachable):
            self.tree.flush(fh)
        self.lose_answers(lost=False)

    def recover(self) -> bool:
        """Finish what is in the staging directory, as `tagfs recover` does after a crash."""
        self.staging.chmod(0o700)
        with AbandonedDirectory(self.staging) as directory:
            (left,) = directory.contents().files
            with open_content(directory, left) as saved:
                assert saved is not None
                sender = UploadResumer(self.bucket, self._executor, lambda _: None)
                return FileFinisher(self.bucket, Root(), sender, force=False).finish(saved)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with ThreadPoolExecutor(4) as executor:
        host = Host(tmp_path, executor)
        yield host
        host.tree.close()


def read_again(host: Host, fh: int) -> str:
    assert bytes(host.tree.read(fh, 0, len(NEW))) == NEW
    return "/d/f"


def unlink(host: Host, fh: int) -> str:
    host.tree.unlink("/d/f")
    assert bytes(host.tree.read(fh, 0, len(NEW))) == NEW
    return ""


def renamed(old: str, new: str, path: str) -> Callable[[Host, int], str]:
    def rename(host: Host, _fh: int) -> str:
        host.tree.rename(old, new)
        return path

    return rename


CALLS: dict[str, Callable[[Host, int], str]] = {
    "read": read_again,
    "unlink": unlink,
    "rename": renamed("/d/f", "/d/g", "/d/g"),
    "rename of its directory": renamed("/d", "/e", "/e/f"),
    "close once more": lambda _host, _fh: "/d/f",
}


@pytest.mark.parametrize("call", CALLS)
def test_the_file_goes_on(host: Host, call: str) -> None:
    """D3, D5: not ESTALE, which is for what another client has done."""
    host.bucket.put("d/f", BytesSource(OLD), NewObject(tags=TagSet({"k": "v"})))
    fh, _ = host.tree.open("/d/f", os.O_RDWR)
    host.tree.write(fh, 500, b"!")
    host.flush_in_vain(fh)
    path = CALLS[call](host, fh)
    if path:
        host.tree.write(fh, 0, b"?")
        host.tree.flush(fh)
        assert bytes(host.bucket.get(path[1:]).data) == b"?" + NEW[1:]
        assert dict(host.bucket.get_tags(path[1:])) == {"k": "v"}
    host.tree.release(fh)
    keys = [info.key for info in host.bucket.list("", delimiter="").objects]
    assert [key for key in keys if key != "d/"] == ([path[1:]] if path else [])


def test_what_another_client_has_made_is_stale(host: Host) -> None:
    host.bucket.put("d/f", BytesSource(OLD), NewObject())
    fh, _ = host.tree.open("/d/f", os.O_RDWR)
    host.tree.write(fh, 500, b"!")
    host.flush_in_vain(fh)
    host.bucket.put("d/f", BytesSource(b"theirs" + NEW[6:]), NewObject())
    with pytest.raises(ObjectChanged):
        host.tree.read(fh, 0, len(NEW))
    host.tree.release(fh)
    assert bytes(host.bucket.get("d/f").data)[:6] == b"theirs"


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("size", [10, 1000])
def test_what_is_set_after_it_is_there_after_a_crash(host: Host, size: int, *, over: bool) -> None:
    """D5. The object is there, without what was set on the file since: recovery sees to that."""
    if over:
        host.bucket.put("f", BytesSource(b"before"), NewObject(tags=TagSet({"of": "before"})))
    fh = host.tree.create("/new", 0o644, os.O_RDWR)
    host.tree.setxattr("/new", "user.tag.early", b"1", 0) if not over else None
    host.tree.write(fh, 0, b"x" * size)
    host.tree.rename("/new", "/f")
    host.flush_in_vain(fh)
    host.tree.setxattr("/f", "user.tag.late", b"2", 0)
    host.tree.chmod("/f", 0o600)
    host.tree.release(fh)
    assert host.recover() is False, "it is there already"
    early = {"of": "before"} if over else {"early": "1"}
    assert dict(host.bucket.get_tags("f")) == early | {"late": "2"}
    detail = host.bucket.head("f").detail
    assert detail is not None
    assert int(detail.metadata["mode"]) & 0o777 == 0o600


def test_tags_that_another_set_meanwhile_are_kept(host: Host) -> None:
    fh = host.tree.create("/f", 0o644, os.O_RDWR)
    host.flush_in_vain(fh)
    host.tree.setxattr("/f", "user.tag.late", b"2", 0)
    host.tree.release(fh)
    host.bucket.put_tags("f", TagSet({"theirs": "1"}))
    with pytest.raises(Conflict, match="changed its tags since"):
        host.recover()
    assert dict(host.bucket.get_tags("f")) == {"theirs": "1"}
