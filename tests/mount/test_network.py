"""What stands between a mount and its service: proxies and certificates."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.fakes.authority import DAY, LOOPBACK, NOW, Authority, TlsFront
from tests.fakes.http_proxy import HttpProxy
from tests.mounting import KEYS, run, wait_for

HOSTS = {
    "oss": "oss-cn-hangzhou.internal.invalid",
    "obs": "obs.internal.invalid",
    "s3": "s3.internal.invalid",
}
HOST = HOSTS["oss"]
"""Names that only the proxy resolves."""
SECRET = "p%40ss-word"


class Way:
    """A bucket behind a proxy, and its mounts by the command line alone."""

    def __init__(self, service: Emulator, tmp_path: Path) -> None:
        self.service, self.bucket = service, service.take()
        self.path, self.cache = tmp_path / "mnt", tmp_path / "cache"
        self.log = tmp_path / "log"
        self.path.mkdir()

    @property
    def place(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.service.url.rpartition(":")[2])

    def tagfs(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tagfs", *arguments],
            env={**os.environ, **KEYS, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def mount(self, options: str, **variables: str) -> None:
        fixed = f"cache_dir={self.cache},log_file={self.log},timeout=5"
        url = f"{self.service.service}://{self.bucket}"
        arguments = ("mount", url, str(self.path), "-o", f"{fixed},{options}")
        done = self.tagfs(*arguments, **variables)
        assert (done.returncode, done.stderr) == (0, "")

    def status(self) -> dict[str, object]:
        reported: dict[str, object] = json.loads(os.getxattr(self.path, "user.tagfs.status"))
        return reported

    def use(self) -> None:
        """Write, tag and read back, past all caches."""
        (self.path / "file").write_text("content")
        os.setxattr(self.path / "file", "user.tag.team", b"blue")
        os.setxattr(self.path, "user.tagfs.refresh", b"")
        assert (self.path / "file").read_text() == "content"
        assert os.getxattr(self.path / "file", "user.tag.team") == b"blue"


@pytest.fixture
def way(service: Emulator, tmp_path: Path) -> Iterator[Way]:
    found = Way(service, tmp_path)
    yield found
    if os.path.ismount(found.path):
        run(sys.executable, "-m", "tagfs", "umount", found.path)
    if found.log.exists():
        assert "p@ss" not in found.log.read_text()
        assert SECRET not in found.log.read_text()


@pytest.mark.services("oss", "s3", "obs")
def test_a_mount_through_the_proxy_of_the_environment(way: Way) -> None:
    host = HOSTS[way.service.service]
    with HttpProxy({host: way.place}, user="user:p@ss-word") as proxy:
        variable = {"HTTP_PROXY": proxy.url.replace("://", f"://user:{SECRET}@")}
        way.mount(f"addressing=path,endpoint=http://{host}", **variable)
        way.use()
        assert way.status()["proxy"] == proxy.url.replace("://", "://user@")
        assert proxy.passed
        assert not any(b"proxy-auth" in head.lower() for head in proxy.passed)
        done = way.tagfs("tag", "get", str(way.path / "file"), **variable)
        assert "team" in done.stdout
        run(sys.executable, "-m", "tagfs", "umount", way.path)


def test_a_password_of_the_command_line_is_seen_nowhere(way: Way) -> None:
    with HttpProxy({HOST: way.place}, user="user:p@ss-word") as proxy:
        url = proxy.url.replace("://", f"://user:{SECRET}@")
        way.mount(f"addressing=path,endpoint=http://{HOST},proxy={url}", NO_PROXY="*")
        way.use()
        pid = way.status()["pid"]
        shown = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"user:***" in shown
        assert SECRET.encode() not in shown
        reported = json.dumps(way.status()) + Path("/proc/self/mountinfo").read_text()
        assert SECRET not in reported
        assert "p@ss" not in reported
        (record,) = way.cache.glob("staging/*/mount.json")
        assert "ss-word" not in record.read_text()
        run(sys.executable, "-m", "tagfs", "umount", way.path)


def test_https_goes_through_a_tunnel(way: Way, tmp_path: Path) -> None:
    """Encrypted from end to end: the proxy has no more than the name of the service."""
    ours = Authority(tmp_path, "ours")
    file = tmp_path / "proxy.url"
    with (
        TlsFront(ours.certify(ours.dns(HOST), NOW + DAY), way.place) as front,
        HttpProxy({HOST: ("127.0.0.1", front.port)}, user="user:p@ss-word") as proxy,
    ):
        file.write_text(proxy.url.replace("://", f"://user:{SECRET}@"))
        file.chmod(0o600)
        way.mount(f"addressing=path,endpoint={HOST},ca_bundle={ours.file},proxy={file}")
        way.use()
        assert {line.rpartition(" ")[0] for line in proxy.asked} == {f"CONNECT {HOST}:443"}
        assert not any(b"content" in data for data in proxy.passed)
        (record,) = way.cache.glob("staging/*/mount.json")
        assert json.loads(record.read_text())["options"]["proxy"] == str(file)
        run(sys.executable, "-m", "tagfs", "umount", way.path)


def test_a_ca_of_the_environment_is_remembered(way: Way, tmp_path: Path) -> None:
    """The mount names to its commands, and its recovery, which one it was."""
    ours = Authority(tmp_path, "ours")
    with TlsFront(ours.certify(LOOPBACK, NOW + DAY), way.place) as front:
        way.mount(
            f"addressing=path,endpoint=https://127.0.0.1:{front.port}", SSL_CERT_FILE=str(ours.file)
        )
        way.use()
        assert way.status()["ca_bundle"] == str(ours.file)
        (record,) = way.cache.glob("staging/*/mount.json")
        assert json.loads(record.read_text())["options"]["ca_bundle"] == str(ours.file)
        assert "blue" in way.tagfs("tag", "get", str(way.path / "file")).stdout
        run(sys.executable, "-m", "tagfs", "umount", way.path)


def test_what_a_proxy_kept_from_the_service_is_recovered_through_it(way: Way) -> None:
    """The directory of a mount that died knows the proxy, whatever the shell says later."""
    with HttpProxy({HOST: way.place}) as proxy:
        way.mount(f"addressing=path,endpoint=http://{HOST}", http_proxy=proxy.url)
        (way.path / "sent").write_text("sent")
        with (way.path / "file").open("w") as file:
            file.write("staged")
            proxy.refuses = 502
            with pytest.raises(OSError):
                os.fsync(file.fileno())
            pid = way.status()["pid"]
            os.kill(int(str(pid)), 9)
            wait_for(lambda: not Path(f"/proc/{pid}").exists())
            subprocess.run(["fusermount", "-uz", str(way.path)], check=False)
            with pytest.raises(OSError):
                file.close()
        proxy.refuses = 0
        done = way.tagfs("recover", str(way.cache))
        assert done.returncode == 0, done.stderr
        assert any("/file " in line for line in proxy.asked[-5:])


def test_a_mount_that_the_proxy_refuses(way: Way) -> None:
    with HttpProxy(refuses=407) as proxy:
        done = way.tagfs(
            "mount",
            f"{way.service.service}://{way.bucket}",
            str(way.path),
            "-o",
            f"endpoint=http://{HOST},addressing=path",
            http_proxy=proxy.url,
        )
    assert done.returncode == 1
    assert f"the proxy {proxy.url} answers 407" in done.stderr
    assert "http_proxy" in done.stderr


@pytest.mark.parametrize("style", ["root", "cname"])
def test_an_endpoint_with_a_path_and_a_domain_of_the_buckets_own(way: Way, style: str) -> None:
    """The service itself sees neither: who stands before it takes them off."""
    own = (f"{way.bucket}.{HOST}", "") if style == "cname" else (HOST, "/storage/v1")
    with HttpProxy(
        {"img.example.invalid": way.place}, renamed={"img.example.invalid": own}
    ) as proxy:
        address = "http://img.example.invalid"
        chosen = "/storage/v1/" if style == "root" else ",addressing=cname"
        way.mount(f"endpoint={address}{chosen},region=cn-hangzhou,proxy={proxy.url}")
        way.use()
        (way.path / "file").rename(way.path / "moved")
        assert (way.path / "moved").read_text() == "content"
        assert os.getxattr(way.path / "moved", "user.tag.team") == b"blue"
        done = way.tagfs("tag", "get", str(way.path / "moved"))
        assert "blue" in done.stdout, done.stderr
        run(sys.executable, "-m", "tagfs", "umount", way.path)
        begins = f"{address}/" if style == "cname" else f"{address}/storage/v1/{way.bucket}/"
        assert {line.split()[1].startswith(begins) for line in proxy.asked} == {True}
