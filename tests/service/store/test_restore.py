"""Archived objects, restored on each service: by the client, and by `tagfs restore`."""

import contextlib
from collections.abc import Iterator

import pytest

from tagfs.errors import Archived, NotFound, NotPermitted
from tagfs.store.objects import BytesSource, NewObject
from tests import zygote
from tests.emulated import Emulator, emulator
from tests.service.store.service import Service
from tests.waiting import wait_for

CLASSES = {"oss": "Archive", "obs": "COLD", "s3": "GLACIER"}
KEYS = {
    "oss": {"OSS_ACCESS_KEY_ID": "emulator", "OSS_ACCESS_KEY_SECRET": "emulator-secret"},
    "obs": {"OBS_ACCESS_KEY_ID": "emulator", "OBS_SECRET_ACCESS_KEY": "emulator-secret"},
    "s3": {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator-secret"},
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(emulator(tmp_path_factory.mktemp(name), 20, service=name))
            for name in CLASSES
        }


@pytest.fixture(params=CLASSES)
def service(services: dict[str, Emulator], request: pytest.FixtureRequest) -> Iterator[Service]:
    one = Service(services[request.param])
    with contextlib.closing(one.client):
        yield one


def archive(service: Service, key: str) -> None:
    headers = {"storage-class": CLASSES[service.emulator.service]}
    service.client.put(key, BytesSource(b"cold"), NewObject(headers=headers))


def readable(service: Service, key: str) -> bool:
    detail = service.client.head(key).detail
    assert detail is not None
    return bool(detail.readable)


def test_what_is_restored_can_be_read(service: Service) -> None:
    archive(service, "f")
    with pytest.raises(Archived):
        service.client.get("f")
    service.client.restore("f", 3)
    service.client.restore("f", 3)  # it is under way
    wait_for(lambda: readable(service, "f"))
    assert service.client.get("f").data == b"cold"
    detail = service.client.head("f").detail
    assert detail is not None
    assert "expiry-date=" in detail.restore
    service.client.restore("f", 5)
    service.client.restore("f", 1)  # shorter: the longer time may stay


@pytest.mark.parametrize("fault", ["status=503", "status=503:when=after", "reset:when=after"])
def test_an_attempt_that_fails_is_made_again(service: Service, fault: str) -> None:
    """What the lost one has begun is no error to the next."""
    archive(service, "f")
    service.faults(f"{fault}:op=RestoreObject:times=1")
    service.client.restore("f", 3)
    assert service.struck() == 1
    wait_for(lambda: readable(service, "f"))


def test_what_cannot_be_restored(service: Service) -> None:
    service.client.put("warm", BytesSource(b"x"), NewObject())
    with pytest.raises(NotPermitted):
        service.client.restore("warm", 3)
    with pytest.raises(NotFound):
        service.client.restore("none", 3)


def run(service: Service, *words: str) -> tuple[int, str, str]:
    kind = service.emulator.service
    connection = f"endpoint={service.emulator.url},addressing=path"
    done = zygote.run("restore", *words, "-o", connection, env=KEYS[kind])
    return done.returncode, done.stdout, done.stderr


def test_many_at_once(service: Service) -> None:
    url = f"{service.emulator.service}://{service.name}"
    for key in ("d/a", "d/b"):
        archive(service, key)
    service.client.put("d/warm", BytesSource(b"x"), NewObject())
    said = run(service, "-n", "-R", f"{url}/d/")
    assert said[0] == 0
    assert said[2] == "2 would be restored, 1 not archived\n"
    assert not readable(service, "d/a")
    service.skip()
    assert run(service, "-R", "--days", "2", f"{url}/d/")[2] == "2 restored, 1 not archived\n"
    wait_for(lambda: readable(service, "d/a") and readable(service, "d/b"))
    status, _, said_of = run(service, f"{url}/d/warm")
    assert status == 1
    assert "is not archived" in said_of
