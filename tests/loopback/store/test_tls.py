"""TLS: who the service says it is, is verified; an own CA is trusted where it is named."""

import json
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tagfs.errors import BadCredentials, TagfsError, Unreachable
from tagfs.store.certificates import find_trust
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.credentials.container import Container
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import HttpTokenRequests
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tagfs.store.dialects.oss import OSS
from tagfs.store.http.connection_pool import ConnectionPool
from tagfs.store.http.connections import NoResponse, Timeouts
from tagfs.store.http.endpoints import find_endpoint
from tests.fakes.authority import DAY, LOOPBACK, NOW, Authority, TlsServer
from tests.fakes.loopback import CLOSE, answer


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


def ask(context: ssl.SSLContext, ca_bundle: Path | None) -> bytes:
    """Read an object from a server that shows such a certificate; nothing secret leaves before."""
    server = TlsServer([answer(200, b"content")], context=context)
    settings = BucketSettings(
        service="oss",
        bucket="bkt",
        endpoint=server.url,
        addressing="path",
        timeout=5,
        ca_bundle=str(ca_bundle) if ca_bundle else None,
    )
    client = open_bucket(settings, StaticCredentials(Credentials("ak", "sk")))
    try:
        return bytes(client.get("k").data)
    except TagfsError:
        assert server.asked == []
        raise
    finally:
        client.close()
        server.close()


def test_an_own_ca(ours: Authority) -> None:
    assert ask(ours.certify(LOOPBACK, NOW + DAY), ours.file) == b"content"


@pytest.fixture(params=["unnamed CA", "another CA", "wrong host", "expired"])
def wrong(
    request: pytest.FixtureRequest, ours: Authority, theirs: Authority
) -> tuple[ssl.SSLContext, Path | None, str]:
    good = ours.certify(LOOPBACK, NOW + DAY)
    return {
        "unnamed CA": (good, None, "unable to get local issuer|self-signed|self signed"),
        "another CA": (good, theirs.file, "unable to get local issuer|certificate"),
        "wrong host": (
            ours.certify(x509.DNSName("other.example"), NOW + DAY),
            ours.file,
            "127.0.0.1|mismatch",
        ),
        "expired": (ours.certify(LOOPBACK, NOW - DAY), ours.file, "expired"),
    }[request.param]


def test_a_certificate_that_is_wrong(wrong: tuple[ssl.SSLContext, Path | None, str]) -> None:
    """Refused at once, with the reason, and before anything is sent."""
    context, ca_bundle, reason = wrong
    with pytest.raises(Unreachable, match=reason):
        ask(context, ca_bundle)


def test_old_protocols_are_refused(ours: Authority) -> None:
    context = ours.certify(LOOPBACK, NOW + DAY)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(Unreachable):
        ask(context, ours.file)


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_bundle_that_is_none(ours: Authority, tmp_path: Path, content: bytes | None) -> None:
    """A mistake in `ca_bundle` is never the usual CAs instead."""
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TagfsError, match=r"bundle.pem|certificate"):
        ask(ours.certify(LOOPBACK, NOW + DAY), file)


VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_ca_of_the_environment(
    ours: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(ours.file))
    assert ask(ours.certify(LOOPBACK, NOW + DAY), None) == b"content"


def test_a_directory_of_cas(ours: Authority, tmp_path: Path) -> None:
    """Links by hash, as update-ca-certificates and c_rehash make them."""
    hashed = subprocess.check_output(
        ["openssl", "x509", "-noout", "-subject_hash", "-in", ours.file], text=True
    ).strip()
    (tmp_path / f"{hashed}.0").symlink_to(ours.file)
    assert ask(ours.certify(LOOPBACK, NOW + DAY), tmp_path) == b"content"


def test_what_is_not_trusted_is_reported_with_what_is(
    ours: Authority, theirs: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(theirs.file))
    reported = f"trusted is {theirs.file} .SSL_CERT_FILE., another CA is named by ca_bundle"
    with pytest.raises(Unreachable, match=reported):
        ask(ours.certify(LOOPBACK, NOW + DAY), None)


def test_certificates_are_read_once(ours: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each connection: a host's store has hundreds."""
    made: list[object] = []
    real = ssl.create_default_context

    def counted(**given: Any) -> ssl.SSLContext:
        made.append(given)
        return real(**given)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    server = TlsServer([CLOSE, answer(200, b"content")], context=ours.certify(LOOPBACK, NOW + DAY))
    connections = ConnectionPool(find_endpoint(OSS, "bkt", server.url), find_trust(str(ours.file)))
    patience = Timeouts(connect=5, read=5)
    for fails in (True, False):
        sent = connections.send("GET", "/k", {"host": "h"}, None, patience)
        if fails:
            with pytest.raises(NoResponse):
                sent.answer()
        else:
            assert sent.answer().read() == b"content"
    connections.close()
    server.close()
    assert (server.connections, len(made)) == (2, 1)


def load_from_agent(context: ssl.SSLContext, ca_bundle: Path | None) -> Credentials:
    """Ask a container's agent that shows such a certificate."""
    keys = {"AccessKeyId": "ak", "SecretAccessKey": "sk", "Token": "t"}
    server = TlsServer([answer(200, json.dumps(keys).encode())] * 3, context=context)
    environment = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/keys",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    trust = find_trust(str(ca_bundle) if ca_bundle else None, "s3")
    tokens = HttpTokenRequests(trust, sleep=lambda _: None)
    try:
        return Container(Surroundings(environment=environment, tokens=tokens)).load()
    except BadCredentials:
        assert server.asked == []
        raise
    finally:
        server.close()


def test_a_containers_agent_is_verified_by_the_users_certificates(ours: Authority) -> None:
    found = load_from_agent(ours.certify(LOOPBACK, NOW + DAY), ours.file)
    assert (found.access_key_id, found.session_token) == ("ak", "t")


def test_an_agent_with_a_wrong_certificate_gets_no_request(
    wrong: tuple[ssl.SSLContext, Path | None, str],
) -> None:
    context, ca_bundle, _reason = wrong
    with pytest.raises(BadCredentials):
        load_from_agent(context, ca_bundle)
