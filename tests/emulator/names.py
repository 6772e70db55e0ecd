"""Host names of the tests' own, for virtual-hosted buckets: no name service knows them."""

import socket
from typing import Any

import pytest

DOMAIN = "emulator.test"


def resolve_locally(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name below the tests' domain be this machine."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return real("127.0.0.1" if name.endswith(DOMAIN) else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
