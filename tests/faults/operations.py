"""Every operation of the Bucket contract, as a case for the matrix of faults."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tagfs.errors import Unsupported
from tagfs.store.client.client import Client
from tagfs.store.client.trial_names import TRIAL
from tagfs.store.objects import (
    BytesSource,
    Content,
    Keep,
    NewObject,
    ObjectInfo,
    ObjectType,
    Page,
    Part,
    Upload,
)
from tagfs.store.tags import NO_TAGS, TagSet

BLUE = TagSet({"team": "blue"})
RED = TagSet({"team": "red", "odd": "a+b c"})
PART = bytes(range(256)) * 400
"""100 KiB: the smallest part of the emulators."""

META = {"mode": "33188"}

Act = Callable[[Client, str, Any], Any]


@dataclass(frozen=True)
class Operation:
    """One call, made once on the ground that `prepare` lays.

    Attributes:
        prepare: gets an undisturbed client and a prefix of its own; its result goes to `act`.
        act: the call itself.
        changes: kinds of requests which change what can be seen (see `Asked.kind`); a regular
            expression.
        needs: a capability of the bucket, or "".
        begins: whether an upload is meant to stay behind.
        tolerates: kinds of requests that may fail without harm; a regular expression.
        probes: kinds of requests that only find out whether tags are what they seem to be: it may
            be refused, which is an answer, and the operation goes on; a regular expression.
        errors: what it may fail with besides.
        unverified: whether what is read is covered by no checksum.
        head_names_error: whether the answer to HEAD names the error.
        settings: fields of the dialect that are other than usual.
    """

    name: str
    prepare: Callable[[Client, str], Any]
    act: Act
    changes: str = "never"
    needs: str = ""
    begins: bool = False
    tolerates: str = "never"
    probes: str = "never"
    errors: frozenset[str] = frozenset()
    unverified: bool = False
    head_names_error: bool = True
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def put(client: Client, key: str, data: bytes = b"old", tags: TagSet = BLUE) -> ObjectInfo:
    return client.put(key, BytesSource(data), NewObject(metadata=META, tags=tags))


def nothing(_client: Client, _prefix: str) -> None:
    """Lay no ground."""


def one(client: Client, prefix: str) -> ObjectInfo:
    put(client, prefix + "f")
    return client.head(prefix + "f")


def two(client: Client, prefix: str) -> ObjectInfo:
    put(client, prefix + "g", b"other", RED)
    return one(client, prefix)


def untagged_over_tagged(client: Client, prefix: str) -> ObjectInfo:
    put(client, prefix + "g", b"other", RED)
    put(client, prefix + "f", tags=NO_TAGS)
    return client.head(prefix + "f")


def many(client: Client, prefix: str) -> list[str]:
    keys = [f"{prefix}d/{name}" for name in "abcde"]
    for key in keys:
        put(client, key)
    return keys


def many_meant(client: Client, prefix: str) -> dict[str, ObjectInfo]:
    return {key: client.head(key) for key in many(client, prefix)[:3]}


def log(client: Client, prefix: str) -> ObjectInfo:
    client.start_append(prefix + "f", BytesSource(b"one"), NewObject(tags=BLUE))
    return client.head(prefix + "f")


def link(client: Client, prefix: str) -> ObjectInfo:
    client.put_symlink(prefix + "f", prefix + "there", NewObject(tags=BLUE))
    return client.head(prefix + "f", expected=ObjectType.SYMLINK)


def large(client: Client, prefix: str) -> ObjectInfo:
    put(client, prefix + "f", PART * 2 + b"end")
    return client.head(prefix + "f")


def uploading(client: Client, prefix: str, **new: Any) -> tuple[Upload, list[Part]]:
    begun = client.start_upload(prefix + "f", NewObject(metadata=META, **{"tags": RED, **new}))
    return begun, [client.upload_part(begun, n, BytesSource(d)) for n, d in ((1, PART), (2, b"z"))]


def replacing(client: Client, prefix: str) -> tuple[Upload, list[Part]]:
    put(client, prefix + "f")
    return uploading(client, prefix, tags=Keep.REPLACED)


def begun_on(ground: Callable[[Client, str], Any]) -> Callable[[Client, str], Any]:
    def prepare(client: Client, prefix: str) -> tuple[Upload, ObjectInfo]:
        info = ground(client, prefix)
        return client.start_upload(prefix + "new", NewObject(tags=RED)), info

    return prepare


def with_bucket_tags(client: Client, _prefix: str) -> None:
    client.update_bucket_tags(lambda _: TagSet({"owner": "me", "cost": "7"}))


def source(data: bytes = b"new") -> BytesSource:
    return BytesSource(data)


def keeping(**more: Any) -> NewObject:
    return NewObject(metadata={"mode": "33216"}, **more)


def upload_whole(client: Client, prefix: str, _: Any) -> ObjectInfo:
    """What the file system does with a large file: throw the upload away if it fails."""
    begun = client.start_upload(prefix + "f", keeping())
    try:
        parts = [client.upload_part(begun, 1, source(PART)), client.upload_part(begun, 2, source())]
        return client.complete_upload(begun, parts)
    except Exception:
        client.abort_upload(begun)
        raise


PUT = "PUT"
COPY = "PUT copy"
PROBES = "GET( tagging)?"
KNOWN_TO_BE_DONE = frozenset({""})
"""No failure, though no answer ever comes: a look between two attempts shows that it is done."""

LINKS: Any = {
    "tolerates": "DELETE|(PUT|GET) symlink",
    "probes": PROBES,
    "errors": frozenset({"FeatureMissing"}),
}
"""OBS is asked first, by a link on trial, whether the bucket has links at all."""

OPERATIONS = [
    # Looking
    Operation("list", many, lambda c, p, _: c.list(p + "d/")),
    Operation("list, a page", many, lambda c, p, _: c.list(p + "d/", limit=2)),
    Operation("scan", many, lambda c, p, _: list(c.scan(p))),
    Operation("lookup", one, lambda c, p, _: c.lookup(p + "f")),
    Operation("lookup, nothing", nothing, lambda c, p, _: c.lookup(p + "f")),
    Operation("head", one, lambda c, p, _: c.head(p + "f")),
    Operation(
        "head of a link",
        link,
        lambda c, p, _: c.head(p + "f", expected=ObjectType.SYMLINK),
        needs="symlinks",
    ),
    Operation("get", one, lambda c, p, _: c.get(p + "f")),
    Operation(
        "get, a range",
        one,
        lambda c, p, i: c.get(p + "f", 1, 1, if_match=i.etag),
        unverified=True,
    ),
    Operation("get_tags", one, lambda c, p, _: c.get_tags(p + "f")),
    Operation("get_bucket_tags", with_bucket_tags, lambda c, _p, _: c.get_bucket_tags()),
    Operation("list_parts", uploading, lambda c, _p, u: len(c.list_parts(u[0])), begins=True),
    # Writing
    Operation("put, new", nothing, lambda c, p, _: put(c, p + "f"), PUT, probes=PROBES),
    Operation("put, replacing", one, lambda c, p, _: c.put(p + "f", source(), keeping()), PUT),
    Operation(
        "put, exclusive",
        nothing,
        lambda c, p, _: c.put(p + "f", source(), keeping(tags=RED, exclusive=True)),
        PUT,
        probes=PROBES,
    ),
    Operation("put, empty", nothing, lambda c, p, _: put(c, p + "f", b""), PUT, probes=PROBES),
    Operation(
        "start_append",
        nothing,
        lambda c, p, _: c.start_append(p + "f", source(), keeping(tags=RED)),
        "POST append",
        "append",
        tolerates="HEAD",
    ),
    Operation("append", log, lambda c, _p, i: c.append(i, source(b"two")), "POST append", "append"),
    Operation(
        "start_upload", one, lambda c, p, _: bool(c.start_upload(p + "f", keeping())), begins=True
    ),
    Operation(
        "upload_part",
        begun_on(one),
        lambda c, _p, u: c.upload_part(u[0], 1, source()).size,
        begins=True,
    ),
    Operation(
        "copy_part",
        begun_on(one),
        lambda c, _p, u: c.copy_part(u[0], 1, u[1], 1, 2).size,
        begins=True,
    ),
    Operation(
        "complete_upload",
        uploading,
        lambda c, _p, u: c.complete_upload(*u),
        "POST uploadId",
        begins=True,
        errors=KNOWN_TO_BE_DONE,
    ),
    Operation(
        "complete_upload, replacing",
        replacing,
        lambda c, _p, u: c.complete_upload(*u),
        "POST uploadId",
        begins=True,
        errors=KNOWN_TO_BE_DONE,
        tolerates="GET tagging",
    ),
    Operation(
        "complete_upload, exclusive",
        lambda c, p: uploading(c, p, exclusive=True),
        lambda c, _p, u: c.complete_upload(*u),
        "POST uploadId",
        begins=True,
        errors=KNOWN_TO_BE_DONE,
    ),
    Operation("upload", one, upload_whole, "POST uploadId", errors=KNOWN_TO_BE_DONE),
    Operation("abort_upload", uploading, lambda c, _p, u: c.abort_upload(u[0]), begins=True),
    Operation("copy", one, lambda c, p, i: c.copy(i, p + "g"), COPY),
    Operation("copy, replacing", two, lambda c, p, i: c.copy(i, p + "g"), COPY),
    Operation(
        "copy, keeping the replaced one's tags",
        untagged_over_tagged,
        lambda c, p, i: c.copy(i, p + "g", tags=Keep.SOURCE_OR_REPLACED),
        COPY,
    ),
    Operation("copy, other tags", one, lambda c, p, i: c.copy(i, p + "g", tags=RED), COPY),
    Operation("copy, exclusive", one, lambda c, p, i: c.copy(i, p + "g", exclusive=True), COPY),
    Operation(
        "copy of a link",
        link,
        lambda c, p, i: c.copy(i, p + "g"),
        "PUT (copy|symlink)",
        needs="symlinks",
        tolerates="GET symlink",
    ),
    Operation(
        "copy in parts",
        large,
        lambda c, p, i: c.copy(i, p + "g"),
        "POST uploadId",
        errors=KNOWN_TO_BE_DONE,
        settings={"single_copy": len(PART), "copy_part": len(PART)},
    ),
    Operation(
        "set_metadata",
        one,
        lambda c, _p, i: c.set_metadata(i, {"mode": "33216"}, {}),
        "PUT (copy|metadata)",
    ),
    Operation(
        "put_symlink",
        nothing,
        lambda c, p, _: c.put_symlink(p + "f", p + "there", NewObject(tags=RED)),
        "PUT symlink",
        "symlinks",
        **LINKS,
    ),
    Operation(
        "put_symlink, exclusive",
        nothing,
        lambda c, p, _: c.put_symlink(p + "f", p + "to", NewObject(tags=RED, exclusive=True)),
        "PUT symlink",
        "symlinks",
        **LINKS,
    ),
    Operation("delete", one, lambda c, p, _: c.delete(p + "f"), "DELETE"),
    Operation(
        "delete, one that is meant",
        one,
        lambda c, p, i: c.delete(p + "f", meant=i),
        "DELETE",
        errors=KNOWN_TO_BE_DONE,
    ),
    Operation(
        "delete_many, those that are meant",
        many_meant,
        lambda c, _p, infos: c.delete_many(list(infos), meant=infos),
        "POST delete",
        errors=KNOWN_TO_BE_DONE,
    ),
    Operation("delete_many", many, lambda c, _p, keys: c.delete_many(keys[:3]), "POST delete"),
    # Tags
    Operation(
        "put_tags",
        one,
        lambda c, p, _: c.put_tags(p + "f", RED),
        "PUT tagging",
        probes=PROBES,
    ),
    Operation(
        "put_tags, none",
        one,
        lambda c, p, _: c.put_tags(p + "f", NO_TAGS),
        "DELETE tagging",
        probes=PROBES,
    ),
    Operation(
        "update_tags",
        one,
        lambda c, p, _: c.update_tags(p + "f", lambda t: t.with_tag("more", "1")),
        "PUT tagging",
    ),
    Operation(
        "update_tags to none",
        one,
        lambda c, p, _: c.update_tags(p + "f", lambda _: NO_TAGS),
        "DELETE tagging",
    ),
    Operation(
        "update_bucket_tags",
        with_bucket_tags,
        lambda c, _p, _: c.update_bucket_tags(lambda t: t.with_tag("more", "1")),
        "PUT tagging",
    ),
]


def is_possible(client: Client, operation: Operation) -> bool:
    return not operation.needs or getattr(client.capabilities, operation.needs)


def plain(result: Any, prefix: str) -> Any:  # noqa: PLR0911  one for each type
    """Return what matters of a result, whichever cell it comes from."""
    if isinstance(result, Page):
        return (
            [plain(i, prefix) for i in result.objects],
            [p.removeprefix(prefix) for p in result.prefixes],
            result.token is None,
        )
    if isinstance(result, Content):
        return result.start, result.data, result.info.size
    if isinstance(result, ObjectInfo):
        return result.key.removeprefix(prefix), result.size, result.type
    if isinstance(result, list):
        return [plain(one, prefix) for one in result]
    if isinstance(result, (dict, TagSet)):
        return dict(result)
    if dataclasses.is_dataclass(result):
        names = [field.name for field in dataclasses.fields(result)]
        return [plain(getattr(result, name), prefix) for name in names]
    return result


def snapshot(client: Client, prefix: str, *, with_bucket: bool) -> dict[str, Any]:
    """Return all that can be seen below a prefix: content, tags, metadata, targets."""
    seen: dict[str, Any] = {}
    for info in client.list(prefix, delimiter="").objects:
        if info.key.rpartition("/")[2].startswith(TRIAL):
            continue
        found = client.head(info.key)
        detail = found.detail
        assert detail is not None
        is_link = found.type is ObjectType.SYMLINK
        data = b"" if is_link else client.get(info.key).data
        try:
            tags = dict(client.get_tags(info.key))
        except Unsupported:
            tags = {}
        target = (detail.target or "").removeprefix(prefix)
        seen[info.key.removeprefix(prefix)] = data, tags, dict(detail.metadata), target
    if with_bucket:
        seen["bucket"] = dict(client.get_bucket_tags())
    return seen
