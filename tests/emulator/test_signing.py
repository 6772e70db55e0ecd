"""Signatures: the vendors' published vectors, and how the service refuses a bad one."""

import time
from email.utils import formatdate

import oss2
import pytest
import requests

from tagfs.emulator.oss.signing import (
    v1_resource,
    v1_signature,
    v1_string,
    v4_canonical_request,
    v4_signature,
    v4_string,
)
from tests.emulator.emulation import KEY_ID, REGION, SECRET, Emulator, oss2_bucket, v1_auth

_DATE = "Tue, 02 Jan 2024 03:04:05 GMT"


@pytest.mark.parametrize(
    ("method", "headers", "resource", "signature"),
    [
        (
            "PUT",
            {"Content-Type": "application/xml", "Date": _DATE},
            v1_resource("bkt", "dir/中 a.txt", [("tagging", "")]),
            "SsgOgaun31TG3WH3oUg69aE93UI=",
        ),
        (
            "GET",
            {"Date": _DATE},
            v1_resource(
                "bkt",
                None,
                [("list-type", "2"), ("prefix", "a/"), ("continuation-token", "CgJiYw--")],
            ),
            "dfy7W5oi7NVgVecfX46zhHlANtw=",
        ),
        (
            "DELETE",
            {"Date": _DATE},
            v1_resource("bkt", None, [("tagging", "k1,k2")]),
            "QAmhkzEGE+ifMeWSePtXPdkUK0g=",
        ),
        (
            "GET",
            {"Date": _DATE, "x-oss-security-token": "TOK"},
            v1_resource("bkt", "lnk", [("versionId", "v1"), ("symlink", "")]),
            "yif+zX9aGu/naOb83rSe2fDDhE4=",
        ),
        ("GET", {"Date": _DATE}, v1_resource(None, None, []), "fNIwGemH8Qk1ZNQWkNamgje0lNk="),
        (
            "PUT",
            {
                "Content-MD5": "eB5eJF1ptWaXm4bijSPyxw==",
                "Content-Type": "text/html",
                "x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT",
                "x-oss-meta-magic": "abracadabra",
                "x-oss-meta-author": "alice",
            },
            v1_resource("examplebucket", "nelson", [("acl", "")]),
            "/afkugFbmWDQ967j1vr6zygBLQk=",
        ),
    ],
)
def test_v1_vectors(method, headers, resource, signature):
    date = headers.get("x-oss-date") or headers["Date"]
    assert v1_signature("sk", v1_string(method, headers, date, resource)) == signature


_QUERY = [
    ("param1", "value1"),
    ("+param1", "value3"),
    ("|param1", "value4"),
    ("+param2", ""),
    ("|param2", ""),
    ("param2", ""),
]
_HEADERS = {
    "x-oss-head1": "value",
    "abc": "value",
    "ZAbc": "value",
    "XYZ": "value",
    "content-type": "text/plain",
    "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
}


@pytest.mark.parametrize(
    ("moment", "extra", "additional", "signature"),
    [
        (
            "20231216T162057Z",
            {},
            (),
            "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe",
        ),
        (
            "20231216T172512Z",
            {},
            ("abc", "ZAbc"),
            "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f",
        ),
        (
            "20231217T034736Z",
            {"x-oss-security-token": "token"},
            (),
            "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea",
        ),
    ],
)
def test_v4_vectors(moment, extra, additional, signature):
    headers = {**_HEADERS, "x-oss-date": moment, **extra}
    scope = f"{moment[:8]}/cn-hangzhou/oss/aliyun_v4_request"
    request = v4_canonical_request("PUT", "/bucket/1234+-/123/1.txt", _QUERY, headers, additional)
    assert v4_signature("sk", scope, v4_string(moment, scope, request)) == signature


@pytest.mark.parametrize(
    ("path", "query", "signature"),
    [
        (
            "/bkt/dir/中 a.txt",
            [("tagging", "")],
            "4d589b1b4bfaa3deb427fcb5d8c13945036e9c1a3ceec3b5098d0bbb48753651",
        ),
        (
            "/bkt/",
            [("list-type", "2"), ("prefix", "a/"), ("delimiter", "/")],
            "64dcbde0ce271dee30456957b32d4f945a9d71c5d769d557ec9bacfce25b63e5",
        ),
        ("/", [], "d370a7fc6b7022756f9622bed4fe68ce738f35dba72d6a6328eb51f642737022"),
    ],
)
def test_v4_vectors_of_plain_requests(path, query, signature):
    moment = "20240102T030405Z"
    headers = {"x-oss-date": moment, "x-oss-content-sha256": "UNSIGNED-PAYLOAD"}
    scope = f"{moment[:8]}/cn-hangzhou/oss/aliyun_v4_request"
    request = v4_canonical_request("GET", path, query, headers, ())
    assert v4_signature("sk", scope, v4_string(moment, scope, request)) == signature


@pytest.mark.parametrize("auth", [oss2.Auth, oss2.AuthV4])
@pytest.mark.parametrize(
    ("key_id", "secret", "code"),
    [("nobody", SECRET, "InvalidAccessKeyId"), (KEY_ID, "guessed", "SignatureDoesNotMatch")],
)
def test_wrong_keys_are_refused(emulator, name, auth, key_id, secret, code):
    stranger = oss2_bucket(emulator, name, auth(key_id, secret))
    with pytest.raises(oss2.exceptions.OssError) as caught:
        stranger.put_object("k", b"x")
    assert (caught.value.status, caught.value.code) == (403, code)
    if code == "SignatureDoesNotMatch":
        assert caught.value.details["StringToSign"]
        assert caught.value.details["StringToSignBytes"]
        assert caught.value.details["SignatureProvided"]
        assert caught.value.details["OSSAccessKeyId"] == KEY_ID


def test_wrong_region_is_named(emulator, name):
    elsewhere = oss2.Bucket(oss2.AuthV4(KEY_ID, SECRET), emulator.url, name, region="cn-beijing")
    with pytest.raises(oss2.exceptions.OssError) as caught:
        elsewhere.get_object("k")
    error = caught.value
    assert (error.status, error.code) == (400, "InvalidArgument")
    assert error.message == "Invalid signing region in Authorization header."
    assert error.details["EC"] == "0002-00000226"


def _code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.text.partition("<Code>")[2].partition("<")[0]


def test_malformed_old_or_missing_authentication(emulator, name):
    url = f"{emulator.url}/{name}/k"
    old = formatdate(time.time() - 3600, usegmt=True)
    for headers, outcome in [
        ({}, (403, "AccessDenied")),
        ({"Authorization": "Basic xyz"}, (400, "InvalidArgument")),
        ({"Authorization": "OSS nothing"}, (400, "InvalidArgument")),
        ({"Authorization": f"OSS {KEY_ID}:abc"}, (403, "AccessDenied")),
        ({"Authorization": f"OSS {KEY_ID}:abc", "Date": old}, (403, "RequestTimeTooSkewed")),
        ({"Authorization": "OSS4-HMAC-SHA256 Signature=1"}, (400, "InvalidArgument")),
    ]:
        assert _code(requests.get(url, headers=headers, timeout=60)) == outcome, headers


@pytest.mark.parametrize("version", [oss2.Auth, oss2.AuthV4])
def test_presigned_urls(emulator, name, version):
    bucket = oss2_bucket(emulator, name, version(KEY_ID, SECRET))
    put = bucket.sign_url("PUT", "a b/中.txt", 60, slash_safe=True)
    assert requests.put(put, data=b"body", timeout=60).status_code == 200
    get = bucket.sign_url("GET", "a b/中.txt", 60, params={"response-content-type": "x/y"})
    answer = requests.get(get, timeout=60)
    assert (answer.content, answer.headers["Content-Type"]) == (b"body", "x/y")
    assert _code(requests.get(get.replace("x%2Fy", "x%2Fz"), timeout=60)) == (
        403,
        "SignatureDoesNotMatch",
    )
    expired = bucket.sign_url("GET", "a b/中.txt", -10)
    answer = requests.get(expired, timeout=60)
    assert answer.status_code == 403 if version is oss2.Auth else answer.status_code in {400, 403}


def test_v4_urls_expire(emulator, name):
    bucket = oss2_bucket(emulator, name)
    url = bucket.sign_url("GET", "k", 1)
    emulator.faults("clock=60")
    try:
        answer = requests.get(url, timeout=60)
    finally:
        emulator.faults()
    assert _code(answer) == (403, "AccessDenied")
    assert "expired" in answer.text


def test_a_temporary_key_needs_its_token(tmp_path):
    with Emulator(tmp_path, "--bucket", "bkt", "--security-token", "tok") as running:
        for version in (oss2.StsAuth, None):
            for token, code in [("tok", None), ("other", "InvalidSecurityToken")]:
                auth: object = oss2.StsAuth(KEY_ID, SECRET, token)
                if version is None:
                    provider = oss2.credentials.StaticCredentialsProvider(KEY_ID, SECRET, token)
                    auth = oss2.ProviderAuthV4(provider)
                bucket = oss2.Bucket(auth, running.url, "bkt", region=REGION)
                if code is None:
                    bucket.put_object("k", b"x")
                    url = bucket.sign_url("GET", "k", 60)
                    assert requests.get(url, timeout=60).content == b"x"
                else:
                    with pytest.raises(oss2.exceptions.OssError) as caught:
                        bucket.put_object("k", b"x")
                    assert caught.value.code == code
        with pytest.raises(oss2.exceptions.OssError) as caught:
            oss2_bucket(running, "bkt", v1_auth()).get_object("k")
        assert caught.value.code == "InvalidAccessKeyId"


def test_anyone_may_come_where_nothing_is_verified(tmp_path):
    with Emulator(tmp_path, "--bucket", "bkt", "--no-verify") as running:
        assert requests.put(f"{running.url}/bkt/k", data=b"x", timeout=60).status_code == 200
        assert requests.get(f"{running.url}/bkt/k", timeout=60).content == b"x"


def test_public_objects_are_for_anyone_to_read(emulator, name, bucket):
    bucket.put_object("open", b"x", headers={"x-oss-object-acl": "public-read"})
    bucket.put_object("shut", b"x")
    assert requests.get(f"{emulator.url}/{name}/open", timeout=60).content == b"x"
    assert _code(requests.get(f"{emulator.url}/{name}/shut", timeout=60)) == (403, "AccessDenied")
    overriding = f"{emulator.url}/{name}/open?response-content-type=a/b"
    assert requests.get(overriding, timeout=60).status_code == 400
