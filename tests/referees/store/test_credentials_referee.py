"""The vendors' SDKs find the same pairs in the same places.

So what stands in for a metadata service is what the SDKs take for one, and files mean to us what
they mean to the tools that wrote them.
"""

import json
import os
import sys
import time

import botocore.session
import oss2.credentials
import pytest

from tagfs.store.credentials.chain import CredentialsChoice, find_credentials
from tagfs.store.dialects.s3 import S3
from tests.fakes.metadata_service import TOKEN, MetadataService, pair

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
