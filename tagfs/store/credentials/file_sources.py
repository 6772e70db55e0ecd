"""Credentials in a file that the user named, in the environment, or printed by a command."""

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.field_names import (
    parse_ini,
    parse_json,
    parse_key_pair,
    parse_lines,
    role_in,
)
from tagfs.store.credentials.passwords import is_password_file, pair_for
from tagfs.store.credentials.private_files import read_private
from tagfs.store.credentials.values import Credentials, EnvironmentNames, NotAvailable

PROCESS_TIMEOUT: Final = 60.0
"""Seconds that a command may take."""


class KeyFile:
    """The file of `credentials=`: NAME=VALUE lines, JSON, a password file or sections."""

    def __init__(self, path: Path, profile: str | None = None, bucket: str = "") -> None:
        """`bucket` is whose line counts in a password file."""
        self._path = path
        self._profile = profile
        self._bucket = bucket

    @property
    def name(self) -> str:
        """The file."""
        return f"credentials={self._path}"

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        try:
            text = read_private(self._path)
        except NotAvailable as error:
            raise BadCredentials(f"credentials={error}") from None
        fields = self._fields(text)
        role = role_in(fields)
        if role:
            raise BadCredentials(
                f"{self._path}: {role} names another identity than the key pair beside it: "
                "a token service has to be asked for it: use credential_process"
            )
        return parse_key_pair(fields, str(self._path))

    def _fields(self, text: str) -> Mapping[str, object]:
        path = str(self._path)
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith(("#", ";"))]
        if not lines:
            raise BadCredentials(f"{path} is empty")
        if lines[0].startswith("{"):
            return parse_json(text, path)
        if lines[0].startswith("["):
            sections, wanted = parse_ini(text, path), self._profile or "default"
            if wanted not in sections:
                raise BadCredentials(f"{path} has no section [{wanted}]")
            return sections[wanted]
        if self._profile is not None:
            raise BadCredentials(
                f"credentials_profile={self._profile}: {path} has no sections to choose one of"
            )
        if is_password_file(lines):
            return pair_for(self._bucket, lines, path)
        return parse_lines(text, path)


class Environment:
    """The variables of one vendor's tools."""

    def __init__(self, names: EnvironmentNames, environment: Mapping[str, str]) -> None:
        self._names = names
        self._environment = environment

    @property
    def name(self) -> str:
        """The variable that begins the pair."""
        return f"the environment ({self._names.access_key_id})"

    def load(self) -> Credentials:
        """Read the variables; see `Source.load`."""
        names = self._names
        fields = {
            "access_key_id": self._environment.get(names.access_key_id, "").strip(),
            "secret_access_key": self._environment.get(names.secret_access_key, "").strip(),
            "token": self._environment.get(names.session_token, "").strip(),
        }
        if not any(fields.values()):
            raise NotAvailable(f"{names.access_key_id} and {names.secret_access_key} (not set)")
        for variable, part in (
            (names.access_key_id, "access_key_id"),
            (names.secret_access_key, "secret_access_key"),
        ):
            if not fields[part]:
                raise BadCredentials(f"no credentials: set {variable}")
        return parse_key_pair(fields, self.name)


class Process:
    """A command that prints a key pair as JSON, in the words of AWS's or Alibaba Cloud's tools."""

    def __init__(self, command: str, timeout: float = PROCESS_TIMEOUT) -> None:
        self._command = command.strip() or "(none)"
        self._timeout = timeout

    @property
    def name(self) -> str:
        """The program; its arguments may be nobody's business."""
        return f"credential_process {self._command.split(maxsplit=1)[0]}"

    def load(self) -> Credentials:
        """Run the command; see `Source.load`. It is not run by a shell."""
        fields = parse_json(self._run(), self.name)
        if fields.get("Version", 1) != 1:
            raise BadCredentials(f"{self.name}: its Version is not 1")
        return parse_key_pair(fields, self.name)

    def _run(self) -> str:
        try:
            # What it writes to stderr may be secret as well.
            done = subprocess.run(  # noqa: S603  (the command is the user's own choice)
                shlex.split(self._command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            reason = f"has not ended after {self._timeout:.0f} s"
        except OSError as error:
            reason = f"cannot be run: {error.strerror}"
        except ValueError:
            reason = "is no command: a quotation is not closed"
        else:
            if done.returncode == 0:
                return done.stdout.decode("utf-8", "replace")
            reason = f"ended with status {done.returncode}: run it by hand to see why"
        raise BadCredentials(f"{self.name} {reason}")
