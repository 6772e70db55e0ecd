"""TLS: who the service says it is, is verified; an own CA is trusted where it is named."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from tagfs.errors import TagfsError, Unreachable
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tests.fakes.authority import DAY, LOOPBACK, NOW, Authority, TlsServer
from tests.fakes.loopback import answer


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
