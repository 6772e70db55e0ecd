"""Signatures of OBS: the vectors of the reference, the SDK's URLs, and how a bad one is refused."""

import time
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
from obs import ObsClient

from tagfs.emulator.obs.dialect import make_dialect
from tagfs.emulator.obs.options import read_options
from tagfs.emulator.s3.signing import (
    folded,
    v2_resources,
    v2_signature,
    v2_string,
    v2_subresources,
)
from tests.emulator.emulation import KEY_ID, Emulator
from tests.emulator.obs.client import Raw, Refused, Sdk
from tests.waiting import wait_for

_DATE = "Tue, 02 Jan 2024 03:04:05 GMT"
_SIGNED = make_dialect(read_options(())[0]).signed_parameters
_TAGGING = {"Content-MD5": "n58IG6hfM7vqI4K0vnWpog==", "Content-Type": "application/xml"}
_META = {"P-acl": "private", "P-meta-a": "v1", "P-meta-b": " v2 "}
_KEY = "/dir/a%20b%2Bc~%E4%B8%AD.txt"
_QUERY = [("tagging", ""), ("versionId", "v1"), ("prefix", "zz")]
_TOKEN = {"P-date": _DATE, "P-security-token": "TOK"}
_RENAME = [("name", "/new dir/中"), ("rename", "")]


@pytest.mark.parametrize(
    ("method", "family", "headers", "path", "query", "signature"),
    [
        ("PUT", "x-obs-", _TAGGING, "/", [("tagging", "")], "fKMhGxhZ0aqyOYSPv+JT/OwYx/o="),
        ("PUT", "x-obs-", _META, _KEY, _QUERY, "4G/cwlrWBjNjnmDK0qDogArG4zQ="),
        ("PUT", "x-amz-", _META, _KEY, _QUERY, "B11JeYAQmNo8ds0ot3p0lTfrnBQ="),
        ("GET", "x-obs-", _TOKEN, "/k", [], "3jOLUpSuwW3W66aFIylxKGZGwyU="),
        ("GET", "x-amz-", _TOKEN, "/k", [], "bqRjSHPvB7/j0ZGLSszx0MvYvvM="),
        ("GET", "x-obs-", {}, "/k", [("tagging", "")], "1GiRGrkfTPCVH2Fk1vv5GhYYvVE="),
    ],
)
def test_vectors(method, family, headers, path, query, signature):
    sent = {name.replace("P-", family): value for name, value in headers.items()}
    date = "" if f"{family}date" in sent else _DATE
    [resource] = list(v2_resources("bkt", path, virtual=True))[:1]
    where = resource + v2_subresources(query, _SIGNED, family)
    string = v2_string(method, folded(sent), date, family, where)
    assert v2_signature("SK", string) == signature


def test_vectors_of_path_style_rename_and_url():
    [resource] = list(v2_resources("bkt", "/bkt", virtual=False))[:1]
    where = resource + v2_subresources([("tagging", "")], _SIGNED, "x-obs-")
    string = v2_string("GET", {}, _DATE, "x-obs-", where)
    assert v2_signature("SK", string) == "HrmuL09VQl0PtR9AtPKfTvpqNtU="
    where = "/pfs/old%20dir/f" + v2_subresources(_RENAME, _SIGNED, "x-obs-")
    string = v2_string("POST", {}, _DATE, "x-obs-", where)
    assert v2_signature("SK", string) == "a9yHH6YrKKpXvu8RbmnC6d1gSrc="
    string = v2_string("GET", {}, "1704164645", "x-obs-", "/bkt/k")
    assert v2_signature("SK", string) == "QN/Su8GJGF1vxubJ7ewSD8FsCsc="


def test_signed_urls(sdk: Sdk, name: str) -> None:
    sdk.putContent(name, "a b/é", "hello")
    made = sdk.client.createSignedUrl("GET", name, "a b/é", expires=60)
    answer = requests.get(made.signedUrl, timeout=60)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert requests.get(made.signedUrl + "x", timeout=60).status_code == 403
    made = sdk.client.createSignedUrl("GET", name, "a b/é", specialParam="tagging")
    assert requests.get(made.signedUrl, timeout=60).status_code == 404
    made = sdk.client.createSignedUrl("GET", name, "a b/é", expires=0)
    url = made.signedUrl
    wait_for(lambda: "Request has expired" in requests.get(url, timeout=60).text)


def test_bad_signatures(obs: Emulator, raw: Raw, name: str) -> None:
    for key, secret, code in [
        ("nobody", "x", "InvalidAccessKeyId"),
        (KEY_ID, "wrong", "SignatureDoesNotMatch"),
    ]:
        for signature in ("v2", "v4"):
            client = ObsClient(key, secret, server=obs.url, signature=signature)
            answer = client.getObject(name, "k")
            assert (answer.status, answer.errorCode) == (403, code)
            client.close()
    late = {"x-obs-date": formatdate(time.time() - 16 * 60, usegmt=True), "Date": ""}
    answer = raw("GET", "k", headers=late)
    assert (answer.status_code, "RequestTimeTooSkewed" in answer.text) == (403, True)
    odd = requests.get(f"{obs.url}/{name}", headers={"Authorization": "Basic x"}, timeout=60)
    assert (odd.status_code, "Unsupported Authorization Type" in odd.text) == (400, True)
    assert requests.get(f"{obs.url}/{name}", timeout=60).status_code == 403


def test_anonymous_requests_read_what_is_public(obs: Emulator, raw: Raw, name: str) -> None:
    raw("PUT", "open", headers={"x-obs-acl": "public-read"}, body=b"x")
    raw("PUT", "closed", body=b"x")
    url = f"{obs.url}/{name}"
    assert requests.get(f"{url}/open", timeout=60).content == b"x"
    assert requests.get(f"{url}/closed", timeout=60).status_code == 403
    assert requests.put(f"{url}/open", data=b"y", timeout=60).status_code == 403


def test_temporary_keys(tmp_path: Path) -> None:
    arguments = ["--service", "obs", "--bucket", "bkt", "--security-token", "TOK"]
    with Emulator(tmp_path / "d", *arguments) as running:
        for signature in ("v2", "v4"):
            for token, code in [("TOK", None), ("BAD", "InvalidToken"), ("", "InvalidAccessKeyId")]:
                sdk = Sdk(running.url, signature)
                sdk.client.securityProvider.security_token = token or None
                if code is None:
                    sdk.putContent("bkt", "k", "x")
                else:
                    with pytest.raises(Refused) as refused:
                        sdk.putContent("bkt", "k", "x")
                    assert (refused.value.status, refused.value.code) == (403, code)
                sdk.client.close()
