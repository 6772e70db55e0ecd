"""The speed of light of a run: what plain HTTP loops reach on the same service."""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import requests

from tests.bench.service import Fill, s3_client, serving

BUCKET = "light"
MIB = 2**20
COUNT, LARGE = 200, 128 * MIB


def measure(work: Path, latency: float) -> dict[str, float]:
    """Return what loops of `requests` (one by one) and aiohttp (32 at once) reach on S3."""
    fills = (Fill(f"f{{:05d}}:{COUNT}:1000"), Fill(f"large:1:{LARGE}"))
    with serving(work, "s3", latency, {BUCKET: fills}) as service:
        client = s3_client(service.url)
        urls = [_url(client, "get_object", f"f{number:05d}") for number in range(COUNT)]
        one_by_one = _sequential(urls)
        busy = service.cpu_seconds()
        at_once = asyncio.run(_parallel(urls * 4, 32))
        share = (service.cpu_seconds() - busy) / at_once
        return {
            "milliseconds per GET, requests, one by one": 1000 * one_by_one / COUNT,
            "GET/s, aiohttp, 32 at once": 4 * COUNT / at_once,
            "MiB/s, GET of one large object": LARGE / MIB / _download(client),
            "MiB/s, PUT of one large object": LARGE / MIB / _upload(client),
            "service's share of a core with 32 at once": share,
        }


def _url(client: Any, call: str, key: str) -> str:
    return str(client.generate_presigned_url(call, Params={"Bucket": BUCKET, "Key": key}))


def _sequential(urls: list[str]) -> float:
    with requests.Session() as session:
        session.trust_env = False
        began = time.monotonic()
        for url in urls:
            answer = session.get(url, timeout=30)
            assert answer.status_code == 200, answer.text
        return time.monotonic() - began


async def _parallel(urls: list[str], width: int) -> float:
    waiting = iter(urls)

    async def work(session: aiohttp.ClientSession) -> None:
        for url in waiting:
            async with session.get(url) as answer:
                assert answer.status == 200
                await answer.read()

    connector = aiohttp.TCPConnector(limit=width)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.monotonic()
        await asyncio.gather(*(work(session) for _ in range(width)))
        return time.monotonic() - began


def _download(client: Any) -> float:
    buffer = memoryview(bytearray(MIB))
    began = time.monotonic()
    with requests.get(_url(client, "get_object", "large"), stream=True, timeout=60) as answer:
        size = 0
        while count := answer.raw.readinto(buffer):
            size += count
    assert size == LARGE
    return time.monotonic() - began


def _upload(client: Any) -> float:
    body = bytes(LARGE)
    began = time.monotonic()
    answer = requests.put(_url(client, "put_object", "up"), data=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return time.monotonic() - began
