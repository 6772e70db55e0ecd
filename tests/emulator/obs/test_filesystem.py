"""Parallel file systems of OBS: what they can, and what they refuse."""

from collections.abc import Iterator

import pytest

from tests.emulator.emulation import Emulator
from tests.emulator.obs.client import Raw, Refused, Sdk


@pytest.fixture
def files(obs: Emulator, one: Sdk) -> Iterator[Raw]:
    raw = Raw(obs, "files")
    yield raw
    keys = [item.key for item in one.listObjects("files").body.contents]
    for key in sorted(keys, reverse=True):
        one.deleteObject("files", key)


def keys(one: Sdk) -> list[str]:
    return [item.key for item in one.listObjects("files").body.contents]


def test_it_can_be_distinguished_from_a_bucket(one: Sdk, files: Raw, raw: Raw) -> None:
    head = files("HEAD")
    assert head.headers["x-obs-fs-file-interface"] == "Enabled"
    assert head.headers["x-obs-bucket-type"] == "POSIX"
    assert "x-obs-bucket-type" not in raw("HEAD").headers
    listed = one.listBuckets(bucketType="POSIX").body.buckets
    assert [bucket.name for bucket in listed] == ["files"]
    made = Raw(files.emulator, "more-files")
    assert made("PUT", headers={"x-obs-fs-file-interface": "Enabled"}).status_code == 200
    assert made("HEAD").headers["x-obs-bucket-type"] == "POSIX"
    assert made("DELETE").status_code == 204


@pytest.mark.usefixtures("files")
def test_directories_are_real(one: Sdk) -> None:
    one.putContent("files", "a/b/c", "x")
    assert keys(one) == ["a/", "a/b/", "a/b/c"]
    for key in ("a/b/c/d", "a/b"):
        with pytest.raises(Refused) as refused:
            one.putContent("files", key, "x")
        assert (refused.value.status, refused.value.code) == (409, "FsObjectConflict")
    with pytest.raises(Refused) as refused:
        one.deleteObject("files", "a/")
    assert (refused.value.status, refused.value.code) == (409, "DirectoryNotEmpty")


def test_renaming(one: Sdk, files: Raw) -> None:
    one.putContent("files", "old dir/f", "1")
    one.putContent("files", "old dir/sub/g", "2")
    one.putContent("files", "other", "3")
    assert one.renameFile("files", "old dir", "/new dir/中").status == 204
    tree = ["new dir/", "new dir/中/", "new dir/中/f", "new dir/中/sub/", "new dir/中/sub/g"]
    assert keys(one) == [*tree, "other"]
    assert one.renameFile("files", "other", "/new dir/中/f").status == 204
    assert one.content("files", "new dir/中/f") == b"3"
    with pytest.raises(Refused) as refused:
        one.renameFile("files", "none", "/x")
    assert refused.value.status == 404
    with pytest.raises(Refused) as refused:
        one.renameFile("files", "new dir", "/new dir/below")
    assert refused.value.status == 409
    assert files("POST", "new dir/中/f", "name=/top&rename").status_code == 204
    assert one.content("files", "top") == b"3"


@pytest.mark.usefixtures("files")
def test_modifying_and_truncating(one: Sdk) -> None:
    one.putContent("files", "f", "0123456789")
    one.modifyFile("files", "f", 2, "ab")
    assert one.content("files", "f") == b"01ab456789"
    one.modifyFile("files", "f", 12, "z")
    assert one.content("files", "f") == b"01ab456789\0\0z"
    assert one.truncateFile("files", "f", 3).status == 204
    assert one.content("files", "f") == b"01a"
    one.truncateFile("files", "f", 5)
    assert one.content("files", "f") == b"01a\0\0"


def test_what_it_refuses(one: Sdk, files: Raw, raw: Raw) -> None:
    one.putContent("files", "f", "x")
    for answer in (
        files("GET", "f", "tagging"),
        files("PUT", "f", headers={"x-obs-tagging": "a=1"}),
        files("POST", "f", "append&position=1", body=b"y"),
        files("GET", query="list-type=2"),
        files("PUT", "l", "symlink", headers={"x-obs-symlink-target": "f"}),
    ):
        assert (answer.status_code, "<Code>FsNotSupport<" in answer.text) == (405, True)
    raw("PUT", "f", body=b"x")
    assert raw("POST", "f", "name=/g&rename").status_code == 405
