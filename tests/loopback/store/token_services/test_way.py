"""The way to token services: proxies, and the certificates that are trusted."""

import pytest

from tagfs.errors import BadCredentials
from tagfs.store.certificates import Trust
from tagfs.store.credentials import token_requests
from tagfs.store.credentials.chain import find_credentials
from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.s3 import S3
from tests.fakes.authority import DAY, LOOPBACK, NOW, Authority, TlsServer
from tests.fakes.http_proxy import HttpProxy
from tests.fakes.loopback import answer
from tests.loopback.store.token_services.kit import FIRST, JWT, LATER, is_of
from tests.loopback.store.token_services.sources import IRSA, SOURCES


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
    host.prepare(files)
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
