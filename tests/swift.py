"""OpenStack Swift with its S3 interface on loopback: a real store that has no tags.

Four servers with one replica, and memcached for the tokens of the gateway.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.emulated import CannotRun, Emulator, wait_for_port
from tests.foreign_servers import PROGRAMS, program, with_buckets
from tests.judges import KEY_ID, SECRET
from tests.ports import free_port

STORAGE = ("account", "container", "object")

COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {directory}
devices = {directory}/devices
user = {user}
mount_check = false
workers = 0
"""

STORE = """\
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

PROXY = """\
[pipeline:main]
pipeline = catch_errors cache s3api alias tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
[filter:alias]
paste.filter_factory = alias:factory
[filter:tempauth]
use = egg:swift#tempauth
user_{key_id}_user = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""

ALIAS = """\
def factory(config, **settings):
    def wrap(app):
        def named(environment, start_response):
            details = environment.get("s3api.auth_details")
            if details and ":" not in details["access_key"]:
                key = details["access_key"]
                details["access_key"] = f"{key}:user"
                environment["PATH_INFO"] = environment["PATH_INFO"].replace(key, f"{key}:user", 1)
            return app(environment, start_response)
        return named
    return wrap
"""
"""A middleware: Swift's access keys are ACCOUNT:USER, those of the tests have no colon."""

RINGS = """\
import sys
from swift.common.ring import RingBuilder
for kind, port in zip(sys.argv[2::2], sys.argv[3::2]):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "weight": 1.0,
                     "device": "disk", "replication_ip": "127.0.0.1",
                     "replication_port": int(port), "meta": ""})
    builder.rebalance()
    builder.get_ring().save(f"{sys.argv[1]}/{kind}.ring.gz")
"""


@contextlib.contextmanager
def swift(directory: Path, buckets: int = 30) -> Iterator[Emulator]:
    """Run it with its state in `directory`, whose file system must have extended attributes.

    Raises:
        CannotRun: if it or memcached is not installed.
    """
    program("swift-proxy-server")
    memcached = shutil.which("memcached")
    if memcached is None:
        raise CannotRun("memcached is not installed")
    ports = {kind: free_port() for kind in STORAGE}
    proxy, cache = free_port(), free_port()
    _configure(directory, ports, proxy, cache)
    commands = [
        [memcached, "-l", "127.0.0.1", "-p", str(cache), "-U", "0", "-u", "root"],
        *([program(f"swift-{kind}-server"), f"{kind}-server.conf", "-v"] for kind in STORAGE),
        [program("swift-proxy-server"), "proxy-server.conf", "-v"],
    ]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_process(directory, words)) for words in commands]
        for port, process in zip((cache, *ports.values(), proxy), processes, strict=True):
            wait_for_port(port, process)
        yield with_buckets(f"http://127.0.0.1:{proxy}", buckets, directory)


def _configure(directory: Path, ports: dict[str, int], proxy: int, cache: int) -> None:
    (directory / "devices/disk").mkdir(parents=True)
    (directory / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
    (directory / "alias.py").write_text(ALIAS)
    choices = {"directory": directory, "user": os.environ.get("USER", "root")}
    for kind, port in ports.items():
        text = COMMON.format(port=port, **choices) + STORE.format(kind=kind)
        (directory / f"{kind}-server.conf").write_text(text)
    text = COMMON.format(port=proxy, **choices)
    text += PROXY.format(memcached=cache, key_id=KEY_ID, secret=SECRET)
    (directory / "proxy-server.conf").write_text(text)
    words = [word for kind, port in ports.items() for word in (kind, str(port))]
    subprocess.run([PROGRAMS / "python", "-c", RINGS, directory, *words], check=True)


@contextlib.contextmanager
def _process(directory: Path, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        (directory / "log").open("ab") as log,
        subprocess.Popen(
            command,
            cwd=directory,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(directory)},
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
