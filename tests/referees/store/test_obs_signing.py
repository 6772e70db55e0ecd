"""Signatures equal those that the vendor's SDK makes (reference, section 2.4)."""

import calendar

import pytest
from obs.auth import Authentication
from obs.convertor import Adapter

from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.dialect import Signable
from tagfs.store.dialects.obs import OBS, sign

AK = Credentials("AK", "SK")
NOW = calendar.timegm((2024, 1, 2, 3, 4, 5))
DATE = "Tue, 02 Jan 2024 03:04:05 GMT"


@pytest.mark.parametrize(
    ("request_", "signature"),
    [
        (
            Signable(
                method="PUT",
                bucket="bkt",
                query={"tagging": ""},
                headers={
                    "content-md5": "n58IG6hfM7vqI4K0vnWpog==",
                    "content-type": "application/xml",
                },
            ),
            "fKMhGxhZ0aqyOYSPv+JT/OwYx/o=",
        ),
        (
            Signable(
                method="PUT",
                bucket="bkt",
                key="dir/a b+c~中.txt",
                query={"tagging": "", "versionId": "v1", "prefix": "zz"},
                headers={
                    "x-obs-acl": "private",
                    "x-obs-meta-a": "v1",
                    "x-obs-meta-b": " v2 ",
                },
            ),
            "4G/cwlrWBjNjnmDK0qDogArG4zQ=",
        ),
        (
            Signable(method="GET", bucket="bkt", query={"tagging": ""}, path="/bkt"),
            "HrmuL09VQl0PtR9AtPKfTvpqNtU=",
        ),
        (
            Signable(method="GET", bucket="bkt", key="k", query={"tagging": ""}),
            "1GiRGrkfTPCVH2Fk1vv5GhYYvVE=",
        ),
        (
            Signable(
                method="POST",
                bucket="pfs",
                key="old dir/f",
                query={"name": "/new dir/中", "rename": ""},
            ),
            "a9yHH6YrKKpXvu8RbmnC6d1gSrc=",
        ),
    ],
)
def test_the_vectors(request_, signature):
    assert sign(request_, AK, NOW) == {"date": DATE, "authorization": f"OBS AK:{signature}"}


def test_a_token_and_a_date_of_its_own_are_headers_and_signed():
    headers = {"x-obs-date": DATE}
    request = Signable(method="GET", bucket="bkt", key="k", headers=headers)
    signed = sign(request, Credentials("AK", "SK", "TOK"), NOW)
    assert signed == {
        "x-obs-security-token": "TOK",
        "authorization": "OBS AK:3jOLUpSuwW3W66aFIylxKGZGwyU=",
    }


@pytest.mark.parametrize("name", ["symlink", "append", "metadata", "uploads", "delete"])
def test_subresources_are_signed(name):
    plain = Signable(method="PUT", bucket="bkt", key="k")
    other = Signable(method="PUT", bucket="bkt", key="k", query={name: ""})
    assert sign(plain, AK, NOW) != sign(other, AK, NOW)


@pytest.mark.parametrize("name", ["prefix", "marker", "delimiter", "max-keys", "encoding-type"])
def test_parameters_of_listings_are_not_signed(name):
    plain = Signable(method="GET", bucket="bkt")
    other = Signable(method="GET", bucket="bkt", query={name: "x"})
    assert sign(plain, AK, NOW) == sign(other, AK, NOW)


def test_the_order_of_headers_and_parameters_does_not_matter():
    headers = {"x-obs-meta-b": "2", "content-type": "text/x", "x-obs-meta-a": "1"}
    query = {"uploadId": "u", "partNumber": "1"}
    one = Signable(method="PUT", bucket="bkt", key="k", headers=headers, query=query)
    two = Signable(
        method="PUT",
        bucket="bkt",
        key="k",
        headers=dict(reversed(headers.items())),
        query=dict(reversed(query.items())),
    )
    assert sign(one, AK, NOW) == sign(two, AK, NOW)


@pytest.mark.parametrize(
    ("method", "key", "query"),
    [
        ("GET", "dir/a b+c~中.txt", {"versionId": "v 1"}),
        ("PUT", "k", {"tagging": ""}),
        ("POST", "k%41", {"append": "", "position": "10"}),
        ("PUT", "=&?#'", {"metadata": ""}),
        ("GET", "", {"uploads": "", "prefix": "x"}),
    ],
)
def test_the_sdk_signs_the_same(method, key, query):
    headers = {"content-type": "text/x", "x-obs-meta-a": " v ", "x-obs-tagging": "a=%20&b="}
    request = Signable(method=method, bucket="bkt", key=key, query=query, headers=headers)
    sdk = Authentication("AK", "SK", path_style=False, ha=Adapter("obs"), server="", is_cname=False)
    arguments = {name: value or None for name, value in query.items()}
    theirs = sdk.doAuth(method, "bkt", key, arguments, {**headers, "Date": DATE})
    assert sign(request, AK, NOW)["authorization"] == theirs["Authorization"]


def test_no_region_is_needed():
    assert OBS.signer(None) is OBS.signer("cn-north-4") is sign
