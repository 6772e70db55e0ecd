"""What S3 does that is easy to get wrong, from what is known of it."""

from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest

from tests.emulator.wire import Wires, md5_of, upload


@pytest.mark.parametrize("text", ["YWJyYWNhZGFicmE=", "garbage", ""])
def test_s3_distinguishes_a_malformed_md5_from_a_wrong_one(wires: Wires, text: str) -> None:
    wire = wires["s3"]
    assert wire("PUT", "/bkt/k", {"Content-MD5": text}, b"body").code == "InvalidDigest"
    assert wire("PUT", "/bkt/k", {"Content-MD5": md5_of(b"other")}, b"body").code == "BadDigest"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("deflate, gzip", "deflate, gzip"), ("aws-chunked,gzip", "gzip"), ("aws-chunked", None)],
)
def test_s3_keeps_an_encoding_as_it_came(wires: Wires, sent: str, kept: str | None) -> None:
    wire = wires["s3"]
    wire("PUT", "/bkt/encoded", {"Content-Encoding": sent}, b"body")
    assert wire("HEAD", "/bkt/encoded").headers["Content-Encoding"] == kept


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("plain", "plain"),
        # The example of the manual, which goes as UTF-8 and is taken for Latin-1.
        ("ÄMÄZÕÑ S3", "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="),
        ("=?UTF-8?B?w4Q=?=", "=?UTF-8?B?w4Q=?="),
        ("=?UTF-8?Q?gr=C3=BCn?=", "=?UTF-8?B?Z3LDvG4=?="),
        ("=?UTF-8?B?cGxhaW4=?=", "plain"),
        ("=?no-such?B?w4Q=?=", "=?no-such?B?w4Q=?="),
    ],
)
def test_s3_shows_metadata_beyond_ascii_as_encoded_words(
    wires: Wires, sent: str, shown: str
) -> None:
    wire = wires["s3"]
    wire("PUT", "/bkt/meta", {"x-amz-meta-a": sent.encode()})
    assert wire("HEAD", "/bkt/meta").headers["x-amz-meta-a"] == shown


@pytest.mark.parametrize(
    ("query", "names", "reported"),
    [
        ("max-buckets=1&prefix=page-", ["page-1"], "page-1"),
        ("max-buckets=1&prefix=page-&continuation-token=page-1", ["page-2"], None),
        ("prefix=page-", ["page-1", "page-2"], None),
    ],
)
def test_s3_lists_buckets_by_pages(
    wires: Wires, query: str, names: list[str], reported: str | None
) -> None:
    wire = wires["s3"]
    for name in ("page-1", "page-2"):
        wire("PUT", f"/{name}")
    answer = wire("GET", f"/?{query}")
    assert (answer.texts("Name"), answer.text("ContinuationToken")) == (names, reported)


def test_s3_deletes_a_bucket_with_an_upload_under_way(wires: Wires) -> None:
    wire = wires["s3"]
    wire("PUT", "/begun")
    wire("POST", "/begun/k?uploads")
    wire("PUT", "/begun/k", body=b"1")
    assert wire("DELETE", "/begun").code == "BucketNotEmpty"
    wire("DELETE", "/begun/k")
    assert wire("DELETE", "/begun").status == 204


def test_s3_deletes_the_versions_that_are_named(wires: Wires) -> None:
    wire = wires["s3"]
    etag = wire("PUT", "/bkt/one", body=b"1").headers["ETag"]
    wire("PUT", "/bkt/two", body=b"2")
    inner = "".join(f"<Object><Key>{k}</Key><ETag>{etag}</ETag></Object>" for k in ("one", "two"))
    body = f"<Delete>{inner}</Delete>".encode()
    answer = wire("POST", "/bkt?delete", {"Content-MD5": md5_of(body)}, body)
    assert (answer.texts("Key"), answer.texts("Code")) == (["one", "two"], ["PreconditionFailed"])
    assert wire("GET", "/bkt/two").body == b"2"


def test_s3_refuses_an_empty_token(wires: Wires) -> None:
    target = "/bkt?list-type=2&continuation-token="
    assert wires["s3"]("GET", target).code == "InvalidArgument"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-crc32c", "mnG7TA=="),
        ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ],
)
def test_s3_keeps_the_checksum_that_came(wires: Wires, name: str, value: str) -> None:
    wire = wires["s3"]
    assert wire("PUT", "/bkt/summed", {name: value}, b"hello").headers[name] == value
    wire("PUT", "/bkt/copy", {"x-amz-copy-source": "/bkt/summed"})
    for key in ("summed", "copy"):
        for method in ("HEAD", "GET"):
            asked = wire(method, f"/bkt/{key}", {"x-amz-checksum-mode": "ENABLED"})
            assert asked.headers[name] == value
            assert wire(method, f"/bkt/{key}").headers[name] is None
    ranged = {"x-amz-checksum-mode": "ENABLED", "Range": "bytes=0-1"}
    assert wire("GET", "/bkt/summed", ranged).headers[name] is None
    assert wire("PUT", "/bkt/summed", {name: value}, b"other").code == "BadDigest"
    identity, _ = upload(wire, "parts")
    target = f"/bkt/parts?partNumber=1&uploadId={identity}"
    assert wire("PUT", target, {name: value}, b"hello").headers[name] == value


REFUSED_HEADERS = [
    ("PUT", "/bkt/k", {"x-amz-object-lock-legal-hold": "ON"}, "InvalidRequest"),
    ("PUT", "/bkt/k", {"x-amz-object-lock-mode": "GOVERNANCE"}, "InvalidRequest"),
    ("POST", "/bkt/k?uploads", {"x-amz-object-lock-mode": "COMPLIANCE"}, "InvalidRequest"),
    ("PUT", "/bkt/k", {"x-amz-write-offset-bytes": "4"}, "NotImplemented"),
    ("DELETE", "/bkt/k", {"x-amz-if-match-size": "7"}, "NotImplemented"),
    ("DELETE", "/bkt/k", {"x-amz-if-match-last-modified-time": "x"}, "NotImplemented"),
    ("PUT", "/bkt/k", {"If-None-Match": '"other"'}, "NotImplemented"),
    ("PUT", "/bkt/k", {"x-amz-copy-source": "/bkt/k", "If-None-Match": "x"}, "NotImplemented"),
]


@pytest.mark.parametrize(("method", "target", "headers", "code"), REFUSED_HEADERS)
def test_s3_refuses_headers_for_which_it_has_nothing(
    wires: Wires, method: str, target: str, headers: dict[str, str], code: str
) -> None:
    wire = wires["s3"]
    wire("PUT", "/bkt/k", body=b"kept")
    assert wire(method, target, headers, b"").code == code
    assert wire("GET", "/bkt/k").body == b"kept"


@pytest.mark.parametrize(
    ("region", "code"),
    [
        ("eu-central-1", None),
        ("EU", None),
        ("us-gov-west-1", None),
        ("nowhere", "InvalidLocationConstraint"),
    ],
)
def test_s3_makes_buckets_in_regions_that_are_there(
    wires: Wires, region: str, code: str | None
) -> None:
    wire, where = wires["s3"], f"<LocationConstraint>{region}</LocationConstraint>"
    body = f"<CreateBucketConfiguration>{where}</CreateBucketConfiguration>".encode()
    assert wire("PUT", f"/in-{region.lower()}", body=body).code == code


@pytest.mark.parametrize("target", ["/bkt/k?acl", "/bkt?acl"])
def test_s3_sets_no_acl_that_nobody_named(wires: Wires, target: str) -> None:
    wire = wires["s3"]
    wire("PUT", "/bkt/k", {"x-amz-acl": "public-read"}, b"1")
    before = wire("GET", target).body
    assert wire("PUT", target).code == "MissingSecurityHeader"
    assert wire("GET", target).body == before


def test_s3_lists_times_of_whole_seconds_as_its_headers_have_them(wires: Wires) -> None:
    wire = wires["s3"]
    wire("PUT", "/bkt/timed", body=b"1")
    listed = wire("GET", "/bkt?prefix=timed").text("LastModified") or ""
    assert listed.endswith(".000Z")
    shown = parsedate_to_datetime(wire("HEAD", "/bkt/timed").headers["Last-Modified"])
    assert shown == datetime.fromisoformat(listed)


def test_s3_says_what_can_be_done_with_a_deletion_that_is_a_version(wires: Wires) -> None:
    wire, status = wires["s3"], b"<Status>Enabled</Status>"
    wire("PUT", "/kept")
    document = b"<VersioningConfiguration>" + status + b"</VersioningConfiguration>"
    wire("PUT", "/kept?versioning", body=document)
    wire("PUT", "/kept/k", body=b"1")
    marker = wire("DELETE", "/kept/k").headers["x-amz-version-id"]
    for method in ("GET", "HEAD"):
        answer = wire(method, f"/kept/k?versionId={marker}")
        assert (answer.status, answer.headers["Allow"]) == (405, "DELETE")
    assert wire("GET", f"/kept?versions&version-id-marker={marker}").code == "InvalidArgument"
