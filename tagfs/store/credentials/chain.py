"""Who to be: the order in which credentials are looked for, and staying with what was found.

1. what the user named: a file, or a command;
2. the environment, in the names of the vendor's SDKs;
3. the files of the vendor's tools;
4. the role of the container or the machine, unless that is switched off.

The first that has a pair is it. One that the user named or that is there, and cannot be used
(others may read the file, a token service would have to be asked), is an error: to go on would be
to act as somebody else than the user thinks.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.file_sources import Environment, KeyFile, Process
from tagfs.store.credentials.instance_metadata import (
    EC2_ROLE,
    ECS_RAM_ROLE,
    OBS_AGENCY,
    Container,
    InstanceRole,
)
from tagfs.store.credentials.refusals import AFTER, BEFORE, Named, OfMachine, Refused, first_named
from tagfs.store.credentials.values import Credentials, EnvironmentNames, NotAvailable, Source
from tagfs.store.credentials.vendor_files import Aliyun, AwsProfile, Obsutil, Ossutil

logger = logging.getLogger(__name__)

_MORE_NAMES: Final[Mapping[str, EnvironmentNames]] = {
    "oss": EnvironmentNames(
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
    ),
    "obs": EnvironmentNames(
        "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"
    ),
}
"""What the vendors' other SDKs read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsChoice:
    """What the user chose about credentials.

    Attributes:
        file: with a key pair; nothing else is looked at.
        process: a command that prints a key pair; nothing else is looked at.
        profile: of the vendor's files.
        instance_role: whether metadata services may be asked.
        bucket: whose line counts in a file that has one for each bucket.
    """

    file: Path | None = None
    process: str | None = None
    profile: str | None = None
    instance_role: bool = True
    bucket: str = ""


ANY_CREDENTIALS: Final = CredentialsChoice()
"""Those of somebody who chose nothing."""


class FoundCredentials:
    """The pair of the first source that has one, and of the same source ever after."""

    def __init__(self, sources: Sequence[Source], advice: str) -> None:
        """`advice` says what to do where no source has a pair."""
        self._sources = sources
        self._advice = advice
        self._lock = threading.Lock()
        self._source: Source | None = None
        self._present: Credentials | None = None

    @property
    def origin(self) -> str:
        """The source, "" until one had a pair; see `CredentialsProvider.origin`."""
        return self._source.name if self._source else ""

    def get(self) -> Credentials:
        """Return the present pair; see `CredentialsProvider.get`."""
        present = self._present
        if present is None:
            with self._lock:
                present = self._present or self._find()
        return present

    def refresh(self) -> Credentials:
        """Ask the source again; see `CredentialsProvider.refresh`."""
        with self._lock:
            if self._source is None:
                return self._find()
            try:
                self._present = self._source.load()
            except NotAvailable as gone:
                reason = str(gone)
            else:
                return self._present
        raise BadCredentials(f"the credentials are gone: {reason}")

    def _find(self) -> Credentials:
        looked = []
        for source in self._sources:
            try:
                self._present = source.load()
            except NotAvailable as absent:
                looked.append(str(absent))
            else:
                self._source = source
                logger.info("credentials from %s", source.name)
                return self._present
        raise BadCredentials(
            f"no credentials: {self._advice} (looked at: {', '.join(filter(None, looked))})"
        )


def find_credentials(
    service: str,
    names: EnvironmentNames,
    choice: CredentialsChoice = ANY_CREDENTIALS,
    environment: Mapping[str, str] = os.environ,
) -> FoundCredentials:
    """Return the credentials for a service; nothing is read before they are needed."""
    advice = (
        f"set {names.access_key_id} and {names.secret_access_key}, or credentials=FILE, "
        "or see tagfs-mount(8)"
    )
    return FoundCredentials(list(_sources(service, names, choice, environment)), advice)


def _sources(
    service: str,
    names: EnvironmentNames,
    choice: CredentialsChoice,
    environment: Mapping[str, str],
) -> Iterator[Source]:
    if choice.file is not None:
        yield KeyFile(choice.file, choice.profile, choice.bucket)
        return
    if choice.process is not None:
        yield Process(choice.process)
        return
    if choice.profile is None:  # who names a profile means that of the files
        yield Refused(BEFORE.get(service, {}), environment)
        yield Environment(names, environment)
        if service in _MORE_NAMES:
            yield Environment(_MORE_NAMES[service], environment)
        yield Refused(AFTER.get(service, {}), environment)
    yield from _of_tools(service, choice, environment)
    if choice.instance_role and choice.profile is None:
        yield from _of_machines(service, environment)


def _of_tools(
    service: str, choice: CredentialsChoice, environment: Mapping[str, str]
) -> Iterator[Source]:
    if service == "oss":
        yield from _of_alibaba(choice, environment)
    elif service == "obs":
        yield Obsutil(choice.profile, environment)
    elif service == "s3":
        yield _of_aws(choice.profile, environment)


def _of_alibaba(choice: CredentialsChoice, environment: Mapping[str, str]) -> Iterator[Source]:
    """Yield the files of both tools, or that of the tool whose variables are set."""
    role = InstanceRole(ECS_RAM_ROLE, environment) if choice.instance_role else None
    machine, profile = OfMachine(role), choice.profile
    variable, named = first_named(environment, ("OSSUTIL_CONFIG_FILE", "OSSUTIL_PROFILE"))
    if profile is None and variable:
        wanted = environment.get("OSSUTIL_PROFILE") or None
        yield Named(Ossutil(wanted, environment, machine), f"{variable}={named}")
        return
    variable, named = first_named(environment, ("ALIBABA_CLOUD_PROFILE",))
    if profile is None and variable:
        yield Named(Aliyun(named, environment, machine), f"{variable}={named}")
        return
    yield Ossutil(profile, environment, machine)
    yield Aliyun(profile, environment, machine)


def _of_aws(profile: str | None, environment: Mapping[str, str]) -> Source:
    if profile is not None:
        return Named(AwsProfile(profile, environment), f"credentials_profile={profile}")
    variable, named = first_named(environment, ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"))
    if variable:
        return Named(AwsProfile(named, environment), f"{variable}={named}")
    variable, named = first_named(environment, ("AWS_SHARED_CREDENTIALS_FILE",))
    if variable and named != os.devnull:
        return Named(AwsProfile(None, environment), f"{variable}={named}")
    return AwsProfile(None, environment)


def _of_machines(service: str, environment: Mapping[str, str]) -> Iterator[Source]:
    if service == "oss":
        yield InstanceRole(ECS_RAM_ROLE, environment)
    elif service == "obs":
        yield InstanceRole(OBS_AGENCY, environment)
    elif service == "s3":
        yield Container(environment)
        yield InstanceRole(EC2_ROLE, environment)
