"""What S3 does that is easy to get wrong, from what is known of it."""

import pytest

from tests.emulator.wire import Wires, md5_of


@pytest.mark.parametrize("text", ["YWJyYWNhZGFicmE=", "garbage", ""])
def test_s3_tells_a_malformed_md5_from_a_wrong_one(wires: Wires, text: str) -> None:
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
    ("query", "names", "told"),
    [
        ("max-buckets=1&prefix=page-", ["page-1"], "page-1"),
        ("max-buckets=1&prefix=page-&continuation-token=page-1", ["page-2"], None),
        ("prefix=page-", ["page-1", "page-2"], None),
    ],
)
def test_s3_lists_buckets_by_pages(
    wires: Wires, query: str, names: list[str], told: str | None
) -> None:
    wire = wires["s3"]
    for name in ("page-1", "page-2"):
        wire("PUT", f"/{name}")
    answer = wire("GET", f"/?{query}")
    assert (answer.texts("Name"), answer.text("ContinuationToken")) == (names, told)


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
