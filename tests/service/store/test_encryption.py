"""Encryption and who pays, by options: every request says it, in each service's words."""

import base64
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tagfs.errors import AccessDenied, BadCredentials, Refused, SettingsError, TagfsError
from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.http.encryption import EncryptionChoice
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo
from tagfs.store.tags import TagSet
from tests.emulated import PAIR, Emulator, emulator
from tests.emulator.s3.client import s3_client
from tests.service.store.service import Service

LARGE = BytesSource(b"large" * 2**19)
SMALL = BytesSource(b"small")
KEY = bytes(range(32))
OTHER_KEY = bytes(32)
STRICT = ["encryption=required", "request_payer=requester", "object_lock=on"]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    """Services whose buckets want all that an option can say."""
    running: dict[str, Emulator] = {}
    with contextlib.ExitStack() as stack:
        for name in ("s3", "oss", "obs"):
            directory = tmp_path_factory.mktemp(name)
            one = emulator(directory, 20, service=name, options=STRICT)
            running[name] = stack.enter_context(one)
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("s3"), 20, service="s3") as one:
        yield one


def parts(client: Client, key: str) -> ObjectInfo:
    begun = client.start_upload(key, NewObject())
    return client.complete_upload(begun, [client.upload_part(begun, 1, LARGE)])


def copied_parts(client: Client, key: str) -> ObjectInfo:
    source = client.put("source", SMALL, NewObject())
    begun = client.start_upload(key, NewObject())
    return client.complete_upload(begun, [client.copy_part(begun, 1, source, 0, source.size)])


def remade(client: Client, key: str) -> ObjectInfo:
    return client.set_metadata(client.put(key, SMALL, NewObject()), {"a": "1"}, {})


MADE: dict[str, Callable[[Client, str], ObjectInfo]] = {
    "small": lambda client, key: client.put(key, SMALL, NewObject()),
    "large": lambda client, key: client.put(key, LARGE, NewObject()),
    "parts": parts,
    "copied parts": copied_parts,
    "copy": lambda client, key: client.copy(client.put("source", SMALL, NewObject()), key),
    "remade": remade,
}
CHOICES = {
    "s3": EncryptionChoice(method="aws:kms", key_id="key-1"),
    "oss": EncryptionChoice(method="KMS", key_id="key-1"),
    "obs": EncryptionChoice(method="kms", key_id="key-1"),
}
TOLD = {
    "s3": ("x-amz-server-side-encryption-aws-kms-key-id", "aws:kms"),
    "oss": ("x-oss-server-side-encryption-key-id", "KMS"),
    "obs": ("x-obs-server-side-encryption-kms-key-id", "kms"),
}


@pytest.mark.parametrize("way", MADE)
@pytest.mark.parametrize("name", CHOICES)
def test_what_is_made_is_encrypted(strict: dict[str, Emulator], name: str, way: str) -> None:
    """In a bucket that refuses what is not, and whose requests the sender pays for."""
    client = strict[name].open(encryption=CHOICES[name], requester_pays=True)
    made = MADE[way](client, "k")
    found = client.head("k")
    assert found.etag == made.etag
    assert found.detail is not None
    assert found.detail.headers["server-side-encryption"] == TOLD[name][1]
    assert found.detail.headers["server-side-encryption-key-id"] == "key-1"
    assert client.get("k").data == (LARGE if way in {"large", "parts"} else SMALL).data
    client.close()


CALLS: dict[str, Callable[[Client], Any]] = {
    "list": lambda client: client.list(""),
    "check": lambda client: client.check(),
    "describe": lambda client: client.describe(),
    "tags": lambda client: client.put_tags("k", TagSet({"a": "1"})),
    "bucket tags": lambda client: client.update_bucket_tags(lambda _: TagSet({"a": "1"})),
    "head many": lambda client: client.head_many(["k"])["k"],
    "tags of many": lambda client: client.get_tags_many(["k"])["k"],
    "delete": lambda client: client.delete("k"),
    "delete many": lambda client: client.delete_many(["k"]),
}


@pytest.mark.parametrize("name", CHOICES)
def test_every_request_says_who_pays(strict: dict[str, Emulator], name: str) -> None:
    """Without the option nothing at all can be done."""
    bucket = strict[name].take()
    paying = strict[name].open(bucket, encryption=CHOICES[name], requester_pays=True)
    poor = strict[name].open(bucket, encryption=CHOICES[name])
    paying.put("k", SMALL, NewObject())
    for what, call in CALLS.items():
        if what not in {"head many", "tags of many"}:  # what is refused is left out there
            with pytest.raises(AccessDenied):
                call(poor)
        call(paying)
    paying.close()
    poor.close()


def test_what_has_a_key_of_its_own_keeps_it(plain: Emulator) -> None:
    """The option is for what has none, whichever way an object is rewritten."""
    bucket, boto = plain.take(), s3_client(plain.url)
    client = plain.open(bucket, encryption=CHOICES["s3"])
    for key in ("a", "b", "c"):
        boto.put_object(
            Bucket=bucket, Key=key, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="own"
        )
    kept = client.head("a").detail
    assert kept is not None
    client.put("a", SMALL, NewObject(headers=kept.headers))
    client.set_metadata(client.head("b"), {"a": "1"}, kept.headers)
    client.copy(client.head("c"), "d")
    for key in ("a", "b", "d"):
        assert boto.head_object(Bucket=bucket, Key=key)["SSEKMSKeyId"] == "own", key
    boto.put_object(Bucket=bucket, Key="usual", Body=b"x", ServerSideEncryption="AES256")
    usual = client.head("usual").detail
    assert usual is not None
    client.put("usual", SMALL, NewObject(headers=usual.headers))
    assert boto.head_object(Bucket=bucket, Key="usual")["SSEKMSKeyId"] == "key-1"
    client.close()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(base64.b64encode(KEY).decode() + "\n")
    path.chmod(0o600)
    return path


def customer(key: bytes = KEY) -> dict[str, Any]:
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}


@pytest.mark.parametrize("way", MADE)
def test_the_customers_key_is_named_everywhere(plain: Emulator, key_file: Path, way: str) -> None:
    """And nobody else can read it: boto3 only with the key."""
    bucket, boto = plain.take(), s3_client(plain.url)
    client = plain.open(bucket, encryption=EncryptionChoice(customer_key_file=key_file))
    MADE[way](client, "k")
    whole = (LARGE if way in {"large", "parts"} else SMALL).data
    assert client.get("k").data == whole
    assert client.get("k", 1, 3).data == whole[1:4]
    assert client.head_many(["k"])["k"].size == len(whole)
    assert boto.get_object(Bucket=bucket, Key="k", **customer())["Body"].read() == whole
    with pytest.raises(ClientError, match="InvalidRequest"):
        boto.get_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError, match="403"):
        boto.head_object(Bucket=bucket, Key="k", **customer(OTHER_KEY))
    other = plain.open(bucket)
    with pytest.raises(Refused):
        other.get("k")
    client.close()
    other.close()


def test_objects_without_a_key_are_read_too(plain: Emulator, key_file: Path) -> None:
    """What others wrote before: read, copied, changed; what is made of it has the key."""
    bucket, boto = plain.take(), s3_client(plain.url)
    client = plain.open(bucket, encryption=EncryptionChoice(customer_key_file=key_file))
    boto.put_object(Bucket=bucket, Key="k", Body=b"before")
    assert client.get("k").data == b"before"
    found = client.head("k")
    client.copy(found, "copy")
    begun = client.start_upload("parts", NewObject())
    client.complete_upload(begun, [client.copy_part(begun, 1, found, 0, found.size)])
    client.set_metadata(found, {"a": "1"}, {})
    for key in ("copy", "parts", "k"):
        assert boto.get_object(Bucket=bucket, Key=key, **customer())["Body"].read() == b"before"
    client.close()


def test_nothing_is_written_without_the_key(plain: Emulator, key_file: Path) -> None:
    """A refusal of an upload is one, even if the same request without a key would pass."""
    service = Service(plain, encryption=EncryptionChoice(customer_key_file=key_file))
    service.faults("status=400:code=InvalidRequest:op=PutObject")
    with pytest.raises(TagfsError):
        service.client.put("k", SMALL, NewObject(tags=TagSet({})))
    assert service.asked().count("PutObject") == 1
    service.faults()
    service.client.close()


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "no such word": ("s3", {"method": "KMS"}, "S3 has AES256, aws:kms"),
    "a word of another": ("oss", {"method": "aws:kms"}, "has AES256, KMS, SM4"),
    "a key without its word": ("s3", {"key_id": "k"}, "needs sse=aws:kms"),
    "both": ("s3", {"method": "AES256", "customer_key_file": Path("/k")}, "excludes sse"),
    "none of that here": ("oss", {"customer_key_file": Path("/k")}, "no keys of customers"),
    "no file": ("s3", {"customer_key_file": Path("/nonexistent/key")}, "no such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_choices_that_make_no_sense_are_clear_errors(case: str) -> None:
    service, chosen, words = WRONG[case]
    settings = BucketSettings(
        service=service,
        bucket="bucket",
        endpoint="https://host.example",
        encryption=EncryptionChoice(**chosen),
    )
    with pytest.raises(SettingsError, match=words):
        open_bucket(settings, PAIR)


@pytest.mark.parametrize(
    ("text", "mode", "endpoint", "words"),
    [
        ("short", 0o600, "https://host.example", "expected 32 bytes"),
        (KEY.hex(), 0o644, "https://host.example", "can be read by others"),
        (KEY.hex(), 0o600, "http://host.example", "needs https"),
    ],
)
def test_a_key_stays_secret(
    key_file: Path, text: str, mode: int, endpoint: str, words: str
) -> None:
    key_file.write_text(text)
    key_file.chmod(mode)
    choice = EncryptionChoice(customer_key_file=key_file)
    settings = BucketSettings(service="s3", bucket="bkt", endpoint=endpoint, encryption=choice)
    with pytest.raises((SettingsError, BadCredentials), match=words):
        open_bucket(settings, PAIR)
