"""Who a token service says we are: every source that asks one, against a stand-in.

The stand-in verifies signatures by the vendors' own code (`tests/fakes/token_services.py`).
"""

import contextlib
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tagfs.errors import BadCredentials
from tagfs.store.certificates import Trust
from tagfs.store.credentials import token_requests
from tagfs.store.credentials.chain import CredentialsChoice, find_credentials
from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.http import retry
from tagfs.store.http.connections import Timeouts
from tests.fakes.authority import DAY, LOOPBACK, NOW, Authority, TlsServer
from tests.fakes.http_proxy import HttpProxy
from tests.fakes.loopback import answer
from tests.fakes.metadata_service import ADDRESSES, MetadataService, pair
from tests.fakes.token_services import SILENT, SUBJECT, TokenServices, in_seconds

DIALECTS = {"oss": OSS, "obs": OBS, "s3": S3}
LATER = in_seconds(3600)
FIRST = ("STS.one", "S3CRET-one", "T0KEN-one", LATER)
SECOND = ("STS.two", "S3CRET-two", "T0KEN-two", LATER)
JWT = "jwt." + "x" * 300
LONG_KEY = ("long", "L0NG-S3CRET")


@pytest.fixture
def service():
    with TokenServices([FIRST, SECOND], {"long": ("L0NG-S3CRET", "")}, {JWT}) as one:
        yield one


@pytest.fixture
def machine():
    """A machine whose role would be had for the asking: nobody may become it by mistake."""
    with contextlib.ExitStack() as stack:
        yield {
            kind: stack.enter_context(MetadataService(kind, pair(kind, "machine", "m", "m", LATER)))
            for kind in DIALECTS
        }


class Looking:
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


@pytest.fixture
def host(tmp_path, service, machine):
    found = Looking(tmp_path, service, machine)
    yield found
    found.machine = None


def pairs(found) -> list[Credentials]:
    """What a source gives now, and when it is asked again."""
    return [found.get(), found.refresh()]


def is_of(given: Credentials, expected: tuple[str, str, str, str]) -> bool:
    parts = (given.access_key_id, given.secret_access_key, given.session_token)
    return parts == expected[:3] and given.expires_at is not None


# Each source, in a table: what is set and written, and what the service is asked.

IRSA = {"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod"}
RRSA = {
    "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/pod",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/x",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "HOME/token",
}
AGENCY = {
    "HUAWEICLOUD_OIDC_AGENCY_URN": "iam::1:agency:pod",
    "HUAWEICLOUD_OIDC_PROVIDER_URN": "iam::1:oidc-provider:x",
    "HUAWEICLOUD_OIDC_TOKEN_FILE": "HOME/token",
}
FEDERATED = {"HUAWEICLOUD_SDK_IDP_ID": "idp", "HUAWEICLOUD_SDK_ID_TOKEN_FILE": "HOME/token"}
KEYS = "aws_access_key_id = long\naws_secret_access_key = L0NG-S3CRET\n"
ROLE = "role_arn = arn:aws:iam::1:role/prod\n"
SSO = "sso_account_id = 1\nsso_role_name = reader\n"
START = "https://x.awsapps.com/start"
SESSION = f"[sso-session s]\nsso_start_url = {START}\nsso_region = eu-west-1\n"
KEPT = json.dumps({"accessToken": JWT, "expiresAt": LATER})


def cached(name: str) -> str:
    return f".aws/sso/cache/{hashlib.sha1(name.encode()).hexdigest()}.json"


def aliyun(*profiles: dict[str, Any]) -> str:
    return json.dumps({"current": profiles[0]["name"], "profiles": list(profiles)})


AK = {"access_key_id": "long", "access_key_secret": "L0NG-S3CRET"}
RAM = {"ram_role_arn": "acs:ram::1:role/prod"}

SOURCES: dict[str, tuple[str, dict[str, str], dict[str, str], list[str]]] = {
    "IRSA": ("s3", IRSA, {}, ["AssumeRoleWithWebIdentity"]),
    "IRSA before the files": (
        "s3",
        IRSA,
        {".aws/credentials": f"[default]\n{KEYS}"},
        ["AssumeRoleWithWebIdentity"],
    ),
    "a web identity of a profile": (
        "s3",
        {"AWS_PROFILE": "prod"},
        {".aws/config": f"[profile prod]\n{ROLE}web_identity_token_file = ~/token\n"},
        ["AssumeRoleWithWebIdentity"],
    ),
    "a role by its source_profile": (
        "s3",
        {"AWS_PROFILE": "prod"},
        {
            ".aws/config": f"[profile prod]\n{ROLE}source_profile = base\n",
            ".aws/credentials": f"[base]\n{KEYS}",
        },
        ["AssumeRole"],
    ),
    "a role beside its key pair": (
        "s3",
        {},
        {".aws/credentials": f"[default]\n{KEYS}{ROLE}source_profile = default\n"},
        ["AssumeRole"],
    ),
    "a profile's role before IRSA": (
        "s3",
        IRSA,
        {".aws/credentials": f"[default]\n{KEYS}{ROLE}source_profile = default\n"},
        ["AssumeRole"],
    ),
    "a role by the environment's pair": (
        "s3",
        {"AWS_PROFILE": "prod"},
        {
            ".aws/config": f"[profile prod]\n{ROLE}source_profile = command\n"
            "[profile command]\ncredential_process = PYTHON HOME/print.py\n"
        },
        ["AssumeRole"],
    ),
    "SSO by a session": (
        "s3",
        {"AWS_PROFILE": "work"},
        {".aws/config": f"[profile work]\nsso_session = s\n{SSO}{SESSION}", cached("s"): KEPT},
        ["GetRoleCredentials"],
    ),
    "SSO as it was": (
        "s3",
        {},
        {
            ".aws/config": f"[default]\n{SSO}sso_region = eu-west-1\nsso_start_url = {START}\n",
            cached(START): KEPT,
        },
        ["GetRoleCredentials"],
    ),
    "RRSA": ("oss", RRSA, {}, ["AssumeRoleWithOIDC"]),
    "OSS_ROLE_ARN": (
        "oss",
        {
            "OSS_ACCESS_KEY_ID": "long",
            "OSS_ACCESS_KEY_SECRET": "L0NG-S3CRET",
            "OSS_ROLE_ARN": "acs:ram::1:role/x",
        },
        {},
        ["AssumeRole"],
    ),
    "the URI": ("oss", {"ALIBABA_CLOUD_CREDENTIALS_URI": "URL/uri?a=1"}, {}, ["uri"]),
    "aliyun: RamRoleArn": (
        "oss",
        {},
        {".aliyun/config.json": aliyun({"name": "p", "mode": "RamRoleArn", **AK, **RAM})},
        ["AssumeRole"],
    ),
    "aliyun: OIDC": (
        "oss",
        {"ALIBABA_CLOUD_PROFILE": "p"},
        {
            ".aliyun/config.json": aliyun(
                {
                    "name": "p",
                    "mode": "OIDC",
                    "oidc_provider_arn": "x",
                    "oidc_token_file": "HOME/token",
                    **RAM,
                }
            )
        },
        ["AssumeRoleWithOIDC"],
    ),
    "aliyun: CredentialsURI": (
        "oss",
        {},
        {
            ".aliyun/config.json": aliyun(
                {"name": "p", "mode": "CredentialsURI", "credentials_uri": "URL/uri"}
            )
        },
        ["uri"],
    ),
    "ossutil: RamRoleArn": (
        "oss",
        {},
        {
            ".ossutilconfig": "[default]\nmode=RamRoleArn\naccessKeyID=long\n"
            "accessKeySecret=L0NG-S3CRET\nramRoleArn=acs:ram::1:role/x\nroleSessionName=me\n"
        },
        ["AssumeRole"],
    ),
    "credentials of the SDKs: ram_role_arn": (
        "oss",
        {},
        {
            ".alibabacloud/credentials": "[default]\ntype = ram_role_arn  # a comment\n"
            "access_key_id = long\naccess_key_secret = L0NG-S3CRET\nrole_arn = acs:x\n"
        },
        ["AssumeRole"],
    ),
    "credentials of the SDKs: oidc_role_arn": (
        "oss",
        {"ALIBABA_CLOUD_PROFILE": "pod"},
        {
            ".alibabacloud/credentials.ini": "[pod]\ntype = oidc_role_arn\nrole_arn = acs:x\n"
            "oidc_provider_arn = y\noidc_token_file_path = HOME/token\n"
        },
        ["AssumeRoleWithOIDC"],
    ),
    "an agency": ("obs", AGENCY, {}, ["assume-with-oidc"]),
    "a federated user": ("obs", FEDERATED, {}, ["id-token", "securitytokens"]),
    "a federated user before a key pair": (
        "obs",
        {**FEDERATED, "HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "b"},
        {},
        ["id-token", "securitytokens"],
    ),
    "a federated user of the file": (
        "obs",
        {},
        {".huaweicloud/credentials": "[basic]\nidp_id = idp\nid_token_file = HOME/token\n"},
        ["id-token", "securitytokens"],
    ),
    "a pod of CCE": (
        "obs",
        {
            "HC_CONTAINER_CREDENTIALS_FULL_URI": "URL/pod",
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE": "HOME/token",
        },
        {},
        ["pod"],
    ),
}


def prepare(host: Looking, files: dict[str, str]) -> None:
    printed = {"Version": 1, "AccessKeyId": "long", "SecretAccessKey": "L0NG-S3CRET"}
    host.write("print.py", f"print({json.dumps(printed)!r})")
    for name, text in files.items():
        said = text.replace("HOME", str(host.home)).replace("PYTHON", sys.executable)
        host.write(name, said.replace("URL", host.service.url))


@pytest.mark.parametrize("name", SOURCES)
def test_each_source_is_asked_and_asked_again(name, host, machine):
    kind, environment, files, actions = SOURCES[name]
    prepare(host, files)
    found = host.find(kind, environment)
    first, second = pairs(found)
    assert is_of(first, FIRST)
    assert is_of(second, SECOND)
    assert found.get() == second
    assert host.service.actions() == actions * 2
    assert machine[kind].asked == []
    signed = {"AssumeRole": "long"}
    assert [one.by for one in host.service.asked] == [signed.get(a, "") for a in actions * 2]
    assert "S3CRET" not in found.origin + repr(first)
    told = any(word.startswith("Assume") for word in actions)
    assert bool(re.search("role/|acs:x", first.identity)) == told or kind == "obs"


TOKENS = [
    name
    for name, (_, environment, files, actions) in SOURCES.items()
    if "/token" in f"{environment}{files}" and actions != ["AssumeRole"]
]
"""Those that begin with a token in a file."""


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_a_cluster_renews_is_read_anew(name, host):
    kind, environment, files, _ = SOURCES[name]
    prepare(host, files)
    found = host.find(kind, environment)
    assert is_of(found.get(), FIRST)
    host.service.bearers = {"rotated"}
    host.write("new", "rotated", 0o644).replace(host.home / "token")
    assert is_of(found.refresh(), SECOND)


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda token: token.unlink(), "is not there"),
        (lambda token: token.write_text("\n"), "is empty"),
        (lambda token: token.write_text("two words"), "holds no token"),
        (lambda token: token.chmod(0o666), "can be changed by others"),
        (lambda token: (token.unlink(), token.mkdir()), "is not a file|cannot be read"),
    ],
)
def test_a_token_that_cannot_be_used_is_an_error(name, spoil, said, host, machine):
    """Kinds: missing, empty, garbage, not to be trusted. Nobody else is asked instead."""
    kind, environment, files, _ = SOURCES[name]
    prepare(host, files)
    spoil(host.home / "token")
    with pytest.raises(BadCredentials, match=said):
        host.find(kind, environment).get()
    assert (machine[kind].asked, host.service.requests) == ([], 0)


ASKING = [name for name in SOURCES if SOURCES[name][3] != ["pod"]]
GARBAGE = "<html>no</html>", "", "{}", '{"Credentials": 1}', "<AssumeRoleResponse/>", "[1]"


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(retry, "delay", lambda _: 0.0)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_service_in_trouble_is_asked_again(name, status, host):
    kind, environment, files, actions = SOURCES[name]
    prepare(host, files)
    host.service.script = [(status, "trouble")] * 2
    assert is_of(host.find(kind, environment).get(), FIRST)
    assert host.service.requests == 2 + len(actions)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize(
    ("step", "requests", "said"),
    [
        ((503, "trouble"), 3, "answered 503"),
        (b"", 3, "no answer from 127"),
        (b"rubbish\r\n\r\n", 3, "no answer from 127"),
        ((403, '{"Code": "NoPermission", "Message": "you may not"}'), 1, "answered 403: NoPerm"),
        ((302, "elsewhere"), 1, "answered 302"),
        *(((200, text), 1, "") for text in GARBAGE),
    ],
)
def test_a_service_that_fails_is_an_error(name, step, requests, said, host, machine):
    kind, environment, files, _ = SOURCES[name]
    prepare(host, files)
    host.service.script = [step] * 5
    with pytest.raises(BadCredentials) as raised:
        host.find(kind, environment).get()
    assert said in str(raised.value)
    assert host.service.requests == requests
    assert machine[kind].asked == []


def test_a_service_that_is_silent_holds_nobody_up_for_long(host, monkeypatch):
    monkeypatch.setattr(token_requests, "TIMEOUTS", Timeouts(connect=1, read=0.2))
    host.service.script = [SILENT] * 5
    with pytest.raises(BadCredentials, match="no answer from"):
        host.find("s3", IRSA).get()


def test_a_service_that_is_not_there(host):
    with pytest.raises(BadCredentials, match=r"no answer from 127\.0\.0\.1:1"):
        host.find("s3", {**IRSA, "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}).get()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ASKING)
def test_what_is_refused_is_told_without_secrets(name, host):
    """... though the services repeat the token, or all that a signature covers."""
    kind, environment, files, _ = SOURCES[name]
    if SOURCES[name][3] == ["uri"]:
        return  # takes no secret
    prepare(host, files)
    host.service.bearers, host.service.keys = set(), {"long": ("other", "")}
    with pytest.raises(BadCredentials, match="answered 40") as raised:
        host.find(kind, environment).get()
    chain = [raised.value, raised.value.__context__, raised.value.__cause__]
    for secret in (JWT[:20], "L0NG", SUBJECT, "string to sign", "Signature="):
        assert secret not in "".join(map(str, chain))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ASKING)
def test_no_pair_is_taken_that_does_not_say_how_long_it_lasts(name, host):
    kind, environment, files, _ = SOURCES[name]
    prepare(host, files)
    host.service.pairs = [("id", "S3CRET", "", LATER)]
    with pytest.raises(BadCredentials, match=r"session token|access_key_id"):
        host.find(kind, environment).get()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", [n for n in ASKING if SOURCES[n][3] == ["AssumeRole"]])
@pytest.mark.parametrize("offset", [-4000.0, 4000.0])
def test_a_clock_that_is_wrong_is_corrected(name, offset, host):
    kind, environment, files, _ = SOURCES[name]
    prepare(host, files)
    host.service.offset = offset
    assert is_of(host.find(kind, environment).get(), FIRST)
    assert host.service.requests == 2


# AWS's profiles


def test_a_chain_of_roles(host):
    """Each role assumes the next, with what belongs to it."""
    host.service.keys["STS.one"] = (FIRST[1], FIRST[2])
    lines = (
        f"[profile prod]\n{ROLE}source_profile = middle\nexternal_id = e 1\n"
        "duration_seconds = 900\nrole_session_name = me\n"
        "[profile middle]\nrole_arn = arn:aws:iam::1:role/middle\nsource_profile = base\n"
    )
    host.write(".aws/config", lines)
    host.write(".aws/credentials", f"[base]\n{KEYS}")
    found = host.find("s3", {"AWS_PROFILE": "prod"})
    assert is_of(found.get(), SECOND)
    middle, prod = host.service.asked
    assert (middle.by, prod.by) == ("long", "STS.one")
    assert middle.parameters["RoleSessionName"].startswith("tagfs-")
    assert prod.parameters == {
        "RoleArn": "arn:aws:iam::1:role/prod",
        "RoleSessionName": "me",
        "ExternalId": "e 1",
        "DurationSeconds": "900",
    }
    assert found.get().identity == "arn:aws:iam::1:assumed-role/prod/me"


CYCLES = {
    "itself": f"[profile a]\n{ROLE}source_profile = a\n",
    "two": f"[profile a]\n{ROLE}source_profile = b\n[profile b]\n{ROLE}source_profile = a\n",
    "from without": (
        f"[profile a]\n{ROLE}source_profile = b\n[profile b]\n{ROLE}source_profile = c\n"
        f"[profile c]\n{ROLE}source_profile = b\n"
    ),
}
BROKEN = {
    **{name: (text, "source_profile goes round: a -> ") for name, text in CYCLES.items()},
    "mfa": (f"[profile a]\n{ROLE}source_profile = b\nmfa_serial = x\n", "mfa_serial.*: use cred"),
    "no such source": (f"[profile a]\n{ROLE}source_profile = b\n", "source_profile=b: .*no such"),
    "neither": (f"[profile a]\n{ROLE}", r"\[a\] needs one of source_profile and credential_source"),
    "both": (
        f"[profile a]\n{ROLE}source_profile = b\ncredential_source = Environment\n",
        r"\[a\] has both of source_profile and credential_source",
    ),
    "odd source": (f"[profile a]\n{ROLE}credential_source = Moon\n", "credential_source=Moon is"),
    "no environment": (
        f"[profile a]\n{ROLE}credential_source = Environment\n",
        "credential_source=Environment: AWS_ACCESS_KEY_ID .*not set",
    ),
    "no container": (
        f"[profile a]\n{ROLE}credential_source = EcsContainer\n",
        "credential_source=EcsContainer: .*not set",
    ),
    "odd duration": (
        f"[profile a]\n{ROLE}source_profile = a\nduration_seconds = 1h\n{KEYS}",
        "duration_seconds is not a number",
    ),
    "token without role": ("[profile a]\nweb_identity_token_file = x\n", "and no role_arn"),
    "source without role": (f"[profile a]\nsource_profile = b\n{KEYS}", "source_profile and no ro"),
    "kind without role": ("[profile a]\ncredential_source = EcsContainer\n", "and no role_arn"),
    "login": ("[profile a]\nlogin_session = x\n", "`aws login`: use credential_process=aws conf"),
    "half of SSO": ("[profile a]\nsso_session = s\n", "sso_session, and no sso_account_id and"),
    "SSO without a role": ("[profile a]\nsso_account_id = 1\n", "has no sso_role_name"),
    "no such session": (f"[profile a]\nsso_session = s\n{SSO}", r"no section \[sso-session s\]"),
    "nobody signed on": (
        f"[profile a]\nsso_session = s\n{SSO}{SESSION}",
        "nobody has signed on: run aws sso login --profile a",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_profile_that_leads_nowhere(name, host, machine):
    text, said = BROKEN[name]
    host.write(".aws/config", text)
    for environment, choice in (({"AWS_PROFILE": "a"}, {}), ({}, {"profile": "a"})):
        with pytest.raises(BadCredentials, match=said):
            host.find("s3", environment, **choice).get()
    assert (machine["s3"].asked, host.service.requests) == ([], 0)


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"accessToken": JWT, "expiresAt": in_seconds(-1)}, "the sign-on has expired: run aws sso"),
        ({"accessToken": JWT}, "nobody has signed on: run aws sso login --profile a"),
        ({"accessToken": "old" * 9, "expiresAt": LATER}, "answered 401.*: run aws sso login"),
    ],
)
def test_a_sign_on_that_is_over(kept, said, host):
    host.write(".aws/config", f"[profile a]\nsso_session = s\n{SSO}{SESSION}")
    host.write(cached("s"), json.dumps(kept))
    with pytest.raises(BadCredentials, match=said) as raised:
        host.find("s3", {"AWS_PROFILE": "a"}).get()
    assert "oldold" not in str(raised.value)


@pytest.mark.parametrize("kind", ["Environment", "Ec2InstanceMetadata", "EcsContainer"])
def test_a_role_by_a_credential_source(kind, host):
    host.service.keys |= {"machine": ("m", "m"), "box": ("b", "b")}
    host.write(".aws/config", f"[profile a]\n{ROLE}credential_source = {kind}\n")
    with MetadataService("container", pair("container", "box", "b", "b", LATER)) as box:
        box.hardened = False
        environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{box.url}/v2/credentials/x?id=1"}
        if kind == "Environment":
            environment = {
                "AWS_ACCESS_KEY_ID": "long",
                "AWS_SECRET_ACCESS_KEY": "L0NG-S3CRET",
            }
        found = host.find("s3", environment, profile="a")
        assert is_of(found.get(), FIRST)
    signers = {"Environment": "long", "Ec2InstanceMetadata": "machine", "EcsContainer": "box"}
    assert host.service.asked[0].by == signers[kind]
    if kind == "Ec2InstanceMetadata":
        with pytest.raises(BadCredentials, match="instance_role=off forbids"):
            host.find("s3", {}, profile="a", instance_role=False).get()


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"AWS_ROLE_ARN": "x"}, "AWS_WEB_IDENTITY_TOKEN_FILE is not"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token"}, "AWS_ROLE_ARN is not"),
        ({**IRSA, "AWS_PROFILE": "typo"}, "AWS_PROFILE=typo: "),
    ],
)
def test_half_of_a_pods_role(environment, missing, host, machine):
    with pytest.raises(BadCredentials, match=missing):
        host.find("s3", environment).get()
    assert machine["s3"].asked == []


# Alibaba Cloud's profiles


def test_a_chain_of_ram_roles(host):
    host.service.keys["STS.one"] = (FIRST[1], FIRST[2])
    last = {"name": "p", "mode": "ChainableRamRoleArn", "source_profile": "q", **RAM}
    middle = {"name": "q", "mode": "RamRoleArn", "ram_role_arn": "acs:ram::1:role/q", **AK}
    extra = {"ram_session_name": "me", "expired_seconds": 1800, "external_id": "e", "policy": "{}"}
    host.write(".aliyun/config.json", aliyun({**last, **extra}, middle))
    assert is_of(host.find("oss").get(), SECOND)
    assert [one.by for one in host.service.asked] == ["long", "STS.one"]
    asked = host.service.asked[1].parameters
    assert (asked["RoleSessionName"], asked["DurationSeconds"]) == ("me", "1800")
    assert (asked["ExternalId"], asked["Policy"]) == ("e", "{}")


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        ([{"mode": "ChainableRamRoleArn", "source_profile": "p", **RAM}], "goes round: p -> p"),
        ([{"mode": "ChainableRamRoleArn", "source_profile": "q", **RAM}], "no profile 'q'"),
        ([{"mode": "ChainableRamRoleArn", **RAM}], "names no source_profile"),
        ([{"mode": "RamRoleArn", **AK}], "names no role"),
        ([{"mode": "RamRoleArn", "expired_seconds": 60, **AK, **RAM}], "900 seconds at least"),
        ([{"mode": "OIDC", **RAM}], "names no OIDC provider"),
        ([{"mode": "CredentialsURI"}], "names no credentials_uri"),
        ([{"mode": "CloudSSO"}], "nobody has signed on: run aliyun configure --mode CloudSSO"),
        ([{"mode": "OAuth"}], "run aliyun configure --mode OAuth"),
        ([{"mode": "RsaKeyPair"}], "mode RsaKeyPair needs .*: use credential_process"),
        ([{"mode": "EcsRamRoleArn", **RAM}], "machine's role, which instance_role=off forbids"),
    ],
)
def test_a_profile_of_aliyun_that_leads_nowhere(profiles, said, host, machine):
    host.write(".aliyun/config.json", aliyun(*({"name": "p", **one} for one in profiles)))
    with pytest.raises(BadCredentials, match=said):
        host.find("oss", instance_role=False).get()
    assert (machine["oss"].asked, host.service.requests) == ([], 0)


def test_a_role_of_the_machines_role(host):
    host.service.keys["machine"] = ("m", "m")
    host.write(".aliyun/config.json", aliyun({"name": "p", "mode": "EcsRamRoleArn", **RAM}))
    assert is_of(host.find("oss").get(), FIRST)
    assert host.service.asked[0].by == "machine"


@pytest.mark.parametrize("missing", RRSA)
def test_a_part_of_rrsa_is_missing(missing, host, machine):
    environment = {name: value for name, value in RRSA.items() if name != missing}
    with pytest.raises(BadCredentials, match=f"is set, and {missing} is not"):
        host.find("oss", environment).get()
    assert machine["oss"].asked == []


@pytest.mark.parametrize("parts", [AGENCY, FEDERATED])
def test_a_part_of_an_agency_is_missing(parts, host, machine):
    for missing in parts:
        environment = {name: value for name, value in parts.items() if name != missing}
        with pytest.raises(BadCredentials, match=f"is set, and {missing} is not"):
            host.find("obs", environment).get()
    assert machine["obs"].asked == []


def test_what_an_agency_is_asked_for(host):
    more = {
        "HUAWEICLOUD_OIDC_SESSION_NAME": "me",
        "HUAWEICLOUD_OIDC_DURATION_SECONDS": "900",
        "HUAWEICLOUD_OIDC_POLICY_IDS": "a, b",
    }
    assert host.find("obs", {**AGENCY, **more}).get().identity == "iam::1:agency:pod/me"
    asked = host.service.asked[0].parameters
    assert (asked["duration_seconds"], asked["policy_ids"]) == (900, ["a", "b"])


# The way to the services


def test_a_token_service_is_asked_by_the_proxy(host, monkeypatch):
    name = "sts.internal.invalid"  # which the proxy alone resolves
    address = ("127.0.0.1", int(host.service.url.rpartition(":")[2]))
    with HttpProxy({name: address}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        found = host.find("s3", {**IRSA, "AWS_ENDPOINT_URL_STS": f"http://{name}"})
        assert is_of(found.get(), FIRST)
        assert proxy.asked == [f"POST http://{name}/ HTTP/1.1"]


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_on_this_host_is_never_asked_by_a_proxy(name, host, monkeypatch):
    """... as agents of containers and metadata services are: it would not find them."""
    kind, environment, files, _ = SOURCES[name]
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    prepare(host, files)
    assert is_of(host.find(kind, environment).get(), FIRST)


@pytest.mark.usefixtures("at_once")
def test_a_token_service_is_verified_by_the_certificates_of_the_bucket(tmp_path):
    ours = Authority(tmp_path, "ours")
    (tmp_path / "token").write_text(JWT)
    inner = "<AccessKeyId>i</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
    inner += f"<SessionToken>t</SessionToken><Expiration>{LATER}</Expiration>"
    name = "AssumeRoleWithWebIdentityResponse"
    script: list[object] = [answer(200, f"<{name}><X>{inner}</X></{name}>".encode())]
    server = TlsServer(script, context=ours.certify(LOOPBACK, NOW + DAY))
    environment = {
        "HOME": str(tmp_path),
        **{n: v.replace("HOME", str(tmp_path)) for n, v in IRSA.items()},
        "AWS_ENDPOINT_URL_STS": server.url,
    }
    try:
        for trust in (Trust(file=str(ours.file)), None):
            tokens = token_requests.HttpTokenRequests(trust)
            found = find_credentials("s3", S3.environment, environment=environment, tokens=tokens)
            if trust is None:
                with pytest.raises(BadCredentials, match=r"no answer from .*CERTIFICATE_VERIFY"):
                    found.get()
            else:
                assert found.get() == Credentials("i", "s", "t", found.get().expires_at)
    finally:
        server.close()
