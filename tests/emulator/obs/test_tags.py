"""Bucket and object tags of OBS: each rule of the seed and of the reference."""

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest
from obs import TagInfo

from tests.emulator.emulation import Emulator
from tests.emulator.obs.client import Raw, Refused, Sdk, md5_header

_SEED = (
    b'<Tagging xmlns="http://obs.example.com/doc/2015-06-30/">\n  <TagSet>\n    <Tag>\n'
    b"      <Key>TagKey%28Name1%29</Key>\n      <Value>TagValue%28Value1%29</Value>\n"
    b"    </Tag>\n  </TagSet>\n</Tagging>"
)


def tag_info(tags: dict[str, str]) -> TagInfo:
    info = TagInfo()
    for key, value in tags.items():
        info.addTag(key, value)
    return info


def document(*pairs: tuple[str, str]) -> bytes:
    tags = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in pairs)
    return f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()


def code(text: str) -> str:
    return text.partition("<Code>")[2].partition("</Code>")[0]


def test_bucket_tags_by_the_sdk(sdk: Sdk, name: str) -> None:
    with pytest.raises(Refused) as refused:
        sdk.getBucketTagging(name)
    assert (refused.value.status, refused.value.code) == (404, "NoSuchTagSet")
    tags = {"team": "blue", "Größe": "groß", "e": "", "k" * 36: "v" * 43}
    assert sdk.setBucketTagging(name, tag_info(tags)).status == 204
    assert sdk.tags(name) == tags
    assert sdk.deleteBucketTagging(name).status == 204
    assert sdk.deleteBucketTagging(name).status == 204
    with pytest.raises(Refused):
        sdk.getBucketTagging(name)


def test_the_request_of_the_seed(raw: Raw, one: Sdk, name: str) -> None:
    """Namespace accepted, Content-MD5 verified, 204, the tag is `TagKey(Name1)`."""
    answer = raw("PUT", query="tagging", headers=md5_header(_SEED), body=_SEED)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Server"] == "OBS"
    assert len(answer.headers["x-obs-request-id"]) == 32
    assert answer.headers["x-obs-id-2"]
    assert one.tags(name) == {"TagKey(Name1)": "TagValue(Value1)"}


@pytest.mark.parametrize(
    "pairs",
    [
        [(f"k{number}", "v") for number in range(11)],
        [("k" * 37, "v")],
        [("k", "v" * 44)],
        [("", "v")],
        [("a", "1"), ("a", "2")],
        *([(f"a{letter}b", "v")] for letter in [",", "*", "|", "/", "&lt;", "&gt;", "=", "\\"]),
        *([("k", f"a{letter}b")] for letter in [",", "*", "|", "/", "&lt;", "&gt;", "=", "\\"]),
        [("k", "tab&#9;")],
        [("k%2Fk", "v")],
        [(" k", "v")],
    ],
)
def test_bad_bucket_tags(raw: Raw, one: Sdk, name: str, pairs: list[tuple[str, str]]) -> None:
    one.setBucketTagging(name, tag_info({"old": "1"}))
    body = document(*pairs)
    answer = raw("PUT", query="tagging", headers=md5_header(body), body=body)
    assert (answer.status_code, code(answer.text)) == (400, "InvalidTagError")
    assert one.tags(name) == {"old": "1"}


def test_bad_documents_and_missing_checksums(raw: Raw) -> None:
    for body in (b"no xml", b"<Tagging/>", b"<Tagging><TagSet><Tag/></TagSet></Tagging>"):
        answer = raw("PUT", query="tagging", headers=md5_header(body), body=body)
        assert (answer.status_code, code(answer.text)) == (400, "MalformedXMLError")
    body = document(("a", "1"))
    answer = raw("PUT", query="tagging", body=body)
    assert (answer.status_code, code(answer.text)) == (400, "InvalidRequest")
    answer = raw("PUT", query="tagging", headers=md5_header(b"other"), body=body)
    assert (answer.status_code, code(answer.text)) == (400, "BadDigest")
    sha256 = {"Content-SHA256": b64encode(hashlib.sha256(body).digest()).decode()}
    assert raw("PUT", query="tagging", headers=sha256, body=body).status_code == 204


def test_object_tags_by_the_sdk(sdk: Sdk, name: str) -> None:
    sdk.putContent(name, "dir/k", "x", extensionHeaders={})
    before = sdk.getObjectMetadata(name, "dir/k")
    with pytest.raises(Refused) as refused:
        sdk.getObjectTagging(name, "dir/k")
    assert (refused.value.status, refused.value.code) == (404, "NoSuchTagSet")
    tags = {"k" * 128: "v" * 255, "中": "", "a b": "c.d:e@f"}
    assert sdk.setObjectTagging(name, "dir/k", tags).status == 200
    assert sdk.object_tags(name, "dir/k") == tags
    after = sdk.getObjectMetadata(name, "dir/k")
    assert after.body.lastModified == before.body.lastModified
    assert dict(after.header)["tagging-count"] == "3"
    assert sdk.deleteObjectTagging(name, "dir/k").status == 204
    assert "tagging-count" not in dict(sdk.getObjectMetadata(name, "dir/k").header)
    with pytest.raises(Refused) as refused:
        sdk.setObjectTagging(name, "none", {"a": "1"})
    assert (refused.value.status, refused.value.code) == (404, "NoSuchKey")


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({f"k{number}": "v" for number in range(11)}, "BadRequest"),
        ({"k" * 129: "v"}, "InvalidTag"),
        ({"k": "v" * 256}, "InvalidTag"),
        ({"a/b": "v"}, "InvalidTag"),
        ({"k": "a=b"}, "InvalidTag"),
        ({"k": " v"}, "InvalidTag"),
    ],
)
def test_bad_object_tags(one: Sdk, name: str, tags: dict[str, str], word: str) -> None:
    one.putContent(name, "k", "x")
    with pytest.raises(Refused) as refused:
        one.setObjectTagging(name, "k", tags)
    assert (refused.value.status, refused.value.code) == (400, word)


def test_the_tagging_header_and_copies(sdk: Sdk, name: str) -> None:
    family = "x-obs-" if sdk.client.signature == "obs" else "x-amz-"
    header = {f"{family}tagging": "TagA=A&TagB&中=a b"}  # the SDK encodes it
    tags = {"TagA": "A", "TagB": "", "中": "a b"}
    sdk.putContent(name, "k", "x", extensionHeaders=header)
    assert sdk.object_tags(name, "k") == tags
    sdk.copyObject(name, "k", name, "plain")
    with pytest.raises(Refused):  # a copy drops tags unless asked to keep them
        sdk.getObjectTagging(name, "plain")
    reported = {f"{family}tagging-directive": "COPY"}
    sdk.copyObject(name, "k", name, "kept", extensionHeaders=reported)
    assert sdk.object_tags(name, "kept") == tags
    sdk.copyObject(name, "k", name, "new", extensionHeaders={f"{family}tagging": "n=1"})
    assert sdk.object_tags(name, "new") == {"n": "1"}
    sdk.putContent(name, "k", "y")
    with pytest.raises(Refused):
        sdk.getObjectTagging(name, "k")


@pytest.mark.parametrize("header", ["a=1&a=2", "a=b=c", "a=%ff"])
def test_bad_tagging_headers(raw: Raw, header: str) -> None:
    answer = raw("PUT", "k", headers={"x-obs-tagging": header}, body=b"x")
    assert (answer.status_code, code(answer.text)) == (400, "InvalidArgument")


def test_variants_of_tagging(tmp_path: Path) -> None:
    options = ["tag_encoding=keep", "tag_limits=wide", "object_tag_limits=strict"]
    arguments = [word for option in options for word in ("--option", option)]
    with Emulator(tmp_path / "d", "--service", "obs", "--bucket", "bkt", *arguments) as running:
        sdk = Sdk(running.url)
        sdk.setBucketTagging("bkt", tag_info({"a%28b": "%2F", "k" * 128: "v" * 255}))
        assert sdk.tags("bkt") == {"a%28b": "%2F", "k" * 128: "v" * 255}
        sdk.setBucketTagging("bkt", tag_info({f"k{number}": "" for number in range(20)}))
        sdk.putContent("bkt", "k", "x")
        with pytest.raises(Refused):
            sdk.setObjectTagging("bkt", "k", {"k" * 37: ""})
        sdk.client.close()


def test_objects_without_tags_at_all(tmp_path: Path) -> None:
    arguments = ["--service", "obs", "--bucket", "bkt", "--option", "object_tags=off"]
    with Emulator(tmp_path / "d", *arguments) as running:
        sdk = Sdk(running.url)
        sdk.putContent("bkt", "k", "x")
        with pytest.raises(Refused) as refused:
            sdk.getObjectTagging("bkt", "k")
        assert refused.value.status == 405
        sdk.client.close()


def test_tags_that_may_not_be_read(obs: Emulator, one: Sdk, name: str) -> None:
    one.putContent(name, "k", "x", extensionHeaders={"x-amz-tagging": "a=1"})
    obs.faults("deny_tags")
    try:
        with pytest.raises(Refused) as refused:
            one.getObjectTagging(name, "k")
        assert (refused.value.status, refused.value.code) == (403, "AccessDenied")
        assert "tagging-count" not in dict(one.getObjectMetadata(name, "k").header)
    finally:
        obs.faults()
