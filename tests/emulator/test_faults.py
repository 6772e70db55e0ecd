"""Faults: their grammar, and what a client meets."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import oss2
import pytest
import requests

from tagfs.emulator.faults import FaultBoard, parse_fault
from tagfs.emulator.messages import Call
from tests.emulator.emulation import Emulator, oss2_bucket
from tests.waiting import soon, wait_for

_PUT = Call(operation="PutObject", method="PUT", bucket="b", key="logs/a")
_TAGS = Call(operation="GetObjectTagging", method="GET", bucket="b", key="k", subresource="tagging")


@pytest.mark.parametrize(
    "text",
    [
        "explode",
        "status",
        "status=x",
        "reset=1",
        "hang=soon",
        "status=503:colour=red",
        "status=503:when=never",
        "delay=1:rate=often",
    ],
)
def test_what_is_no_fault(text):
    with pytest.raises(ValueError, match="fault"):
        parse_fault(text)


@pytest.mark.parametrize(
    ("text", "puts", "tags"),
    [
        ("reset", 4, 4),
        ("reset:op=PutObject", 4, 0),
        ("reset:op=*Tagging", 0, 4),
        ("reset:method=GET", 0, 4),
        ("reset:sub=tagging", 0, 4),
        ("reset:sub=none", 4, 0),
        ("reset:key=logs/*", 4, 0),
        ("reset:key=logs%2Fa,bucket=b", 4, 0),
        ("reset:times=1", 1, 0),
        ("reset:after=3", 1, 4),
        ("reset:after=1,times=2,op=PutObject", 2, 0),
        ("reset:rate=0", 0, 0),
        ("reset:rate=1", 4, 4),
    ],
)
def test_matching(text, puts, tags):
    board = FaultBoard([text])
    assert sum(bool(board.strike(_PUT)) for _ in range(4)) == puts
    assert sum(bool(board.strike(_TAGS)) for _ in range(4)) == tags
    [report] = board.report()
    assert report["hits"] == puts + tags


@pytest.fixture
def faulty(emulator: Emulator, bucket: oss2.Bucket) -> Iterator[Emulator]:
    bucket.put_object("k", b"0123456789" * 100, headers={"x-oss-tagging": "a=1"})
    yield emulator
    emulator.faults()


def _refused(bucket, call) -> tuple[int, str]:
    with pytest.raises(oss2.exceptions.OssError) as caught:
        call(bucket)
    return caught.value.status, caught.value.code


def _put(bucket):
    return bucket.put_object("new", b"x")


def test_errors_before_and_after_the_work(faulty, bucket):
    faulty.faults("status=503:code=TotalQpsLimitExceeded:retry_after=1:times=1:op=PutObject")
    assert _refused(bucket, _put) == (503, "TotalQpsLimitExceeded")
    assert not bucket.object_exists("new")
    faulty.faults("status=500:when=after:times=1:op=PutObject")
    assert _refused(bucket, _put) == (500, "InternalError")
    assert [fault["hits"] for fault in requests.get(f"{faulty.url}/-/faults").json()] == [1]
    assert bucket.object_exists("new")
    for text, outcome in [
        ("token_expired", (403, "SecurityTokenExpired")),
        ("skew", (403, "RequestTimeTooSkewed")),
        ("deny", (403, "AccessDenied")),
    ]:
        faulty.faults(f"{text}:times=1")
        assert _refused(bucket, _put) == outcome
        _put(bucket)


def test_the_skewed_clock(faulty, bucket):
    faulty.faults("clock=3600")
    assert _refused(bucket, _put) == (403, "RequestTimeTooSkewed")
    answer = requests.get(bucket.sign_url("GET", "k", 60), timeout=60)
    shown = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert abs(shown - time.time() - 3600) < 60


@pytest.mark.parametrize(("when", "done"), [("before", False), ("after", True)])
def test_resets(faulty, bucket, when, done):
    faulty.faults(f"reset:when={when}:times=1:op=PutObject")
    with pytest.raises(oss2.exceptions.RequestError):
        _put(bucket)
    assert bucket.object_exists("new") == done


def test_hanging(faulty, bucket):
    faulty.faults("hang:op=GetObject")
    with pytest.raises(requests.ReadTimeout):
        requests.get(bucket.sign_url("GET", "k", 60), timeout=0.3)
    faulty.faults("hang=0.1:op=GetObject")
    with pytest.raises(requests.ConnectionError):
        requests.get(bucket.sign_url("GET", "k", 60), timeout=60)


@pytest.mark.parametrize("size", [1000, 300_000])
def test_damaged_bodies(faulty, bucket, size):
    data = b"0123456789" * (size // 10)
    bucket.put_object("k", data)
    url = bucket.sign_url("GET", "k", 60)
    faulty.faults("cut=400:op=GetObject")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        requests.get(url, timeout=60)
    faulty.faults("short=3:op=GetObject")
    answer = requests.get(url, timeout=60)
    assert answer.content == data[:-3]
    assert answer.headers["Content-Length"] == str(size - 3)
    faulty.faults("corrupt:op=GetObject")
    content = requests.get(url, timeout=60).content
    assert [at for at in range(size) if content[at] != data[at]] == [size // 2]
    answer = bucket.get_object("k")
    answer.read()
    assert answer.client_crc != answer.server_crc
    faulty.faults(f"drip={size // 4}:pause=0.05:op=GetObject")
    with soon(at_least=0.15):
        assert requests.get(url, timeout=60).content == data


def test_lying_headers(faulty, bucket):
    faulty.faults("crc:op=PutObject")
    with pytest.raises(oss2.exceptions.InconsistentError):
        _put(bucket)
    faulty.faults("etag:op=GetObject")
    assert bucket.get_object("k").etag == "0" * 32
    bucket.get_object("k").read()


def test_answers_that_are_none(faulty, bucket, name):
    faulty.faults("garbage:sub=list")
    with pytest.raises(Exception, match="not well-formed"):
        bucket.list_objects()
    faulty.faults("error200:op=CopyObject")
    url = bucket.sign_url("PUT", "copy", 60, headers={"x-oss-copy-source": f"/{name}/k"})
    answer = requests.put(url, headers={"x-oss-copy-source": f"/{name}/k"}, timeout=60)
    assert (answer.status_code, "<Code>InternalError<" in answer.text) == (200, True)
    assert "ETag" not in answer.headers


def test_denied_tags(faulty, bucket):
    faulty.faults("deny_tags")
    assert _refused(bucket, lambda b: b.get_object_tagging("k")) == (403, "AccessDenied")
    assert "x-oss-tagging-count" not in bucket.head_object("k").headers
    faulty.faults("deny_tags:key=other")
    assert bucket.head_object("k").headers["x-oss-tagging-count"] == "1"


def test_denied_deletes(faulty, bucket):
    faulty.faults("deny_delete:key=k", "deny_delete:op=DeleteMultipleObjects")
    assert _refused(bucket, lambda b: b.delete_object("k")) == (403, "AccessDenied")
    assert _refused(bucket, lambda b: b.batch_delete_objects(["k"])) == (403, "AccessDenied")
    bucket.delete_object("other")
    assert bucket.object_exists("k")


def test_requests_with_a_header(faulty, bucket):
    faulty.faults("status=501:code=NotImplemented:header=x-oss-tagging*")
    put = {"x-oss-tagging": "a=1"}
    assert _refused(bucket, lambda b: b.put_object("k", b"x", headers=put))[0] == 501
    bucket.put_object("k", b"x")


def test_stale_listings(faulty, bucket):
    faulty.faults("stale_list=3600")
    assert bucket.list_objects().object_list == []
    assert bucket.object_exists("k")
    faulty.faults()
    assert [item.key for item in bucket.list_objects().object_list] == ["k"]


def test_what_is_held_is_done_when_the_faults_change(faulty, bucket):
    faulty.faults("hold:op=PutObject:key=held")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(bucket.put_object, "held", b"x")
        wait_for(lambda: requests.get(f"{faulty.url}/-/faults", timeout=60).json()[0]["hits"])
        bucket.put_object("other", b"x")
        assert not bucket.object_exists("held")
        assert not held.done()
        faulty.faults()
        assert held.result().status == 200
    assert bucket.object_exists("held")


def test_delays(faulty, bucket):
    faulty.faults("delay=0.2:op=HeadObject")
    with soon(at_least=0.2):
        bucket.head_object("k")


def test_the_admin_endpoint(emulator):
    url = f"{emulator.url}/-/faults"
    assert requests.post(url, json=["reset:key=none"], timeout=60).status_code == 200
    assert requests.get(url, timeout=60).json() == [
        {"fault": "reset:key=none", "seen": 0, "hits": 0}
    ]
    for bad in (["explode"], {"a": 1}, [1]):
        answer = requests.post(url, json=bad, timeout=60)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert len(requests.get(url, timeout=60).json()) == 1
    assert requests.delete(url, timeout=60).json() == []
    assert requests.get(f"{emulator.url}/-/other", timeout=60).status_code == 404


def test_faults_of_the_command_line(tmp_path):
    options = ("--bucket", "bkt", "--fault", "status=503:op=PutObject:times=1", "--fault", "crc")
    with Emulator(tmp_path, *options) as running:
        bucket = oss2_bucket(running, "bkt")
        assert _refused(bucket, _put) == (503, "ServiceUnavailable")
        hits = requests.get(f"{running.url}/-/faults", timeout=60).json()
        assert [fault["hits"] for fault in hits] == [1, 1]


def test_a_reset_leaves_the_service_running(faulty, bucket):
    faulty.faults("reset:rate=0.5:op=HeadObject")
    outcomes = set()
    for _ in range(30):
        try:
            bucket.head_object("k")
            outcomes.add("ok")
        except oss2.exceptions.RequestError:
            outcomes.add("reset")
    assert outcomes == {"ok", "reset"}
