"""Credentials in the files of the vendors' own tools: ossutil, aliyun, obsutil, aws.

They are read, never written. What a tool would have to ask a token service for is left to the tool
(`credential_process`): an assumed role's rights are not those of the keys that may assume it.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.localfiles.trusted import Unreadable, Untrusted, expand, home, read_trusted
from tagfs.store.credentials.field_names import (
    has_pair,
    parse_ini,
    parse_json,
    parse_key_pair,
    parse_lines,
    plain,
    role_in,
)
from tagfs.store.credentials.file_sources import Process, read_private
from tagfs.store.credentials.refusals import OfMachine
from tagfs.store.credentials.values import Credentials, NotAvailable

_AES_BLOCK = 16
_MACHINE: Final = "ecsramrole"


def _own(environment: Mapping[str, str], name: str) -> Path:
    base = home(environment)
    if base is None:
        raise NotAvailable(f"~/{name} (no home directory)")
    return base / name


def _read_shown(path: Path) -> str:
    """Return the text of a file that others may read, as long as there is no secret in it.

    Raises:
        Absent: no such file, or none for this user.
        BadCredentials: others could change it.
    """
    try:
        return read_trusted(path)
    except (FileNotFoundError, Unreadable):
        reason = ""
    except Untrusted as error:
        reason = str(error)
    if not reason:
        raise NotAvailable(f"{path} (no such file)")
    raise BadCredentials(reason)


class Ossutil:
    """`~/.ossutilconfig`: [Credentials] of ossutil 1, [default] and [profile NAME] of ossutil 2."""

    name = "~/.ossutilconfig"

    def __init__(
        self, profile: str | None, environment: Mapping[str, str], machine: OfMachine
    ) -> None:
        self._profile = profile
        self._environment = environment
        self._machine = machine

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        chosen = self._environment.get("OSSUTIL_CONFIG_FILE")
        base = self._environment
        path = expand(chosen, base) if chosen else _own(base, ".ossutilconfig")
        sections = {
            name.lower(): {plain(key): value for key, value in lines.items()}
            for name, lines in parse_ini(read_private(path), str(path)).items()
        }
        wanted = (self._profile or "default").lower()
        names = (f"profile {wanted}", wanted, *(() if self._profile else ("credentials",)))
        fields = next((sections[name] for name in names if name in sections), None)
        if fields is None:
            raise NotAvailable(f"{path} (no section [{wanted}])")
        mode = plain(fields.get("mode", "AK"))
        if mode == "process" or (fields.get("credentialprocess") and not has_pair(fields)):
            return Process(fields.get("credentialprocess", "")).load()
        if mode == _MACHINE:
            return self._machine.load(str(path))
        if mode not in {"ak", "ststoken"}:
            raise BadCredentials(
                f"{path}: mode {fields['mode']} needs a token service: use credential_process"
            )
        # The oldest files call the secret access_key.
        if "accesskey" in fields:
            fields.setdefault("accesskeysecret", fields["accesskey"])
        if not has_pair(fields):
            raise NotAvailable(f"{path} (no key pair)")
        return parse_key_pair(fields, str(path))


class Aliyun:
    """The profile of the aliyun command in `~/.aliyun/config.json`."""

    name = "~/.aliyun/config.json"

    def __init__(
        self, profile: str | None, environment: Mapping[str, str], machine: OfMachine
    ) -> None:
        self._profile = profile
        self._environment = environment
        self._machine = machine

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        path = _own(self._environment, ".aliyun/config.json")
        document = parse_json(read_private(path), str(path))
        wanted = self._profile or document.get("current") or "default"
        profiles = document.get("profiles")
        fields = next(
            (
                item
                for item in (profiles if isinstance(profiles, list) else [])
                if isinstance(item, dict) and item.get("name") == wanted
            ),
            None,
        )
        if fields is None:
            raise NotAvailable(f"{path} (no profile {wanted!r})")
        mode = str(fields.get("mode") or "AK")
        if mode == "External":
            return Process(str(fields.get("process_command", ""))).load()
        if plain(mode) == _MACHINE:
            return self._machine.load(f"{path}: profile {wanted!r}")
        # CloudSSO and OAuth keep the token that they got; the aliyun command renews it.
        temporary = mode in {"CloudSSO", "OAuth"} and fields.get("sts_token")
        if mode not in {"AK", "StsToken"} and not temporary:
            raise BadCredentials(
                f"{path}: profile {wanted!r} has mode {mode}, which needs a token service: "
                "use credential_process"
            )
        if not has_pair(fields):
            raise NotAvailable(f"{path} (no key pair)")
        return parse_key_pair(fields, str(path))


class Obsutil:
    """`~/.obsutilconfig`, where its keys are not encrypted."""

    name = "~/.obsutilconfig"

    def __init__(self, profile: str | None, environment: Mapping[str, str]) -> None:
        self._profile = profile
        self._environment = environment

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        if self._profile is not None:
            raise BadCredentials(
                f"credentials_profile={self._profile}: {self.name} has no profiles"
            )
        path = _own(self._environment, ".obsutilconfig")
        # obsutil lets a group read the file; that matters only where there is something to read.
        fields = parse_lines(_read_shown(path), str(path))
        pair = {name: fields.get(name, "") for name in ("ak", "sk", "token")}
        if not pair["ak"] or not pair["sk"]:
            raise NotAvailable(f"{path} (no key pair)")
        if _is_encrypted(pair["ak"]) and _is_encrypted(pair["sk"]):
            raise BadCredentials(
                f"{path}: obsutil has encrypted the keys for itself: use credentials=FILE"
            )
        read_private(path)
        return parse_key_pair(pair, str(path))


def _is_encrypted(value: str) -> bool:
    """Tell whether a value is what obsutil makes of a key: AES blocks in base64."""
    try:
        data = base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    return bool(data) and len(data) % _AES_BLOCK == 0


class AwsProfile:
    """A profile of `~/.aws/credentials` and `~/.aws/config`."""

    def __init__(self, profile: str | None, environment: Mapping[str, str]) -> None:
        self._profile = profile or "default"
        self._environment = environment

    @property
    def name(self) -> str:
        """The profile."""
        return f"the AWS profile [{self._profile}]"

    def load(self) -> Credentials:
        """Read the files; see `Source.load`."""
        secrets = self._file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")
        settings = self._file("AWS_CONFIG_FILE", ".aws/config")
        in_secrets = self._section(secrets, self._profile)
        heading = "default" if self._profile == "default" else f"profile {self._profile}"
        in_settings = self._section(settings, heading)
        for fields in (in_secrets, in_settings):
            if role := role_in(fields):
                raise BadCredentials(
                    f"{self.name} needs a token service ({role}): use credential_process="
                    f"aws configure export-credentials --profile {self._profile} --format process"
                )
        if has_pair(in_secrets):
            return self._pair(secrets, self._profile)
        for fields in (in_secrets, in_settings):
            if fields.get("credential_process"):
                return Process(fields["credential_process"]).load()
        if has_pair(in_settings):
            return self._pair(settings, heading)
        what = "no keys" if in_secrets or in_settings else "no such profile"
        raise NotAvailable(f"{self.name} ({what} in {secrets} or {settings})")

    def _file(self, variable: str, usual: str) -> Path:
        chosen = self._environment.get(variable)
        if not chosen:
            return _own(self._environment, usual)
        path = expand(chosen, self._environment)
        try:
            missing = not path.exists()
        except OSError:  # the way there may not be gone
            missing = True
        if missing:
            raise BadCredentials(f"{variable}: there is no {path}")
        return path

    def _section(self, path: Path, heading: str) -> dict[str, str]:
        """Return a section's lines; nobody else may be able to write them, as they run commands."""
        if path == Path(os.devnull):  # how a file is left out
            return {}
        try:
            text = _read_shown(path)
        except NotAvailable:
            return {}
        return parse_ini(text, str(path)).get(heading, {})

    def _pair(self, path: Path, heading: str) -> Credentials:
        """Return the key pair of a section of a file that nobody else can read."""
        return parse_key_pair(parse_ini(read_private(path), str(path))[heading], str(path))
