"""The HTTP server: request log, latency, robustness, and what survives a kill."""

import http.client
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import oss2
import pytest

from tests.emulator.emulation import Emulator, oss2_bucket
from tests.waiting import soon, wait_for

_PUT_HEAD = b"PUT /bkt/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"


def test_every_request_is_in_the_log_when_its_answer_is(emulator, name, bucket):
    before = len(emulator.requests())
    bucket.put_object("a b", b"12345")
    bucket.get_object("a b").read()
    with pytest.raises(oss2.exceptions.NotFound):
        bucket.head_object("none")
    bucket.get_object_tagging("a b")
    bucket.copy_object(name, "a b", "c")
    upload = bucket.init_multipart_upload("m").upload_id
    bucket.upload_part_copy(name, "a b", None, "m", upload, 1)
    bucket.abort_multipart_upload("m", upload)
    bucket.list_objects()
    bucket.batch_delete_objects(["a b"])
    lines = emulator.requests()[before:]
    shown = [
        (line["method"], line["key"], line["subresource"], line["status"], line["operation"])
        for line in lines
    ]
    assert shown == [
        ("PUT", "a b", None, 200, "PutObject"),
        ("GET", "a b", None, 200, "GetObject"),
        ("HEAD", "none", None, 404, "HeadObject"),
        ("GET", "a b", "tagging", 200, "GetObjectTagging"),
        ("PUT", "c", "copy", 200, "CopyObject"),
        ("POST", "m", "uploads", 200, "InitiateMultipartUpload"),
        ("PUT", "m", "partNumber", 200, "UploadPartCopy"),
        ("DELETE", "m", "uploadId", 204, "AbortMultipartUpload"),
        ("GET", None, "list", 200, "ListObjects"),
        ("POST", None, "delete", 200, "DeleteMultipleObjects"),
    ]
    assert (lines[0]["bytes_in"], lines[1]["bytes_out"]) == (5, 5)
    assert [line.get("copy") for line in lines[4:7]] == [None, None, True]
    assert all(line["bucket"] == name and line["inflight"] == 1 for line in lines)
    assert all(0 <= line["seconds"] < 5 for line in lines)
    assert abs(lines[0]["time"] - time.time()) < 60


def test_big_answers_are_in_the_log_too(emulator, bucket):
    bucket.put_object("k", bytes(2_000_000))
    bucket.get_object("k").read()
    line = emulator.requests()[-1]
    assert (line["operation"], line["bytes_out"]) == ("GetObject", 2_000_000)


def test_a_client_that_leaves_midway_through_an_answer_is_in_the_log(tmp_path):
    """Read-ahead ends its requests that way; nothing is reported on stderr, or `Emulator` fails."""
    size = 50_000_000
    with Emulator(
        tmp_path / "d", "--bucket", "bkt", "--no-verify", "--generate", f"k:1:{size}",
        log=tmp_path / "log",
    ) as running:  # fmt: skip
        connection = socket.create_connection(("127.0.0.1", running.port))
        connection.sendall(b"GET /bkt/k HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        connection.recv(1000)
        connection.close()
        wait_for(running.requests)
        (line,) = running.requests()
        assert (line["operation"], line["status"]) == ("GetObject", 200)
        assert 0 < int(str(line["bytes_out"])) < size


def test_latency_is_that_of_each_request_and_they_overlap(tmp_path):
    log = tmp_path / "log"
    with Emulator(
        tmp_path / "d", "--bucket", "bkt", "--latency", "0.5", "--no-verify", log=log
    ) as running:

        def head(_: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", running.port)
            connection.request("HEAD", "/bkt/k")
            connection.getresponse().read()
            connection.close()

        with ThreadPoolExecutor(8) as pool, soon(at_least=1.0):
            list(pool.map(head, range(16)))
        assert {line["inflight"] for line in running.requests()} == set(range(1, 9))


def test_objects_survive_a_restart(tmp_path):
    running = Emulator(tmp_path, "--bucket", "bkt")
    big = random.Random(1).randbytes(200_000)
    with running:
        bucket = oss2_bucket(running, "bkt")
        bucket.put_object("small", b"x", headers={"x-oss-tagging": "a=1", "x-oss-meta-m": "2"})
        bucket.put_object("big", big)
    with running:
        bucket = oss2_bucket(running, "bkt")
        assert bucket.get_object("small").read() == b"x"
        assert bucket.get_object("big").read() == big
        assert bucket.head_object("small").headers["x-oss-meta-m"] == "2"
        assert bucket.get_object_tagging("small").tag_set.tagging_rule == {"a": "1"}


def test_a_kill_leaves_whole_objects(tmp_path):
    """kill -9 in the middle of a large PUT: the old object stays, and nothing lies about."""
    running = Emulator(tmp_path, "--bucket", "bkt", "--no-verify")
    old = random.Random(2).randbytes(300_000)
    with running:
        oss2_bucket(running, "bkt").put_object("k", old)
        connection = socket.create_connection(("127.0.0.1", running.port))
        connection.sendall(_PUT_HEAD % 99_999_999)
        connection.sendall(bytes(5_000_000))
        incoming = tmp_path / "incoming"
        wait_for(lambda: any(path.stat().st_size > 1_000_000 for path in incoming.iterdir()))
        running.kill()
        connection.close()
    with running:
        assert oss2_bucket(running, "bkt").get_object("k").read() == old
        assert list(incoming.iterdir()) == []
        assert len(list((tmp_path / "blobs").iterdir())) == 1


def test_kills_during_many_writes(tmp_path):
    running = Emulator(tmp_path, "--bucket", "bkt")
    acknowledged: dict[str, int] = {}
    for round_ in range(3):
        with running:
            bucket = oss2_bucket(running, "bkt")
            killer = threading.Timer(0.4, running.kill)
            killer.start()
            with pytest.raises(oss2.exceptions.RequestError):
                _write_until_it_fails(bucket, round_, acknowledged)
            killer.join()
    with running:
        bucket = oss2_bucket(running, "bkt")
        for key in acknowledged:
            answer = bucket.get_object(key)
            assert len(set(answer.read())) <= 1
            assert answer.client_crc == answer.server_crc
        files = {path.name for path in (tmp_path / "blobs").iterdir()}
        big = [item for item in bucket.list_objects(max_keys=1000).object_list if item.size > 65536]
        assert len(files) == len(big)


def _write_until_it_fails(bucket: oss2.Bucket, seed: int, acknowledged: dict[str, int]) -> None:
    for number in range(10**6):
        key, size = f"k{number % 20}", (number * 7919 + seed) % 150_000
        bucket.put_object(key, bytes([number % 251]) * size)
        acknowledged[key] = size


def test_a_client_that_leaves_midway_changes_nothing(tmp_path):
    log = tmp_path / "log"
    with Emulator(tmp_path / "d", "--bucket", "bkt", "--no-verify", log=log) as running:
        for size in (10, 200_000):
            connection = socket.create_connection(("127.0.0.1", running.port))
            connection.sendall(_PUT_HEAD % 300_000 + bytes(size))
            connection.close()
        wait_for(lambda: len(running.requests()) == 2)
        assert {line["status"] for line in running.requests()} == {0}
        assert not oss2_bucket(running, "bkt").object_exists("k")
        assert list((tmp_path / "d" / "incoming").iterdir()) == []


def test_expect_continue(tmp_path):
    with Emulator(tmp_path, "--bucket", "bkt", "--no-verify") as running:
        connection = socket.create_connection(("127.0.0.1", running.port))
        connection.settimeout(5)
        head = (
            b"PUT /bkt/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.replace(b"Host: x", b"Host: 127.0.0.1"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.close()


def test_a_length_is_required(tmp_path):
    with Emulator(tmp_path, "--bucket", "bkt", "--no-verify") as running:
        connection = socket.create_connection(("127.0.0.1", running.port))
        connection.sendall(b"PUT /bkt/k HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 411")
        connection.close()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--listen", "nowhere"), "HOST:PORT"),
        (("--fault", "explode"), "unknown fault"),
        (("--generate", "x", "--bucket", "bkt"), "TEMPLATE"),
        (("--bucket", "xt"), "can be no bucket"),
        (("--bucket", "Upper"), "can be no bucket"),
        (("--bucket", "with.dots"), "can be no bucket"),
    ],
)
def test_bad_usage_is_one_line(tmp_path, options, complaint):
    command = [sys.executable, "-m", "tagfs.emulator", "--data", str(tmp_path), *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_objects_beyond_five_gigabytes(tmp_path):
    """Sparse, and copied at the price of a row."""
    with Emulator(tmp_path, "--bucket", "bkt", "--generate", "big:1:6g") as running:
        bucket = oss2_bucket(running, "bkt")
        bucket.create_bucket()
        with soon():
            bucket.copy_object("bkt", "big", "copy", headers={"x-oss-tagging-directive": "Copy"})
        assert bucket.head_object("copy").content_length == 6 << 30
        last = (6 << 30) - 10
        assert bucket.get_object("copy", byte_range=(last, None)).read() == bytes(10)
        other = oss2_bucket(running, "other-bucket")
        other.create_bucket()
        with pytest.raises(oss2.exceptions.OssError) as caught:
            other.copy_object("bkt", "big", "copy")
        assert caught.value.code == "EntityTooLarge"
        used = sum(path.stat().st_blocks for path in (tmp_path / "blobs").iterdir())
        assert used * 512 < 1_000_000


def test_a_million_keys_list_quickly(tmp_path):
    options = ("--bucket", "bkt", "--generate", "a/{:06d}:100000", "--generate", "b/{:02d}/x:50")
    with Emulator(tmp_path, *options) as running:
        bucket = oss2_bucket(running, "bkt")
        with soon():
            page = bucket.list_objects_v2(delimiter="/", max_keys=1000)
            assert page.prefix_list == ["a/", "b/"]
            page = bucket.list_objects_v2(prefix="b/", delimiter="/", max_keys=1000)
            assert len(page.prefix_list) == 50
            page = bucket.list_objects_v2(prefix="a/", start_after="a/099000", max_keys=1000)
            assert (len(page.object_list), page.is_truncated) == (999, False)


@pytest.mark.parametrize(("method", "length", "goes_on"), [("GET", 0, True), ("GET", 9, False)])
def test_a_connection_ends_where_a_body_was_announced_that_nobody_reads(
    emulator, name, bucket, method, length, goes_on
):
    bucket.put_object("k", b"12345")
    head = f"{method} /{name}/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=60) as connection:
        connection.sendall(head.encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
        assert (answer.getheader("Connection") != "close") is goes_on
