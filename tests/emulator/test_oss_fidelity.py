"""What OSS does that no other service does, as its SDKs' own tests expect it."""

import gzip

import pytest

from tests.emulator.wire import Wire, Wires, md5_of, parts_document, upload

ENCRYPTION = "x-oss-meta-client-side-encryption-"


@pytest.fixture(scope="module")
def wire(wires: Wires) -> Wire:
    return wires["oss"]


def test_parts_in_order_have_an_md5_of_the_whole(wire: Wire) -> None:
    identity = wire("POST", "/bkt/ordered?uploads&sequential").text("UploadId")
    target = f"/bkt/ordered?uploadId={identity}"
    gap = wire("PUT", f"{target}&partNumber=2", body=b"2")
    assert (gap.status, gap.code) == (409, "PartNotSequential")
    parts = []
    for number, body in ((1, b"first"), (2, b"second"), (1, b"1")):
        parts.append((number, wire("PUT", f"{target}&partNumber={number}", body=body)))
    named = [(1, parts[2][1].headers["ETag"]), (2, parts[1][1].headers["ETag"])]
    assert wire("POST", target, body=parts_document(named)).status == 200
    shown = wire("HEAD", "/bkt/ordered").headers
    assert shown["Content-MD5"] == md5_of(b"1second")
    assert not [name for name in shown if "emulator" in name.lower()]
    identity, parts_in_any = upload(wire, "any", b"first")
    wire("POST", f"/bkt/any?uploadId={identity}", body=parts_document(parts_in_any))
    assert wire("HEAD", "/bkt/any").headers["Content-MD5"] is None


@pytest.mark.parametrize(
    ("kind", "size", "headers", "compressed"),
    [
        ("text/plain", 1024, {"Accept-Encoding": "gzip"}, True),
        ("text/css; charset=utf-8", 5000, {"Accept-Encoding": "gzip, deflate"}, True),
        ("text/plain", 1023, {"Accept-Encoding": "gzip"}, False),
        ("image/png", 5000, {"Accept-Encoding": "gzip"}, False),
        ("text/plain", 5000, {"Accept-Encoding": "identity"}, False),
        ("text/plain", 5000, {"Accept-Encoding": "gzip", "Range": "bytes=0-4999"}, False),
        ("text/plain", 5000, {}, False),
    ],
)
def test_texts_go_compressed_to_whom_accepts_that(
    wire: Wire,
    kind: str,
    size: int,
    headers: dict[str, str],
    compressed: bool,  # noqa: FBT001
) -> None:
    wire("PUT", "/bkt/text", {"Content-Type": kind}, b"t" * size)
    answer = wire("GET", "/bkt/text", headers)
    assert (answer.headers["Content-Encoding"] == "gzip") is compressed
    assert (answer.headers["Content-Length"] is None) is compressed
    assert (answer.headers["ETag"] is None) is compressed
    assert (gzip.decompress(answer.body) if compressed else answer.body) == b"t" * size
    assert wire("HEAD", "/bkt/text", headers).headers["Content-Length"] == str(size)


def test_what_a_client_says_of_its_encryption_stays(wire: Wire) -> None:
    told = {"key": "K", "start": "S", "cek-alg": "AES/CTR/NoPadding", "wrap-alg": "rsa"}
    headers = {f"{ENCRYPTION}{name}": text for name, text in told.items()}
    wire("PUT", "/bkt/sealed", {**headers, "x-oss-meta-other": "1"}, b"1")
    replaced = {"x-oss-copy-source": "/bkt/sealed", "x-oss-metadata-directive": "REPLACE"}
    wire("PUT", "/bkt/copied", replaced)
    shown = wire("HEAD", "/bkt/copied").headers
    assert {name: shown[name] for name in headers} == headers
    assert shown["x-oss-meta-other"] is None
    sizes = {f"{ENCRYPTION}part-size": "102400", f"{ENCRYPTION}data-size": "1"}
    identity = wire("POST", "/bkt/sealed?uploads", {**headers, **sizes}).text("UploadId")
    listed = wire("GET", f"/bkt/sealed?uploadId={identity}")
    names = ("Key", "Start", "CekAlg", "WrapAlg", "PartSize", "DataSize")
    assert [listed.text(f"ClientEncryption{name}") for name in names] == (
        [*told.values(), "102400", "1"]
    )
    plain = wire("POST", "/bkt/plain?uploads").text("UploadId")
    assert wire("GET", f"/bkt/plain?uploadId={plain}").text("ClientEncryptionKey") is None


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("PUT", {"x-oss-callback": "e30="}, "NotImplemented"),
        ("PUT", {"x-oss-traffic-limit": "819199"}, "InvalidTrafficLimit"),
        ("GET", {"x-oss-traffic-limit": "fast"}, "InvalidTrafficLimit"),
        ("GET", {"x-oss-traffic-limit": "819200"}, None),
    ],
)
def test_headers_that_ask_for_more_than_is_done(
    wire: Wire, method: str, headers: dict[str, str], code: str | None
) -> None:
    wire("PUT", "/bkt/limited", body=b"kept")
    answer = wire(method, "/bkt/limited", headers)
    assert (answer.code if answer.status != 200 else None) == code
    assert wire("GET", "/bkt/limited").body == b"kept"
