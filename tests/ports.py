"""Ports of loopback for servers that have to be given which one to take."""

import contextlib
import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 15_000

_reserved: list[socket.socket] = []


def free_port() -> int:
    """Return a port that nobody listens on, and that no other test is given while we run.

    One that the kernel chose, and that is let go of again, may be the near end of anybody's
    connection a moment later: hence those below the range that it chooses from. An abstract socket
    with the port in its name, held as long as this process lives, shows others that it is taken.
    """
    lowest = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    for _ in range(1000):
        port = random.randrange(_LOWEST, max(lowest, 20_000))
        with contextlib.suppress(OSError):
            _reserve(port)
            return port
    raise AssertionError("no port is free")


def _reserve(port: int) -> None:
    """Take a port for this process.

    Raises:
        OSError: another process has it.
    """
    with contextlib.ExitStack() as stack:
        mark = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        mark.bind(f"\0tagfs-tests-port-{port}")
        socket.create_server(("127.0.0.1", port)).close()
        stack.pop_all()
    _reserved.append(mark)
