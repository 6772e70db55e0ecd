"""F1, D5: every operation of the client, whatever goes wrong, once, twice and for ever.

A success means that all is done and done once; a failure names what went wrong, and nothing is
half done. Judged by a second client, which nothing disturbs. One run has the lost replies of all
that changes something, and a sample of the other cells; TAGFS_FAULT_SHARE=1 has them all.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import cache

import pytest

from tagfs.errors import AlreadyExists, NoSuchUpload, PositionMismatch
from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.http import attempts, retry
from tagfs.store.objects import BytesSource, NewObject
from tests.emulated import PAIR, Emulator, emulator
from tests.faults.faults import Meanwhile, dropped, lost
from tests.faults.matrix import Cell, Field
from tests.faults.operations import BLUE, OPERATIONS, RED, is_possible, uploading
from tests.faults.proxy import Fault, Proxy, Rule

SHARE = int(os.environ.get("TAGFS_FAULT_SHARE", "60"))
TOGETHER = 24
"""Cells at a time: most of what they do is to wait."""

MANY = 200
LINGERING = 10
"""Threads of proxies that may be about to end."""

Services = Callable[[str], Emulator]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.002)
    monkeypatch.setattr(attempts, "IDLE_TIMEOUT", 0.25)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with ExitStack() as stack:

        @cache
        def start(kind: str) -> Emulator:
            directory = tmp_path_factory.mktemp(kind)
            return stack.enter_context(emulator(directory, 100, service=kind))

        yield start


@pytest.mark.timeout(3600 if SHARE == 1 else 300)
@pytest.mark.parametrize("kind", ["oss", "obs", "s3"])
def test_every_fault(services: Services, kind: str) -> None:
    running = services(kind)
    threads = threading.active_count()
    with ThreadPoolExecutor(TOGETHER) as executor, ExitStack() as stack:
        judged: list[tuple[Cell, Future[str]]] = []
        fields = [stack.enter_context(closing(Field(running, one))) for one in OPERATIONS]
        possible = [field for field in fields if is_possible(field.clean, field.operation)]
        normals = [field.measure() for field in possible]
        for field, normal in zip(possible, normals, strict=True):
            cells = [cell for cell in field.cells(normal) if cell.is_chosen(SHARE)]
            judged += [(cell, executor.submit(field.judge, cell, normal)) for cell in cells]
        wrong = [f"{cell}: {text.result()}" for cell, text in judged if text.result()]
    assert not wrong, "\n".join(wrong)
    assert len(judged) > MANY
    print(f"{kind}: {len(judged)} cells")
    assert threading.active_count() <= threads + LINGERING, "threads are left over"


@pytest.fixture(params=["oss", "obs", "s3"])
def pair(
    request: pytest.FixtureRequest, services: Services
) -> Iterator[tuple[Client, Client, Proxy]]:
    """A client behind a proxy, and another host's client."""
    running = services(request.param)
    bucket = running.take()
    with Proxy(running.url) as proxy:
        settings = BucketSettings(service=request.param, bucket=bucket, endpoint=proxy.url)
        here, there = open_bucket(settings, PAIR), running.open(bucket)
        yield here, there, proxy
        here.close()
        there.close()


Pair = tuple[Client, Client, Proxy]


def strike(proxy: Proxy, kinds: str, fault: Fault, meanwhile: Callable[[], object]) -> None:
    proxy.board.set(Rule(Meanwhile(meanwhile, fault), kinds, times=1))


class TestDistinguished:
    """Between a reply that is lost and the next attempt another client does the same."""

    def test_an_exclusive_file_that_another_made_first(self, pair: Pair) -> None:
        here, there, proxy = pair
        strike(proxy, "PUT", dropped, lambda: put(there, "f", b"theirs"))
        with pytest.raises(AlreadyExists):
            put(here, "f", b"ours", exclusive=True)
        assert there.get("f").data == b"theirs"
        assert there.get_tags("f") == RED

    def test_an_exclusive_file_that_was_ours_and_was_deleted(self, pair: Pair) -> None:
        here, there, proxy = pair
        strike(proxy, "PUT", lost, lambda: there.delete("f"))
        put(here, "f", b"ours", exclusive=True)
        assert there.get("f").data == b"ours"

    def test_an_append_that_another_made_first(self, pair: Pair) -> None:
        here, there, proxy = pair
        if not here.capabilities.append:
            return
        info = there.start_append("f", BytesSource(b"one,"), NewObject(tags=BLUE))
        strike(proxy, "POST append", dropped, lambda: there.append(info, BytesSource(b"theirs")))
        with pytest.raises(PositionMismatch):
            here.append(info, BytesSource(b"ours.."))
        assert there.get("f").data == b"one,theirs"

    def test_an_append_that_another_has_extended(self, pair: Pair) -> None:
        here, there, proxy = pair
        if not here.capabilities.append:
            return
        info = there.start_append("f", BytesSource(b"one,"), NewObject(tags=BLUE))

        def more() -> None:
            there.append(there.head("f"), BytesSource(b"theirs"))

        strike(proxy, "POST append", lost, more)
        here.append(info, BytesSource(b"ours,"))
        assert there.get("f").data == b"one,ours,theirs"

    def test_an_upload_that_was_completed_and_replaced(self, pair: Pair) -> None:
        here, there, proxy = pair
        upload, parts = uploading(here, "")
        strike(proxy, "POST uploadId", lost, lambda: put(there, "f", b"theirs"))
        if here.dialect.service == "s3":  # says again that it did so, and it did
            here.complete_upload(upload, parts)
        else:
            with pytest.raises(NoSuchUpload):
                here.complete_upload(upload, parts)
        assert there.get("f").data == b"theirs"

    def test_an_exclusive_copy_that_another_made_first(self, pair: Pair) -> None:
        here, there, proxy = pair
        put(there, "f", b"source")
        info = here.head("f")
        strike(proxy, "PUT copy", dropped, lambda: put(there, "g", b"theirs"))
        if "CopyObject" not in here.dialect.exclusive_operations:
            return  # there is no header for it: another client may come in between
        with pytest.raises(AlreadyExists):
            here.copy(info, "g", exclusive=True)
        assert there.get("g").data == b"theirs"

    def test_a_deleted_object_that_another_made_anew(self, pair: Pair) -> None:
        here, there, proxy = pair
        put(there, "f", b"meant")
        meant = here.head("f")
        strike(proxy, "DELETE", lost, lambda: put(there, "f", b"theirs"))
        here.delete("f", meant=meant)
        assert there.get("f").data == b"theirs"

    def test_an_object_whose_deletion_did_not_arrive(self, pair: Pair) -> None:
        here, there, proxy = pair
        put(there, "f", b"meant")
        strike(proxy, "DELETE", dropped, lambda: None)
        here.delete("f", meant=here.head("f"))
        assert there.list("f").objects == ()

    @pytest.mark.parametrize("arrives", [True, False])
    def test_a_batch_of_which_another_made_one_anew(self, pair: Pair, arrives: bool) -> None:  # noqa: FBT001
        here, there, proxy = pair
        for name in "abc":
            put(there, name, b"meant")
        meant = {name: here.head(name) for name in "abc"}
        strike(proxy, "POST delete", lost if arrives else dropped, lambda: put(there, "b", b"new"))
        assert here.delete_many(list(meant), meant=meant) == {}
        assert [info.key for info in there.list("").objects] == ["b"]
        assert there.get("b").data == b"new"
        asked = proxy.board.asked
        assert asked.count("POST delete") == (1 if arrives else 2)

    def test_nobody_looks_when_nothing_goes_wrong(self, pair: Pair) -> None:
        here, there, proxy = pair
        for name in "abc":
            put(there, name, b"meant")
        meant = {name: here.head(name) for name in "abc"}
        proxy.board.set()
        here.delete("a", meant=meant.pop("a"))
        here.delete_many(list(meant), meant=meant)
        assert proxy.board.asked == ["DELETE", "POST delete"]


def put(client: Client, key: str, data: bytes, *, exclusive: bool = False) -> None:
    client.put(key, BytesSource(data), NewObject(tags=RED, exclusive=exclusive))
