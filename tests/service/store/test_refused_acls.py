"""ACLs that may not be read or set: one object's matter, and no private object is opened."""

from collections.abc import Iterator

import pytest

from tagfs.errors import AccessDenied
from tagfs.store.client import refusals
from tagfs.store.client.acls import memory as acl_memory, object_acls
from tagfs.store.objects import BytesSource, NewObject
from tests.emulated import Emulator, emulator
from tests.service.store.service import Service


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("acls"), buckets=20) as one:
        yield one


@pytest.fixture
def clock() -> list[float]:
    """Return what its only item says of the time, in seconds."""
    return [0.0]


@pytest.fixture
def rewriting(
    running: Emulator, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> Iterator[Service]:
    """Return a service whose client reads each ACL afresh, by that clock."""
    monkeypatch.setattr(acl_memory, "FRESH_WITHIN", 0.0)
    notes = acl_memory.AclNotes
    monkeypatch.setattr(object_acls, "AclNotes", lambda: notes(lambda: clock[0]))
    one = Service(running, acl="keep")
    yield one
    one.faults()
    one.client.close()


def make(service: Service, key: str, word: str) -> None:
    service.sdk.put_object(key, b"old", headers={"x-oss-object-acl": word})


def rewrite(service: Service, key: str) -> None:
    service.client.put(key, BytesSource(b"new"), NewObject())


def acl(service: Service, key: str) -> str:
    return str(service.sdk.get_object_acl(key).acl)


# What is refused; which of three rewrites, a/f, b/g and a/f's neighbour a/h, keep their ACL.
REFUSALS = {
    "set, once": ("deny:op=PutObject:times=1", {"b/g", "a/h"}),
    "set, under a prefix": ("deny:op=PutObject:key=a/f:times=1", {"b/g", "a/h"}),
    "read, once": ("deny:op=GetObjectAcl:times=1", {"b/g", "a/h"}),
    "read, of one object": ("deny:op=GetObjectAcl:key=a/f", {"b/g", "a/h"}),
    "read, always": ("deny:op=GetObjectAcl", set()),
    "no ACLs": (
        "status=405:code=MethodNotAllowed:op=PutObject:header=x-oss-object-acl:times=1",
        set(),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_refusal_costs(rewriting: Service, case: str) -> None:
    fault, kept = REFUSALS[case]
    keys = ("a/f", "b/g", "a/h")
    for key in keys:
        make(rewriting, key, "public-read")
    rewriting.faults(fault)
    for key in keys:
        rewrite(rewriting, key)
    rewriting.faults()
    assert {key for key in keys if acl(rewriting, key) == "public-read"} == kept
    assert all(rewriting.sdk.get_object(key).read() == b"new" for key in keys)


def test_reading_is_not_asked_for_ever(rewriting: Service, clock: list[float]) -> None:
    """Two refusals in a directory keep it quiet for a while; another one is asked."""
    for key in ("a/f", "b/g"):
        make(rewriting, key, "public-read")
    rewriting.faults("deny:op=GetObjectAcl:key=a/f")
    rewriting.skip()
    for _ in range(5):
        rewrite(rewriting, "a/f")
    assert rewriting.asked().count("GetObjectAcl") == 2
    rewrite(rewriting, "b/g")
    assert acl(rewriting, "b/g") == "public-read"
    clock[0] += refusals.REFUSED
    rewriting.skip()
    rewrite(rewriting, "a/f")
    assert rewriting.asked().count("GetObjectAcl") == 1


def test_private_objects_stay_so(rewriting: Service) -> None:
    make(rewriting, "f", "private")
    rewriting.faults("deny:op=PutObject:times=1")
    with pytest.raises(AccessDenied):
        rewrite(rewriting, "f")
    assert (rewriting.sdk.get_object("f").read(), acl(rewriting, "f")) == (b"old", "private")
    rewrite(rewriting, "f")
    assert (rewriting.sdk.get_object("f").read(), acl(rewriting, "f")) == (b"new", "private")


def test_copies_of_private_objects(rewriting: Service) -> None:
    """A copy that cannot be closed like its source is taken away."""
    make(rewriting, "f", "private")
    rewriting.faults("deny:op=PutObjectAcl")
    found = rewriting.client.head("f")
    with pytest.raises(AccessDenied):
        rewriting.client.copy(found, "g")
    assert not rewriting.sdk.object_exists("g")
    assert acl(rewriting, "f") == "private"
