"""s3fs and rclone, Debian's, on the S3 service: they work on it unmodified."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.emulation import KEY_ID, SECRET, Emulator
from tests.emulator.s3.client import tags_of
from tests.waiting import wait_for

_QUIET = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
_MIB = 1024 * 1024


@contextmanager
def s3fs(running: Emulator, bucket: str, directory: Path) -> Iterator[Path]:
    """Mount a bucket by s3fs in a process of its own."""
    password = directory / "password"
    password.touch(mode=0o600)
    password.write_text(f"{KEY_ID}:{SECRET}")
    mountpoint = directory / "mnt"
    mountpoint.mkdir()
    options = f"url={running.url},use_path_request_style,passwd_file={password}"
    command = ["s3fs", bucket, str(mountpoint), "-f", "-o", options]
    with subprocess.Popen(
        command, env=_QUIET, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(lambda: os.path.ismount(mountpoint) or process.poll() is not None)
            assert process.poll() is None, "s3fs ended"
            yield mountpoint
        finally:
            subprocess.run(["fusermount", "-uz", str(mountpoint)], check=False)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.terminate()


@pytest.mark.fuse
@pytest.mark.skipif(shutil.which("s3fs") is None, reason="s3fs is not installed")
def test_s3fs(aws: Emulator, s3: Any, name: str, tmp_path: Path) -> None:
    big = os.urandom(26 * _MIB)
    s3.put_object(Bucket=name, Key="made-by-sdk", Body=b"hello", Tagging="a=1")
    with s3fs(aws, name, tmp_path) as mount:
        assert (mount / "made-by-sdk").read_bytes() == b"hello"
        (mount / "dir").mkdir()
        (mount / "dir" / "a b é+%").write_text("one\n")
        with (mount / "dir" / "a b é+%").open("a") as file:
            file.write("two\n")
        (mount / "link").symlink_to("dir/a b é+%")
        assert (mount / "link").read_text() == "one\ntwo\n"
        (mount / "dir" / "a b é+%").chmod(0o640)
        (mount / "big").write_bytes(big)  # a multipart upload
        (mount / "big").rename(mount / "bigger")  # a multipart copy
        assert (mount / "bigger").stat().st_size == len(big)
        (mount / "made-by-sdk").rename(mount / "moved")
        assert sorted(os.listdir(mount)) == ["bigger", "dir", "link", "moved"]
        shutil.rmtree(mount / "dir")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=name)["Contents"]]
    assert keys == ["bigger", "link", "moved"]
    assert s3.get_object(Bucket=name, Key="bigger")["Body"].read() == big
    assert s3.get_object(Bucket=name, Key="link")["Body"].read() == "dir/a b é+%".encode()
    assert tags_of(s3, name, "moved") == {"a": "1"}


@pytest.mark.skipif(shutil.which("rclone") is None, reason="rclone is not installed")
def test_rclone(aws: Emulator, s3: Any, name: str, tmp_path: Path) -> None:
    def rclone(*words: str) -> str:
        command = ["rclone", "--config", "/dev/null", "--retries", "1", *words]
        options = {
            "provider": "Other",
            "endpoint": aws.url,
            "access-key-id": KEY_ID,
            "secret-access-key": SECRET,
            "chunk-size": "5M",
            "upload-cutoff": "6M",
        }
        command += [f"--s3-{option}={value}" for option, value in options.items()]
        done = subprocess.run(
            command, check=False, env=_QUIET, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a b é+%&").write_text("hello")
    (source / "big").write_bytes(os.urandom(11 * _MIB))
    rclone("copy", str(source), f":s3:{name}/top")
    rclone("check", "--download", str(source), f":s3:{name}/top")
    assert sorted(rclone("lsf", "-R", f":s3:{name}").splitlines()) == [
        "top/",
        "top/big",
        "top/sub/",
        "top/sub/a b é+%&",
    ]
    assert rclone("cat", f":s3:{name}/top/sub/a b é+%&") == "hello"
    rclone("moveto", f":s3:{name}/top/big", f":s3:{name}/top/moved")
    rclone("touch", f":s3:{name}/top/new")
    rclone("delete", f":s3:{name}/top/sub")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=name)["Contents"]]
    assert keys == ["top/moved", "top/new"]
    assert s3.head_object(Bucket=name, Key="top/moved")["ETag"].endswith('-3"')
    rclone("purge", f":s3:{name}")
