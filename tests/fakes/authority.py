"""A certificate authority of the tests, and servers on loopback that it vouches for."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fakes.listener import Listener
from tests.fakes.loopback import LoopbackServer

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

    @staticmethod
    def dns(host: str) -> x509.GeneralName:
        return x509.DNSName(host)

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


class TlsFront(Listener):
    """Speaks TLS for a service on loopback that speaks plain HTTP."""

    def __init__(self, context: ssl.SSLContext, behind: tuple[str, int]) -> None:
        self._context, self._behind = context, behind
        super().__init__()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            secure = self._context.wrap_socket(connection, server_side=True)
            with secure, socket.create_connection(self._behind, 5) as service:
                back = threading.Thread(target=_copy, args=(service, secure), daemon=True)
                back.start()
                _copy(secure, service)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)
