"""What OBS does that is easy to get wrong, from what is known of it."""

import pytest

from tests.emulator.wire import Answer, Wire, Wires, md5_of, parts_document, upload


def _delete(wire: Wire, *keys: str, options: str = "") -> Answer:
    inner = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    body = f"<Delete>{options}{inner}</Delete>".encode()
    return wire("POST", "/bkt?delete", {"Content-MD5": md5_of(body)}, body)


def test_obs_decodes_the_keys_that_it_deletes(wires: Wires) -> None:
    wire = wires["obs"]
    wire("PUT", "/bkt/d%2Fx%20y", body=b"1")
    url = "<EncodingType>url</EncodingType>"
    assert _delete(wire, "d%2Fx%20y", options=url).text("Key") == "d/x%20y"
    assert wire("GET", "/bkt/d%2Fx%20y").status == 404
    wire("PUT", "/bkt/a%2541", body=b"1")
    assert _delete(wire, "a%41").text("Key") == "a%41"
    assert wire("GET", "/bkt/a%2541").status == 404


def test_obs_reports_the_crc64_of_parts_and_ranges(wires: Wires) -> None:
    wire, name = wires["obs"], "x-obs-checksum-crc64ecma"
    whole = wire("PUT", "/bkt/whole", body=b"onetwo").headers[name]
    ranged = wire("GET", "/bkt/whole", {"Range": "bytes=0-1"})
    assert (ranged.status, ranged.headers[name]) == (206, whole)
    identity, parts = upload(wire, "parts", b"one", b"two")
    target = f"/bkt/parts?uploadId={identity}"
    part = wire("PUT", f"{target}&partNumber=1", body=b"one").headers[name]
    assert part == wire("PUT", "/bkt/one", body=b"one").headers[name]
    wrong = wire("POST", target, {name: "1"}, parts_document(parts))
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    done = wire("POST", target, {name: whole}, parts_document(parts))
    assert (done.status, done.headers[name]) == (200, whole)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/tree/k", {"x-obs-checksum-crc64ecma": "0"}),
        ("/tree/k", {"x-obs-storage-class": "INTELLIGENT_TIERING"}),
        (
            "/newtree",
            {
                "x-obs-fs-file-interface": "Enabled",
                "x-obs-storage-class": "INTELLIGENT_TIERING",
            },
        ),
    ],
)
def test_file_systems_of_obs_refuse_what_they_have_not(
    wires: Wires, target: str, headers: dict[str, str]
) -> None:
    answer = wires["obs"]("PUT", target, headers)
    assert (answer.status, answer.code) == (405, "FsNotSupport")


def test_file_systems_of_obs_make_what_is_modified(wires: Wires) -> None:
    wire = wires["obs"]
    made = wire("PUT", "/tree/made?modify&position=0", {"x-obs-meta-a": "b"}, b"content")
    assert made.status == 200
    found = wire("GET", "/tree/made")
    assert (found.body, found.headers["x-obs-meta-a"]) == (b"content", "b")
    assert wire("PUT", "/tree/none?modify&position=1", body=b"1").status == 404


def test_obs_sets_the_class_of_a_bucket(wires: Wires) -> None:
    wire = wires["obs"]
    wire("PUT", "/classy")
    body = b"<StorageClass>WARM</StorageClass>"
    assert wire("PUT", "/classy?storageClass", body=body).status == 200
    wire("PUT", "/classy/k", body=b"1")
    assert wire("HEAD", "/classy/k").headers["x-obs-storage-class"] == "WARM"
    body = b"<StorageClass>NONE</StorageClass>"
    assert wire("PUT", "/classy?storageClass", body=body).status == 400


def test_obs_keeps_the_class_of_what_is_not_restored(wires: Wires) -> None:
    wire = wires["obs"]
    wire("PUT", "/bkt/cold", {"x-obs-storage-class": "COLD"}, b"1")
    headers = {"x-obs-metadata-directive": "REPLACE_NEW"}
    changed = wire("PUT", "/bkt/cold?metadata", {**headers, "x-obs-storage-class": "WARM"})
    assert (changed.status, changed.code) == (403, "InvalidObjectState")
    assert wire("HEAD", "/bkt/cold").headers["x-obs-storage-class"] == "COLD"
    assert wire("PUT", "/bkt/cold?metadata", {**headers, "x-obs-meta-a": "b"}).status == 200


@pytest.mark.parametrize(
    ("kind", "listed"), [("POSIX", {"tree"}), ("OBJECT", {"bkt"}), ("Wrong", {"bkt", "tree"})]
)
def test_obs_lists_buckets_of_a_type(wires: Wires, kind: str, listed: set[str]) -> None:
    names = wires["obs"]("GET", "/", {"x-obs-bucket-type": kind}).texts("Name")
    assert {"bkt", "tree"} & set(names) == listed


def test_obs_lists_buckets_by_pages(wires: Wires) -> None:
    wire = wires["obs"]
    first = wire("GET", "/?max-keys=1")
    assert (first.text("IsTruncated"), len(first.texts("Name"))) == ("true", 1)
    second = wire("GET", f"/?max-keys=1&marker={first.text('NextMarker')}")
    assert second.texts("Name") > first.texts("Name")
