"""F8. Deferred work knows what was made meanwhile: it never strikes something newer than itself.

Here: the deletion of a file that was unlinked while it was open, where nothing distinguishes an
unlink from a rename over it.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tagfs.errors import AccessDenied, NotFound, TagfsError, Unreachable
from tagfs.fs.context import FRESH_WITHIN
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.tree.replaced_files import GRACE
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write
from tests.waiting import until_blocked, wait_for

ALIAS = "/d/without a name"
NEW = b"NEW CONTENT"


class Service:
    """A bucket whose requests from threads of the queue can be held up."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.holds = ""
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.fails: TagfsError | None = None
        self.bucket.before = self._before
        for key in ("d/f", "d/other"):
            self.put(key, b"old", tags={"team": "blue"})

    def put(self, key: str, data: bytes, tags: dict[str, str] | None = None) -> None:
        self.bucket.put(key, BytesSource(data), NewObject(tags=TagSet(tags or {})))

    def present(self) -> list[str]:
        return sorted(info.key for info in self.bucket.list("", delimiter="").objects)

    def content(self, key: str) -> bytes:
        return bytes(self.bucket.get(key).data)

    def _before(self, operation: str, key: str) -> None:
        if operation != self.holds or not threading.current_thread().name.startswith("tagfs-pend"):
            return
        if operation == "delete" and key != "d/f":
            return
        self.reached.set()
        assert self.go_on.wait(60)
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tree(service: Service, tmp_path: Path, clock: FakeClock) -> Iterator[FileSystem]:
    with tree_of(CachedBucket(service.bucket, ttl=60, tag_ttl=60), tmp_path, clock) as tree:
        tree.mkdir("/empty", 0o755)
        write(tree, "/d/tmp", NEW)
        tree.mkdir("/e", 0o755)
        write(tree, "/e/x", NEW)
        yield tree
        service.go_on.set()


def unlink_open(tree: FileSystem, path: str = "/d/f") -> int:
    """Unlink a file that is open, or begin to replace it; return their handle."""
    fh, _ = tree.open(path, os.O_RDONLY)
    tree.unlink_open(path, ALIAS, is_replaced=None)
    return fh


def create(tree: FileSystem) -> None:
    fh = tree.create("/d/f", 0o644, os.O_WRONLY | os.O_EXCL)
    tree.write(fh, 0, NEW)
    tree.flush(fh)
    tree.fsync(fh)
    tree.release(fh)


def rename_unsaved(tree: FileSystem) -> None:
    """Rename a file that is not on the service yet."""
    fh = tree.create("/d/unsaved", 0o644, os.O_WRONLY)
    tree.write(fh, 0, NEW)
    tree.rename("/d/unsaved", "/d/f")
    tree.flush(fh)
    tree.release(fh)


MAKERS: dict[str, Callable[[FileSystem], object]] = {
    "create": create,
    "mknod": lambda tree: tree.mknod("/d/f", 0o644, 0),
    "symlink": lambda tree: tree.symlink("/d/f", "other"),
    "mkdir": lambda tree: tree.mkdir("/d/f", 0o755),
    "rename": lambda tree: tree.rename("/d/tmp", "/d/f"),
    "rename of a file that is not uploaded": rename_unsaved,
    "rename of a directory": lambda tree: tree.rename("/e", "/d/f"),
}
WHEN = ["waits", "list", "delete"]
"""The deletion waits; its LIST is held up, by which it makes sure that the directory stays; or
its DELETE is."""


@contextmanager
def deletion(service: Service, tree: FileSystem, clock: FakeClock, when: str) -> Iterator[None]:
    """Let a file be unlinked while it is open, and its deletion stop at some point meanwhile."""
    service.holds = when
    reader = unlink_open(tree)
    if when != "waits":
        clock.advance_when_waited_for(GRACE)
        assert service.reached.wait(60)
    yield
    service.go_on.set()
    clock.advance_when_waited_for(3 * GRACE)
    wait_for(lambda: "/d/f" not in tree.replaced or service.fails)
    assert bytes(tree.read(reader, 0, 10)) == b"old", "who has it open reads on"
    tree.forget_unlinked(ALIAS)
    tree.release(reader)


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_made_meanwhile_stays(
    service: Service, tree: FileSystem, clock: FakeClock, maker: str, when: str
) -> None:
    with deletion(service, tree, clock, when):
        making = threading.Thread(target=MAKERS[maker], args=(tree,))
        making.start()
        assert when == "waits" or until_blocked(making), "a deletion that has begun is waited for"
        service.go_on.set()
        making.join(60)
        assert not making.is_alive()
    mode = tree.getattr("/d/f")["st_mode"]
    assert mode, "it is there"
    made = [key for key in service.present() if key.startswith("d/f")]
    assert made == {"mkdir": ["d/f/"], "rename of a directory": ["d/f/", "d/f/x"]}.get(
        maker, ["d/f"]
    )
    if maker in {"create", "rename", "rename of a file that is not uploaded"}:
        assert service.content("d/f") == NEW


def test_a_rename_in_time_keeps_the_tags(
    service: Service, tree: FileSystem, clock: FakeClock
) -> None:
    """G5, and nothing is deleted in between."""
    with deletion(service, tree, clock, "waits"):
        tree.rename("/d/tmp", "/d/f")
    assert service.content("d/f") == NEW
    assert dict(service.bucket.get_tags("d/f")) == {"team": "blue"}


@pytest.mark.parametrize("when", WHEN)
def test_it_looks_deleted_from_the_beginning(
    service: Service, tree: FileSystem, clock: FakeClock, when: str
) -> None:
    with deletion(service, tree, clock, when):
        for call in (
            lambda: tree.getattr("/d/f"),
            lambda: tree.open("/d/f", os.O_RDONLY),
            lambda: tree.open("/d/f", os.O_RDWR),
            lambda: tree.rename("/d/f", "/d/g"),
        ):
            with pytest.raises(NotFound):
                call()
        directory = tree.opendir("/d")
        assert "f" not in {name for name, *_ in tree.readdir(directory)}
    assert "d/f" not in service.present()


def test_it_is_deleted_though_its_last_handle_is_closed_before(
    service: Service, tree: FileSystem, clock: FakeClock
) -> None:
    reader = unlink_open(tree)
    tree.forget_unlinked(ALIAS)
    tree.release(reader)
    assert "d/f" in service.present()
    clock.advance_when_waited_for(GRACE)
    wait_for(lambda: "d/f" not in service.present())


@pytest.mark.parametrize("what", ["rmdir", "rename", "fsyncdir"])
def test_its_directory_is_done_with_it_first(service: Service, tree: FileSystem, what: str) -> None:
    """Its directory is empty, goes elsewhere without it, and is synced with it gone."""
    tree.unlink("/d/other")
    tree.unlink("/d/tmp")
    unlink_open(tree)
    if what == "rmdir":
        tree.rmdir("/d")
    elif what == "rename":
        tree.rename("/d", "/e/d")
    else:
        tree.fsyncdir(tree.opendir("/d"))
    assert [key for key in service.present() if key.endswith("/f")] == []


@pytest.mark.parametrize("failure", [Unreachable("no answer"), AccessDenied("forbidden")])
def test_a_deletion_that_fails(
    service: Service,
    tree: FileSystem,
    clock: FakeClock,
    failure: TagfsError,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is tried again until something is made there; one that is refused is given up."""
    service.fails = failure
    with deletion(service, tree, clock, "delete"):
        service.go_on.set()
        wait_for(lambda: "/d/f: unlinked, but not deleted" in caplog.text)
        assert (tree.tree.find("/d/f") is not None) is isinstance(failure, AccessDenied)
    service.fails = None
    if isinstance(failure, Unreachable):
        create(tree)
        assert service.content("d/f") == NEW
    else:
        assert service.content("d/f") == b"old"


@pytest.mark.parametrize("anew", [True, False])
def test_a_deletion_that_comes_late_spares_what_another_host_made(
    service: Service, tree: FileSystem, clock: FakeClock, *, anew: bool
) -> None:
    with deletion(service, tree, clock, "list"):
        clock.now += FRESH_WITHIN
        if anew:
            service.put("d/f", b"another host's")
    wait_for(lambda: "/d/f" not in tree.replaced)
    assert ("d/f" in service.present()) is anew


def test_a_file_that_was_replaced_is_not_uploaded_over_its_successor(
    service: Service, tree: FileSystem
) -> None:
    """It is still written to: what is synced while the rename is under way goes nowhere."""
    old, _ = tree.open("/d/f", os.O_RDWR)
    tree.write(old, 0, b"written to the old one")
    tree.unlink_open("/d/f", ALIAS, is_replaced=None)
    copied, go_on = threading.Event(), threading.Event()

    def after(operation: str, key: str) -> None:
        if (operation, key) == ("copy", "d/f"):
            copied.set()
            assert go_on.wait(60)

    service.bucket.after = after
    renaming = threading.Thread(target=tree.rename, args=("/d/tmp", "/d/f"))
    renaming.start()
    assert copied.wait(60)
    syncing = threading.Thread(target=tree.fsync, args=(old,))
    syncing.start()
    until_blocked(syncing)
    go_on.set()
    renaming.join(60)
    syncing.join(60)
    service.bucket.after = None
    tree.forget_unlinked(ALIAS)
    tree.release(old)
    assert service.content("d/f") == NEW


def test_a_rename_that_fails_leaves_the_old_file_its_name(
    service: Service, tree: FileSystem, clock: FakeClock
) -> None:
    with deletion(service, tree, clock, "waits"):
        with pytest.raises(NotFound):
            tree.rename("/d/nothing", "/d/f")
        assert tree.getattr("/d/f")["st_size"] == 3
        tree.unlink_open("/d/f", ALIAS, is_replaced=None)
    assert "d/f" not in service.present()


@pytest.mark.slow
def test_a_thousand_open_files_are_unlinked_by_a_few_threads(
    service: Service, tree: FileSystem, clock: FakeClock
) -> None:
    handles = []
    for number in range(300):
        service.put(f"d/{number}", b"x")
        handles.append(tree.open(f"/d/{number}", os.O_RDONLY)[0])
    before = threading.active_count()
    for number in range(300):
        tree.unlink_open(f"/d/{number}", f"/d/gone-{number}", is_replaced=None)
    assert threading.active_count() - before < 10
    clock.advance_when_waited_for(GRACE)
    wait_for(lambda: service.present() == ["d/f", "d/other", "d/tmp", "e/", "e/x", "empty/"])
    for fh in handles:
        tree.release(fh)


def test_what_is_deleted_late_was_closed_before_it_was_known(
    service: Service, tree: FileSystem, clock: FakeClock
) -> None:
    """Its last handle goes while libfuse hides it: the deletion still knows what it means."""
    tree.unlink_open("/d/f", ALIAS, is_replaced=None)
    service.holds = "list"
    clock.advance_when_waited_for(GRACE)
    assert service.reached.wait(60)
    clock.now += FRESH_WITHIN + 1
    service.go_on.set()
    wait_for(lambda: "/d/f" not in tree.replaced)
    assert "d/f" not in service.present()


def test_an_upload_that_nobody_heard_of_is_deleted_as_well(
    service: Service, tree: FileSystem, clock: FakeClock
) -> None:
    fh, _ = tree.open("/d/f", os.O_WRONLY)
    tree.write(fh, 0, NEW)

    def lose(operation: str, _key: str) -> None:
        if operation == "put":
            service.bucket.after = None
            raise Unreachable("the answer is lost")

    service.bucket.after = lose
    with pytest.raises(Unreachable):
        tree.flush(fh)
    tree.unlink_open("/d/f", ALIAS, is_replaced=None)
    clock.advance_when_waited_for(GRACE)
    wait_for(lambda: "/d/f" not in tree.replaced)
    assert "d/f" not in service.present()
    tree.forget_unlinked(ALIAS)
    tree.release(fh)


@pytest.mark.parametrize("follows", [True, False])
def test_what_a_rename_finds_deleted_leaves_its_tags_if_it_made_way_for_it(
    service: Service, tree: FileSystem, clock: FakeClock, *, follows: bool
) -> None:
    """G5: on a host that has no time for us the rename comes when the deletion is over."""
    reader = unlink_open(tree)
    clock.advance_when_waited_for(GRACE)
    wait_for(lambda: "/d/f" not in tree.replaced)
    assert "d/f" not in service.present()
    tree.rename("/d/tmp", "/d/f", follows=follows)
    assert service.content("d/f") == NEW
    assert service.bucket.get_tags("d/f") == ({"team": "blue"} if follows else {})
    tree.forget_unlinked(ALIAS)
    tree.release(reader)


def test_what_was_unlinked_leaves_nothing_to_the_next_of_its_name(
    service: Service, tree: FileSystem
) -> None:
    """A rename that is another call comes before the deletion: which is made first."""
    reader = unlink_open(tree)
    tree.rename("/d/tmp", "/d/f", follows=False)
    assert service.content("d/f") == NEW
    assert service.bucket.get_tags("d/f") == {}
    tree.forget_unlinked(ALIAS)
    tree.release(reader)


def test_a_rename_that_follows_asks_nothing_before_it_takes_the_deletion_back(
    service: Service, tree: FileSystem, clock: FakeClock
) -> None:
    """While its first request is slow, the deletion would be due."""
    reader = unlink_open(tree)
    late: list[bool] = []

    def before(_operation: str, _key: str) -> None:
        if not late:
            clock.now += GRACE
            late.append("/d/f" in tree.replaced)

    tree._env.bucket.forget("d/")
    service.bucket.before = before
    tree.rename("/d/tmp", "/d/f", follows=True)
    assert late == [False]
    assert service.bucket.get_tags("d/f") == {"team": "blue"}
    tree.forget_unlinked(ALIAS)
    tree.release(reader)
