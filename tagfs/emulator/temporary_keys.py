"""Temporary key pairs, as a token service would have handed them out: a file says which hold.

The file is a JSON list of objects with `access_key_id`, `access_key_secret`, `security_token` and
`expires` (seconds since 1970). It is looked at again for every request, so that who plays the
token service can hand out, shorten and revoke.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.messages import Request


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """One pair with its token and its end."""

    access_key_id: str
    access_key_secret: str
    security_token: str
    expires: float

    def config(self, config: EmulatorConfig) -> EmulatorConfig:
        """Return a configuration in which this pair is the one to accept."""
        return replace(
            config,
            access_key_id=self.access_key_id,
            access_key_secret=self.access_key_secret,
            security_token=self.security_token,
            temporary_keys=None,
        )


def find_key(file: Path | None, request: Request) -> TemporaryKey | None:
    """Return the temporary pair that a request names, if there is one."""
    if file is None:
        return None
    named = [request.headers.get("Authorization", ""), *request.query.values()]
    for fields in json.loads(file.read_text(encoding="utf-8")):
        key = TemporaryKey(**fields)
        if any(key.access_key_id in text for text in named):
            return key
    return None
