"""Credentials: where each source has them, which goes first, and that no secret is ever shown."""

import json
import os
import sys
import traceback
from pathlib import Path

import pytest

from tagfs.errors import BadCredentials
from tagfs.store.credentials.chain import CredentialsChoice, find_credentials
from tagfs.store.credentials.field_names import parse_key_pair, parse_moment
from tagfs.store.credentials.file_sources import KeyFile, Process
from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3

DIALECTS = {"oss": OSS, "obs": OBS, "s3": S3}
PAIR = Credentials("id", "S3CRET")
STS = Credentials("id", "S3CRET", "T0KEN")
TOKEN = "T0KEN" * 20  # as long as tokens are at least
LONG = Credentials("id", "S3CRET", TOKEN)
UNTIL = Credentials("id", "S3CRET", "T0KEN", 1767323045.0)
MOMENT = "2026-01-02T03:04:05Z"


def find(service, home: Path, environment=None, **choice):
    """Look for credentials as a mount does, on a host without a metadata service."""
    chosen = CredentialsChoice(**{"instance_role": False, **choice})
    environment = {"HOME": str(home), **(environment or {})}
    return find_credentials(service, DIALECTS[service].environment, chosen, environment)


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


class TestEnvironment:
    @pytest.mark.parametrize(
        ("service", "key_id", "secret", "token"),
        [
            ("oss", "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"),
            (
                "oss",
                "ALIBABA_CLOUD_ACCESS_KEY_ID",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                "ALIBABA_CLOUD_SECURITY_TOKEN",
            ),
            ("obs", "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY", "OBS_SECURITY_TOKEN"),
            ("obs", "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"),
            ("s3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        ],
    )
    def test_the_names_of_each_sdk(self, tmp_path, service, key_id, secret, token):
        environment = {key_id: "id", secret: "S3CRET\r\n"}
        assert find(service, tmp_path, environment).get() == PAIR
        found = find(service, tmp_path, {**environment, token: "T0KEN"})
        assert found.get() == STS
        assert found.origin == f"the environment ({key_id})"

    @pytest.mark.parametrize(
        ("environment", "missing"),
        [
            ({}, "set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or credentials=FILE"),
            ({"OSS_ACCESS_KEY_ID": "id"}, "set OSS_ACCESS_KEY_SECRET$"),
            ({"OSS_ACCESS_KEY_ID": " ", "OSS_ACCESS_KEY_SECRET": "s"}, "set OSS_ACCESS_KEY_ID$"),
        ],
    )
    def test_what_is_missing_is_named(self, tmp_path, environment, missing):
        with pytest.raises(BadCredentials, match=missing):
            find("oss", tmp_path, environment).get()


class TestKeyFile:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("access_key_id = id\naccess_key_secret = S3CRET\n", PAIR),
            ("# ours\n\nexport OSS_ACCESS_KEY_ID='id'\nexport OSS_ACCESS_KEY_SECRET=S3CRET", PAIR),
            ("AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=S3CRET\nAWS_SESSION_TOKEN=T0KEN", STS),
            ("id:S3CRET", PAIR),
            (f"id:S3CRET:{TOKEN}\n", LONG),
            (f"ak=id\nsk=S3CRET\nsecurity_token=T0KEN\nexpiration={MOMENT}", UNTIL),
            (
                json.dumps(
                    {
                        "Version": 1,
                        "AccessKeyId": "id",
                        "SecretAccessKey": "S3CRET",
                        "SessionToken": "T0KEN",
                        "Expiration": MOMENT,
                    }
                ),
                UNTIL,
            ),
            ("[default]\naws_access_key_id = id\naws_secret_access_key = S3CRET", PAIR),
        ],
    )
    def test_the_forms(self, tmp_path, text, expected):
        file = write(tmp_path / "keys", text)
        assert find("oss", tmp_path, {"OSS_ACCESS_KEY_ID": "x"}, file=file).get() == expected

    def test_it_is_read_again(self, tmp_path):
        file = write(tmp_path / "keys", "id:S3CRET")
        found = find("oss", tmp_path, file=file)
        assert found.get() == PAIR
        write(file, f"id:S3CRET:{TOKEN}")
        assert found.get() == PAIR
        assert found.refresh() == LONG
        assert found.get() == LONG
        file.unlink()
        with pytest.raises(BadCredentials):
            found.refresh()
        assert found.get() == LONG

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602])
    def test_a_file_that_others_can_read_is_refused(self, tmp_path, mode):
        file = write(tmp_path / "keys", "id:S3CRET", mode)
        with pytest.raises(BadCredentials, match=f"mode {mode:04o}.: chmod 600 {file}"):
            find("oss", tmp_path, file=file).get()

    @pytest.mark.skipif(os.getuid() != 0, reason="gives files away")
    def test_a_file_of_another_user_is_refused(self, tmp_path):
        file = write(tmp_path / "keys", "id:S3CRET")
        os.chown(file, 4711, -1)
        with pytest.raises(BadCredentials, match="belongs to another user"):
            find("oss", tmp_path, file=file).get()

    def test_what_is_no_file(self, tmp_path):
        with pytest.raises(BadCredentials, match="no such file"):
            find("oss", tmp_path, file=tmp_path / "none").get()
        os.mkfifo(tmp_path / "pipe", 0o600)
        for name in ("", "pipe"):
            with pytest.raises(BadCredentials, match="is not a file"):
                find("oss", tmp_path, file=tmp_path / name).get()


@pytest.mark.parametrize(
    "text",
    [
        "S3CRET",
        "access_key_id = id\nS3CRET",
        "access_key_secret = S3CRET",
        "{S3CRET",
        '["S3CRET"]',
        "[default]\nS3CRET",
        "[other]\naccess_key_secret = S3CRET",
        "id:S3CRET with blanks",
        "id:S3CRET\x07",
        "ak=id\nsk=S3CRET\nexpiration=S3CRET",
    ],
)
def test_what_cannot_be_read_is_not_repeated(tmp_path, text):
    """Neither the message nor anything that the exception carries has the secret."""
    with pytest.raises(BadCredentials) as raised:
        KeyFile(write(tmp_path / "keys", text)).load()
    assert str(tmp_path / "keys") in str(raised.value)
    reported = "".join(traceback.format_exception(raised.value)) + carried(raised.value)
    assert "S3CRET" not in reported


def carried(error: BaseException | None) -> str:
    """Return all that hangs on an exception, its causes and contexts."""
    if error is None:
        return ""
    own = f"{error!r} {error.args!r} {vars(error)!r}"
    return own + carried(error.__cause__) + carried(error.__context__)


class TestProcess:
    def script(self, tmp_path, text: str) -> str:
        file = write(tmp_path / "keys.py", text)
        return f"{sys.executable} '{file}' --secret S3CRET"

    @pytest.mark.parametrize(
        "words",
        [
            ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"),
            ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"),
            ("access_key_id", "access_key_secret", "sts_token", "expiration"),
        ],
    )
    def test_the_words_of_the_tools(self, tmp_path, words):
        values = dict(zip(words, ("id", "S3CRET", "T0KEN", MOMENT), strict=True))
        command = self.script(tmp_path, f"print({json.dumps(values)!r})")
        assert find("oss", tmp_path, process=command).get() == UNTIL

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("print('S3CRET'); raise SystemExit(3)", "ended with status 3"),
            ("print('S3CRET')", "is not a JSON object"),
            ('print(\'{"AccessKeyId": "id"}\')', "no access_key_secret"),
            ("print('{\"Version\": 2}')", "Version is not 1"),
            ("import time; print('S3CRET', flush=True); time.sleep(60)", "not ended after"),
        ],
    )
    def test_its_failures_do_not_repeat_what_it_said(self, tmp_path, text, said):
        patience = 0.2 if said == "not ended after" else 10
        process = Process(self.script(tmp_path, text), timeout=patience)
        with pytest.raises(BadCredentials, match=said) as raised:
            process.load()
        assert "S3CRET" not in str(raised.value) + carried(raised.value)

    @pytest.mark.parametrize("command", ["/none/such", "'open", " "])
    def test_what_is_no_command(self, command):
        with pytest.raises(BadCredentials, match="credential_process"):
            Process(command).load()


class TestOssutil:
    @pytest.mark.parametrize(
        "text",
        [
            "[Credentials]\nlanguage=EN\naccessKeyID=id\naccessKeySecret=S3CRET\nstsToken=T0KEN",
            "[default]\nmode=StsToken\naccess-key-id=id\naccess_key_secret=S3CRET\nsts-token=T0KEN",
            "[profile default]\naccessKeyId=id\naccessKeySecret=S3CRET\nsecurityToken=T0KEN",
            "[Credentials]\naccess_id=id\naccess_key=S3CRET\nststoken=T0KEN",
        ],
    )
    def test_both_versions(self, tmp_path, text):
        write(tmp_path / ".ossutilconfig", text)
        assert find("oss", tmp_path).get() == STS

    def test_a_profile(self, tmp_path):
        write(tmp_path / ".ossutilconfig", "[profile b]\naccessKeyId=id\naccessKeySecret=S3CRET")
        # Naming a profile means that one, whatever else is at hand.
        environment = {"OSS_ACCESS_KEY_ID": "x", "OSS_ACCESS_KEY_SECRET": "y"}
        assert find("oss", tmp_path, environment, profile="b").get() == PAIR
        with pytest.raises(BadCredentials, match=r"no section \[c\]"):
            find("oss", tmp_path, environment, profile="c").get()

    def test_its_process(self, tmp_path):
        printed = json.dumps({"AccessKeyId": "id", "AccessKeySecret": "S3CRET"})
        script = write(tmp_path / "p.py", f"print({printed!r})")
        text = f"[default]\nmode=Process\ncredentialProcess={sys.executable} {script}"
        write(tmp_path / ".ossutilconfig", text)
        assert find("oss", tmp_path).get() == PAIR


class TestAliyun:
    def config(self, tmp_path, mode=0o600, **fields):
        keys = {"access_key_id": "id", "access_key_secret": "S3CRET"}
        profile = {"name": "p", "mode": "AK", **keys, **fields}
        document = {"current": "p", "profiles": [{"name": "x"}, profile]}
        return write(tmp_path / ".aliyun" / "config.json", json.dumps(document), mode)

    def test_its_modes(self, tmp_path):
        self.config(tmp_path)
        assert find("oss", tmp_path).get() == PAIR
        self.mode(tmp_path, "StsToken", sts_token="T0KEN")
        assert find("oss", tmp_path).get() == STS
        for mode in ("CloudSSO", "OAuth"):
            self.mode(tmp_path, mode, sts_token="T0KEN", sts_expiration=1767323045)
            assert find("oss", tmp_path).get() == UNTIL

    def mode(self, tmp_path, mode, **fields):
        file = self.config(tmp_path, **fields)
        file.write_text(file.read_text().replace('"AK"', f'"{mode}"'))
        return file

    def test_another_profile(self, tmp_path):
        self.config(tmp_path)
        with pytest.raises(BadCredentials, match="no profile 'q'"):
            find("oss", tmp_path, {"ALIBABA_CLOUD_PROFILE": "q"}).get()
        assert find("oss", tmp_path, {"ALIBABA_CLOUD_PROFILE": "p"}).get() == PAIR

    def test_ossutil_goes_before_it(self, tmp_path):
        self.config(tmp_path)
        write(tmp_path / ".ossutilconfig", "[default]\naccessKeyId=o\naccessKeySecret=S3CRET")
        assert find("oss", tmp_path).get().access_key_id == "o"


class TestObsutil:
    def test_its_file(self, tmp_path):
        write(tmp_path / ".obsutilconfig", "endpoint=x\nak=id\nsk=S3CRET\ntoken=T0KEN\n")
        assert find("obs", tmp_path).get() == STS

    def test_keys_that_obsutil_has_encrypted(self, tmp_path):
        block = "A" * 43 + "="  # 32 bytes
        write(tmp_path / ".obsutilconfig", f"ak={block}\nsk={block}\n", 0o640)
        with pytest.raises(BadCredentials, match="obsutil has encrypted the keys"):
            find("obs", tmp_path).get()


class TestAwsProfile:
    KEYS = "aws_access_key_id = id\naws_secret_access_key = S3CRET\n"

    def test_the_shared_files(self, tmp_path):
        write(tmp_path / ".aws" / "credentials", f"[default]\n{self.KEYS}[b]\naws_access_key_id=b")
        write(tmp_path / ".aws" / "config", "[default]\nregion = x\ns3 =\n  a = b\n", 0o644)
        assert find("s3", tmp_path).get() == PAIR
        with pytest.raises(BadCredentials, match="no access_key_secret"):
            find("s3", tmp_path, {"AWS_PROFILE": "b"}).get()

    def test_a_profile_of_the_settings(self, tmp_path):
        config = write(tmp_path / "other", f"[profile b]\n{self.KEYS}aws_session_token=T0KEN")
        environment = {"AWS_CONFIG_FILE": str(config)}
        assert find("s3", tmp_path, {**environment, "AWS_PROFILE": "b"}).get() == STS
        assert find("s3", tmp_path, environment, profile="b").get() == STS
        config.chmod(0o644)
        with pytest.raises(BadCredentials, match="chmod 600"):
            find("s3", tmp_path, environment, profile="b").get()

    def test_its_process(self, tmp_path):
        printed = json.dumps({"Version": 1, "AccessKeyId": "id", "SecretAccessKey": "S3CRET"})
        script = write(tmp_path / "p.py", f"print({printed!r})")
        text = f"[default]\ncredential_process = {sys.executable} {script}"
        config = write(tmp_path / ".aws" / "config", text, 0o644)
        assert find("s3", tmp_path).get() == PAIR
        config.chmod(0o666)
        with pytest.raises(BadCredentials, match="can be changed by others"):
            find("s3", tmp_path).get()


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("oss", ".ossutilconfig"),
        ("oss", ".aliyun/config.json"),
        ("oss", ".alibabacloud/credentials"),
        ("obs", ".obsutilconfig"),
        ("obs", ".huaweicloud/credentials"),
        ("s3", ".aws/credentials"),
    ],
)
def test_the_tools_files_are_refused_where_others_can_read_them(tmp_path, service, name):
    text = "{}" if name.endswith("json") else "[default]\naws_access_key_id=id"
    write(tmp_path / name, text if service != "obs" else "ak=id\nsk=S3CRET", 0o644)
    if service == "s3":
        write(tmp_path / name, "[default]\naws_access_key_id=id\naws_secret_access_key=s", 0o644)
    with pytest.raises(BadCredentials, match=f"mode 0644.: chmod 600 {tmp_path / name}"):
        find(service, tmp_path).get()


def test_no_home_and_nothing_set(monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: 4711)  # nobody's number
    for service, dialect in DIALECTS.items():
        chosen = CredentialsChoice(instance_role=False)
        with pytest.raises(BadCredentials, match="no credentials: set"):
            find_credentials(service, dialect.environment, chosen, {}).get()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (MOMENT, 1767323045.0),
        ("2026-01-02T03:04:05.123456Z", 1767323045.123456),
        ("2026-01-02T04:04:05+01:00", 1767323045.0),
        (1767323045, 1767323045.0),
        ("1767323045000", 1767323045.0),
        ("soon", None),
        ([], None),
    ],
)
def test_moments(text, seconds):
    assert parse_moment(text) == seconds


def test_no_secret_is_shown():
    shown = repr(parse_key_pair({"ak": "id", "sk": "S3CRET", "token": "T0KEN"}, "x"))
    assert "id" in shown
    assert "S3CRET" not in shown
    assert "T0KEN" not in shown


@pytest.mark.parametrize("service", ["oss", "obs", "s3"])
def test_homes_that_are_none_are_passed_over(service, tmp_path, monkeypatch):
    """Service users have such ones; with a role, they need none."""
    for home in ("/dev/null", "/nonexistent"):
        with pytest.raises(BadCredentials, match="no credentials: set"):
            find(service, Path(home)).get()

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("tagfs.localfiles.trusted.os.open", refuse)
    with pytest.raises(BadCredentials, match="no credentials: set"):
        find(service, tmp_path).get()
    with pytest.raises(BadCredentials, match="may not be read"):
        find(service, tmp_path, file=tmp_path / "keys").get()
