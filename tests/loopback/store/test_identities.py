"""Promise F7: a source that the user named and that cannot be used is an error.

Every case has a metadata service at hand that would make tagfs the machine. It is never asked.
"""

import json
from pathlib import Path

import pytest

from tagfs.errors import BadCredentials
from tagfs.store.client.client import BucketSettings, credentials_for
from tagfs.store.credentials.chain import CredentialsChoice, find_credentials
from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tests.fakes.metadata_service import ADDRESSES, MetadataService, pair

DIALECTS = {"oss": OSS, "obs": OBS, "s3": S3}
MACHINE = Credentials("machine", "its-secret", "its-token", 1767323045.0)
KEYS = "aws_access_key_id = id\naws_secret_access_key = S3CRET\n"
ASSUMED = f"[default]\n{KEYS}[profile prod]\nregion = x\n"
NOWHERE = dict.fromkeys(
    (
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_SSO",
        "ALIBABA_CLOUD_STS_ENDPOINT",
        "HUAWEICLOUD_SDK_IAM_ENDPOINT",
        "HUAWEICLOUD_SDK_STS_ENDPOINT",
    ),
    "http://127.0.0.1:1",
)
"""Token services that do not answer; what is done with answers is tested in `token_services`."""
ALIYUN = {"name": "p", "access_key_id": "id", "access_key_secret": "S3CRET"}


def aliyun(**fields: str) -> str:
    return json.dumps({"current": "p", "profiles": [{**ALIYUN, **fields}]})


@pytest.fixture
def machine():
    """Start metadata services as they are asked for, and end them."""
    with (
        MetadataService(
            "oss", pair("oss", "machine", "its-secret", "its-token", "1767323045")
        ) as oss,
        MetadataService(
            "obs", pair("obs", "machine", "its-secret", "its-token", "1767323045")
        ) as obs,
        MetadataService("s3", pair("s3", "machine", "its-secret", "its-token", "1767323045")) as s3,
    ):
        yield {"oss": oss, "obs": obs, "s3": s3}


def find(service, home: Path, machine, environment=None, files=None, **choice):
    """Look for credentials on a machine that has a role, with files in the user's home."""
    for name, text in (files or {}).items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
    chosen = {name: value.replace("HOME", str(home)) for name, value in (environment or {}).items()}
    chosen |= {"HOME": str(home), ADDRESSES[service]: machine[service].url, **NOWHERE}
    names = DIALECTS[service].environment
    return find_credentials(service, names, CredentialsChoice(**choice), chosen)


@pytest.mark.parametrize("service", DIALECTS)
def test_the_machine_is_there_for_those_who_named_nobody(service, tmp_path, machine) -> None:
    assert find(service, tmp_path, machine).get() == MACHINE


VARIABLES = {
    "oss": (
        "OSS_ACCESS_KEY_ID OSS_ACCESS_KEY_SECRET OSS_SESSION_TOKEN OSS_ROLE_ARN "
        "ALIBABA_CLOUD_ACCESS_KEY_ID ALIBABA_CLOUD_ACCESS_KEY_SECRET ALIBABA_CLOUD_SECURITY_TOKEN "
        "ALIBABA_CLOUD_ROLE_ARN ALIBABA_CLOUD_OIDC_PROVIDER_ARN ALIBABA_CLOUD_OIDC_TOKEN_FILE "
        "ALIBABA_CLOUD_CREDENTIALS_URI ALIBABA_CLOUD_CREDENTIALS_FILE ALIBABA_CLOUD_PROFILE "
        "OSSUTIL_CONFIG_FILE OSSUTIL_PROFILE"
    ),
    "obs": (
        "OBS_ACCESS_KEY_ID OBS_SECRET_ACCESS_KEY OBS_SECURITY_TOKEN "
        "HUAWEICLOUD_SDK_AK HUAWEICLOUD_SDK_SK HUAWEICLOUD_SDK_SECURITY_TOKEN "
        "HUAWEICLOUD_SDK_IDP_ID HUAWEICLOUD_SDK_ID_TOKEN_FILE HUAWEICLOUD_SDK_CREDENTIALS_FILE "
        "HC_CONTAINER_CREDENTIALS_FULL_URI HC_CONTAINER_AUTHORIZATION_TOKEN_FILE "
        "HUAWEICLOUD_OIDC_TOKEN_FILE HUAWEICLOUD_OIDC_ID_TOKEN HUAWEICLOUD_OIDC_PROVIDER_URN "
        "HUAWEICLOUD_OIDC_AGENCY_URN"
    ),
    "s3": (
        "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN "
        "AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_PROFILE AWS_DEFAULT_PROFILE "
        "AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE AWS_CONTAINER_CREDENTIALS_FULL_URI "
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_AUTHORIZATION_TOKEN "
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
    ),
}
"""Variables that name an identity, or a part of one, or where to find one."""


@pytest.mark.parametrize(
    ("service", "variable"),
    [(service, name) for service, names in VARIABLES.items() for name in names.split()],
)
def test_a_variable_that_cannot_be_used(service, variable, tmp_path, machine) -> None:
    """... names itself, or the half that is missing beside it."""
    url = f"{machine[service].url}/none"  # answers, and has nothing there
    value = url if variable.endswith("FULL_URI") else "/nonexistent/file"
    with pytest.raises(BadCredentials) as raised:
        find(service, tmp_path, machine, {variable: value}).get()
    reported = str(raised.value)
    halves = ("_ID", "_SECRET", "_AK", "_SK", "SECRET_ACCESS_KEY", "_TOKEN")
    assert (
        variable in reported
        or (variable.endswith(halves) and "set " in reported)
        or ("CONTAINER_CREDENTIALS" in variable and "the container's role" in reported)
    ), reported
    assert [path for _, path in machine[service].asked if path != "/none"] == []


@pytest.mark.parametrize(
    ("service", "variable"),
    [
        ("oss", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"),
        ("oss", "ALIBABA_CLOUD_CREDENTIALS_URI"),
        ("obs", "HUAWEICLOUD_SDK_IDP_ID"),
        ("obs", "HUAWEICLOUD_OIDC_AGENCY_URN"),
        ("obs", "HC_CONTAINER_CREDENTIALS_FULL_URI"),
        ("s3", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("s3", "AWS_ROLE_ARN"),
    ],
)
def test_it_goes_before_files_that_nobody_named(service, variable, tmp_path, machine) -> None:
    """... and a key pair of the service's own variables goes before it."""
    files = {
        ".ossutilconfig": "[default]\naccessKeyId=id\naccessKeySecret=S3CRET",
        ".obsutilconfig": "ak=id\nsk=S3CRET",
        ".aws/credentials": f"[default]\n{KEYS}",
    }
    assert find(service, tmp_path, machine, {}, files).get() == Credentials("id", "S3CRET")
    with pytest.raises(BadCredentials, match=variable):
        find(service, tmp_path, machine, {variable: "x"}).get()
    names = DIALECTS[service].environment
    given = {names.access_key_id: "a", names.secret_access_key: "b", variable: "x"}
    assert find(service, tmp_path, machine, given).get() == Credentials("a", "b")


@pytest.mark.parametrize(
    ("environment", "choice", "said"),
    [
        ({"AWS_PROFILE": "typo"}, {}, "^AWS_PROFILE=typo: .*no such profile in .*/credentials"),
        ({"AWS_DEFAULT_PROFILE": "typo"}, {}, "^AWS_DEFAULT_PROFILE=typo: "),
        ({"AWS_PROFILE": "prod"}, {}, "^AWS_PROFILE=prod: .*no keys in"),
        ({}, {"profile": "typo"}, "^credentials_profile=typo: "),
        ({"AWS_CONFIG_FILE": "HOME/none"}, {"profile": "x"}, "^AWS_CONFIG_FILE: there is no"),
        ({"AWS_CONFIG_FILE": "/dev/null"}, {"profile": "x"}, "no such profile in"),
    ],
)
def test_an_aws_profile_that_is_not_there(environment, choice, said, tmp_path, machine) -> None:
    files = {".aws/config": "[profile prod]\nregion = x\n", ".aws/credentials": f"[other]\n{KEYS}"}
    with pytest.raises(BadCredentials, match=said):
        find("s3", tmp_path, machine, environment, files, **choice).get()
    assert machine["s3"].asked == []


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_file_may_be_left_out(variable, tmp_path, machine) -> None:
    assert find("s3", tmp_path, machine, {variable: "/dev/null"}).get() == MACHINE


def test_a_region_is_not_an_identity(tmp_path, machine) -> None:
    """A default profile that names nobody leaves the machine's role, as for the aws command."""
    files = {".aws/config": "[default]\nregion = x\n"}
    assert find("s3", tmp_path, machine, {}, files).get() == MACHINE


MODES = "RamRoleArn RsaKeyPair OIDC ChainableRamRoleArn CredentialsURI CloudSSO External".split()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("environment", [{}, {"ALIBABA_CLOUD_PROFILE": "p"}])
def test_modes_of_aliyun_that_cannot_be_used(mode, environment, tmp_path, machine) -> None:
    """... are errors, though there is a key pair in the profile and in other files."""
    files = {
        ".aliyun/config.json": aliyun(mode=mode, ram_role_arn="acs:ram::1:role/x"),
        ".alibabacloud/credentials": "[default]\naccess_key_id=a\naccess_key_secret=b\n",
    }
    with pytest.raises(BadCredentials):
        find("oss", tmp_path, machine, environment, files).get()
    assert machine["oss"].asked == []


@pytest.mark.parametrize("mode", [m for m in MODES if m != "External"])
def test_modes_of_ossutil_that_cannot_be_used(mode, tmp_path, machine) -> None:
    """... and the file of aliyun is not asked instead."""
    text = f"[default]\nmode={mode}\naccessKeyId=id\naccessKeySecret=S3CRET\nramRoleArn=acs:x"
    files = {".ossutilconfig": text, ".aliyun/config.json": aliyun(mode="AK")}
    with pytest.raises(BadCredentials):
        find("oss", tmp_path, machine, {}, files).get()
    assert machine["oss"].asked == []


def test_a_token_that_is_left_over_is_no_part_of_a_pair(tmp_path, machine) -> None:
    files = {".aliyun/config.json": aliyun(mode="AK", sts_token="old")}
    assert find("oss", tmp_path, machine, {}, files).get() == Credentials("id", "S3CRET")


@pytest.mark.parametrize(
    "files",
    [
        {".aliyun/config.json": aliyun(mode="EcsRamRole", ram_role_name="tagfs-role")},
        {".ossutilconfig": "[default]\nmode=EcsRamRole", ".aliyun/config.json": aliyun(mode="AK")},
    ],
)
def test_the_machine_by_name(files, tmp_path, machine) -> None:
    """A file that names the machine's role is obeyed, and nobody else is asked."""
    assert find("oss", tmp_path, machine, {}, files).get() == MACHINE
    with pytest.raises(BadCredentials, match="which instance_role=off forbids"):
        find("oss", tmp_path, machine, {}, files, instance_role=False).get()
    off = {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}
    with pytest.raises(BadCredentials, match=r"names the machine's role: .*switched off"):
        find("oss", tmp_path, machine, off, files).get()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ALIBABA_CLOUD_PROFILE": "typo"}, "^ALIBABA_CLOUD_PROFILE=typo: .*no profile 'typo'"),
        ({"OSSUTIL_PROFILE": "typo"}, r"^OSSUTIL_PROFILE=typo: .*no section \[typo\]"),
        ({"OSSUTIL_CONFIG_FILE": "HOME/none"}, "^OSSUTIL_CONFIG_FILE=.*/none: .*no such file"),
    ],
)
def test_a_profile_of_alibabas_that_is_not_there(environment, said, tmp_path, machine) -> None:
    """... is not made up for by the other tool's file."""
    files = {
        ".ossutilconfig": "[default]\naccessKeyId=id\naccessKeySecret=S3CRET",
        ".aliyun/config.json": aliyun(mode="AK"),
    }
    with pytest.raises(BadCredentials, match=said):
        find("oss", tmp_path, machine, environment, files).get()


def test_what_variables_of_ossutil_name(tmp_path, machine) -> None:
    files = {"other": "[profile b]\naccessKeyId=id\naccessKeySecret=S3CRET"}
    environment = {"OSSUTIL_CONFIG_FILE": "HOME/other", "OSSUTIL_PROFILE": "b"}
    found = find("oss", tmp_path, machine, environment, files).get()
    assert found == Credentials("id", "S3CRET")


def test_a_role_beside_a_key_pair(tmp_path, machine) -> None:
    given = {"OSS_ACCESS_KEY_ID": "a", "OSS_ACCESS_KEY_SECRET": "b", "OSS_ROLE_ARN": "acs:x"}
    with pytest.raises(BadCredentials, match="the RAM role of OSS_ROLE_ARN: no answer"):
        find("oss", tmp_path, machine, given).get()


@pytest.mark.parametrize(
    "text",
    [
        f"[default]\n{KEYS}role_arn = x",
        f"{KEYS}source_profile = b",
        json.dumps({**ALIYUN, "ram_role_arn": "acs:x"}),
    ],
)
def test_a_key_file_that_names_a_role(text, tmp_path, machine) -> None:
    with pytest.raises(BadCredentials, match="names another identity than the key pair beside it"):
        find("s3", tmp_path, machine, {}, {"keys": text}, file=tmp_path / "keys").get()


@pytest.mark.parametrize(
    ("service", "choice", "said"),
    [
        ("obs", {}, r"credentials_profile=p: .*/.huaweicloud/credentials \(no such file"),
        ("oss", {}, r"no section \[p\].*no such file"),
        ("s3", {"file": "id:S3CRET"}, "credentials_profile=p: .* has no sections"),
    ],
)
def test_a_profile_where_there_are_none(service, choice, said, tmp_path, machine) -> None:
    files = {
        ".obsutilconfig": "ak=id\nsk=S3CRET",
        ".ossutilconfig": "[default]\naccessKeyId=id\naccessKeySecret=S3CRET",
        "keys": choice.get("file", ""),
    }
    chosen = {"file": tmp_path / "keys"} if choice else {}
    with pytest.raises(BadCredentials, match=said):
        find(service, tmp_path, machine, {}, files, profile="p", **chosen).get()


def test_keys_that_obsutil_has_encrypted(tmp_path, machine) -> None:
    block = "A" * 43 + "="  # 32 bytes
    files = {".obsutilconfig": f"ak={block}\nsk={block}\n"}
    with pytest.raises(BadCredentials, match="obsutil has encrypted the keys"):
        find("obs", tmp_path, machine, {}, files).get()
    assert machine["obs"].asked == []


TOKEN = "T0KEN" * 13  # 65 characters
FOUND = Credentials("ID", "S3CRET")
STS = Credentials("ID", "S3CRET", TOKEN)

PASSWORDS = {
    "ID:S3CRET": FOUND,
    f"ID:S3CRET:{TOKEN}": STS,
    "photos:ID:S3CRET": FOUND,
    f"photos:ID:S3CRET:{TOKEN}": STS,
    "photos:ID:S3CRET:short": Credentials("ID", "S3CRET", "short"),
    "other:X:Y\nphotos:ID:S3CRET\n": FOUND,
    "photos:ID:S3CRET\nX:Y": FOUND,
    "X:Y\nphotos:ID:S3CRET": FOUND,
    f"X:Y:{TOKEN}\nphotos:ID:S3CRET": FOUND,
    "# for s3fs\n\nother:X:Y\nID:S3CRET\n": FOUND,
    " photos : ID : S3CRET ": FOUND,
    "photos2:X:Y\nphoto:X:Y\nphotos:ID:S3CRET": FOUND,
    # What is sent as it is has to be a token: a secret is not.
    "other:ID:S3CRET": "no line for the bucket photos",
    "Other:AKIAXXXXXXXXXXXXXXXX:wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx": "no line for the bucket",
    f"other:ID:{'f' * 64}": "no line for the bucket photos",
    f"other:ID:S3CRET:{TOKEN}": "no line for the bucket photos",
    "a:b:c:d:e": "no line for the bucket photos",
    "photos:b:c:d:e": "too many parts",
    "photos:ID:S3CRET\nphotos:X:Y": "two lines for the bucket photos",
    "X:Y\nID:S3CRET": "two lines for every bucket",
    "photos:ID:": "no access_key_secret",
    "photos::S3CRET": "no access_key_id",
    "photos:ID:S3CRET\nS3CRET": "line 2: is not NAME = VALUE|line 1: is not NAME = VALUE",
}
"""Password files of s3fs and ossfs, and what they are for the bucket photos."""


@pytest.mark.parametrize("text", PASSWORDS)
@pytest.mark.parametrize("service", DIALECTS)
def test_password_files(service, text, tmp_path) -> None:
    file, expected = tmp_path / "passwd", PASSWORDS[text]
    file.touch(mode=0o600)
    file.write_text(text)
    chosen = CredentialsChoice(file=file)
    found = credentials_for(BucketSettings(service=service, bucket="photos", credentials=chosen))
    if isinstance(expected, Credentials):
        assert found.get() == expected
        return
    assert isinstance(expected, str)
    with pytest.raises(BadCredentials, match=expected) as raised:
        found.get()
    for secret in ("S3CRET", "wJalr", "fff", TOKEN):
        assert secret not in str(raised.value)


def test_what_s3fs_also_reads(tmp_path, machine) -> None:
    files = {"keys": "AWSAccessKeyId=ID\nAWSSecretKey=S3CRET\n"}
    assert find("s3", tmp_path, machine, {}, files, file=tmp_path / "keys").get() == FOUND
