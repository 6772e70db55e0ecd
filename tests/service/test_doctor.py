"""`tagfs doctor`: what is wrong is named, with what to do; what is well is said to be so."""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tagfs.config.settings import Settings, parse_options, parse_url
from tagfs.doctor.findings import Finding, Level
from tagfs.doctor.host_checks import Host, check_host
from tagfs.doctor.network_checks import check_network
from tagfs.doctor.read_checks import attempt
from tagfs.doctor.run import examine
from tagfs.doctor.service_checks import check_kind
from tagfs.doctor.write_checks import check_writing
from tagfs.store.certificates import find_trust
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.proxies import Proxy
from tests import zygote
from tests.emulated import PAIR, Emulator, emulator
from tests.fakes.http_proxy import HttpProxy
from tests.fakes.loopback import LoopbackServer, answer, error
from tests.former_trials import FORMER
from tests.judges import REGIONS, judge_of
from tests.mounting import KEYS
from tests.ports import free_port

HOSTS = find_trust(None)
SERVICES = ("oss", "obs", "s3")


@pytest.fixture(scope="module", params=SERVICES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    options = ("posix=bucket-0",) if request.param == "obs" else ()
    directory = tmp_path_factory.mktemp(request.param)
    with emulator(directory, buckets=40, service=request.param, options=options) as running:
        running.take()  # a parallel file system on OBS
        yield running


@pytest.fixture
def faults(service: Emulator) -> Iterator["Faults"]:
    board = Faults(service)
    yield board
    board.set()


class Faults:
    def __init__(self, service: Emulator) -> None:
        self._url = f"{service.url}/-/faults"

    def set(self, *specifications: str) -> None:
        requests.post(self._url, json=specifications, timeout=60).raise_for_status()


class Examined:
    """What was found, as programs get it."""

    def __init__(self, findings: list[dict[str, Any]]) -> None:
        self.findings = findings
        self.text = json.dumps(findings, indent=1)

    def failed(self) -> list[str]:
        return [f["check"] for f in self.findings if f["level"] == "fail"]

    def finding(self, check: str) -> dict[str, Any]:
        return next(f for f in self.findings if f["check"] == check)


def run(service: Emulator, bucket: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run the command itself."""
    where = f"endpoint={service.url},region={REGIONS[service.service]},cache_dir=/tmp"
    url = f"{service.service}://{bucket}"
    return zygote.run("doctor", url, "-o", where, *args, env=KEYS, timeout=60)


@pytest.fixture
def look(
    service: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Examined]:
    """Examine a bucket of the service: `look(bucket, write=True, region=..., KEY_ID=...)`."""

    def examined(bucket: str, *, write: bool = False, **more: str) -> Examined:
        options: dict[str, str | bool] = {
            "endpoint": service.url,
            "region": REGIONS[service.service],
            "cache_dir": str(tmp_path),
            **{name: value for name, value in more.items() if name.islower()},
        }
        changes = {name: value for name, value in more.items() if name.isupper()}
        for name, value in {**KEYS, **changes, "HOME": str(tmp_path)}.items():
            monkeypatch.setenv(name, value)
        chosen = parse_options(parse_url(f"{service.service}://{bucket}"), options)
        return Examined([f.as_json() for f in examine(chosen, write=write)])

    return examined


Look = Callable[..., Examined]


def key_names(service: Emulator) -> tuple[str, str]:
    return {
        "oss": ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"),
        "obs": ("OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY"),
        "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    }[service.service]


def test_all_is_well(service: Emulator) -> None:
    """Every right is tried; the scratch objects are gone, and what was there is as it was."""
    bucket = service.take()
    judge = judge_of(service.service, service.url, bucket)
    judge.put("mine", b"precious")
    judge.set_tags("mine", {"k": "v"})
    for name in FORMER:
        judge.put(name, name.encode())
    done = run(service, bucket, "--write", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done
    found = Examined([json.loads(line) for line in done.stdout.splitlines()])
    assert found.failed() == []
    rights = {f["check"] for f in found.findings if f["check"].startswith("right to")}
    wanted = [*"head get put copy multipart delete".split(), "get tagging", "put tagging"]
    assert {f"right to {right}" for right in [*wanted, "bucket tagging"]} <= rights
    assert ("right to symlink" in rights) == (service.service != "s3")
    assert judge.keys() == sorted([*FORMER, "mine"])
    assert [judge.get(name) for name in FORMER] == [name.encode() for name in FORMER]
    assert (judge.get("mine"), judge.tags("mine")) == (b"precious", {"k": "v"})
    assert "OSS_ACCESS_KEY_ID" in found.finding("credentials")["detail"] or (
        service.service != "oss"
    )
    assert "emulator-secret" not in found.text


def test_without_write_nothing_is_written(service: Emulator, look: Look) -> None:
    bucket = service.take()
    before = service.log.stat().st_size
    assert look(bucket).failed() == []
    with service.log.open() as log:
        log.seek(before)
        assert {json.loads(line)["method"] for line in log} <= {"GET", "HEAD"}


def test_for_people(service: Emulator) -> None:
    """One line a finding; exit status 1 if one of them fails."""
    if service.service != "oss":
        pytest.skip("the same for all")
    done = run(service, service.take())
    assert done.returncode == 0
    assert all(line.startswith(("ok       ", "warning  ")) for line in done.stdout.splitlines())
    done = run(service, "no-such-bucket")
    assert done.returncode == 1
    assert "\nFAIL     bucket: there is no bucket 'no-such-bucket' here" in done.stdout


def test_no_key(service: Emulator, look: Look) -> None:
    found = look(service.take(), **dict.fromkeys(key_names(service), ""), instance_role="off")
    assert found.failed() == ["credentials"]


def test_a_wrong_key(service: Emulator, look: Look) -> None:
    found = look(service.take(), **{key_names(service)[0]: "nobody"})
    assert found.failed() == ["key pair"]
    assert "does not know the key" in found.finding("key pair")["detail"]
    assert key_names(service)[0] in found.finding("key pair")["advice"]


def test_a_wrong_secret(service: Emulator, look: Look) -> None:
    found = look(service.take(), **{key_names(service)[1]: "a-wrong-one"})
    assert found.failed() == ["key pair"]
    assert "secret does not belong" in found.finding("key pair")["detail"]
    assert "a-wrong-one" not in found.text


def test_a_missing_bucket(look: Look) -> None:
    found = look("no-such-bucket")
    assert found.failed() == ["bucket"]
    assert "no bucket 'no-such-bucket'" in found.finding("bucket")["detail"]


def test_a_skewed_clock(service: Emulator, faults: Faults, look: Look) -> None:
    """It is said though tagfs itself signs with the service's time."""
    faults.set("clock=3600")
    found = look(service.take())
    assert found.failed() == ["clock"]
    assert re.search("3,(600|599) s behind", found.finding("clock")["detail"])
    assert "timedatectl" in found.finding("clock")["advice"]


def test_another_region_that_the_service_takes(service: Emulator, look: Look) -> None:
    """A server of S3 or OBS may not look at it; others will, and the bucket says where it is."""
    if service.service == "oss":
        pytest.skip("it is refused: below")
    found = look(service.take(), region="eu-west-9")
    assert found.failed() == []
    assert found.finding("region")["level"] == "warning"
    assert found.finding("region")["advice"] == f"set region={REGIONS[service.service]}"
    assert not [f for f in look(service.take()).findings if f["check"] == "region"]
    assert "nothing to try it on" in found.finding("right to get")["detail"]


def test_nothing_that_says_where(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "OSS_REGION"):
        monkeypatch.delenv(name, raising=False)
    url = f"{service.service}://{service.take()}"
    done = zygote.run("doctor", url, env={**KEYS, "HOME": "/nonexistent"}, timeout=60)
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("FAIL     settings: not enough")
    assert "set endpoint=HOST or region=NAME" in last


def test_the_wrong_region(service: Emulator, faults: Faults, look: Look) -> None:
    """The right one is named: by the service's answer, or because it is asked for."""
    if service.service == "s3":
        faults.set("status=400:op=ListObjects*:code=AuthorizationHeaderMalformed")
    if service.service == "obs":  # whose signatures know no region: a wrong host redirects
        faults.set("status=301:op=ListObjects:code=PermanentRedirect")
    found = look(service.take(), region="xx-nowhere-1")
    assert found.failed() == ["region"]
    right = REGIONS[service.service]
    assert f"set region={right}" in found.finding("region")["advice"]


RIGHTS = {
    "list": "ListObjects*",
    "head": "*Head*Object*",
    "get": "GetObject",
    "get tagging": "GetObjectTagging",
    "put": "PutObject",
    "put tagging": "PutObjectTagging",
    "copy": "CopyObject",
    "multipart": "UploadPart",
    "delete": "DeleteObject",
}


LESSER = {"list", "get tagging"}
"""Without these a mount shows and reads what it may."""


@pytest.mark.parametrize("right", RIGHTS)
def test_a_policy_that_forbids_one_right(
    service: Emulator, faults: Faults, right: str, look: Look
) -> None:
    bucket = service.take()
    judge = judge_of(service.service, service.url, bucket)
    judge.put("mine", b"precious")
    faults.set(f"deny:op={RIGHTS[right]}")
    found = look(bucket, write=True)
    faults.set()
    check = f"right to {right}"
    assert (check in found.failed()) == (right not in LESSER), found.text
    assert found.finding(check)["level"] == ("warning" if right in LESSER else "fail")
    assert found.finding(check)["detail"].startswith("missing")
    advice = found.finding(check)["advice"]
    assert f"allow {service.service}:" in advice
    left = sorted({*judge.keys()} - {"mine"})
    if right == "delete":  # then nothing more is written, and what is left is said
        assert len(left) == 1
        assert advice.endswith(f"delete {left[0]}")
    else:
        assert left == []


def test_the_tags_of_the_bucket_are_not_needed(
    service: Emulator, faults: Faults, look: Look
) -> None:
    faults.set("deny:op=GetBucketTag*")
    found = look(service.take())
    assert found.failed() == []
    assert found.finding("right to bucket tagging")["level"] == "warning"


def test_what_is_begun_is_removed_though_nobody_reads_on(service: Emulator) -> None:
    bucket = service.take()
    client = service.open(bucket)
    writing = check_writing(client, "")
    for finding in writing:
        if finding.check == "right to copy":
            break
    assert client.list("", delimiter="").objects
    writing.close()
    assert not client.list("", delimiter="").objects
    client.close()


def test_a_closed_port(look: Look) -> None:
    found = look("bucket", endpoint=f"http://127.0.0.1:{free_port()}")
    assert found.failed() == ["tcp"]
    assert "refused" in found.finding("tcp")["detail"]


def test_a_parallel_file_system(service: Emulator, look: Look) -> None:
    if service.service != "obs":
        pytest.skip("OBS has them")
    found = look("bucket-0")
    assert found.finding("bucket kind")["level"] == "warning"
    assert "object bucket" in found.finding("bucket kind")["advice"]


# What needs no emulator


def kinds(service: str, *script: bytes) -> dict[str, Finding]:
    """Return what is found of a bucket of which a server says so."""
    server = LoopbackServer(list(script))
    settings = BucketSettings(service=service, bucket="bucket", endpoint=server.url, region="r")
    client = open_bucket(settings, PAIR)
    found = {finding.check: finding for finding in check_kind(client)}
    client.close()
    server.close()
    return found


def test_a_hierarchical_bucket_that_keeps_versions() -> None:
    body = (
        b"<BucketInfo><Bucket><Name>bucket</Name><Location>oss-cn-hangzhou</Location>"
        b"<StorageClass>Standard</StorageClass><Versioning>Enabled</Versioning>"
        b"<HierarchicalNamespace>Enabled</HierarchicalNamespace></Bucket></BucketInfo>"
    )
    found = kinds("oss", answer(200, body), error(403, "AccessDenied"))
    assert found["bucket kind"].level is Level.WARNING
    assert "oss-cn-hangzhou, hierarchical" in found["bucket kind"].detail
    assert found["versioning"].level is Level.WARNING


@pytest.mark.parametrize("state", ["Enabled", "Suspended"])
def test_versioning_is_asked_for(state: str) -> None:
    xml = f"<VersioningConfiguration><Status>{state}</Status></VersioningConfiguration>"
    found = kinds("s3", answer(200), answer(200, xml.encode()))
    assert ("versioning" in found) == (state == "Enabled")


def test_the_kind_may_stay_unknown() -> None:
    found = kinds("oss", error(403, "AccessDenied"))
    assert found["bucket kind"].level is Level.WARNING
    assert "GetBucketInfo" in found["bucket kind"].advice


def endpoint(port: int, scheme: str = "http", host: str = "localhost") -> Endpoint:
    return Endpoint(scheme, host, port, "bucket", path_style=True)


def last(findings: Iterator[Finding]) -> Finding:
    *_, finding = findings
    return finding


def test_a_name_without_address() -> None:
    finding = last(check_network(endpoint(443, "https", "bucket.nowhere.invalid"), HOSTS))
    assert (finding.check, finding.level) == ("dns", Level.FAIL)
    assert "bucket.nowhere.invalid has no address" in finding.detail


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA of our own, and a certificate for localhost by it, each with its key."""
    directory = tmp_path_factory.mktemp("ca")
    for line in (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=ours"
        " -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE"
        " -addext keyUsage=critical,keyCertSign",
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost"
        " -CA ca.pem -CAkey ca.key -addext subjectAltName=DNS:localhost"
        " -keyout key.pem -out cert.pem",
    ):
        subprocess.run(["openssl", *line.split()], cwd=directory, check=True, capture_output=True)
    return directory


@contextlib.contextmanager
def tls_server(authority: Path) -> Iterator[int]:
    """A server that gives the time by HTTPS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    answer = b"HTTP/1.1 403 No\r\nDate: Tue, 02 Jan 2024 03:04:05 GMT\r\nContent-Length: 0\r\n\r\n"
    with socket.create_server(("localhost", 0)) as listener:

        def serve() -> None:
            while True:
                with contextlib.suppress(ssl.SSLError, ConnectionError):
                    try:
                        plain, _ = listener.accept()
                    except OSError:
                        return
                    with context.wrap_socket(plain, server_side=True) as secure:
                        if secure.recv(4096):
                            secure.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_a_certificate_of_an_unknown_authority(authority: Path) -> None:
    with tls_server(authority) as port:
        finding = last(check_network(endpoint(port, "https"), HOSTS))
        assert (finding.check, finding.level) == ("tls", Level.FAIL)
        assert "not trusted" in finding.detail
        assert "ca_bundle" in finding.advice
        now = 1704164645.0  # what the server's Date says
        at, trust = endpoint(port, "https"), find_trust(str(authority / "ca.pem"))
        found = list(check_network(at, trust, clock=lambda: now))
        assert [f.level for f in found] == [Level.OK] * 4, found
        assert found[2].detail.endswith(f"by {authority}/ca.pem (ca_bundle)")
        finding = last(check_network(at, trust, clock=lambda: now - 120))
    assert (finding.level, finding.detail) == (Level.WARNING, "120 s behind the service's")


def test_no_tls_where_tls_is_expected() -> None:
    with socket.create_server(("localhost", 0)) as listener:
        port = listener.getsockname()[1]

        def refuse() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        finding = last(check_network(endpoint(port, "https"), HOSTS))
        thread.join(60)
    assert (finding.check, finding.level) == ("tls", Level.FAIL)
    assert "scheme" in finding.advice


def settings(tmp_path: Path, **options: Any) -> Settings:
    cache = {"cache_dir": str(tmp_path / "cache")}
    return parse_options(parse_url("oss://bucket"), {**cache, **options})


def on_host(chosen: Settings, host: Host) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_host(chosen, host)}


def test_no_device(tmp_path: Path) -> None:
    found = on_host(settings(tmp_path), Host(device=tmp_path / "fuse"))["device"]
    assert found.level is Level.FAIL
    assert "modprobe fuse" in found.advice
    assert "--device /dev/fuse" in found.advice


def test_no_fusermount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for uid, level in ((1000, Level.FAIL), (0, Level.WARNING)):
        found = on_host(settings(tmp_path), Host(uid=uid))["fusermount"]
        assert found.level is level
        assert "apt install fuse3" in found.advice


def test_allow_other_needs_a_line_in_fuse_conf(tmp_path: Path) -> None:
    chosen, conf = settings(tmp_path, allow_other=True), tmp_path / "fuse.conf"
    host = Host(fuse_conf=conf, uid=1000)
    assert on_host(chosen, host)["allow_other"].level is Level.FAIL
    conf.write_text("# user_allow_other\n")
    assert on_host(chosen, host)["allow_other"].level is Level.FAIL
    conf.write_text("mount_max = 5\nuser_allow_other\n")
    assert on_host(chosen, host)["allow_other"].level is Level.OK
    assert "allow_other" not in on_host(settings(tmp_path), host)


@pytest.mark.parametrize("name", ["allow_suid", "allow_dev"])
def test_what_is_for_root_alone(tmp_path: Path, name: str) -> None:
    chosen = settings(tmp_path, **{name: True})
    assert on_host(chosen, Host(uid=1000))[name].level is Level.FAIL
    assert on_host(chosen, Host(uid=0))[name].level is Level.WARNING
    assert name not in on_host(settings(tmp_path, suid=True, dev=True), Host(uid=0))


def test_a_cache_directory_that_a_mount_refuses(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/staging").symlink_to(tmp_path)
    for place, words in {
        tmp_path / "open": "can be changed by others",
        tmp_path / "linked": "is not yours alone",
        Path("/proc/x"): "/proc ",
    }.items():
        found = on_host(settings(tmp_path, cache_dir=str(place)), Host())["cache_dir"]
        assert found.level is Level.FAIL, place
        assert words in found.detail


def test_the_cache_directory(tmp_path: Path) -> None:
    assert on_host(settings(tmp_path), Host())["cache_dir"].level is not Level.FAIL
    assert not (tmp_path / "cache").exists()
    (tmp_path / "cache").write_text("")
    read_only = on_host(settings(tmp_path, ro=True), Host())["cache_dir"]
    assert (read_only.level, read_only.detail[:10]) == (Level.OK, "not needed")
    assert on_host(settings(tmp_path), Host())["cache_dir"].level is Level.FAIL
    (tmp_path / "cache").unlink()
    (tmp_path / "cache/staging").mkdir(parents=True)
    (tmp_path / "cache/staging").chmod(0o777)
    found = on_host(settings(tmp_path), Host())["cache_dir"]
    assert found.level is Level.FAIL
    assert "not yours alone" in found.detail


def test_no_libfuse(tmp_path: Path) -> None:
    script = (
        "from tagfs.doctor.host_checks import Host, check_host;"
        "from tagfs.config.settings import parse_options, parse_url;"
        f"s = parse_options(parse_url('oss://bucket'), {{'cache_dir': '{tmp_path}', 'fuse': '2'}});"
        "print(next(f for f in check_host(s, Host()) if f.check == 'libfuse'))"
    )
    env = {**os.environ, "FUSE_LIBRARY_PATH": "libnone.so"}
    reported = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    ).stdout
    assert reported.startswith("FAIL     libfuse: none can be loaded")
    assert "apt install libfuse2" in reported


def test_a_bug_is_not_hidden() -> None:
    def broken() -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        attempt("oss", "get", broken)


def test_the_proxy_is_named(service: Emulator, look: Callable[..., Examined]) -> None:
    """With who named it, and every step then is about the way through it."""
    with HttpProxy(user="user:p@ss-word") as proxy:
        url = proxy.url.replace("://", "://user:p%40ss-word@")
        found = look(service.take(), HTTP_PROXY=url)
        assert found.failed() == []
        shown = found.finding("proxy")["detail"]
        assert shown == f"requests go through {proxy.url.replace('://', '://user@')} (HTTP_PROXY)"
        assert "p@ss" not in found.text
        assert "p%40ss" not in found.text
        assert all(line.split()[1].startswith(service.url) for line in proxy.asked)
        assert "NO_PROXY" in look(service.take(), NO_PROXY="127.0.0.0/8").finding("proxy")["detail"]


@pytest.mark.parametrize("refusal", [407, 403, 502])
def test_what_a_proxy_refuses_is_said_to_be_its_doing(
    service: Emulator, look: Callable[..., Examined], refusal: int
) -> None:
    with HttpProxy(refuses=refusal, page=b"<html>no</html>") as proxy:
        found = look(service.take(), proxy=proxy.url, timeout="0.2")
    assert found.failed() == ["service"]
    assert f"the proxy {proxy.url} answers {refusal}" in found.finding("service")["detail"]


def test_a_tunnel_that_a_proxy_refuses() -> None:
    with HttpProxy(refuses=403) as refusing:
        proxy = Proxy("http", "127.0.0.1", refusing.port)
        finding = last(check_network(endpoint(443, "https", "far.invalid"), HOSTS, proxy))
    assert (finding.check, finding.level) == ("tls", Level.FAIL)
    assert "the proxy refuses" in finding.detail
    assert "403" in finding.detail
    gone = last(check_network(endpoint(443, "https", "far.invalid"), HOSTS, proxy))
    assert (gone.check, gone.level) == ("tcp", Level.FAIL)
    assert "the proxy 127.0.0.1" in gone.detail
    nameless = Proxy("http", "proxy.invalid", 1)
    unknown = last(check_network(endpoint(443, "https", "far.invalid"), HOSTS, nameless))
    assert "this is the proxy" in unknown.advice
