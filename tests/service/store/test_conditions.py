"""Conditions of S3 on what a copy replaces and a deletion strikes; and servers without them."""

from collections.abc import Iterator

import pytest

from tagfs.errors import AlreadyExists, NotFound, ObjectChanged
from tagfs.store.objects import BytesSource, NewObject, Spared
from tagfs.store.tags import TagSet
from tests.emulated import Emulator, emulator
from tests.service.store.service import Service

OLD, NEW = BytesSource(b"old"), BytesSource(b"new")
PLAIN = NewObject(tags=TagSet({}))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("s3"), 50, service="s3") as one:
        yield one


@pytest.fixture
def service(running: Emulator) -> Iterator[Service]:
    one = Service(running, annotations="off")
    yield one
    one.faults()
    one.client.close()


def test_a_copy_replaces_nothing_at_the_cost_of_one_request(service: Service) -> None:
    client = service.client
    source = client.put("a", OLD, PLAIN)
    service.asked()
    client.copy(source, "b", exclusive=True)
    assert service.asked() == ["CopyObject"]
    client.put("b", NEW, PLAIN)
    with pytest.raises(AlreadyExists):
        client.copy(source, "b", exclusive=True)
    assert client.get("b").data == b"new"


# What a server answers to a condition that it does not know, or takes for one on the source.
UNKNOWN = {
    "refused": "status=501:code=NotImplemented:op=CopyObject:header=if-none-match",
    "of the source": "status=412:code=PreconditionFailed:op=CopyObject:header=if-none-match",
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_servers_without_conditions_of_copies(service: Service, case: str) -> None:
    """The copy is made all the same; from then on nobody asks for a condition."""
    client = service.client
    source = client.put("a", OLD, PLAIN)
    service.faults(UNKNOWN[case])
    client.copy(source, "b", exclusive=True)
    assert client.capabilities.exclusive
    assert not client.capabilities.exclusive_copies
    service.asked()
    client.copy(source, "c", exclusive=True)
    assert service.asked() == ["HeadObject", "CopyObject"]
    with pytest.raises(AlreadyExists):
        client.copy(source, "c", exclusive=True)


def test_a_deletion_strikes_what_is_meant_alone(service: Service) -> None:
    client = service.client
    meant = client.put("a", OLD, PLAIN)
    client.put("a", NEW, PLAIN)
    with pytest.raises(ObjectChanged):
        client.delete("a", meant=meant)
    assert client.get("a").data == b"new"
    service.asked()
    client.delete("a", meant=client.put("a", OLD, PLAIN))
    client.delete("a", meant=meant)  # it is gone
    assert service.asked() == ["PutObject", "DeleteObject", "DeleteObject"]


def test_a_batch_strikes_what_is_meant_alone(service: Service) -> None:
    client = service.client
    meant = {key: client.put(key, OLD, PLAIN) for key in ("a", "b", "c")}
    client.put("b", NEW, PLAIN)
    client.delete("c")
    failed = client.delete_many(list(meant), meant=meant)
    assert list(failed) == ["b"]
    assert isinstance(failed["b"], Spared)
    assert [info.key for info in client.list("").objects] == ["b"]


NONE_KNOWN = {
    "refused": "status=501:code=NotImplemented:op=DeleteObject:header=if-match",
    "no right to read": "deny:op=DeleteObject:header=if-match",
    "misread": "status=412:code=PreconditionFailed:op=DeleteObject:header=if-match",
}


@pytest.mark.parametrize("case", NONE_KNOWN)
def test_servers_without_conditions_of_deletions(service: Service, case: str) -> None:
    client = service.client
    service.faults(NONE_KNOWN[case])
    client.delete("a", meant=client.put("a", OLD, PLAIN))
    assert client.list("").objects == ()
    service.asked()
    client.delete("b", meant=client.put("b", OLD, PLAIN))
    assert service.asked() == ["PutObject", "DeleteObject"]


def test_servers_without_conditions_in_batches(service: Service) -> None:
    """Batches stay: the same one without conditions is what shows it."""
    client = service.client
    service.faults("status=400:code=MalformedXML:op=DeleteMultipleObjects:times=1")
    for again in (False, True):
        meant = {key: client.put(key, OLD, PLAIN) for key in ("a", "b")}
        service.asked()
        assert client.delete_many(list(meant), meant=meant) == {}
        assert service.asked() == ["DeleteMultipleObjects"] * (1 if again else 2)


# A copy onto what is there, and chmod's onto the object itself, replace the version that was seen


def test_a_copy_replaces_what_was_seen_alone(service: Service) -> None:
    client = service.client
    source, seen = client.put("a", OLD, PLAIN), client.put("b", OLD, PLAIN)
    service.asked()
    client.copy(source, "b", replaces=seen)
    assert service.asked() == ["CopyObject"]
    seen = client.put("b", NEW, PLAIN)
    client.put("b", BytesSource(b"theirs"), PLAIN)
    with pytest.raises(ObjectChanged):
        client.copy(source, "b", replaces=seen)
    assert client.get("b").data == b"theirs"
    client.delete("b")
    with pytest.raises(ObjectChanged):
        client.copy(source, "b", replaces=seen)
    assert client.list("b").objects == ()


def test_metadata_replaces_what_was_seen_alone(service: Service) -> None:
    client = service.client
    seen = client.put("a", OLD, PLAIN)
    edited = client.set_metadata(seen, {"m": "1"}, {}, known_tags=TagSet())
    client.put("a", NEW, PLAIN)
    with pytest.raises(ObjectChanged):
        client.set_metadata(edited, {"m": "2"}, {}, known_tags=TagSet())
    assert client.get("a").data == b"new"
    client.delete("a")
    with pytest.raises(NotFound):
        client.set_metadata(edited, {"m": "2"}, {}, known_tags=TagSet())


NOT_UNDERSTOOD = {
    "refused": "status=501:code=NotImplemented:op=CopyObject:header=if-match",
    "of something else": "status=412:code=PreconditionFailed:op=CopyObject:header=if-match",
}


@pytest.mark.parametrize("case", NOT_UNDERSTOOD)
def test_servers_without_conditions_on_what_a_copy_replaces(service: Service, case: str) -> None:
    """The copy is made all the same; from then on nobody asks for that condition."""
    client = service.client
    source, seen = client.put("a", OLD, PLAIN), client.put("b", NEW, PLAIN)
    service.faults(NOT_UNDERSTOOD[case])
    made = client.copy(source, "b", replaces=seen)
    assert client.get("b").data == b"old"
    service.asked()
    client.set_metadata(made, {"m": "1"}, {}, known_tags=TagSet())
    assert service.asked() == ["CopyObject"]


def test_a_copy_whose_answer_was_lost_is_known_again(service: Service) -> None:
    client = service.client
    source, seen = client.put("a", OLD, PLAIN), client.put("b", NEW, PLAIN)
    service.faults("reset:when=after:op=CopyObject:times=1")
    assert client.copy(source, "b", replaces=seen).etag == source.etag
    assert client.get("b").data == b"old"
