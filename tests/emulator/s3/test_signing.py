"""Signatures of S3: AWS's own examples, chunked bodies, signed URLs, and refusals."""

import base64
import hashlib
import hmac
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tagfs.emulator.s3.signing import (
    ChunkChain,
    V4Claim,
    folded,
    v4_canonical_requests,
    v4_signature,
    v4_string,
)
from tests.emulator.emulation import KEY_ID, SECRET, Emulator
from tests.emulator.s3.client import REGION, refusal, s3_client

_EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_SCOPE = "20130524/us-east-1/s3/aws4_request"
_MOMENT = "20130524T000000Z"
_EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("path", "query", "extra", "signature"),
    [
        (
            "/test.txt",
            [],
            {"Range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "/",
            [("lifecycle", "")],
            {},
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "/",
            [("max-keys", "2"), ("prefix", "J")],
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_examples_of_the_manual(path, query, extra, signature):
    """ "Authenticating Requests: Using the Authorization Header" of the S3 API reference."""
    sent = {
        "Host": "examplebucket.s3.amazonaws.com",
        "x-amz-date": _MOMENT,
        "x-amz-content-sha256": _EMPTY,
        **extra,
    }
    headers = folded(sent)
    claim = V4Claim("AKIAIOSFODNN7EXAMPLE", _SCOPE, tuple(sorted(headers)), "", _MOMENT, _EMPTY)
    canonical = next(v4_canonical_requests("GET", path, query, headers, claim))
    string = v4_string(_MOMENT, _SCOPE, canonical)
    assert v4_signature(_EXAMPLE_SECRET, _SCOPE, string) == signature


def test_the_chunks_of_the_manual():
    """ "Transferring Payload in Multiple Chunks": 64 KiB, 1 KiB and the empty last one."""
    seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    claim = V4Claim("AKIAIOSFODNN7EXAMPLE", _SCOPE, (), seed, _MOMENT, "")
    chain = ChunkChain(_EXAMPLE_SECRET, claim)
    for size, signature in [
        (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ]:
        assert chain.accepts_chunk(signature, hashlib.sha256(b"a" * size).hexdigest())


class Chunked:
    """A PUT in signed chunks, written down anew from the manual."""

    def __init__(self, emulator: Emulator, bucket: str) -> None:
        self.emulator = emulator
        self.bucket = bucket
        now = datetime.fromtimestamp(time.time(), UTC)
        self.moment = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.moment[:8]}/{REGION}/s3/aws4_request"

    def _sign(self, kind: str, *lines: str) -> str:
        key = b"AWS4" + SECRET.encode()
        for word in self.scope.split("/"):
            key = hmac.digest(key, word.encode(), "sha256")
        string = "\n".join((kind, self.moment, self.scope, *lines))
        return hmac.digest(key, string.encode(), "sha256").hex()

    def put(self, kind: str, data: bytes, headers: dict[str, str], trailer: str = "") -> Any:
        sent = {
            "host": f"127.0.0.1:{self.emulator.port}",
            "x-amz-content-sha256": kind,
            "x-amz-date": self.moment,
            "x-amz-decoded-content-length": str(len(data)),
            "content-encoding": "aws-chunked",
            **headers,
        }
        names = sorted(sent)
        block = "".join(f"{name}:{sent[name]}\n" for name in names)
        path = f"/{self.bucket}/chunked"
        canonical = "\n".join(("PUT", path, "", block, ";".join(names), kind))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        seed = self._sign("AWS4-HMAC-SHA256", digest)
        sent["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{self.scope},"
            f"SignedHeaders={';'.join(names)},Signature={seed}"
        )
        body = self._body(data, seed if "HMAC" in kind else None, trailer)
        return requests.put(self.emulator.url + path, data=body, headers=sent, timeout=60)

    def _body(self, data: bytes, previous: str | None, trailer: str) -> bytes:
        parts = []
        for at in (*range(0, len(data), 8192), len(data)):
            piece = data[at : at + 8192]
            line = f"{len(piece):x}"
            if previous is not None:
                digest = hashlib.sha256(piece).hexdigest()
                previous = self._sign("AWS4-HMAC-SHA256-PAYLOAD", previous, _EMPTY, digest)
                line += f";chunk-signature={previous}"
            parts.append(line.encode() + b"\r\n" + piece + (b"\r\n" if piece else b""))
        if trailer:
            parts.append(f"{trailer}\r\n".encode())
            if previous is not None:
                digest = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
                signature = self._sign("AWS4-HMAC-SHA256-TRAILER", previous, digest)
                parts.append(f"x-amz-trailer-signature:{signature}\r\n".encode())
        return b"".join(parts) + b"\r\n"


def test_chunked_bodies(aws: Emulator, s3: Any, name: str) -> None:
    data = bytes(range(256)) * 400
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()
    trailer = {"x-amz-trailer": "x-amz-checksum-crc32"}
    for kind, headers, last in [
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", {}, ""),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", trailer, f"x-amz-checksum-crc32:{crc}"),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", trailer, f"x-amz-checksum-crc32:{crc}"),
    ]:
        answer = Chunked(aws, name).put(kind, data, headers, last)
        assert answer.status_code == 200, answer.text
        found = s3.get_object(Bucket=name, Key="chunked")
        assert found["Body"].read() == data
        assert "ContentEncoding" not in found
        s3.delete_object(Bucket=name, Key="chunked")


def test_bad_chunked_bodies(aws: Emulator, name: str) -> None:
    trailer = {"x-amz-trailer": "x-amz-checksum-crc32"}
    unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    answer = Chunked(aws, name).put(unsigned, b"x", trailer, "x-amz-checksum-crc32:AAAAAA==")
    assert (answer.status_code, "<Code>BadDigest<" in answer.text) == (400, True)
    signed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    answer = Chunked(aws, name).put(signed, b"x", {"x-amz-decoded-content-length": "2"})
    assert (answer.status_code, "<Code>IncompleteBody<" in answer.text) == (400, True)
    put = Chunked(aws, name)
    put._body = lambda *_: b"1;chunk-signature=00\r\nx\r\n0;chunk-signature=00\r\n\r\n"  # type: ignore[method-assign]
    answer = put.put(signed, b"x", {})
    assert (answer.status_code, "<Code>SignatureDoesNotMatch<" in answer.text) == (403, True)


def test_signed_urls(each: Any, name: str) -> None:
    where = {"Bucket": name, "Key": "a b/é+"}
    url = each.generate_presigned_url("put_object", where)
    assert requests.put(url, data=b"hello", timeout=60).status_code == 200
    url = each.generate_presigned_url("get_object", where)
    assert requests.get(url, timeout=60).content == b"hello"
    assert requests.get(url.replace("a%20b", "b"), timeout=60).status_code == 403
    assert requests.head(url, timeout=60).status_code == 403


def test_bad_signatures(aws: Emulator, name: str) -> None:
    s3 = s3_client(aws.url)
    credentials = s3._request_signer._credentials
    for key, secret, code in [
        ("nobody", "x", "InvalidAccessKeyId"),
        (KEY_ID, "wrong", "SignatureDoesNotMatch"),
    ]:
        credentials.access_key, credentials.secret_key = key, secret
        with pytest.raises(ClientError) as refused:
            s3.list_objects_v2(Bucket=name)
        assert refusal(refused.value) == (403, code)
    s3.close()
    assert requests.get(f"{aws.url}/{name}", timeout=60).status_code == 403
    body = {"Authorization": "AWS4-HMAC-SHA256 nonsense", "x-amz-date": _MOMENT}
    assert requests.get(f"{aws.url}/{name}", headers=body, timeout=60).status_code == 400


def test_a_clock_that_is_wrong(aws: Emulator, s3: Any, name: str) -> None:
    aws.faults("clock=3600")
    try:
        with pytest.raises(ClientError) as refused:
            s3.list_objects_v2(Bucket=name)
        assert refusal(refused.value) == (403, "RequestTimeTooSkewed")
    finally:
        aws.faults()


def test_temporary_keys(tmp_path: Path) -> None:
    arguments = ["--service", "s3", "--bucket", "bkt", "--security-token", "TOK"]
    with Emulator(tmp_path / "d", *arguments) as running:
        s3 = s3_client(running.url)
        for token, code in [("TOK", None), ("BAD", "InvalidToken"), (None, "InvalidAccessKeyId")]:
            s3._request_signer._credentials.token = token
            if code is None:
                s3.put_object(Bucket="bkt", Key="k", Body=b"x")
            else:
                with pytest.raises(ClientError) as refused:
                    s3.put_object(Bucket="bkt", Key="k", Body=b"x")
                assert refusal(refused.value) == (403, code)
        s3.close()


BEFORE_1970 = "Tue, 07 Jul 1950 21:53:04 GMT"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": "Basic abc"}, 400, "InvalidArgument"),
        ({"Authorization": "AWS HAHAHA"}, 400, "InvalidArgument"),
        ({"Authorization": f"AWS {KEY_ID}:x", "Date": "Bad Date"}, 403, "AccessDenied"),
        ({"Authorization": f"AWS {KEY_ID}:x", "x-amz-date": ""}, 403, "AccessDenied"),
        ({"Authorization": f"AWS {KEY_ID}:x", "x-amz-date": BEFORE_1970}, 403, "AccessDenied"),
        ({"Authorization": "AWS4-HMAC-SHA256 what"}, 400, "AuthorizationHeaderMalformed"),
    ],
)
def test_headers_that_are_no_signature(
    aws: Emulator, headers: dict[str, str], status: int, code: str
) -> None:
    answer = requests.get(f"{aws.url}/bkt", headers=headers, timeout=60)
    assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (status, True)
