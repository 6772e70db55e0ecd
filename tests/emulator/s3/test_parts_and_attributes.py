"""What S3 says of single parts, of checksums of the whole, and of attributes at once."""

import base64
import hashlib
import zlib

import pytest
from fastcrc.crc32 import iscsi

from tests.emulator.wire import Wire, Wires, upload

BODIES = (b"one", b"second", b"3")


@pytest.fixture(scope="module")
def wire(wires: Wires) -> Wire:
    return wires["s3"]


def complete(
    wire: Wire, key: str, headers: dict[str, str], *names: str
) -> tuple[str, dict[str, str]]:
    """Upload in parts, with the headers of an algorithm; return the answer and the object's."""
    identity = wire("POST", f"/bkt/{key}?uploads", headers).text("UploadId")
    listed = ""
    for number, body in enumerate(BODIES, 1):
        target = f"/bkt/{key}?partNumber={number}&uploadId={identity}"
        sums = {f"x-amz-checksum-{name}": text_of(name, body) for name in names}
        etag = wire("PUT", target, sums, body).headers["ETag"]
        told = "".join(
            f"<Checksum{name.upper()}>{text_of(name, body)}</Checksum{name.upper()}>"
            for name in names
        )
        listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{told}</Part>"
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    done = wire("POST", f"/bkt/{key}?uploadId={identity}", body=document)
    assert done.status == 200, done.body
    found = wire("HEAD", f"/bkt/{key}", {"x-amz-checksum-mode": "ENABLED"})
    return done.body.decode(), dict(found.headers.items())


def raw(name: str, content: bytes) -> bytes:
    if name == "crc32":
        return zlib.crc32(content).to_bytes(4)
    if name == "crc32c":
        return iscsi(content, 0).to_bytes(4)
    return hashlib.new(name, content).digest()


def text_of(name: str, content: bytes) -> str:
    return base64.b64encode(raw(name, content)).decode()


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("partNumber=1", {}, (206, b"one", "bytes 0-2/10", "3")),
        ("partNumber=2", {}, (206, b"second", "bytes 3-8/10", "3")),
        ("partNumber=3", {}, (206, b"3", "bytes 9-9/10", "3")),
        ("partNumber=4", {}, (416, "InvalidPartNumber", None, None)),
        ("partNumber=0", {}, (400, "InvalidArgument", None, None)),
        ("partNumber=x", {}, (400, "InvalidArgument", None, None)),
        ("partNumber=1", {"Range": "bytes=0-1"}, (400, "InvalidRequest", None, None)),
    ],
)
def test_a_part_is_read(
    wire: Wire, query: str, headers: dict[str, str], expected: tuple[object, ...]
) -> None:
    complete(wire, "parts", {})
    answer = wire("GET", f"/bkt/parts?{query}", headers)
    told = answer.headers["Content-Range"], answer.headers["x-amz-mp-parts-count"]
    content = answer.body if answer.status == 206 else answer.code
    assert (answer.status, content, *told) == expected
    head = wire("HEAD", f"/bkt/parts?{query}", headers)
    assert head.status == answer.status
    assert head.headers["x-amz-mp-parts-count"] == expected[3]


def test_what_has_no_parts_has_one(wire: Wire) -> None:
    for body, status in ((b"whole", 206), (b"", 200)):
        wire("PUT", "/bkt/whole", body=body)
        answer = wire("GET", "/bkt/whole?partNumber=1")
        assert (answer.status, answer.body) == (status, body)
        assert answer.headers["x-amz-mp-parts-count"] is None
        assert wire("GET", "/bkt/whole?partNumber=2").code == "InvalidPartNumber"
    assert wire("GET", "/bkt/none?partNumber=1").code == "NoSuchKey"


def test_a_copy_is_of_one_part_and_nobody_sees_how_sizes_are_kept(wire: Wire) -> None:
    _, headers = complete(wire, "several", {})
    assert not [name for name in headers if "emulator" in name.lower()]
    wire("PUT", "/bkt/copied", {"x-amz-copy-source": "/bkt/several"})
    assert wire("GET", "/bkt/copied?partNumber=1").body == b"".join(BODIES)


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("crc32", "", "COMPOSITE"),
        ("crc32c", "", "COMPOSITE"),
        ("sha1", "COMPOSITE", "COMPOSITE"),
        ("sha256", "", "COMPOSITE"),
        ("crc32", "FULL_OBJECT", "FULL_OBJECT"),
        ("crc32c", "FULL_OBJECT", "FULL_OBJECT"),
    ],
)
def test_the_checksum_of_the_whole(wire: Wire, name: str, kind: str, shown: str) -> None:
    asked = {"x-amz-checksum-algorithm": name.upper()}
    asked |= {"x-amz-checksum-type": kind} if kind else {}
    answer, headers = complete(wire, "summed", asked, name)
    expected = text_of(name, b"".join(BODIES))
    if shown == "COMPOSITE":
        expected = f"{text_of(name, b''.join(raw(name, body) for body in BODIES))}-3"
    assert headers[f"x-amz-checksum-{name}"] == expected
    assert headers["x-amz-checksum-type"] == shown
    assert f"<Checksum{name.upper()}>{expected}</Checksum{name.upper()}>" in answer
    assert f"<ChecksumType>{shown}</ChecksumType>" in answer


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("MD4", "")],
)
def test_checksums_that_there_are_not(wire: Wire, algorithm: str, kind: str) -> None:
    headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    assert wire("POST", "/bkt/none?uploads", headers).code == "InvalidRequest"


def test_a_checksum_that_is_none_is_not_a_wrong_one(wire: Wire) -> None:
    for text, code in (("bad", "InvalidRequest"), ("AAAAAA==", "BadDigest")):
        assert wire("PUT", "/bkt/k", {"x-amz-checksum-crc32": text}, b"body").code == code


def test_the_size_that_the_end_of_an_upload_names(wire: Wire) -> None:
    for said, status in (("3", 200), ("4", 400)):
        identity, parts = upload(wire, "sized", b"one")
        listed = f"<Part><PartNumber>1</PartNumber><ETag>{parts[0][1]}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        target = f"/bkt/sized?uploadId={identity}"
        assert wire("POST", target, {"x-amz-mp-object-size": said}, body).status == status


def test_attributes_at_once(wire: Wire) -> None:
    complete(wire, "several", {"x-amz-checksum-algorithm": "CRC32"}, "crc32")
    asked = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"
    answer = wire("GET", "/bkt/several?attributes", {"x-amz-object-attributes": asked})
    assert (answer.text("ETag") or "").endswith("-3")
    assert (answer.text("ChecksumCRC32") or "").endswith("-3")
    assert answer.text("PartsCount") == "3"
    assert (answer.text("StorageClass"), answer.text("ObjectSize")) == ("STANDARD", "10")
    few = wire("GET", "/bkt/several?attributes", {"x-amz-object-attributes": "ObjectSize"})
    assert (few.text("ETag"), few.text("ObjectSize")) == (None, "10")


@pytest.mark.parametrize(
    ("target", "asked", "code"),
    [
        ("/bkt/none?attributes", "ETag", "NoSuchKey"),
        ("/bkt/none?attributes", "Colour", "InvalidArgument"),
        ("/bkt/none?attributes", "", "InvalidArgument"),
    ],
)
def test_attributes_that_are_refused(wire: Wire, target: str, asked: str, code: str) -> None:
    assert wire("GET", target, {"x-amz-object-attributes": asked}).code == code
