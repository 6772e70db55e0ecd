"""Roles, pods and single sign-on of AWS."""

import json

import pytest

from tagfs.errors import BadCredentials
from tests.fakes.metadata_service import MetadataService, pair
from tests.fakes.token_services import in_seconds
from tests.loopback.store.token_services.kit import FIRST, JWT, LATER, SECOND, is_of
from tests.loopback.store.token_services.sources import IRSA, KEYS, ROLE, SESSION, SSO, cached


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
