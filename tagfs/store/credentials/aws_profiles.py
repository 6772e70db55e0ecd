"""Who a profile of AWS's tools is: a key pair, a command, a role by way of another, or SSO."""

from collections.abc import Mapping
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.aws_files import AwsFiles, Profile
from tagfs.store.credentials.aws_sso import single_sign_on
from tagfs.store.credentials.aws_tokens import AwsRole, token_service
from tagfs.store.credentials.container import Container
from tagfs.store.credentials.field_names import role_in
from tagfs.store.credentials.file_sources import Environment, Process
from tagfs.store.credentials.instance_metadata import EC2_ROLE, InstanceRole
from tagfs.store.credentials.named_sources import of_machine
from tagfs.store.credentials.private_files import read_token
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.values import Credentials, NotAvailable, Source
from tagfs.store.dialects.s3 import S3

_EXPORT: Final = "credential_process=aws configure export-credentials --format process --profile"
_WEB: Final = "web_identity_token_file"


class AwsProfile:
    """A profile of `~/.aws/credentials` and `~/.aws/config`.

    The order within one is that of AWS's SDKs: a role, a token of a cluster, SSO, a key pair, a
    command.
    """

    def __init__(self, around: Surroundings, name: str | None) -> None:
        self._around = around
        self._files = AwsFiles(around)
        self._name = name or "default"

    @property
    def name(self) -> str:
        """The profile."""
        return f"the AWS profile [{self._name}]"

    def load(self) -> Credentials:
        """Read the files, and ask whom they name; see `Source.load`."""
        return self._load(self._name, ())

    def fields(self) -> Mapping[str, str]:
        """Return what the files say of it; nothing where there are none.

        Raises:
            BadCredentials
        """
        try:
            return self._files.profile(self._name).fields
        except NotAvailable:
            return {}

    def _load(self, name: str, visited: tuple[str, ...]) -> Credentials:
        """Return who a profile is; `visited` are those that lead to it."""
        profile = self._files.profile(name)
        fields = profile.fields
        # The key pair beside a role is what assumes it, where the role is not wanted itself.
        as_source = bool(visited) and profile.has_pair
        if fields.get("role_arn") and not fields.get(_WEB) and not as_source:
            return self._assume(profile, visited)
        if fields.get(_WEB):
            return self._with_token(profile)
        if fields.get("sso_account_id") or fields.get("sso_role_name"):
            return single_sign_on(self._around, profile)
        if not as_source and (word := role_in(fields)):
            raise BadCredentials(_left_over(profile, word))
        if profile.secrets.has_pair():
            return profile.secrets.pair()
        if fields.get("credential_process"):
            return Process(fields["credential_process"]).load()
        if profile.settings.has_pair():
            return profile.settings.pair()
        what = "no keys" if fields else "no such profile"
        raise NotAvailable(f"{profile.title} ({what} in {profile.places})")

    def _assume(self, profile: Profile, visited: tuple[str, ...]) -> Credentials:
        fields = profile.fields
        if fields.get("mfa_serial"):
            raise BadCredentials(
                f"{profile.title} asks for the code of a device (mfa_serial), which a mount "
                f"cannot: use {_EXPORT} {profile.name}"
            )
        duration = fields.get("duration_seconds", "")
        if duration and not duration.isdecimal():
            raise BadCredentials(f"{profile.title}: duration_seconds is not a number")
        by = self._source(profile, visited)
        role = AwsRole(
            arn=fields["role_arn"],
            session=fields.get("role_session_name", ""),
            external_id=fields.get("external_id", ""),
            duration=duration,
        )
        top = self._files.profile(self._name).fields  # whose region the service is in
        return token_service(self._around, top).assume(profile.title, role, by)

    def _source(self, profile: Profile, visited: tuple[str, ...]) -> Credentials:
        """Return who is to assume a profile's role."""
        fields = profile.fields
        parent, kind = fields.get("source_profile", ""), fields.get("credential_source", "")
        if bool(parent) == bool(kind):
            both = "both of" if parent else "one of"
            verb = "has" if parent else "needs"
            raise BadCredentials(
                f"{profile.title} {verb} {both} source_profile and credential_source"
            )
        if kind:
            return self._of_kind(kind, profile)
        chain = (*visited, profile.name)
        if parent in chain and not (parent == profile.name and profile.has_pair):
            raise BadCredentials(
                f"{profile.title}: source_profile goes round: {' -> '.join([*chain, parent])}"
            )
        try:
            return self._load(parent, chain)
        except NotAvailable as absent:
            reason = str(absent)
        raise BadCredentials(f"{profile.title}: source_profile={parent}: {reason}")

    def _of_kind(self, kind: str, profile: Profile) -> Credentials:
        sources: dict[str, Source] = {
            "environment": Environment(S3.environment, self._around.environment),
            "ec2instancemetadata": InstanceRole(EC2_ROLE, self._around.environment),
            "ecscontainer": Container(self._around),
        }
        source = sources.get(kind.lower())
        if source is None:
            raise BadCredentials(
                f"{profile.title}: credential_source={kind} is none of Environment, "
                "Ec2InstanceMetadata and EcsContainer"
            )
        if kind.lower() == "ec2instancemetadata":
            return of_machine(self._around, source, profile.title)
        try:
            return source.load()
        except NotAvailable as absent:
            reason = str(absent)
        raise BadCredentials(f"{profile.title}: credential_source={kind}: {reason}")

    def _with_token(self, profile: Profile) -> Credentials:
        fields = profile.fields
        if not fields.get("role_arn"):
            raise BadCredentials(f"{profile.title} has {_WEB} and no role_arn")
        token = read_token(self._around.expand(fields[_WEB]), f"{profile.title}: {_WEB}")
        role = AwsRole(arn=fields["role_arn"], session=fields.get("role_session_name", ""))
        service = token_service(self._around, fields)
        return service.assume_with_token(profile.title, role, token)


class WebIdentity:
    """The role of a pod: AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, or the profile's.

    As for AWS's SDKs, a profile that is a role by way of another source goes before it.
    """

    def __init__(self, around: Surroundings, profile: AwsProfile, *, named: bool) -> None:
        """`profile` tells the token service's region and endpoint, and what variables do not.

        `named`: the user has named it, so that it has to be there.
        """
        self._around = around
        self._profile = profile
        self._named = named

    @property
    def name(self) -> str:
        """The role, and the variable that leads to it."""
        return f"the role {self._around.variable('AWS_ROLE_ARN')} (AWS_WEB_IDENTITY_TOKEN_FILE)"

    def load(self) -> Credentials:
        """Exchange the token that is in the file now; see `Source.load`."""
        around = self._around
        file, arn = around.variable("AWS_WEB_IDENTITY_TOKEN_FILE"), around.variable("AWS_ROLE_ARN")
        if not file and not arn:
            raise NotAvailable("AWS_WEB_IDENTITY_TOKEN_FILE (not set)")
        fields = self._profile.fields()
        is_role = fields.get("role_arn") and not fields.get(_WEB)
        if is_role or (self._named and not fields):
            raise NotAvailable
        file, arn = file or fields.get(_WEB, ""), arn or fields.get("role_arn", "")
        if not file:
            raise BadCredentials("AWS_ROLE_ARN is set, and AWS_WEB_IDENTITY_TOKEN_FILE is not")
        if not arn:
            raise BadCredentials("AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not")
        token = read_token(around.expand(file), "AWS_WEB_IDENTITY_TOKEN_FILE")
        session = around.variable("AWS_ROLE_SESSION_NAME") or fields.get("role_session_name", "")
        role = AwsRole(arn=arn, session=session)
        return token_service(around, fields).assume_with_token(self.name, role, token)


def _left_over(profile: Profile, word: str) -> str:
    """Return what is wrong with a profile that names another role by half."""
    if word == "login_session":
        return f"{profile.title} is that of `aws login`: use {_EXPORT} {profile.name}"
    if word.startswith("sso"):
        return f"{profile.title} has {word}, and no sso_account_id and sso_role_name"
    return f"{profile.title} has {word} and no role_arn"
