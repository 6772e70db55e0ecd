"""Telling systemd how a service fares: the protocol of sd_notify(3), which is one datagram."""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

VARIABLE = "NOTIFY_SOCKET"
_PATIENCE = 2.0  # seconds; a mount must not hang because its supervisor does


def notify(*states: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send lines such as READY=1 and STATUS=...; return whether there was a receiver.

    Nobody is where no supervisor asked for it. One that cannot be reached is no reason to
    fail.
    """
    address = environment.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    message = "\n".join(state.replace("\n", " ") for state in states)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(_PATIENCE)
            sender.connect(address)
            sender.sendall(message.encode())
    except OSError as error:
        log.info("systemd could not be notified of %r: %s", message, error)
        return False
    return True
