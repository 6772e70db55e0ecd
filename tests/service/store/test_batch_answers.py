"""What the answer to a batch of deletions proves, and what is done where it proves nothing."""

from collections.abc import Iterator

import pytest

from tagfs.store.objects import BytesSource, NewObject, Spared
from tagfs.store.tags import TagSet
from tests.emulated import Emulator, emulator
from tests.service.store.service import Service

OLD, NEW = BytesSource(b"old"), BytesSource(b"new")
PLAIN = NewObject(tags=TagSet({}))
KEYS = ["a", "b", "c/", "d e+%&ä"]


@pytest.fixture(scope="module", params=["obs", "s3"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp(request.param), 50, service=request.param) as one:
        yield one


@pytest.fixture
def service(running: Emulator) -> Iterator[Service]:
    one = Service(running)
    yield one
    one.faults()
    one.client.close()


# Answers of 200 that say nothing, the work done or not.
SPEECHLESS = {
    "nothing, and nothing done": "empty",
    "nothing": "empty:when=after",
    "half of it": "short=20",
}


@pytest.mark.parametrize("versions", ["named", "unnamed"])
@pytest.mark.parametrize("case", SPEECHLESS)
def test_an_answer_that_says_nothing_is_not_believed(
    service: Service, case: str, versions: str
) -> None:
    """The keys are looked at, and what is there still is deleted."""
    client = service.client
    made = {key: client.put(key, OLD, PLAIN) for key in KEYS}
    service.faults(f"{SPEECHLESS[case]}:op=DeleteMultipleObjects")
    assert client.delete_many(KEYS, meant=made if versions == "named" else {}) == {}
    assert client.list("").objects == ()


def test_where_no_answer_says_so_what_another_made_stays(service: Service) -> None:
    client = service.client
    meant = {key: client.put(key, OLD, PLAIN) for key in KEYS}
    client.put("b", NEW, PLAIN)
    service.faults("empty:op=DeleteMultipleObjects")
    failed = client.delete_many(KEYS, meant=meant)
    assert all(isinstance(reason, Spared) for reason in failed.values())
    assert client.get("b").data == b"new"


def test_what_cannot_be_deleted_is_reported_though_no_answer_says_so(service: Service) -> None:
    client = service.client
    for key in KEYS:
        client.put(key, OLD, PLAIN)
    service.faults("empty:op=DeleteMultipleObjects", "deny:op=DeleteObject:key=b")
    assert list(client.delete_many(KEYS)) == ["b"]
    assert [info.key for info in client.list("").objects] == ["b"]


def test_what_fails_in_passing_is_tried_again(service: Service) -> None:
    """An error of one key in an answer of 200 (S3: InternalError, SlowDown)."""
    client = service.client
    for key in KEYS:
        client.put(key, OLD, PLAIN)
    service.faults("busy_delete=[ab]")
    assert client.delete_many(KEYS) == {}
    assert client.list("").objects == ()


def test_a_server_that_is_silent_where_nothing_failed_is_found_out(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """It is looked at once; the next batch is one request."""
    directory = tmp_path_factory.mktemp("foreign")
    with emulator(directory, 1, service="s3", options=["part_copies=off"]) as one:
        service = Service(one)
        service.faults("empty:when=after:op=DeleteMultipleObjects")
        for asked in (["DeleteMultipleObjects", *["HeadObject"] * 4], ["DeleteMultipleObjects"]):
            for key in ("a", "b", "c", "d"):
                service.client.put(key, OLD, PLAIN)
            service.skip()
            assert service.client.delete_many(["a", "b", "c", "d"]) == {}
            assert service.asked() == asked
        service.client.close()
