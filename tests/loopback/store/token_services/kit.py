"""A host whose credentials come from token services, and what its sources are set to.

The stand-in verifies signatures by the vendors' own code (`tests/fakes/token_services.py`).
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tagfs.store.credentials.chain import CredentialsChoice, find_credentials
from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tests.fakes.metadata_service import ADDRESSES
from tests.fakes.token_services import TokenServices, in_seconds

DIALECTS = {"oss": OSS, "obs": OBS, "s3": S3}
LATER = in_seconds(3600)
FIRST = ("STS.one", "S3CRET-one", "T0KEN-one", LATER)
SECOND = ("STS.two", "S3CRET-two", "T0KEN-two", LATER)
JWT = "jwt." + "x" * 300
LONG_KEY = ("long", "L0NG-S3CRET")


class Source(NamedTuple):
    """One source of credentials.

    Attributes:
        kind: of service.
        environment: what is set; HOME and URL stand for the directory and the token service.
        files: what is written below HOME.
        actions: what the token service is asked, in this order.
    """

    kind: str
    environment: dict[str, str]
    files: dict[str, str]
    actions: list[str]


class Host:
    """Looks for credentials on a host, with files in the user's home."""

    def __init__(self, home: Path, service: TokenServices, machine: Any) -> None:
        self.home = home
        self.service = service
        self.machine = machine
        self.write("token", JWT + "\n", 0o644)

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def find(self, kind: str, environment: dict[str, str] | None = None, **choice: Any):
        chosen = {
            name: value.replace("HOME", str(self.home)).replace("URL", self.service.url)
            for name, value in (environment or {}).items()
        }
        metadata = self.machine[kind].url
        base = {"HOME": str(self.home), ADDRESSES[kind]: metadata, **self.service.environment}
        names = DIALECTS[kind].environment
        region = choice.pop("region", None)
        return find_credentials(
            kind, names, CredentialsChoice(**choice), {**base, **chosen}, region=region
        )

    def prepare(self, files: dict[str, str]) -> None:
        """Write the files of a source, and a command that prints a key pair."""
        printed = {"Version": 1, "AccessKeyId": "long", "SecretAccessKey": "L0NG-S3CRET"}
        self.write("print.py", f"print({json.dumps(printed)!r})")
        for name, text in files.items():
            written = text.replace("HOME", str(self.home)).replace("PYTHON", sys.executable)
            self.write(name, written.replace("URL", self.service.url))


def pairs(found) -> list[Credentials]:
    """What a source gives now, and when it is asked again."""
    return [found.get(), found.refresh()]


def is_of(given: Credentials, expected: tuple[str, str, str, str]) -> bool:
    parts = (given.access_key_id, given.secret_access_key, given.session_token)
    return parts == expected[:3] and given.expires_at is not None
