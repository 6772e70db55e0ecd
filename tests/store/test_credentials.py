"""Credentials: read from the environment, never shown."""

import pytest

from tagfs.errors import BadCredentials
from tagfs.store.credentials import Credentials, EnvironmentCredentials
from tagfs.store.oss import OSS

NAMES = OSS.environment


def test_a_pair_from_the_environment():
    environment = {"OSS_ACCESS_KEY_ID": "id", "OSS_ACCESS_KEY_SECRET": "secret\r\n"}
    provider = EnvironmentCredentials(NAMES, environment)
    assert provider.get() == Credentials("id", "secret")
    environment |= {"OSS_ACCESS_KEY_SECRET": "new", "OSS_SESSION_TOKEN": "token"}
    assert provider.get() == Credentials("id", "secret")
    assert provider.refresh() == Credentials("id", "new", "token")
    assert provider.get() == Credentials("id", "new", "token")


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, "OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET"),
        ({"OSS_ACCESS_KEY_ID": "id"}, "set OSS_ACCESS_KEY_SECRET"),
        ({"OSS_ACCESS_KEY_ID": " ", "OSS_ACCESS_KEY_SECRET": "s"}, "set OSS_ACCESS_KEY_ID$"),
    ],
)
def test_what_is_missing_is_named(environment, missing):
    with pytest.raises(BadCredentials, match=missing):
        EnvironmentCredentials(NAMES, environment).get()


def test_no_secret_is_shown():
    shown = repr(Credentials("id", "S3CRET", "T0KEN", 1.0))
    assert "id" in shown
    assert "S3CRET" not in shown
    assert "T0KEN" not in shown
