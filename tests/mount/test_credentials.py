"""Promise F3: credentials that expire are refreshed before and on 403; a mount lives for months.

And no secret leaves the process but as a signature.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.emulated import Emulator, emulator
from tests.fakes.metadata_service import ADDRESSES, MetadataService, pair
from tests.fakes.token_services import TokenServices, in_seconds
from tests.judges import KEY_ID, REGIONS, SECRET, judge_of, s3_client
from tests.mounting import mounted, run, wait_for

SERVICES = ("oss", "obs", "s3")
LONG = 10_000.0  # seconds


class TokenService:
    """Hands out temporary pairs that an emulator accepts, and ends them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._keys: dict[str, dict[str, str | float]] = {}
        self._write()

    def hand_out(self, name: str, seconds: float = LONG) -> dict[str, str]:
        """Return a new pair in the words of a credentials file."""
        words = {
            "access_key_id": f"STS{name}",
            "access_key_secret": f"s3cret-of-{name}",
            "security_token": f"t0ken-of-{name}",
        }
        self._keys[name] = {**words, "expires": time.time() + seconds}
        self._write()
        return words

    def end(self, name: str) -> None:
        """Let a pair expire now."""
        self._keys[name]["expires"] = time.time() - 1
        self._write()

    def _write(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(list(self._keys.values())))
        new.replace(self.file)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], tuple[Emulator, TokenService]]]:
    """Return the emulator of a service with its token service, started when first asked for."""
    started: dict[str, tuple[Emulator, TokenService]] = {}
    with ExitStack() as stack:

        def start(service: str) -> tuple[Emulator, TokenService]:
            if service not in started:
                directory = tmp_path_factory.mktemp(service)
                tokens = TokenService(directory / "tokens.json")
                one = emulator(directory, 16, service=service, temporary_keys=tokens.file)
                started[service] = stack.enter_context(one), tokens
            return started[service]

        yield start


def write_private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def lines(words: dict[str, str]) -> str:
    return "".join(f"{name} = {value}\n" for name, value in words.items())


@pytest.mark.parametrize("service", SERVICES)
def test_an_expired_token_is_replaced_by_that_of_its_file(running, tmp_path, service):
    """What is being written when it expires is not lost, nor does anybody see an error."""
    one, tokens = running(service)
    file = write_private(tmp_path / "keys", lines(tokens.hand_out("first")))
    with mounted(one, one.take(), tmp_path / "m", f"credentials={file}", keys={}) as mount:
        mount.path.joinpath("a").write_text("one")
        os.setxattr(mount.path / "a", "user.tag.k", b"v")
        with mount.path.joinpath("b").open("w") as open_file:
            open_file.write("two")
            tokens.end("first")
            file.write_text(lines(tokens.hand_out("second")))
        assert mount.content("b") == b"two"
        os.setxattr(mount.path / "a", "user.tag.l", b"w")
        assert mount.tags("a") == {"k": "v", "l": "w"}
        assert f"credentials from credentials={file}\n" in mount.log()
        assert mount.log().count("asking for fresh credentials") == 1
        assert f"fresh credentials from credentials={file}" in mount.log()


def test_the_refusal_of_a_head_says_nothing_and_is_understood(running, tmp_path):
    one, tokens = running("s3")
    file = write_private(tmp_path / "keys", lines(tokens.hand_out("first")))
    with mounted(one, one.take(), tmp_path / "m", f"credentials={file}", keys={}) as mount:
        mount.path.joinpath("a").write_text("one")
        mount.forget()
        assert os.listdir(mount.path) == ["a"]
        tokens.end("first")
        file.write_text(lines(tokens.hand_out("second")))
        requests = mount.requests()
        assert mount.path.joinpath("a").stat().st_size == 3
        first = requests.rows()[0]
        assert (first["method"], first["status"]) == ("HEAD", 400)


@pytest.mark.parametrize("service", SERVICES)
def test_an_instance_role_is_asked_before_its_pair_expires(running, tmp_path, service):
    """No request is ever made with a pair that the service would refuse."""
    one, tokens = running(service)
    pairs = []
    for name, seconds in (("early", 200), ("late", LONG)):
        words = tokens.hand_out(f"{name}-{service}", seconds)
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        pairs.append(pair(service, *words.values(), moment))
    switched_on = {
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_DISABLED": "false",
        "HOME": str(tmp_path),
    }
    with MetadataService(service, *pairs) as metadata:
        keys = {**switched_on, ADDRESSES[service]: metadata.url}
        with mounted(one, one.take(), tmp_path / "m", keys=keys) as mount:
            wait_for(lambda: "fresh credentials from" in mount.log())
            tokens.end(f"early-{service}")
            requests = mount.requests()
            mount.path.joinpath("a").write_text("one")
            assert mount.content("a") == b"one"
            assert {row["status"] for row in requests.rows()} <= {200, 204, 404}
            assert "asking for fresh credentials" not in mount.log()


PODS = {
    "s3": {
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token",
    },
    "oss": {
        "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/pod",
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/x",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "HOME/token",
    },
    "obs": {
        "HUAWEICLOUD_OIDC_AGENCY_URN": "iam::1:agency:pod",
        "HUAWEICLOUD_OIDC_PROVIDER_URN": "iam::1:oidc-provider:x",
        "HUAWEICLOUD_OIDC_TOKEN_FILE": "HOME/token",
    },
}
"""What a cluster gives a pod that is to have an identity, for each service."""


@pytest.mark.parametrize("service", SERVICES)
def test_a_pods_role_is_renewed_while_a_file_is_uploaded(running, tmp_path, service):
    """... by the token that the cluster has put into its file meanwhile; nobody sees an error."""
    one, tokens = running(service)
    until = in_seconds(LONG)
    pairs = [(*tokens.hand_out(f"{name}-{service}").values(), until) for name in ("pod1", "pod2")]
    token = tmp_path / "token"
    token.write_text("first-jwt")
    environment = {name: v.replace("HOME", str(tmp_path)) for name, v in PODS[service].items()}
    with TokenServices(pairs, {}, {"first-jwt"}) as cluster:
        keys = {**environment, **cluster.environment, "HOME": str(tmp_path)}
        with mounted(one, one.take(), tmp_path / "m", keys=keys) as mount:
            with mount.path.joinpath("big").open("wb") as file:
                for block in range(24):
                    file.write(bytes([block]) * 1024**2)
                    if block == 12:
                        tokens.end(f"pod1-{service}")
                        cluster.bearers = {"second-jwt"}
                        token.write_text("second-jwt")
            assert mount.content("big") == b"".join(bytes([b]) * 1024**2 for b in range(24))
            mount.path.joinpath("small").write_text("after")
            assert mount.content("small") == b"after"
            log = mount.log()
            assert "pod" in log.partition("credentials from ")[2].partition("\n")[0]
            assert "fresh credentials from" in log
            assert "-jwt" not in log
            assert "ERROR" not in log
        assert len(cluster.asked) == 2


NAMED = {
    "IRSA": (
        "s3",
        {
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/tok",
        },
        "AWS_WEB_IDENTITY_TOKEN_FILE: /nonexistent/tok is not there",
    ),
    "a profile with a role": (
        "s3",
        {"AWS_PROFILE": "prod"},
        "the AWS profile [prod] needs one of source_profile and credential_source",
    ),
    "RRSA": (
        "oss",
        {**PODS["oss"], "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/nonexistent/tok"},
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE: /nonexistent/tok is not there",
    ),
    "an agency": (
        "obs",
        {**PODS["obs"], "HUAWEICLOUD_OIDC_TOKEN_FILE": "/nonexistent/tok"},
        "HUAWEICLOUD_OIDC_TOKEN_FILE: /nonexistent/tok is not there",
    ),
    "a profile that is not there": ("s3", {"AWS_PROFILE": "typo"}, "AWS_PROFILE=typo: "),
}
"""An identity that was named, and the error that it is."""


@pytest.mark.parametrize("name", NAMED)
def test_who_was_named_is_never_the_machine_instead(running, tmp_path, name):
    """Promise F7: where the pod's or the profile's role cannot be had, nobody else is asked."""
    service, named, said = NAMED[name]
    one, tokens = running(service)
    write_private(tmp_path / "config", "[profile prod]\nrole_arn = arn:aws:iam::1:role/prod\n")
    words = tokens.hand_out("MACHINE").values()
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LONG))
    with MetadataService(service, pair(service, *words, moment)) as metadata:
        environment = {
            "HOME": str(tmp_path),
            "AWS_CONFIG_FILE": f"{tmp_path}/config",
            ADDRESSES[service]: metadata.url,
        }
        point = tmp_path / "m"
        point.mkdir()
        where = f"endpoint={one.url},cache_dir={tmp_path}/c,log_file={tmp_path}/log"
        url = f"{service}://{one.take()}"
        command = [sys.executable, "-m", "tagfs", "mount", url, str(point), "-o", where]
        requests = one.log.read_bytes()
        done = subprocess.run(
            command,
            env={**environment, **named},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if os.path.ismount(point):
            subprocess.run(["fusermount", "-uz", str(point)], check=True)
        assert done.returncode == 1
        assert said in done.stderr
        assert metadata.asked == []
        assert one.log.read_bytes() == requests


@pytest.mark.parametrize("options", ["ro,anonymous", "anonymous"])
def test_a_public_bucket_is_read_by_nobody_in_particular(running, tmp_path, options):
    """... without looking for credentials; what it refuses is refused, and nothing else is."""
    one, _ = running("s3")
    bucket = one.take()
    judge = judge_of("s3", one.url, bucket)
    judge.put("d/f", b"public", {"k": "v"})
    s3_client(one.url).put_bucket_acl(Bucket=bucket, ACL="public-read")
    with MetadataService("s3", pair("s3", "machine", "m", "m", in_seconds(LONG))) as metadata:
        keys = {"HOME": str(tmp_path), ADDRESSES["s3"]: metadata.url}
        with mounted(one, bucket, tmp_path / "m", options, keys=keys) as mount:
            file = mount.path / "d" / "f"
            assert (os.listdir(mount.path), os.listdir(mount.path / "d")) == (["d"], ["f"])
            assert file.read_bytes() == b"public"
            assert file.stat().st_size == 6
            assert [name for name in os.listxattr(file) if name.startswith("user.tag.")] == []
            shutil.copy2(file, tmp_path / "out")
            for change in (
                lambda: file.write_text("mine"),
                file.unlink,
                lambda: mount.path.joinpath("new").mkdir(),
                lambda: os.setxattr(file, "user.tag.k", b"w"),
                lambda: file.rename(mount.path / "g"),
            ):
                with pytest.raises(OSError) as raised:
                    change()
                assert raised.value.errno == (errno.EROFS if "ro" in options else errno.EACCES)
            assert "nobody (anonymous)" in mount.log()
        assert metadata.asked == []
    assert judge.keys() == ["d/f"]
    assert (judge.get("d/f"), judge.tags("d/f")) == (b"public", {"k": "v"})


@pytest.mark.parametrize("service", SERVICES)
def test_a_password_file_sends_no_secret(running, tmp_path, service):
    """A line BUCKET:ID:SECRET of s3fs or ossfs is what it says, and nothing of it is a token."""
    one, _ = running(service)
    bucket = one.take()
    keys = write_private(tmp_path / "keys", f"other:x:y\n{bucket}:{KEY_ID}:{SECRET}\n")
    with mounted(one, bucket, tmp_path / "m", f"credentials={keys}", keys={}) as mount:
        mount.path.joinpath("a").write_text("one")
        assert mount.content("a") == b"one"


@pytest.mark.parametrize("service", SERVICES)
def test_a_mount_at_boot_shows_no_secrets(running, tmp_path, service):
    """With an empty environment, in the background, and with everything logged."""
    one, tokens = running(service)
    words = tokens.hand_out("SECRET")
    keys = write_private(tmp_path / "keys", lines(words))
    bucket, mountpoint = one.take(), tmp_path / "m"
    mountpoint.mkdir()
    config = tmp_path / "tagfs.toml"
    config.write_text(
        f"""
        [default]
        log_level = "debug"
        log_file = "{tmp_path}/log"
        cache_dir = "{tmp_path}/cache"
        [bucket."{service}://{bucket}"]
        endpoint = "{one.url}"
        region = "{REGIONS[service]}"
        credentials = "{keys}"
        umask = "027"
        noatime = true
        """
    )
    config.chmod(0o644)
    command = [sys.executable, "-m", "tagfs", f"{service}://{bucket}", str(mountpoint)]
    subprocess.run([*command, "-o", f"config={config},_netdev"], env={}, check=True, timeout=60)
    try:
        exercise(mountpoint, lambda: tokens.end("SECRET"))
        status = os.getxattr(mountpoint, "user.tagfs.status").decode()
        pid = json.loads(status)["pid"]
        assert mountpoint.joinpath("a").stat().st_mode & 0o777 == 0o640
        reported = {
            "status": status,
            "cmdline": Path(f"/proc/{pid}/cmdline").read_text(),
            "environ": Path(f"/proc/{pid}/environ").read_text(),
            "ps": run("ps", "-wwf", "-p", str(pid), "--ppid", str(pid)),
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "log": (tmp_path / "log").read_text(),
        }
        for file in (tmp_path / "cache").rglob("*"):
            if file.is_file():
                reported[str(file)] = file.read_text(errors="replace")
        limits = Path(f"/proc/{pid}/limits").read_text()
    finally:
        subprocess.run(["fusermount", "-u", str(mountpoint)], check=True, timeout=30)
    assert (
        "TokenExpired" in reported["log"] or "ExpiredToken" in reported["log"]
    )  # so that there was something to report
    assert "DEBUG" in reported["log"]
    assert any(name.endswith("mount.json") for name in reported)
    secrets = ("s3cret-of", "t0ken-of", "4-HMAC", "OBS STS", "Signature=", "uthorization")
    found = [(place, s) for place, text in reported.items() for s in secrets if s in text]
    assert found == []
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert judge_of(service, one.url, bucket).get("a") == b"one"


def exercise(mountpoint: Path, expire: Callable[[], None]) -> None:
    """Do what is logged: work, be refused, and fail for want of credentials."""
    mountpoint.joinpath("a").write_text("one")
    mountpoint.joinpath("a").chmod(0o640)
    os.setxattr(mountpoint / "a", "user.tag.k", b"v")
    with pytest.raises(OSError, match="too long"):
        os.setxattr(mountpoint / "a", "user.tag.k", b"v" * 300)
    expire()
    with pytest.raises(PermissionError):
        os.setxattr(mountpoint / "a", "user.tag.l", b"v")
