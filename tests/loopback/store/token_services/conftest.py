"""What the tests of token services share."""

import contextlib

import pytest

from tagfs.store.http import retry
from tests.fakes.metadata_service import MetadataService, pair
from tests.fakes.token_services import TokenServices
from tests.loopback.store.token_services.kit import (
    DIALECTS,
    FIRST,
    JWT,
    LATER,
    SECOND,
    Host,
)


@pytest.fixture
def service():
    with TokenServices([FIRST, SECOND], {"long": ("L0NG-S3CRET", "")}, {JWT}) as one:
        yield one


@pytest.fixture
def machine():
    """A machine whose role would be had for the asking: no test may take it by mistake."""
    with contextlib.ExitStack() as stack:
        yield {
            kind: stack.enter_context(MetadataService(kind, pair(kind, "machine", "m", "m", LATER)))
            for kind in DIALECTS
        }


@pytest.fixture
def host(tmp_path, service, machine):
    found = Host(tmp_path, service, machine)
    yield found
    found.machine = None


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(retry, "delay", lambda _: 0.0)
