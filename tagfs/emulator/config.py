"""What whoever starts an emulator can choose."""

from dataclasses import dataclass
from pathlib import Path

_PART_MINIMUM = 100 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorConfig:
    """The choices for one emulator, with defaults for all but the data directory.

    `security_token`, where set, makes the key pair a temporary one that every request must
    accompany with this token. `minimum_part_size` is what the service demands of all parts but
    the last. `restore_seconds` is how long restoring an archived object takes. `generate` holds
    specifications of objects to write into the first bucket (see `storage.generate`).
    """

    data: Path
    service: str = "oss"
    listen: str = "127.0.0.1:0"
    buckets: tuple[str, ...] = ()
    latency: float = 0.0
    request_log: Path | None = None
    faults: tuple[str, ...] = ()
    access_key_id: str = "emulator"
    access_key_secret: str = "emulator-secret"  # noqa: S105 - a public default, not a secret
    security_token: str | None = None
    region: str = "cn-hangzhou"
    verify_signatures: bool = True
    minimum_part_size: int = _PART_MINIMUM
    restore_seconds: float = 0.5
    generate: tuple[str, ...] = ()

    def address(self) -> tuple[str, int]:
        """Return the host and the port to listen on.

        Raises:
            ValueError: `listen` is not HOST:PORT.
        """
        host, colon, port = self.listen.rpartition(":")
        if not colon or not host or not port.isdigit():
            raise ValueError(f"not HOST:PORT: {self.listen!r}")
        return host.strip("[]"), int(port)
