"""Credentials in the files of Alibaba Cloud's tools: ossutil, aliyun, and the SDKs' own.

They are read, never written.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.alibaba_tokens import (
    CredentialsUri,
    RamRole,
    assume_role,
    assume_role_with_token,
)
from tagfs.store.credentials.field_names import (
    TOKENS,
    has_pair,
    parse_ini,
    parse_json,
    parse_key_pair,
    plain,
)
from tagfs.store.credentials.file_sources import Process
from tagfs.store.credentials.instance_metadata import ECS_RAM_ROLE, InstanceRole
from tagfs.store.credentials.named_sources import of_machine
from tagfs.store.credentials.private_files import read_private, read_token
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.values import Credentials, NotAvailable

Fields = Mapping[str, str]
"""Lines of a profile by their `plain` names."""

_SIGN_ON: Final = frozenset({"cloudsso", "oauth"})


class _Mode:
    """What a profile says of whom to be; the tools have one set of words for it."""

    def __init__(
        self,
        around: Surroundings,
        where: str,
        fields: Fields,
        other: Callable[[str], Credentials] | None = None,
    ) -> None:
        """`other` loads the profile that one of its file names as its source."""
        self._around = around
        self._where = where
        self._fields = fields
        self._other = other

    def load(self, mode: str) -> Credentials:
        """Return who the profile is in a mode.

        Raises:
            NotAvailable: there is no key pair.
            BadCredentials
        """
        word = plain(mode)
        if word in {"ak", "accesskey"}:
            return self._pair(token=False)
        if word in {"", "ststoken", "sts"}:
            return self._pair(token=True)
        ways: Mapping[str, Callable[[], Credentials]] = {
            "ramrolearn": lambda: self._assume(self._pair(token=False)),
            "ecsramrole": self._machine,
            "ecsramrolearn": lambda: self._assume(self._machine()),
            "chainableramrolearn": lambda: self._assume(self._source()),
            "oidc": self._with_token,
            "oidcrolearn": self._with_token,
            "external": lambda: self._run("processcommand"),
            "process": lambda: self._run("credentialprocess"),
            "credentialsuri": self._asked,
        }
        if word in _SIGN_ON:
            return self._signed_on(mode)
        if word not in ways:
            raise BadCredentials(
                f"{self._where}: mode {mode} needs what tagfs does not have: use credential_process"
            )
        return ways[word]()

    def _get(self, *names: str) -> str:
        return next((self._fields[name] for name in names if self._fields.get(name)), "")

    def _pair(self, *, token: bool) -> Credentials:
        if not has_pair(self._fields):
            raise NotAvailable(f"{self._where} (no key pair)")
        kept = {n: v for n, v in self._fields.items() if token or n not in TOKENS}
        return parse_key_pair(kept, self._where)

    def _role(self) -> RamRole:
        duration = self._get("expiredseconds", "tokentimeout", "durationseconds")
        return RamRole(
            arn=self._get("ramrolearn", "rolearn"),
            session=self._get("ramsessionname", "rolesessionname"),
            external_id=self._get("externalid"),
            policy=self._get("policy"),
            duration=duration if duration != "0" else "",
            region=self._get("stsregion"),
        )

    def _assume(self, by: Credentials) -> Credentials:
        return assume_role(self._around, self._where, self._role(), by)

    def _with_token(self) -> Credentials:
        provider = self._get("oidcproviderarn")
        file = self._get("oidctokenfile", "oidctokenfilepath")
        if not provider or not file:
            missing = "provider" if not provider else "token file"
            raise BadCredentials(f"{self._where} names no OIDC {missing}")
        token = read_token(self._around.expand(file), self._where)
        return assume_role_with_token(self._around, self._where, self._role(), provider, token)

    def _machine(self) -> Credentials:
        environment = dict(self._around.environment)
        if named := self._get("ramrolename", "rolename", "ecsrolename"):
            environment["ALIBABA_CLOUD_ECS_METADATA"] = named
        return of_machine(self._around, InstanceRole(ECS_RAM_ROLE, environment), self._where)

    def _source(self) -> Credentials:
        named = self._get("sourceprofile")
        if self._other is None or not named:
            raise BadCredentials(f"{self._where} names no source_profile")
        try:
            return self._other(named)
        except NotAvailable as absent:
            reason = str(absent)
        raise BadCredentials(f"{self._where}: source_profile={named}: {reason}")

    def _run(self, name: str) -> Credentials:
        return Process(self._get(name)).load()

    def _asked(self) -> Credentials:
        uri = self._get("credentialsuri")
        if not uri:
            raise BadCredentials(f"{self._where} names no credentials_uri")
        return CredentialsUri(self._around, uri).load()

    def _signed_on(self, mode: str) -> Credentials:
        """Return the pair that the aliyun command has got and keeps; it renews that, not we."""
        if not self._get("ststoken"):
            raise BadCredentials(
                f"{self._where}: nobody has signed on: run aliyun configure --mode {mode}"
            )
        return self._pair(token=True)


class Ossutil:
    """`~/.ossutilconfig`: [Credentials] of ossutil 1, [default] and [profile NAME] of ossutil 2."""

    name = "~/.ossutilconfig"

    def __init__(self, profile: str | None, around: Surroundings) -> None:
        self._profile = profile
        self._around = around

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        path = self._path()
        fields = self._section(path)
        mode = fields.get("mode", "")
        if not mode and fields.get("credentialprocess") and not has_pair(fields):
            mode = "Process"
        return _Mode(self._around, str(path), fields).load(mode)

    def fields(self) -> Fields:
        """Return what the file says of the profile.

        Raises:
            NotAvailable, BadCredentials
        """
        return self._section(self._path())

    def _path(self) -> Path:
        chosen = self._around.variable("OSSUTIL_CONFIG_FILE")
        return self._around.expand(chosen) if chosen else self._around.own(".ossutilconfig")

    def _section(self, path: Path) -> dict[str, str]:
        sections = {
            name.lower(): {plain(key): value for key, value in lines.items()}
            for name, lines in parse_ini(read_private(path), str(path)).items()
        }
        wanted = (self._profile or "default").lower()
        names = (f"profile {wanted}", wanted, *(() if self._profile else ("credentials",)))
        fields = next((sections[name] for name in names if name in sections), None)
        if fields is None:
            raise NotAvailable(f"{path} (no section [{wanted}])")
        # The oldest files call the secret access_key.
        if "accesskey" in fields:
            fields.setdefault("accesskeysecret", fields["accesskey"])
        return fields


class Aliyun:
    """The profile of the aliyun command in `~/.aliyun/config.json`."""

    name = "~/.aliyun/config.json"

    def __init__(self, profile: str | None, around: Surroundings) -> None:
        self._profile = profile
        self._around = around

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        if self._around.variable("ALIBABA_CLOUD_CLI_PROFILE_DISABLED").lower() == "true":
            raise NotAvailable(f"{self.name} (switched off)")
        return self._load(self._profile, ())

    def fields(self) -> Fields:
        """Return what the file says of the profile.

        Raises:
            NotAvailable, BadCredentials
        """
        return self._read(self._profile)[1]

    def _load(self, profile: str | None, visited: tuple[str, ...]) -> Credentials:
        where, fields = self._read(profile)
        name = fields["name"]
        chain = (*visited, name)
        if name in visited:
            raise BadCredentials(f"{where}: source_profile goes round: {' -> '.join(chain)}")
        mode = _Mode(self._around, where, fields, lambda other: self._load(other, chain))
        return mode.load(fields.get("mode") or "AK")

    def _read(self, profile: str | None) -> tuple[str, Fields]:
        """Return the place of a profile, for people, and what it says."""
        path = self._around.own(".aliyun/config.json")
        document = parse_json(read_private(path), str(path))
        wanted = profile or document.get("current") or "default"
        profiles = document.get("profiles")
        for item in profiles if isinstance(profiles, list) else []:
            if isinstance(item, dict) and item.get("name") == wanted:
                fields = {plain(str(n)): str(v) for n, v in item.items() if v not in (None, "")}
                return f"{path}: profile {wanted!r}", fields
        raise NotAvailable(f"{path} (no profile {wanted!r})")


class AlibabaIni:
    """The file of Alibaba Cloud's SDKs, with a section for each profile."""

    name = "~/.alibabacloud/credentials"

    def __init__(self, profile: str | None, around: Surroundings) -> None:
        self._profile = profile or "default"
        self._around = around

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        path = self._path()
        lines = parse_ini(read_private(path), str(path)).get(self._profile)
        if lines is None:
            raise NotAvailable(f"{path} (no section [{self._profile}])")
        fields = {plain(name): value.partition("#")[0].strip() for name, value in lines.items()}
        if fields.get("enable", "true").lower() == "false":
            raise NotAvailable(f"{path} ([{self._profile}] is switched off)")
        where = f"{path} [{self._profile}]"
        return _Mode(self._around, where, fields).load(fields.get("type", ""))

    def _path(self) -> Path:
        named = self._around.variable("ALIBABA_CLOUD_CREDENTIALS_FILE")
        if named:
            return self._around.expand(named)
        # The SDKs do not agree about the name.
        usual = self._around.own(".alibabacloud/credentials")
        other = usual.with_suffix(".ini")
        return other if other.exists() and not usual.exists() else usual
