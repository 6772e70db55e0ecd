"""Listings against a brute-force model, with a tiny alphabet so that prefixes collide."""

import random

import alibabacloud_oss_v2 as v2
import oss2
import pytest

from tagfs.emulator.oss.dialect import parse_token, render_token
from tagfs.emulator.storage.listing import successor
from tests.emulator.emulation import v2_client

_ALPHABET = ["a", "b", "/", "//", "中", "\U0001f600", "~", " ", "-", "\ud7ff", "\uffff"]


def model(keys: list[str], prefix: str, delimiter: str, after: str) -> list[tuple[str, bool]]:
    """Return names in order, each with whether it is a common prefix."""
    names: list[tuple[str, bool]] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        item = (key, False) if at < 0 else (key[: at + len(delimiter)], True)
        if item[1] and item[0] == after:
            continue
        if not names or names[-1] != item:
            names.append(item)
    return names


def _cases():
    chance = random.Random(7)
    for _ in range(12):
        count = chance.randint(1, 60)
        keys = {
            "".join(chance.choices(_ALPHABET, k=chance.randint(1, 6))).lstrip("/") or "x"
            for _ in range(count)
        }
        yield sorted(keys), chance


@pytest.fixture
def put_all(bucket):
    def put(keys):
        for key in list(oss2.ObjectIterator(bucket)):
            bucket.delete_object(key.key)
        for key in keys:
            bucket.put_object(key, b"")

    return put


def test_pages_agree_with_the_model(bucket, put_all):
    for keys, chance in _cases():
        put_all(keys)
        for _ in range(6):
            prefix = chance.choice(["", "", "a", "a/", "b", "中", "/", "nothing"])
            delimiter = chance.choice(["", "/", "/", "a", "//"])
            after = chance.choice(["", "", chance.choice(keys), "a/"])
            size = chance.choice([1, 2, 3, 1000])
            expected = model(keys, prefix, delimiter, after)
            assert _all_v1(bucket, prefix, delimiter, after, size) == expected
            assert _all_v2(bucket, prefix, delimiter, after, size) == expected


def _all_v1(bucket, prefix, delimiter, marker, size):
    found = []
    while True:
        page = bucket.list_objects(prefix, delimiter, marker, max_keys=size)
        found += _sorted_page(page)
        if not page.is_truncated:
            return found
        assert len(page.object_list) + len(page.prefix_list) == size
        marker = page.next_marker


def _all_v2(bucket, prefix, delimiter, after, size):
    found, token = [], ""
    while True:
        page = bucket.list_objects_v2(prefix, delimiter, token, max_keys=size, start_after=after)
        found += _sorted_page(page)
        if not page.is_truncated:
            return found
        token = page.next_continuation_token


def _sorted_page(page):
    names = [(item.key, False) for item in page.object_list]
    names += [(prefix, True) for prefix in page.prefix_list]
    return sorted(names, key=lambda name: name[0].encode())


def test_defaults_and_limits(emulator, name, bucket):
    for number in range(101):
        bucket.put_object(f"{number:03d}", b"")
    client = v2_client(emulator)
    first = client.list_objects_v2(v2.ListObjectsV2Request(bucket=name))
    assert (first.key_count, first.is_truncated, first.max_keys) == (100, True, 100)
    rest = client.list_objects_v2(
        v2.ListObjectsV2Request(bucket=name, continuation_token=first.next_continuation_token)
    )
    assert [item.key for item in rest.contents] == ["100"]
    old = client.list_objects(v2.ListObjectsRequest(bucket=name, encoding_type="url"))
    assert (len(old.contents), old.next_marker) == (100, "099")
    for bad in (0, 1001):
        with pytest.raises(oss2.exceptions.OssError) as caught:
            bucket.list_objects(max_keys=bad)
        assert (caught.value.status, caught.value.code) == (400, "InvalidArgument")


def test_what_a_listing_shows(bucket):
    etag = bucket.put_object("n", b"abc", headers={"x-oss-storage-class": "IA"}).etag
    bucket.append_object("p", 0, b"x")
    by_key = {item.key: item for item in oss2.ObjectIterator(bucket)}
    shown = by_key["n"]
    assert (shown.etag, shown.size, shown.type, shown.storage_class) == (etag, 3, "Normal", "IA")
    assert shown.last_modified == bucket.head_object("n").last_modified
    assert by_key["p"].type == "Appendable"
    [owned, _] = bucket.list_objects_v2(fetch_owner=True).object_list
    assert owned.owner.id
    [bare, _] = bucket.list_objects_v2().object_list
    assert bare.owner is None


def test_paginators_of_the_new_sdk(emulator, name, bucket):
    for key in ("a/1", "a/2", "b", "c/d/e"):
        bucket.put_object(key, b"")
    paginator = v2_client(emulator).list_objects_v2_paginator()
    found: list[str] = []
    for page in paginator.iter_page(
        v2.ListObjectsV2Request(bucket=name, delimiter="/", max_keys=1)
    ):
        found += [item.key for item in page.contents or []]
        found += [item.prefix for item in page.common_prefixes or []]
    assert found == ["a/", "b", "c/"]


@pytest.mark.parametrize("key", ["bc", "x" * 127, "x" * 128, "中" * 300, "a/"])
def test_tokens(key):
    assert parse_token(render_token(key)) == key


def test_the_token_of_the_manual():
    assert render_token("bc") == "CgJiYw--"


@pytest.mark.parametrize(
    ("text", "following"),
    [("a/", "a0"), ("\ud7ff", "\ue000"), ("a\U0010ffff", "b"), ("\U0010ffff", None)],
)
def test_successors(text, following):
    assert successor(text) == following
