"""`import tagfs`: tags, find and facts, judged by the vendor's SDK; and that it costs nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import oss2
import pytest

import tagfs
from tagfs.errors import InvalidTag, NotFound, SettingsError
from tests.emulated import Emulator, emulator
from tests.mounting import KEYS, REGION


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("service"), buckets=10) as running:
        yield running


@pytest.fixture
def name(service: Emulator) -> str:
    return service.take()


@pytest.fixture
def sdk(service: Emulator, name: str) -> oss2.Bucket:
    return oss2.Bucket(oss2.Auth("emulator", "emulator-secret"), service.url, name)


@pytest.fixture
def bucket(
    service: Emulator, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tagfs.Bucket]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable, value in KEYS.items():
        monkeypatch.setenv(variable, value)
    with tagfs.Bucket(f"oss://{name}", endpoint=service.url, region=REGION) as one:
        yield one


def judged(sdk: oss2.Bucket, key: str) -> dict[str, str]:
    return dict(sdk.get_object_tagging(key).tag_set.tagging_rule)


def test_tags_of_one_object(bucket: tagfs.Bucket, sdk: oss2.Bucket) -> None:
    sdk.put_object("a", b"x")
    assert bucket.tags["a"] == {}
    bucket.tags["a"] = {"team": "blue", "n": "1"}
    assert judged(sdk, "a") == bucket.tags["a"] == {"team": "blue", "n": "1"}
    assert bucket.edit_tags("a", {"team": "red"}, remove=["n"]) == {"team": "red"}
    assert judged(sdk, "a") == {"team": "red"}
    del bucket.tags["a"]
    assert judged(sdk, "a") == {}
    with pytest.raises(NotFound):
        bucket.get_tags("none")
    with pytest.raises(InvalidTag):
        bucket.tags["a"] = {"": "x"}


def test_tags_of_the_bucket(bucket: tagfs.Bucket) -> None:
    bucket.tags[""] = {"owner": "me"}
    assert bucket.edit_tags("", {"cost": "42"}) == {"owner": "me", "cost": "42"}
    assert bucket.tags[""] == {"owner": "me", "cost": "42"}


def test_walks(bucket: tagfs.Bucket, sdk: oss2.Bucket) -> None:
    for key in ("a", "d/b", "d/c"):
        sdk.put_object(key, b"x")
    bucket.tags["d/c"] = {"team": "blue"}
    assert list(bucket.keys()) == ["a", "d/b", "d/c"]
    assert list(bucket.keys("d/")) == ["d/b", "d/c"]
    assert dict(bucket.all_tags("d/")) == {"d/b": {}, "d/c": {"team": "blue"}}
    assert list(bucket.find("team=blue")) == ["d/c"]
    assert list(bucket.find("not team", prefix="d/")) == ["d/b"]
    with pytest.raises(SettingsError):
        next(bucket.find("team and"))


def test_facts(bucket: tagfs.Bucket, sdk: oss2.Bucket) -> None:
    headers = {"Content-Type": "text/x-a", "x-oss-meta-note": "n"}
    made = sdk.put_object("a", b"four", headers=headers)
    facts = bucket.facts("a")
    assert (facts.size, facts.etag, facts.type) == (4, made.etag, "Normal")
    assert facts.headers["content-type"] == "text/x-a"
    assert facts.metadata == {"note": "n"}
    assert facts.last_modified.timestamp() == sdk.head_object("a").last_modified


def test_a_wrong_option_is_an_error() -> None:
    with pytest.raises(SettingsError, match="it is credentials="):
        tagfs.Bucket("oss://bucket", passwd_file="x")


def test_to_import_it_costs_nothing() -> None:
    """Commands begin with it."""
    code = "import sys, tagfs; print('requests' in sys.modules, 'tagfs.api' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
    assert set(tagfs.__all__) >= {"Bucket", "ObjectFacts"}
    with pytest.raises(AttributeError):
        tagfs.Nothing  # noqa: B018
