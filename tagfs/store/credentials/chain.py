"""Who to be: the order in which credentials are looked for, and staying with what was found.

1. what the user named: a file, or a command;
2. the environment, in the names of the vendor's SDKs: a key pair, or a token of a cluster that a
   token service exchanges for one;
3. the files of the vendor's tools;
4. the role of the container or the machine, unless that is switched off.

The first that has a pair is it. One that the user named or that is there, and cannot be used
(others may read the file, the token service refuses), is an error: to go on would be to act as
another identity than the user thinks. So what a variable names goes before what nobody has named,
where a vendor's SDK has it the other way round.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.alibaba_files import AlibabaIni, Aliyun, Ossutil
from tagfs.store.credentials.alibaba_tokens import CredentialsUri, OssRole, Rrsa
from tagfs.store.credentials.aws_profiles import AwsProfile, WebIdentity
from tagfs.store.credentials.container import Container
from tagfs.store.credentials.file_sources import Environment, KeyFile, Process
from tagfs.store.credentials.huawei_files import HuaweiFile, Obsutil
from tagfs.store.credentials.huawei_tokens import Agency, FederatedUser, PodIdentity
from tagfs.store.credentials.instance_metadata import (
    EC2_ROLE,
    ECS_RAM_ROLE,
    OBS_AGENCY,
    InstanceRole,
)
from tagfs.store.credentials.named_sources import Named
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import HttpTokenRequests, TokenRequests
from tagfs.store.credentials.values import (
    Credentials,
    CredentialsProvider,
    EnvironmentNames,
    NoCredentials,
    NotAvailable,
    Source,
)

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
        anonymous: nobody's; none are looked for.
    """

    file: Path | None = None
    process: str | None = None
    profile: str | None = None
    instance_role: bool = True
    bucket: str = ""
    anonymous: bool = False


ANY_CREDENTIALS: Final = CredentialsChoice()
"""Those of a user who chose nothing."""


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
    tokens: TokenRequests | None = None,
    region: str | None = None,
) -> CredentialsProvider:
    """Return the credentials for a service; nothing is read before they are needed.

    `tokens` is the way to token services, `region` the bucket's.
    """
    if choice.anonymous:
        logger.info("credentials from %s: requests are not signed", NoCredentials.origin)
        return NoCredentials()
    around = Surroundings(
        environment=environment,
        tokens=tokens or HttpTokenRequests(),
        region=region,
        instance_role=choice.instance_role,
    )
    advice = (
        f"set {names.access_key_id} and {names.secret_access_key}, or credentials=FILE, "
        "or see tagfs-mount(8)"
    )
    return FoundCredentials(list(_sources(service, names, choice, around)), advice)


def _sources(
    service: str, names: EnvironmentNames, choice: CredentialsChoice, around: Surroundings
) -> Iterator[Source]:
    if choice.file is not None:
        yield KeyFile(choice.file, choice.profile, choice.bucket)
        return
    if choice.process is not None:
        yield Process(choice.process)
        return
    if service == "oss":
        yield from _of_alibaba(names, choice.profile, around)
    elif service == "obs":
        yield from _of_huawei(names, choice.profile, around)
    elif service == "s3":
        yield from _of_aws(names, choice.profile, around)
    if choice.instance_role and choice.profile is None:
        yield InstanceRole(_MACHINES[service], around.environment)


def _of_alibaba(
    names: EnvironmentNames, profile: str | None, around: Surroundings
) -> Iterator[Source]:
    """Yield variables, then the files of all tools, or those that variables name."""
    if profile is not None:  # who names a profile means that of the files
        tools = (Ossutil(profile, around), Aliyun(profile, around), AlibabaIni(profile, around))
        yield Named(f"credentials_profile={profile}", *tools)
        return
    yield OssRole(around, Environment(names, around.environment))
    yield Environment(names, around.environment)
    yield Environment(_MORE_NAMES["oss"], around.environment)
    yield Rrsa(around)
    yield CredentialsUri(around)
    by, _ = _first_named(around, "OSSUTIL_CONFIG_FILE", "OSSUTIL_PROFILE")
    if by:
        yield Named(by, Ossutil(around.variable("OSSUTIL_PROFILE") or None, around))
        return
    by, named = _first_named(around, "ALIBABA_CLOUD_PROFILE")
    file = around.variable("ALIBABA_CLOUD_CREDENTIALS_FILE")
    if file:
        by = by or f"ALIBABA_CLOUD_CREDENTIALS_FILE={file}"
        yield Named(by, AlibabaIni(named or None, around))
    elif by:
        yield Named(by, Aliyun(named, around), AlibabaIni(named, around))
    else:
        yield Ossutil(None, around)
        yield Aliyun(None, around)
        yield AlibabaIni(None, around)


def _of_huawei(
    names: EnvironmentNames, profile: str | None, around: Surroundings
) -> Iterator[Source]:
    """Yield variables and files, the tokens of a cluster before a key pair as Huawei's SDK does."""
    if profile is not None:
        yield Named(f"credentials_profile={profile}", HuaweiFile(profile, around))
        return
    yield Environment(names, around.environment)
    yield Agency(around)
    yield FederatedUser(around)
    yield Environment(_MORE_NAMES["obs"], around.environment)
    yield PodIdentity(around)
    by, _ = _first_named(around, "HUAWEICLOUD_SDK_CREDENTIALS_FILE")
    if by:
        yield Named(by, HuaweiFile(None, around))
        return
    yield Obsutil(around)
    yield HuaweiFile(None, around)


def _of_aws(names: EnvironmentNames, profile: str | None, around: Surroundings) -> Iterator[Source]:
    if profile is not None:
        yield Named(f"credentials_profile={profile}", AwsProfile(around, profile))
        return
    yield Environment(names, around.environment)
    by, named = _first_named(around, "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    found = AwsProfile(around, named or None)
    yield WebIdentity(around, found, named=bool(named))
    file = around.variable("AWS_SHARED_CREDENTIALS_FILE")
    if not by and file and file != os.devnull:
        by = f"AWS_SHARED_CREDENTIALS_FILE={file}"
    yield Named(by, found) if by else found
    yield Container(around)


_MACHINES: Final = {"oss": ECS_RAM_ROLE, "obs": OBS_AGENCY, "s3": EC2_ROLE}


def _first_named(around: Surroundings, *variables: str) -> tuple[str, str]:
    """Return the first variable that is set with its value, as one writes it, and the value."""
    for variable in variables:
        value = around.variable(variable)
        if value:
            return f"{variable}={value}", value
    return "", ""
