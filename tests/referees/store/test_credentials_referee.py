"""The vendors' SDKs find the same pairs in the same places.

So what stands in for a metadata service is what the SDKs take for one, and files mean to us what
they mean to the tools that wrote them.
"""

import hashlib
import json
import os
import sys
import time

import botocore.credentials
import botocore.session
import botocore.tokens
import botocore.utils
import oss2.credentials
import pytest

from tagfs.store.credentials.chain import CredentialsChoice, find_credentials
from tagfs.store.dialects.s3 import S3
from tests.fakes.metadata_service import TOKEN, MetadataService, pair
from tests.fakes.token_services import TokenServices

MOMENT = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600))


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment with nothing of the host's, for both sides."""

    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return monkeypatch


def ours(profile=None):

    found = find_credentials(
        "s3", S3.environment, CredentialsChoice(profile=profile), dict(os.environ)
    ).get()
    return found.access_key_id, found.secret_access_key, found.session_token


def theirs(profile=None):
    found = botocore.session.Session(profile=profile).get_credentials().get_frozen_credentials()
    return found.access_key, found.secret_key, found.token


def test_the_instance_role(environment):
    with MetadataService("s3", pair("s3", "id", "S3CRET", "T0KEN", MOMENT)) as service:
        environment.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
        assert ours() == theirs() == ("id", "S3CRET", "T0KEN")
        half = len(service.asked) // 2
        assert service.asked[:half] == service.asked[half:]  # the same questions, too


def test_the_container(environment, tmp_path):
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(TOKEN)
    with MetadataService("container", pair("container", "id", "S3CRET", "T0KEN", MOMENT)) as one:
        environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{one.url}/v2/credentials/x?id=1")
        environment.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
        assert ours() == theirs() == ("id", "S3CRET", "T0KEN")


def test_the_ram_role():
    with MetadataService("oss", pair("oss", "id", "S3CRET", "T0KEN", MOMENT)) as service:
        service.hardened = False
        url = f"{service.url}/latest/meta-data/ram/security-credentials/tagfs-role"
        found = oss2.credentials.EcsRamRoleCredentialsProvider(url, 1, 5).get_credentials()
        assert found.get_access_key_id() == "id"
        assert found.get_access_key_secret() == "S3CRET"
        assert found.get_security_token() == "T0KEN"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("name", [None, "default", "keys", "temporary", "process", "settings"])
def test_the_profiles_of_the_shared_files(tmp_path, name):
    """Where a profile is in both files, which goes first; and what `default` is called."""
    printed = {"Version": 1, "AccessKeyId": "p", "SecretAccessKey": "ps", "SessionToken": "pt"}
    script = tmp_path / "p.py"
    script.write_text(f"print({json.dumps(printed)!r})")
    command = f"credential_process = {sys.executable} {script}"
    folder = tmp_path / ".aws"
    folder.mkdir()
    for file, text in {
        "credentials": """
            [default]
            aws_access_key_id = d
            aws_secret_access_key = ds
            [keys]
            aws_access_key_id = k
            aws_secret_access_key = ks=/+
            [temporary]
            aws_access_key_id = t
            aws_secret_access_key = ts
            aws_session_token = tt==
        """,
        "config": f"""
            [default]
            region = eu-west-1
            {command}
            [profile keys]
            aws_access_key_id = wrong
            aws_secret_access_key = wrong
            [profile process]
            {command}
            aws_access_key_id = wrong
            aws_secret_access_key = wrong
            [profile settings]
            aws_access_key_id = s
            aws_secret_access_key = ss
        """,
    }.items():
        folder.joinpath(file).touch(0o600)
        folder.joinpath(file).write_text("\n".join(line.strip() for line in text.splitlines()))
    assert ours(name) == theirs(name)
    assert "wrong" not in ours(name)


KEYS = "aws_access_key_id = long\naws_secret_access_key = L0NG-S3CRET\n"
ROLE = "role_arn = arn:aws:iam::1:role/prod\nrole_session_name = me\n"
SIGN_ON = "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
ASKED = {
    "web identity": {
        "AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token",
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
    },
    "a role": {"AWS_PROFILE": "prod"},
    "a chain of roles": {"AWS_PROFILE": "chain"},
    "a role beside its pair": {"AWS_PROFILE": "own"},
    "a profile's role and web identity": {
        "AWS_PROFILE": "prod",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token",
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
    },
    "a key pair and web identity": {
        "AWS_PROFILE": "base",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token",
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
    },
    "a web identity of a profile": {"AWS_PROFILE": "token"},
    "single sign-on": {"AWS_PROFILE": "sso"},
}


@pytest.mark.parametrize("name", ASKED)
def test_token_services_are_asked_for_the_same(environment, tmp_path, name):
    """... by both, in the same order, and signed by the same keys."""
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    for file, text in {
        "token": "jwt-of-a-pod",
        ".aws/credentials": f"[base]\n{KEYS}[own]\n{KEYS}",
        ".aws/config": (
            f"[default]\nregion = eu-west-1\n[profile prod]\n{ROLE}source_profile = base\n"
            "external_id = e f\nduration_seconds = 900\n"
            f"[profile own]\n{ROLE}source_profile = own\n"
            "[profile chain]\nrole_arn = arn:aws:iam::1:role/end\nrole_session_name = me\n"
            f"source_profile = prod\n[profile token]\n{ROLE}"
            f"web_identity_token_file = {tmp_path}/token\n[profile sso]\n{SIGN_ON}"
            "[sso-session s]\nsso_start_url = https://x/start\nsso_region = eu-west-1\n"
        ),
        f".aws/sso/cache/{hashlib.sha1(b's').hexdigest()}.json": json.dumps(
            {"accessToken": "jwt-of-a-pod", "expiresAt": until}
        ),
    }.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(text)
    keys = {"long": ("L0NG-S3CRET", ""), "STS": ("S3CRET", "T0KEN")}
    with TokenServices([("STS", "S3CRET", "T0KEN", until)], keys, {"jwt-of-a-pod"}) as service:
        for variable, value in {**service.environment, **ASKED[name]}.items():
            environment.setenv(variable, value.replace("HOME", str(tmp_path)))
        environment.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        # botocore looks into the home that it saw when it was imported.
        cache = botocore.utils.JSONFileCache(str(tmp_path / ".aws/sso/cache"))
        for place in (botocore.credentials.SSOProvider, botocore.tokens.SSOTokenProvider):
            environment.setattr(place, "_SSO_TOKEN_CACHE_DIR", cache._working_dir)
        assert ours() == theirs() == ("STS", "S3CRET", "T0KEN")
        half = len(service.asked) // 2
        assert half
        for mine, amazons in zip(service.asked[:half], service.asked[half:], strict=True):
            assert (mine.action, mine.by) == (amazons.action, amazons.by)
            for asked in (mine, amazons):
                if "me" not in asked.parameters.get("RoleSessionName", "me"):
                    del asked.parameters["RoleSessionName"]
            assert mine.parameters == amazons.parameters
