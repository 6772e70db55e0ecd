"""TLS: who the service says it is, is verified; an own CA is trusted where it is named."""

import datetime
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tagfs.errors import TagfsError, Unreachable
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tests.fakes.loopback import LoopbackServer, answer

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)  # noqa: TID251  (certificates are judged by the true time)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A self-made CA."""

    def __init__(self, directory: Path, called: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = name(called)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        own = self._begin(self._name, self._key, NOW + DAY)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        own = own.add_extension(usage, critical=True)
        self.file = directory / f"{called}.pem"
        signed = own.sign(self._key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def _begin(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - 10 * DAY)
            .not_valid_after(until)
        )

    def certify(self, host: x509.GeneralName, until: datetime.datetime) -> ssl.SSLContext:
        """Return what a server needs that this CA vouches for."""
        key = ec.generate_private_key(ec.SECP256R1())
        begun = self._begin(name("service"), key, until)
        begun = begun.add_extension(x509.SubjectAlternativeName([host]), critical=False)
        file = self._directory / f"{key.private_numbers().private_value:x}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + begun.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@dataclass
class TlsServer(LoopbackServer):
    context: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return super().url.replace("http:", "https:")

    def _serve(self, connection: socket.socket) -> None:
        assert self.context is not None
        try:
            wrapped = self.context.wrap_socket(connection, server_side=True)
        except OSError:  # the client did not like what it saw
            connection.close()
            return
        super()._serve(wrapped)
        wrapped.close()


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
