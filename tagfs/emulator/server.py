"""Starts an emulator: opens the store, listens, says so, and stops at SIGTERM or SIGINT."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable

from aiohttp import web

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine.addressing import is_bucket_name
from tagfs.emulator.faults import FaultBoard
from tagfs.emulator.http_server import HttpServer
from tagfs.emulator.messages import Service
from tagfs.emulator.obs.service import ObsService
from tagfs.emulator.oss.service import OssService
from tagfs.emulator.request_log import RequestLog
from tagfs.emulator.s3.service import S3Service
from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.storage.generate import generate

__all__ = ["EmulatorConfig", "run"]

_GRACE = 2.0
_HEADER_LIMIT = 64 * 1024  # 8 KB of user metadata in one header is legal
_BACKLOG = 512


def run(config: EmulatorConfig) -> None:
    """Serve until SIGTERM or SIGINT; one line on stdout says where, once it answers.

    Raises:
        ValueError: the configuration makes no sense.
        OSError: the address or the data directory cannot be used.
    """
    asyncio.run(_serve(config))


def _service(config: EmulatorConfig, storage: Storage) -> Service:
    kinds: dict[str, Callable[[Storage, EmulatorConfig], Service]] = {
        "oss": OssService,
        "obs": ObsService,
        "s3": S3Service,
    }
    if config.service not in kinds:
        raise ValueError(f"unknown service {config.service!r}; known: {', '.join(kinds)}")
    return kinds[config.service](storage, config)


async def _serve(config: EmulatorConfig) -> None:
    host, port = config.address()
    faults = FaultBoard(config.faults)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    storage = Storage(config.data)
    log = RequestLog(config.request_log)
    try:
        _fill(storage, config)
        http = HttpServer(_service(config, storage), log=log, faults=faults, latency=config.latency)
        await _listen(http, host, port, stop)
    finally:
        log.close()
        storage.close()


def _fill(storage: Storage, config: EmulatorConfig) -> None:
    now_ms = int(time.time() * 1000)
    for name in config.buckets:
        if not is_bucket_name(name, dots=config.service != "oss"):
            raise ValueError(
                f"{name!r} can be no bucket: 3 to 63 lower-case letters, digits and '-'"
            )
    storage.ensure_buckets(config.buckets, now_ms)
    for specification in config.generate:
        if not config.buckets:
            raise ValueError("generating objects needs a bucket to put them into")
        lower_case = config.service != "oss"
        generate(storage, config.buckets[0], specification, now_ms, lower_case=lower_case)


async def _listen(http: HttpServer, host: str, port: int, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    factory = web.Server(
        http.handle,
        access_log=None,
        auto_decompress=False,
        max_line_size=_HEADER_LIMIT,
        max_field_size=_HEADER_LIMIT,
    )
    server = await loop.create_server(factory, host, port, backlog=_BACKLOG)
    try:
        bound = server.sockets[0].getsockname()
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        sys.stdout.write(f"listening on http://{shown}:{bound[1]}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        server.close()
        factory.pre_shutdown()
        await factory.shutdown(_GRACE)
