"""What the services do that is easy to get wrong, from what is known of each."""

import oss2
import pytest

from tests.emulator.emulation import Emulator, oss2_bucket
from tests.emulator.wire import OWN, Wire, Wires, md5_of, parts_document, upload

UNKNOWN = [
    ("DELETE", "/bkt/victim?live"),
    ("DELETE", "/bkt/victim?x-obs-accesslabel"),
    ("DELETE", "/bkt/victim?taging"),
    ("DELETE", "/victims?style&styleName=x"),
    ("DELETE", "/victims?metadataTable"),
    ("DELETE", "/victims?qosInfo"),
    ("PUT", "/bkt/victim?qosInfo"),
    ("GET", "/bkt?qosInfo"),
    ("GET", "/bkt/victim?nothing-of-the-kind"),
    ("HEAD", "/bkt/victim?nothing-of-the-kind"),
    ("POST", "/bkt/victim?nothing-of-the-kind"),
]


@pytest.mark.parametrize(("method", "target"), UNKNOWN)
def test_an_unknown_subresource_is_never_the_plain_operation(
    wire: Wire, service: str, method: str, target: str
) -> None:
    wire("PUT", "/victims")
    wire("PUT", "/bkt/victim", body=b"content")
    answer = wire(method, target)
    assert answer.status == (400 if service == "oss" else 501)
    if method != "HEAD":
        assert answer.code == "NotImplemented"
    assert wire("GET", "/bkt/victim").body == b"content"
    assert wire("GET", "/victims").status == 200


def test_an_unknown_subresource_makes_no_bucket(wire: Wire) -> None:
    assert wire("PUT", "/new1?qosInfo").status == 404
    assert wire("GET", "/new1").code == "NoSuchBucket"


@pytest.mark.parametrize(
    "query", ["prefix=&marker=&delimiter=&encoding-type=", "list-type=2&start-after"]
)
def test_parameters_without_a_value_are_no_subresource(wire: Wire, query: str) -> None:
    assert wire("GET", f"/bkt?{query}").text("Name") == "bkt"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (oss2.Bucket.get_bucket_stat, oss2.exceptions.NoSuchBucket),
        (oss2.Bucket.list_objects, oss2.exceptions.NoSuchBucket),
        (oss2.Bucket.create_bucket, oss2.exceptions.AccessDenied),
    ],
)
def test_oss_looks_for_the_bucket_before_the_key_pair(
    emulator: Emulator, operation: object, expected: type[Exception]
) -> None:
    stranger = oss2_bucket(emulator, "no-such-bucket", oss2.AuthV4("nobody", "nothing"))
    assert callable(operation)
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        operation(stranger)
    if expected is oss2.exceptions.NoSuchBucket:
        assert isinstance(caught.value, expected)
    else:
        assert (caught.value.status, caught.value.code) == (403, "InvalidAccessKeyId")


def test_oss_knows_the_key_pair_once_the_bucket_is_there(emulator: Emulator, name: str) -> None:
    stranger = oss2_bucket(emulator, name, oss2.AuthV4("nobody", "nothing"))
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        stranger.list_objects()
    assert (caught.value.status, caught.value.code) == (403, "InvalidAccessKeyId")


def test_completing_an_upload_again(wire: Wire, service: str) -> None:
    """S3 says the same again for a while, and does nothing; OSS and OBS do not."""
    identity, parts = upload(wire, "again", b"one", b"two")
    target, document = f"/bkt/again?uploadId={identity}", parts_document(parts)
    first = wire("POST", target, body=document)
    assert first.status == 200
    wire("PUT", "/bkt/again", body=b"newer")
    again = wire("POST", target, {"If-None-Match": "*"}, document)
    if service == "s3":
        assert (again.status, again.text("ETag")) == (200, first.text("ETag"))
        others = wire("POST", target, body=parts_document([*parts[:1], (2, parts[0][1])]))
        assert others.code == "NoSuchUpload"
        assert wire("DELETE", target).code == "NoSuchUpload"
    else:
        assert (again.status, again.code) == (404, "NoSuchUpload")
    assert wire("GET", "/bkt/again").body == b"newer"


HOSTS = {
    "oss": [
        ("oss-data.localhost", "oss-data"),
        ("oss-python.oss-cn-hangzhou.aliyuncs.com", "oss-python"),
        ("plain.oss-cn-hangzhou-internal.aliyuncs.com", "plain"),
        ("oss-cn-hangzhou.aliyuncs.com", None),
        ("oss-accelerate.aliyuncs.com", None),
    ],
    "obs": [
        ("obs-local.localhost", "obs-local"),
        ("obs-data.obs.cn-north-4.myhuaweicloud.com", "obs-data"),
        ("s3-data.obs.cn-north-4.myhuaweicloud.com", "s3-data"),
        ("obs.localhost", None),
        ("obs.cn-north-4.myhuaweicloud.com", None),
    ],
    "s3": [
        ("s3-local.localhost", "s3-local"),
        ("s3-data.s3.eu-central-1.amazonaws.com", "s3-data"),
        ("dotted.name.s3.amazonaws.com", "dotted.name"),
        ("s3.localhost", None),
        ("s3-eu-west-1.amazonaws.com", None),
    ],
}


@pytest.mark.parametrize(
    ("service", "host", "bucket"),
    [(service, *case) for service, cases in HOSTS.items() for case in cases],
    indirect=["service"],
)
def test_buckets_may_be_called_after_the_service(wire: Wire, host: str, bucket: str | None) -> None:
    answer = wire("GET", "/", host=host)
    if bucket is None:
        assert "bkt" in answer.texts("Name")
        return
    assert answer.code == "NoSuchBucket"
    assert wire("PUT", "/", host=host).status == 200
    assert wire("GET", "/", host=host).text("Name") == bucket


def test_oss_reports_the_md5_of_a_part(wires: Wires) -> None:
    wire = wires["oss"]
    identity, _ = upload(wire, "md5")
    answer = wire("PUT", f"/bkt/md5?partNumber=1&uploadId={identity}", body=b"part")
    assert answer.headers["Content-MD5"] == md5_of(b"part")


def test_oss_reports_the_last_upload_even_of_a_whole_listing(wires: Wires) -> None:
    wire = wires["oss"]
    identity, _ = upload(wire, "zz-last")
    listed = wire("GET", "/bkt?uploads&prefix=zz-last")
    assert listed.text("IsTruncated") == "false"
    assert (listed.text("NextKeyMarker"), listed.text("NextUploadIdMarker")) == (
        "zz-last",
        identity,
    )
    assert wire("GET", "/bkt?uploads&prefix=zz-none").text("NextKeyMarker") == ""


@pytest.mark.parametrize(("text", "size"), [("bytes=4-", 2), ("bytes=0-1", 2), ("junk", 6)])
def test_oss_copies_an_open_range(wires: Wires, text: str, size: int) -> None:
    wire = wires["oss"]
    wire("PUT", "/bkt/source", body=b"onetwo")
    identity, _ = upload(wire, "open")
    target = f"/bkt/open?partNumber=1&uploadId={identity}"
    headers = {"x-oss-copy-source": "/bkt/source", "x-oss-copy-source-range": text}
    assert wire("PUT", target, headers).status == 200
    assert wire("GET", f"/bkt/open?uploadId={identity}").text("Size") == str(size)


@pytest.mark.parametrize("service", ["oss", "obs"], indirect=True)
def test_oss_shows_the_bytes_that_were_sent_and_obs_takes_ascii(wire: Wire, service: str) -> None:
    sent = wire("PUT", "/bkt/meta", {f"{OWN[service]}meta-a": "grün =?UTF-8?B?w4Q=?=".encode()})
    if service == "obs":
        assert sent.status == 400
        return
    shown = wire("HEAD", "/bkt/meta").headers[f"{OWN[service]}meta-a"]
    assert shown.encode("latin-1").decode() == "grün =?UTF-8?B?w4Q=?="


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/bkt/%FF"),
        ("PUT", "/bkt/%FF"),
        ("GET", "/bkt?prefix=%FF"),
        ("GET", "/bkt?uploads&key-marker=%FF"),
        ("GET", "/bkt?list-type=2&continuation-token=junk"),
        ("GET", "/bkt?list-type=2&continuation-token=%C3%A4"),
    ],
)
def test_what_is_not_utf8_is_refused(wire: Wire, service: str, method: str, target: str) -> None:
    code = "InvalidObjectName" if service == "oss" and "/bkt/" in target else "InvalidArgument"
    assert wire(method, target).code == code


def test_the_source_or_target_that_is_not_utf8_is_refused(wire: Wire, service: str) -> None:
    copied = wire("PUT", "/bkt/copy", {f"{OWN[service]}copy-source": "/bkt/%FF"})
    assert copied.code == "InvalidArgument"
    linked = wire("PUT", "/bkt/link?symlink", {f"{OWN[service]}symlink-target": "%FF"})
    assert linked.code == {"oss": "InvalidObjectName", "obs": "InvalidArgument"}.get(
        service, "NotImplemented"
    )


def test_oss_heeds_the_acl_that_comes_with_a_completion(wires: Wires) -> None:
    wire = wires["oss"]
    identity, parts = upload(wire, "acl", b"one")
    target = f"/bkt/acl?uploadId={identity}"
    wire("POST", target, {"x-oss-object-acl": "private"}, parts_document(parts))
    assert wire("GET", "/bkt/acl?acl").text("Grant") == "private"


@pytest.mark.parametrize(
    ("shown", "key"), [(b"a&#01;b", "a%01b"), (b"a&#x1F;b", "a%1Fb"), (b"a\x0cb", "a%0Cb")]
)
def test_oss_deletes_keys_that_xml_cannot_hold(wires: Wires, shown: bytes, key: str) -> None:
    wire = wires["oss"]
    wire("PUT", f"/bkt/{key}", body=b"1")
    body = b"<Delete><Object><Key>" + shown + b"</Key></Object></Delete>"
    target = "/bkt?delete&encoding-type=url"
    answer = wire("POST", target, {"Content-MD5": md5_of(body)}, body)
    assert (answer.status, answer.text("Key")) == (200, key)
    assert wire("GET", f"/bkt/{key}").status == 404


@pytest.mark.parametrize(
    ("storage_class", "tier", "status", "code", "reported"),
    [
        ("ColdArchive", "Bulk", 202, None, "Bulk"),
        ("ColdArchive", "wrong-tier", 400, "InvalidArgument", None),
        ("Archive", "Bulk", 400, "MalformedXML", None),
    ],
)
def test_oss_restores_by_tiers(
    wires: Wires, storage_class: str, tier: str, status: int, code: str | None, reported: str | None
) -> None:
    wire, key = wires["oss"], f"/bkt/{storage_class}-{tier}"
    wire("PUT", key, {"x-oss-storage-class": storage_class}, b"1")
    tiers = f"<JobParameters><Tier>{tier}</Tier></JobParameters>"
    body = f"<RestoreRequest><Days>2</Days>{tiers}</RestoreRequest>".encode()
    answer = wire("POST", f"{key}?restore", body=body)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["x-oss-object-restore-priority"] == reported


def test_oss_keeps_the_type_of_a_copy_that_names_none(wires: Wires) -> None:
    wire = wires["oss"]
    headers = {"Content-Type": "text/plain", "Cache-Control": "no-cache"}
    wire("PUT", "/bkt/typed", headers, b"1")
    replaced = {"x-oss-copy-source": "/bkt/typed", "x-oss-metadata-directive": "REPLACE"}
    wire("PUT", "/bkt/copied", replaced)
    shown = wire("HEAD", "/bkt/copied").headers
    assert (shown["Content-Type"], shown["Cache-Control"]) == ("text/plain", None)


def test_oss_describes_a_bucket(wires: Wires) -> None:
    wire = wires["oss"]
    found = wire("GET", "/bkt?bucketInfo")
    assert (found.text("Comment"), found.text("Versioning")) == ("", None)
    assert found.text("BlockPublicAccess") == "true"
    assert found.text("ResourceGroupId")
    assert wire("GET", "/bkt?stat").text("LastModifiedTime") == "0"


def test_oss_finds_buckets_by_their_tags(wires: Wires) -> None:
    wire = wires["oss"]
    for name, value in (("blue", "1"), ("green", "2")):
        wire("PUT", f"/{name}", {"x-oss-bucket-tagging": f"env=test&n={value}"})
    query = "%22env%22%3A%22test%22%2C%22n%22%3A%222%22"
    assert wire("GET", f"/?tagging={query}").texts("Name") == ["green"]


def test_everybody_may_write_where_the_bucket_says_so(emulator: Emulator, name: str) -> None:
    oss2_bucket(emulator, name).put_bucket_acl("public-read-write")
    stranger = oss2.Bucket(oss2.AnonymousAuth(), emulator.url, name)
    stranger.put_object("k", b"from nobody")
    assert stranger.get_object("k").read() == b"from nobody"
    oss2_bucket(emulator, name).put_bucket_acl("public-read")
    with pytest.raises(oss2.exceptions.AccessDenied):
        stranger.put_object("k", b"again")


@pytest.mark.parametrize("service", ["oss", "obs"], indirect=True)
def test_who_asks_to_be_called_back_is_refused(wire: Wire, service: str) -> None:
    called = {f"{OWN[service]}callback": "e30="}
    wire("PUT", "/bkt/called", body=b"kept")
    assert wire("PUT", "/bkt/called", called, b"new").code == "NotImplemented"
    identity, parts = upload(wire, "called", b"new")
    target = f"/bkt/called?uploadId={identity}"
    assert wire("POST", target, called, parts_document(parts)).code == "NotImplemented"
    assert wire("GET", "/bkt/called").body == b"kept"
