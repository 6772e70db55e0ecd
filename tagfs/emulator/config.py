"""What can be chosen for an emulator."""

from dataclasses import dataclass
from pathlib import Path

_REGIONS = {"oss": "cn-hangzhou", "obs": "cn-north-4", "s3": "us-east-1"}
_KIB = 1024
_PART_MINIMA = {"oss": 100 * _KIB, "obs": 100 * _KIB, "s3": 5 * _KIB * _KIB}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorConfig:
    """The choices for one emulator, with defaults for all but the data directory.

    `security_token`, where set, makes the key pair a temporary one that every request must
    accompany with this token; `temporary_keys` is a file of pairs that hold for a while, beside the
    one (see `temporary`). `minimum_part_size` is what the service demands of all parts but
    the last; zero, like an empty `region`, stands for what is usual with the service.
    `options` are the service's own, as NAME=VALUE (see `obs.options` and `s3.options`).
    `restore_seconds` is how long restoring an archived object takes. `generate` holds
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
    temporary_keys: Path | None = None
    region: str = ""
    verify_signatures: bool = True
    minimum_part_size: int = 0
    options: tuple[str, ...] = ()
    restore_seconds: float = 0.5
    generate: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.region:
            object.__setattr__(self, "region", _REGIONS.get(self.service, ""))
        if not self.minimum_part_size:
            object.__setattr__(self, "minimum_part_size", _PART_MINIMA.get(self.service, 1))

    def address(self) -> tuple[str, int]:
        """Return the host and the port to listen on.

        Raises:
            ValueError: `listen` is not HOST:PORT.
        """
        host, colon, port = self.listen.rpartition(":")
        if not colon or not host or not port.isdigit():
            raise ValueError(f"not HOST:PORT: {self.listen!r}")
        return host.strip("[]"), int(port)
