"""`~/.aws/credentials` and `~/.aws/config`: what they say of a profile, and of AWS's services."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tagfs.errors import BadCredentials
from tagfs.store.credentials.field_names import has_pair, parse_ini, parse_key_pair
from tagfs.store.credentials.private_files import read_private, read_shown
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.values import Credentials, NotAvailable

_YES = frozenset({"true", "1"})


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of a section, names in lower case, and where it is."""

    path: Path
    heading: str
    fields: Mapping[str, str]

    def has_pair(self) -> bool:
        """Tell whether half a key pair at least is here."""
        return has_pair(self.fields)

    def pair(self) -> Credentials:
        """Return the key pair, from a file that nobody else can read.

        Raises:
            BadCredentials
        """
        text = read_private(self.path)
        return parse_key_pair(parse_ini(text, str(self.path))[self.heading], str(self.path))


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: what both files say of it; where both do, that of the secrets counts."""

    name: str
    secrets: Section
    settings: Section

    @property
    def fields(self) -> Mapping[str, str]:
        """The lines of both."""
        return {**self.settings.fields, **self.secrets.fields}

    @property
    def has_pair(self) -> bool:
        """Whether half a key pair at least is in one of them."""
        return self.secrets.has_pair() or self.settings.has_pair()

    @property
    def title(self) -> str:
        """The profile, for people."""
        return f"the AWS profile [{self.name}]"

    @property
    def places(self) -> str:
        """Both files, for people."""
        return f"{self.secrets.path} or {self.settings.path}"


class AwsFiles:
    """Both files, read anew by each question.

    Nobody else may be able to write them: they run commands.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def profile(self, name: str) -> Profile:
        """Return a profile, without lines where it is in neither file.

        Raises:
            NotAvailable: there is no home.
            BadCredentials
        """
        heading = "default" if name == "default" else f"profile {name}"
        secrets = self._section("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", name)
        return Profile(name, secrets, self._settings(heading))

    def session(self, name: str) -> Mapping[str, str]:
        """Return the lines of a section [sso-session NAME]."""
        return self._settings(f"sso-session {name}").fields

    def endpoint(self, service: str, profile: Mapping[str, str]) -> str:
        """Return the URL that is configured for one of AWS's services, "" if none is.

        `service` is its id in lower case, such as "sts".
        """
        if self.ignores_endpoints(profile):
            return ""
        named = self._around.variable(f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
        return named or self.endpoint_in(service, profile)

    def ignores_endpoints(self, profile: Mapping[str, str]) -> bool:
        """Tell whether the user has said that configured endpoints do not count."""
        said = self._around.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        return (said or profile.get("ignore_configured_endpoint_urls", "")).lower() in _YES

    def endpoint_in(self, service: str, profile: Mapping[str, str]) -> str:
        """Return the URL that the files name for a service, "" if they name none."""
        section = profile.get("services", "")
        inner = self._settings(f"services {section}").fields.get(service, "") if section else ""
        for line in inner.splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "endpoint_url":
                return value.strip()
        return profile.get("endpoint_url", "")

    def region(self, profile: Mapping[str, str]) -> str:
        """Return the region that environment or profile name, "" if they name none."""
        return self._around.variable("AWS_REGION", "AWS_DEFAULT_REGION") or profile.get(
            "region", ""
        )

    def _settings(self, heading: str) -> Section:
        return self._section("AWS_CONFIG_FILE", ".aws/config", heading)

    def _section(self, variable: str, usual: str, heading: str) -> Section:
        path = self._path(variable, usual)
        if path == Path(os.devnull):  # how a file is left out
            return Section(path, heading, {})
        try:
            text = read_shown(path)
        except NotAvailable:
            return Section(path, heading, {})
        return Section(path, heading, parse_ini(text, str(path)).get(heading, {}))

    def _path(self, variable: str, usual: str) -> Path:
        chosen = self._around.variable(variable)
        if not chosen:
            return self._around.own(usual)
        path = self._around.expand(chosen)
        try:
            missing = not path.exists()
        except OSError:  # the way there may not be gone
            missing = True
        if missing:
            raise BadCredentials(f"{variable}: there is no {path}")
        return path
