"""Object and bucket tags: the service's rules, as its live tests and pages have them."""

import alibabacloud_oss_v2 as v2
import oss2
import pytest
import requests
from hypothesis import HealthCheck, given, settings, strategies as st
from oss2.models import Tagging, TaggingRule

from tests.emulator.emulation import v2_client


def tagging(tags: dict[str, str]) -> Tagging:
    rule = TaggingRule()
    rule.tagging_rule = dict(tags)  # `add` would judge before the service does
    return Tagging(rule)


def tags_of(bucket: oss2.Bucket, key: str = "k") -> dict[str, str]:
    tags: dict[str, str] = bucket.get_object_tagging(key).tag_set.tagging_rule
    return tags


GOOD: list[dict[str, str]] = [
    {},
    {"k": ""},
    {" +/ ": "+-=._:/ "},
    {"键": "值"},
    {"k" * 128: "v" * 256},
    {"K": "1", "k": "2"},
    {f"t{number}": "x" for number in range(10)},
]
BAD = [
    {"": "v"},
    {"%@abc": "v"},
    {"abc": "%abc"},
    {"k" * 129: "v"},
    {"k": "v" * 257},
    {f"t{number}": "x" for number in range(11)},
    {"a&b": "<"},
]


@pytest.mark.parametrize("tags", GOOD)
def test_good_tags(signed_bucket, tags):
    signed_bucket.put_object("k", b"x", headers={"x-oss-tagging": "old=1"})
    before = signed_bucket.head_object("k").headers
    assert signed_bucket.put_object_tagging("k", tagging(tags)).status == 200
    assert tags_of(signed_bucket) == tags
    after = signed_bucket.head_object("k").headers
    assert after.get("x-oss-tagging-count") == (str(len(tags)) if tags else None)
    for header in ("ETag", "Last-Modified"):
        assert after[header] == before[header]


@pytest.mark.parametrize("tags", BAD)
def test_bad_tags(signed_bucket, tags):
    signed_bucket.put_object("k", b"x", headers={"x-oss-tagging": "old=1"})
    with pytest.raises(oss2.exceptions.OssError) as caught:
        signed_bucket.put_object_tagging("k", tagging(tags))
    assert caught.value.status == 400
    assert tags_of(signed_bucket) == {"old": "1"}


def test_duplicates_and_bad_documents(bucket):
    bucket.put_object("k", b"x")
    tag = "<Tag><Key>a</Key><Value>1</Value></Tag>"
    for body, code in [
        (f"<Tagging><TagSet>{tag}{tag}</TagSet></Tagging>", "RepeatedTags"),
        ("<Tagging></Tagging>", "MalformedXML"),
        ("<Other/>", "MalformedXML"),
        ("no xml", "MalformedXML"),
        ("<!DOCTYPE a><Tagging><TagSet/></Tagging>", "MalformedXML"),
    ]:
        url = bucket.sign_url("PUT", "k", 60, params={"tagging": ""})
        answer = requests.put(url, data=body.encode(), timeout=60)
        assert (answer.status_code, f"<Code>{code}<" in answer.text) == (400, True), body


def test_deleting_tags(bucket):
    bucket.put_object("k", b"x", headers={"x-oss-tagging": "old=1"})
    assert bucket.delete_object_tagging("k").status == 204
    assert bucket.delete_object_tagging("k").status == 204
    assert tags_of(bucket) == {}
    for call in (bucket.get_object_tagging, bucket.delete_object_tagging):
        with pytest.raises(oss2.exceptions.NoSuchKey):
            call("nothing")
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.put_object_tagging("nothing", tagging({"a": "b"}))


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("k1=v1&k2=v2", {"k1": "v1", "k2": "v2"}),
        ("k", {"k": ""}),
        ("k=", {"k": ""}),
        ("%E9%94%AE=a%20b%2B/", {"键": "a b+/"}),
        ("aa=bb=cc", "0010-00000219"),
        ("a=1&a=2", "0010-00000217"),
        ("a=%ff", "0010-00000216"),
        ("a=%25", "0010-00000217"),
    ],
)
def test_the_tagging_header(bucket, header, tags):
    if isinstance(tags, dict):
        bucket.put_object("k", b"x", headers={"x-oss-tagging": header})
        assert tags_of(bucket) == tags
        return
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.put_object("k", b"x", headers={"x-oss-tagging": header})
    assert (caught.value.status, caught.value.details["EC"]) == (400, tags)


def test_a_link_has_tags_of_its_own(bucket):
    bucket.put_object("k", b"x", headers={"x-oss-tagging": "a=target"})
    bucket.put_symlink("k", "l")
    bucket.put_object_tagging("l", tagging({"a": "link"}))
    assert (tags_of(bucket, "k"), tags_of(bucket, "l")) == ({"a": "target"}, {"a": "link"})


_LETTERS = st.text(st.sampled_from("aZ0 +-=._:/é中"), min_size=1, max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_LETTERS, _LETTERS, max_size=10))
def test_both_sdks_read_what_either_wrote(emulator, name, bucket, tags):
    bucket.put_object("k", b"")
    bucket.put_object_tagging("k", tagging(tags))
    client = v2_client(emulator)
    found = client.get_object_tagging(v2.GetObjectTaggingRequest(bucket=name, key="k"))
    read = {tag.key: tag.value or "" for tag in found.tag_set.tags or []}
    assert read == tags
    pairs = [v2.Tag(key=key, value=value) for key, value in tags.items()]
    document = v2.Tagging(tag_set=v2.TagSet(tags=pairs))
    client.put_object_tagging(v2.PutObjectTaggingRequest(bucket=name, key="k", tagging=document))
    assert tags_of(bucket) == tags


def test_bucket_tags(bucket):
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == {}
    tags = {"%@abc": "++123%", "中": "", "k" * 64: "v" * 128, "plain": "1"}
    assert bucket.put_bucket_tagging(tagging(tags)).status == 200
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == tags
    params = {oss2.Bucket.TAGGING: "plain,never was"}
    assert bucket.delete_bucket_tagging(params).status == 204
    tags.pop("plain")
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == tags
    assert bucket.delete_bucket_tagging().status == 204
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == {}


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"": "v"}, "InvalidTag"),
        ({"ACS:x": "v"}, "InvalidTag"),
        ({"aliyunx": "v"}, "InvalidTag"),
        ({"http://x": "v"}, "InvalidTag"),
        ({"k" * 65: "v"}, "InvalidTag"),
        ({"中" * 22: "v"}, "InvalidTag"),
        ({"k": "v" * 129}, "InvalidTag"),
        ({f"t{number}": "" for number in range(21)}, "TooManyTags"),
    ],
)
def test_bad_bucket_tags(bucket, tags, code):
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.put_bucket_tagging(tagging(tags))
    assert (caught.value.status, caught.value.code) == (400, code)
