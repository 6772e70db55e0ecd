"""A bucket of an emulated OSS with our client, the vendor's SDK, its request log and its faults."""

import json
import urllib.request
from dataclasses import replace

import oss2

from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.http.messages import Attempt
from tests.emulated import PAIR, Emulator
from tests.waiting import SOON, wait_for


def proven(client: Client) -> Client:
    """Return a client that knows as much of tags as one that a mount has probed."""
    client.features.note_heeded(proves_tags=True)
    return client


class Service:
    """One empty bucket, seen from all sides."""

    def __init__(self, emulator: Emulator, **settings) -> None:
        self.emulator = emulator
        self.name = emulator.take()
        self.attempts: list[Attempt] = []
        self.client = self.open(**settings)
        self.sdk = oss2.Bucket(oss2.Auth("emulator", "emulator-secret"), emulator.url, self.name)
        self._seen = 0

    def open(self, **settings):
        """Return another client of the same bucket."""
        chosen = BucketSettings(
            service=self.emulator.service,
            bucket=self.name,
            endpoint=self.emulator.url,
            timeout=5.0,
            observer=self.attempts.append,
        )
        return proven(open_bucket(replace(chosen, **settings), PAIR))

    def faults(self, *specifications: str) -> None:
        """Let these faults take the place of all others."""
        scoped = [f"{text}:bucket={self.name}" for text in specifications]
        request = urllib.request.Request(
            f"{self.emulator.url}/-/faults", json.dumps(scoped).encode(), method="POST"
        )
        urllib.request.urlopen(request).close()

    def struck(self) -> int:
        """Return how many requests the faults have struck."""
        with urllib.request.urlopen(f"{self.emulator.url}/-/faults") as answer:
            return sum(fault["hits"] for fault in json.load(answer))

    def asked(self) -> list[str]:
        """Return the operations that reached the service since the last time, by our client."""
        wait_for(lambda: len(self._lines()) >= self._seen + len(self.attempts), SOON)
        new = self._lines()[self._seen :]
        self._seen += len(self.attempts)
        self.attempts.clear()
        return [line["operation"].removesuffix("V2") for line in new]

    def skip(self) -> None:
        """Leave out what was asked until now, by anybody: it is written before it is answered."""
        self._seen = len(self._lines())
        self.attempts.clear()

    def tags(self, key: str) -> dict[str, str]:
        """Return an object's tags as the SDK reads them."""
        return dict(self.sdk.get_object_tagging(key).tag_set.tagging_rule)

    def _lines(self) -> list[dict[str, str]]:
        text = self.emulator.log.read_text() if self.emulator.log.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        return [line for line in lines if line["bucket"] == self.name]
