"""Signatures equal those that the manual and the vendor's SDKs publish (reference, section 2)."""

import calendar
import time

import pytest

from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.dialect import Signable
from tagfs.store.dialects.oss import (
    OSS,
    canonical_request_v4,
    sign_v1,
    sign_v4,
    signature_v4,
    string_to_sign_v1,
)

AK = Credentials("ak", "sk")
NEW_YEAR = calendar.timegm((2024, 1, 2, 3, 4, 5))


def signature_v1(request, credentials=AK, now=NEW_YEAR):
    return sign_v1(request, credentials, now)["authorization"]


def moment(text):
    return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))


def test_v1_of_the_manual():
    signed = sign_v1(
        Signable(
            method="PUT",
            bucket="oss-example",
            key="nelson",
            headers={
                "content-md5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=",
                "content-type": "text/html",
                "x-oss-meta-author": "foo@bar.com",
                "x-oss-magic": "abracadabra",
            },
        ),
        Credentials("44CF9590006BF252F707", "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV"),
        calendar.timegm((2005, 11, 17, 18, 49, 58)),
    )
    assert signed == {
        "date": "Thu, 17 Nov 2005 18:49:58 GMT",
        "authorization": "OSS 44CF9590006BF252F707:26NBxoKdsyly4EDv6inkoDft/yA=",
    }


@pytest.mark.parametrize(
    ("query", "signature"),
    [({}, "kSHKmLxlyEAKtZPkJhG9bZb5k7M="), ({"acl": ""}, "/afkugFbmWDQ967j1vr6zygBLQk=")],
)
def test_v1_with_the_services_own_date(query, signature):
    headers = {
        "content-md5": "eB5eJF1ptWaXm4bijSPyxw==",
        "content-type": "text/html",
        "x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT",
        "x-oss-meta-author": "alice",
        "x-oss-meta-magic": "abracadabra",
    }
    request = Signable(
        method="PUT", bucket="examplebucket", key="nelson", query=query, headers=headers
    )
    assert signature_v1(request) == f"OSS ak:{signature}"


@pytest.mark.parametrize(
    ("request_", "signature"),
    [
        (
            Signable(
                method="PUT",
                bucket="bkt",
                key="dir/中 a.txt",
                query={"tagging": ""},
                headers={"content-type": "application/xml"},
            ),
            "SsgOgaun31TG3WH3oUg69aE93UI=",
        ),
        (
            Signable(
                method="GET",
                bucket="bkt",
                query={
                    "list-type": "2",
                    "prefix": "a/",
                    "delimiter": "/",
                    "continuation-token": "CgJiYw--",
                },
            ),
            "dfy7W5oi7NVgVecfX46zhHlANtw=",
        ),
        (
            Signable(method="DELETE", bucket="bkt", query={"tagging": "k1,k2"}),
            "QAmhkzEGE+ifMeWSePtXPdkUK0g=",
        ),
        (Signable(method="GET"), "fNIwGemH8Qk1ZNQWkNamgje0lNk="),
    ],
)
def test_v1_of_requests_that_we_send(request_, signature):
    assert signature_v1(request_) == f"OSS ak:{signature}"


def test_v1_with_a_token():
    request = Signable(
        method="GET", bucket="bkt", key="lnk", query={"symlink": "", "versionId": "v1"}
    )
    signed = sign_v1(request, Credentials("ak", "sk", "TOK"), NEW_YEAR)
    assert signed["x-oss-security-token"] == "TOK"
    assert signed["authorization"] == "OSS ak:yif+zX9aGu/naOb83rSe2fDDhE4="


def test_v1_does_not_depend_on_the_order_of_headers():
    headers = {"x-oss-b": "2", "x-oss-a": "1", "date": "now"}
    request = Signable(method="GET", bucket="b", key="k")
    backwards = dict(reversed(headers.items()))
    assert string_to_sign_v1(request, headers) == string_to_sign_v1(request, backwards)


GO_SDK = Signable(
    method="PUT",
    bucket="bucket",
    key="1234+-/123/1.txt",
    query={
        "param1": "value1",
        "+param1": "value3",
        "|param1": "value4",
        "+param2": "",
        "|param2": "",
        "param2": "",
    },
    headers={
        "x-oss-head1": "value",
        "abc": "value",
        "zabc": "value",
        "xyz": "value",
        "content-type": "text/plain",
    },
)


@pytest.mark.parametrize(
    ("now", "credentials", "additional", "signature"),
    [
        (
            "20231216T162057Z",
            AK,
            (),
            "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe",
        ),
        (
            "20231216T172512Z",
            AK,
            ("abc", "zabc"),
            "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f",
        ),
        (
            "20231217T034736Z",
            Credentials("ak", "sk", "token"),
            (),
            "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea",
        ),
    ],
)
def test_v4_of_the_go_sdk(now, credentials, additional, signature):
    signed = sign_v4(GO_SDK, credentials, moment(now), region="cn-hangzhou", additional=additional)
    scope = f"ak/{now[:8]}/cn-hangzhou/oss/aliyun_v4_request"
    names = "AdditionalHeaders=abc;zabc," if additional else ""
    assert signed["authorization"] == (
        f"OSS4-HMAC-SHA256 Credential={scope},{names}Signature={signature}"
    )
    assert signed["x-oss-date"] == now


def test_v4_in_a_query():
    now = "20231217T025437Z"
    query = {
        **GO_SDK.query,
        "x-oss-signature-version": "OSS4-HMAC-SHA256",
        "x-oss-date": now,
        "x-oss-expires": "599",
        "x-oss-credential": "ak/20231217/cn-hangzhou/oss/aliyun_v4_request",
    }
    headers = {**GO_SDK.headers, "content-type": "application/octet-stream"}
    request = Signable(method="PUT", bucket="bucket", key=GO_SDK.key, query=query)
    text = canonical_request_v4(request, headers)
    assert signature_v4(text, "sk", now, "cn-hangzhou") == (
        "a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe"
    )


@pytest.mark.parametrize(
    ("request_", "signature"),
    [
        (
            Signable(method="GET", bucket="bkt", key="dir/中 a.txt", query={"tagging": ""}),
            "4d589b1b4bfaa3deb427fcb5d8c13945036e9c1a3ceec3b5098d0bbb48753651",
        ),
        (
            Signable(
                method="GET",
                bucket="bkt",
                query={"list-type": "2", "prefix": "a/", "delimiter": "/"},
            ),
            "64dcbde0ce271dee30456957b32d4f945a9d71c5d769d557ec9bacfce25b63e5",
        ),
        (
            Signable(method="GET"),
            "d370a7fc6b7022756f9622bed4fe68ce738f35dba72d6a6328eb51f642737022",
        ),
    ],
)
def test_v4_of_requests_that_we_send(request_, signature):
    signed = sign_v4(request_, AK, NEW_YEAR, region="cn-hangzhou")
    assert signed["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("oss-cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou"),
        ("cn-hangzhou.oss.aliyuncs.com", "cn-hangzhou"),
        ("oss-us-west-1.aliyuncs.com", "us-west-1"),
        ("oss-accelerate.aliyuncs.com", None),
        ("oss-accelerate-overseas.aliyuncs.com", None),
        ("storage.example.com", None),
    ],
)
def test_a_host_has_its_region(host, region):
    assert OSS.region(host) == region


def test_without_a_region_requests_are_signed_in_the_old_way():
    request = Signable(method="GET", bucket="bkt", key="k")
    old = OSS.signer(None)(request, AK, NEW_YEAR)["authorization"]
    new = OSS.signer("cn-hangzhou")(request, AK, NEW_YEAR)["authorization"]
    assert old.startswith("OSS ak:")
    assert new.startswith("OSS4-HMAC-SHA256 Credential=ak/20240102/cn-hangzhou/oss/")
