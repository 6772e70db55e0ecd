"""Signature Version 4: equal to botocore's for the same request."""

import calendar
import datetime
import hashlib
from dataclasses import replace
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import given, strategies as st

from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.dialect import Signable
from tagfs.store.dialects.s3 import S3, canonical_request, sign
from tagfs.store.http.endpoints import find_endpoint

PAIR = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
WITH_TOKEN = Credentials(PAIR.access_key_id, PAIR.secret_access_key, "TOKEN==")
NOW = calendar.timegm((2013, 5, 24, 0, 0, 0))


class _Frozen(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer at our moment: it reads the clock itself."""

    def _should_sha256_sign_payload(self, request):
        return request.body is not None

    def add_auth(self, request):
        moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
        request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        signature = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, signature)
        self.canonical = canonical


def theirs(request, credentials, region="eu-west-1", content=None):
    pair = TheirCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token
    )
    signer = _Frozen(pair, "s3", region)
    sent = AWSRequest(
        method=request.method,
        url=f"https://{request.host}{request.path}",
        headers={**request.headers, "host": request.host},
        params=dict(request.query),
        data=content,
    )
    sent.context.update({"client_config": None, "payload_signing_enabled": False})
    sent.context["signing"] = {}
    signer.add_auth(sent)
    return sent.headers["Authorization"], signer.canonical


def request(method="GET", key="k", query=None, headers=None, *, path_style=False):
    host = "s3.eu-west-1.amazonaws.com" if path_style else "bkt.s3.eu-west-1.amazonaws.com"
    return Signable(
        method=method,
        bucket="bkt",
        key=key,
        query=query or {},
        headers=headers or {},
        host=host,
        path=("/bkt/" if path_style else "/") + quote(key, safe="/-_.~"),
    )


CASES = {
    "get": request(),
    "odd key": request(key="dir/a b+c~中=&%41(x)'!*.txt"),
    "path style": request(key="a/b", path_style=True),
    "endpoint with a path": replace(
        request(key="a/b", path_style=True),
        host="gateway.example",
        path=find_endpoint(S3, "bkt", "gateway.example/storage/v1/s3").target("a/b", {}),
    ),
    "bucket": request(key="", query={"tagging": ""}),
    "list": request(
        key="",
        query={"list-type": "2", "prefix": "a b/ü+", "delimiter": "/", "continuation-token": "x="},
    ),
    "put": request(
        "PUT",
        headers={
            "content-md5": "n58IG6hfM7vqI4K0vnWpog==",
            "content-type": "text/x",
            "x-amz-tagging": "a=1&b=%20",
            "x-amz-meta-note": "two  blanks",
            "x-amz-meta-empty": "",
        },
    ),
    "part": request("PUT", query={"partNumber": "1", "uploadId": "u~/="}),
}


@pytest.mark.parametrize("credentials", [PAIR, WITH_TOKEN], ids=["pair", "token"])
@pytest.mark.parametrize("name", CASES)
def test_botocore_signs_the_same(name, credentials):
    ours = sign(CASES[name], credentials, NOW, region="eu-west-1")
    authorization, canonical = theirs(CASES[name], credentials)
    added = {k: v for k, v in ours.items() if k != "authorization"}
    headers = {**CASES[name].headers, **added, "host": CASES[name].host}
    assert canonical_request(CASES[name], headers) == canonical
    assert ours["authorization"] == authorization


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


@given(NAMES, st.dictionaries(st.sampled_from(["prefix", "uploadId", "a", "tagging"]), NAMES))
def test_botocore_signs_any_key_and_query_the_same(key, query):
    if key.startswith("/") or "//" in key or {".", ".."} & set(key.split("/")):
        return  # no such key is sent
    one = request("PUT", key, query)
    assert sign(one, PAIR, NOW, region="eu-west-1")["authorization"] == theirs(one, PAIR)[0]


def test_servers_without_regions_are_signed_for_the_usual_one():
    signed = S3.signer(None)(CASES["get"], PAIR, NOW)
    assert "/20130524/us-east-1/s3/aws4_request" in signed["authorization"]


AWS = "s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("arguments", "url", "base"),
    [
        (("bkt", None, "eu-west-1"), f"https://bkt.{AWS}", "/"),
        (("bkt", AWS), f"https://bkt.{AWS}", "/"),
        (("bkt", "s3.dualstack.eu-west-1.amazonaws.com"), None, "/"),
        # a wildcard certificate matches no name with dots
        (("b.k.t", None, "eu-west-1"), f"https://{AWS}", "/b.k.t/"),
        (("bkt", "ceph.local:8080"), "https://ceph.local:8080", "/bkt/"),
        (("bkt", "ceph.local", None, "virtual"), "https://bkt.ceph.local", "/"),
        (("bkt", "http://127.0.0.1:9"), "http://127.0.0.1:9", "/bkt/"),
    ],
)
def test_addresses(arguments, url, base):
    place = find_endpoint(S3, *arguments)
    assert url is None or place.url == url
    assert place.base == base
    assert place.region == ("eu-west-1" if "amazonaws" in place.host else None)


def test_a_payload_is_signed_by_its_digest():
    content = b"content"
    digest = hashlib.sha256(content).hexdigest()
    one = replace(CASES["put"], payload=digest)
    ours = sign(one, PAIR, NOW, region="eu-west-1")
    assert ours["x-amz-content-sha256"] == digest
    assert ours["authorization"] == theirs(one, PAIR, content=content)[0]


@pytest.mark.parametrize(
    ("value", "signed"),
    [
        ("a  b", "a b"),
        (" a ", "a"),
        # None of these is a blank to the service, though Python splits at them.
        ("東京\u3000塔", "東京\u3000塔"),
        ("a\u00a0 b", "a\u00a0 b"),
        ("\u3000a\u2003", "\u3000a\u2003"),
    ],
)
def test_only_spaces_are_blanks(value, signed):
    sent = canonical_request(CASES["get"], {"x-amz-meta-a": value, "host": "h"})
    assert f"x-amz-meta-a:{signed}\n" in sent
