"""G4, G5, G12 on each service: what its vendor's SDK sees, after anything that programs do."""

import logging
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.posix_metadata import RESERVED
from tagfs.fs.mapping.xattr_metadata import XATTR_METADATA, parse_xattrs, with_xattrs
from tagfs.store.cache.cached_bucket import CachedBucket
from tests.emulated import Emulator, emulator
from tests.examples import STEADY, examples
from tests.fakes.trees import environment_of
from tests.filesystem.property_machine import PUBLIC, Ground, Kept, PropertyMachine
from tests.judges import Judge, S3Judge, judge_of
from tests.properties import ACL, EVERYONE, PREFIX, Properties

KINDS = ("oss", "obs", "s3")
ARCHIVES = {"oss": "IA", "obs": "WARM", "s3": "STANDARD_IA"}
UNCHOSEN = {"application/octet-stream", "binary/octet-stream", ""}
SHOWN = ("content-type", "cache-control")
PUBLIC_ACLS = (PUBLIC, [(EVERYONE, "READ")], [("Everyone", "READ")])


@dataclass
class Judged:
    kind: str
    judge: Judge
    bucket: str


class OnService:
    """A `Ground` on a service; the SDK is the other client."""

    def __init__(self, running: Emulator) -> None:
        logging.disable(logging.CRITICAL)
        self.archive = ARCHIVES[running.service]
        self.annotations = running.service == "s3"
        self._kind = running.service
        self._directory = tempfile.TemporaryDirectory()
        self._pool = ThreadPoolExecutor(4)
        chosen = {"annotations": "on"} if self.annotations else {}
        self._client = running.open(acl="keep", **chosen)
        self._judge: Judge = judge_of(running.service, running.url, self._client.name)
        self._sdk = Properties(Judged(running.service, self._judge, self._client.name))
        cached = CachedBucket(self._client, ttl=60, tag_ttl=60)
        env = environment_of(cached, Path(self._directory.name), self._pool)
        self.fs = FileSystem(env, dict)

    def put(self, key: str, kept: Kept) -> None:
        prefix = PREFIX[self._kind]
        stored = with_xattrs({"mode": str(stat.S_IFREG | kept.mode), **kept.metadata}, kept.xattrs)
        coded = quote if self._kind == "obs" else str  # as its SDK does
        headers = {f"{prefix}meta-{name}": coded(text) for name, text in stored.items()}
        for name, text in kept.headers.items():
            headers[prefix + name if name == "storage-class" else name] = text
        headers |= {ACL[self._kind]: kept.acl} if kept.acl else {}
        self._sdk.put(key, kept.data, headers)
        self.tag(key, kept.tags)
        if self.annotations:
            self._annotate(key, kept.notes)

    def tag(self, key: str, tags: dict[str, str]) -> None:
        if tags:
            self._judge.set_tags(key, tags)
        else:
            self._judge.delete_tags(key)
        self._refresh()

    def delete(self, key: str) -> None:
        self._judge.delete(key)
        self._refresh()

    def _refresh(self) -> None:
        """Let the file system ask anew: it need not see within a second what others did."""
        self.fs.setxattr("/", "user.tagfs.refresh", b"", 0)

    def _annotate(self, key: str, notes: dict[str, bytes]) -> None:
        for name, data in notes.items():
            self._s3("put_object_annotation", key, AnnotationName=name, AnnotationPayload=data)
        self._refresh()

    def _s3(self, operation: str, key: str, **more: Any) -> Any:
        assert isinstance(self._judge, S3Judge)
        call = getattr(self._judge._client, operation)
        return call(Bucket=self._client.name, Key=key, **more)

    def stored(self) -> dict[str, Kept]:
        keys = [key for key in self._judge.keys("") if not key.endswith("/")]
        return dict(zip(keys, self._pool.map(self._stored, keys), strict=True))

    def _stored(self, key: str) -> Kept:
        seen, acl = self._sdk.seen(key), self._sdk.acl(key)
        meta = f"{PREFIX[self._kind]}meta-"
        decoded = unquote if self._kind == "obs" else str
        metadata = {n.removeprefix(meta): decoded(t) for n, t in seen.items() if n.startswith(meta)}
        headers = {name: seen[name] for name in SHOWN if seen.get(name, "") not in UNCHOSEN}
        if seen.get(f"{PREFIX[self._kind]}storage-class") == self.archive:
            headers["storage-class"] = self.archive
        return Kept(
            self._judge.get(key),
            self._judge.tags(key),
            {name: text for name, text in metadata.items() if name not in RESERVED},
            parse_xattrs({XATTR_METADATA: metadata.get(XATTR_METADATA, "")}),
            headers,
            stat.S_IMODE(int(metadata["mode"])),
            PUBLIC if acl in PUBLIC_ACLS else "" if acl in ("default", []) else str(acl),
            self._notes(key) if self.annotations else {},
        )

    def _notes(self, key: str) -> dict[str, bytes]:
        listed = self._s3("list_object_annotations", key).get("Annotations", [])
        return {
            name: self._s3("get_object_annotation", key, AnnotationName=name)[
                "AnnotationPayload"
            ].read()
            for name in (each["AnnotationName"] for each in listed)
        }

    def close(self) -> None:
        self.fs.close()
        self._client.close()
        self._pool.shutdown()
        logging.disable(logging.NOTSET)
        self._directory.cleanup()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    most = 20 + 4 * examples(2)  # each example has a bucket, and one that fails has many
    with ExitStack() as stack:
        yield {
            kind: stack.enter_context(emulator(tmp_path_factory.mktemp(kind), most, service=kind))
            for kind in KINDS
        }


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_sdk_sees(services: dict[str, Emulator], kind: str) -> None:
    class Machine(PropertyMachine):
        def ground(self) -> Ground:
            return OnService(services[kind])

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples(2),
            stateful_step_count=15,
            deadline=None,
            database=None,
            derandomize=STEADY,
        ),
    )
