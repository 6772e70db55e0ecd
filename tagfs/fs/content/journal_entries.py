"""Notes: what the journal says of a staged file or a rename, as a value and as JSON.

Pure. A note is read back by another process after a crash, perhaps by another version of tagfs or
after it was edited, so nothing in it is trusted: whatever is not exactly of its form is a
`InvalidEntry` with the reason, and a key that can be no file is never acted on.
"""

import enum
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Final, Self, TypeVar

from tagfs.fs.content.checked_fields import CheckedFields, InvalidEntry
from tagfs.fs.mapping.paths import is_visible
from tagfs.store.objects import NewObject, Upload
from tagfs.store.tags import TagSet

VERSION: Final = 1


_Word = TypeVar("_Word", bound=enum.StrEnum)


class Phase(enum.StrEnum):
    """How far a staged file had come."""

    OPEN = "writing"
    """Neither fsync nor close had begun: nothing was promised yet."""
    COMMITTING = "closing"
    """fsync or close had begun, and perhaps failed: the content is to reach the service."""
    UNLINKED = "unlinked"
    """Its last name was removed while it was open: nothing of it is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadStart:
    """What was sent, and is what the object carries that comes of it.

    That is when a multipart upload began, or by an upload that got no answer.
    """

    metadata: dict[str, str]
    headers: dict[str, str]
    tags: dict[str, str]
    checksums: bool = False

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Return what was sent when `upload` began."""
        return cls(
            metadata=dict(upload.new.metadata),
            headers=dict(upload.new.headers),
            tags=dict(upload.tags or {}),
            checksums=upload.checksums,
        )

    @classmethod
    def by(cls, new: NewObject, most_tags: int) -> Self:
        """Return what was sent with an object; tags that it was to keep are taken for none."""
        return cls(
            metadata=dict(new.metadata),
            headers=dict(new.headers),
            tags=dict(new.all_tags(most_tags) or {}),
        )

    def sent(self) -> NewObject:
        """Return the same as what travels with an object."""
        return NewObject(metadata=self.metadata, headers=self.headers, tags=TagSet(self.tags))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """What a staged file is for.

    Attributes:
        tags, acl: what to create it with; None keeps the replaced object's.
        defaults: tags that it gets besides, but where the replaced object has the key.
        annotations_of: keys of which the first that has annotations leaves them to it.
        exclusive: O_EXCL: never to replace an object.
        base_etag: version that the unchanged ranges come from; None for a new file.
        base_size: bytes of the base that show through where nothing was written.
        size: bytes of the file.
        written: ranges `[start, end)` whose bytes are in the staged file.
        upload_id: of a multipart upload that was begun for it.
        begun: what was sent then, or by the last upload without an answer.
        part_size: bytes of its first parts.
        recorded_ns: when this was written down.
    """

    key: str
    metadata: dict[str, str]
    headers: dict[str, str]
    tags: dict[str, str] | None
    exclusive: bool
    base_etag: str | None
    base_size: int
    size: int
    written: list[tuple[int, int]] = field(default_factory=list)
    acl: dict[str, str] | None = None
    defaults: dict[str, str] = field(default_factory=dict)
    annotations_of: list[str] = field(default_factory=list)
    upload_id: str | None = None
    begun: UploadStart | None = None
    part_size: int = 8 * 1024**2
    phase: Phase = Phase.COMMITTING
    recorded_ns: int = 0


class RenamePhase(enum.StrEnum):
    """How far the rename of a directory had come."""

    COPYING = "copying"
    DELETING = "deleting"
    """Everything is under the new prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameEntry:
    """A directory rename that was under way.

    Attributes:
        source, target: the old and the new prefix, ending in "/".
        replaces: an empty directory was at the new place before.
    """

    source: str
    target: str
    phase: RenamePhase
    replaces: bool
    recorded_ns: int = 0


_FILE_FIELDS: Final = tuple(each.name for each in fields(FileEntry))
_RENAME_FIELDS: Final = tuple(each.name for each in fields(RenameEntry))
_ENCODER: Final = json.JSONEncoder(default=asdict)
"""Made once: a note is written at each close that the local disk answers."""


def render_note(entry: FileEntry | RenameEntry) -> str:
    """Write a note."""
    kind = "rename" if isinstance(entry, RenameEntry) else "file"
    names = _RENAME_FIELDS if isinstance(entry, RenameEntry) else _FILE_FIELDS
    values = {name: getattr(entry, name) for name in names}
    return _ENCODER.encode({"version": VERSION, "kind": kind, **values})


def parse_note(text: str) -> FileEntry | RenameEntry:
    """Read a note.

    Raises:
        InvalidEntry
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidEntry("it is not JSON, or was cut off") from None
    fields = CheckedFields.of(value, "the note")
    if fields.number("version") != VERSION:
        raise InvalidEntry("another version of tagfs wrote it")
    kind = fields.text("kind")
    if kind == "rename":
        return _parse_rename(fields)
    if kind != "file":
        raise InvalidEntry(f"kind {kind[:40]!r} is unknown")
    return _parse_file(fields)


def _parse_file(fields: CheckedFields) -> FileEntry:
    size = fields.number("size")
    entry = FileEntry(
        key=_file_key(fields.text("key")),
        metadata=fields.texts("metadata"),
        headers=fields.texts("headers"),
        tags=fields.texts("tags") if fields.has("tags") else None,
        acl=fields.texts("acl") if fields.has("acl") else None,
        defaults=fields.texts("defaults") if fields.has("defaults") else {},  # older notes
        annotations_of=_keys(fields) if fields.has("annotations_of") else [],  # older notes
        exclusive=fields.flag("exclusive"),
        base_etag=fields.token("base_etag"),
        base_size=fields.number("base_size"),
        size=size,
        written=_ranges(fields.values.get("written"), size),
        upload_id=fields.token("upload_id"),
        begun=_begun(fields),
        part_size=fields.number("part_size"),
        phase=_member(Phase, fields.text("phase")),
        recorded_ns=fields.number("recorded_ns"),
    )
    if entry.base_size > size:
        raise InvalidEntry(f"base_size {entry.base_size} is more than size {size}")
    if entry.base_size and entry.base_etag is None:
        raise InvalidEntry("it has a base_size and no base_etag")
    if size and entry.key.endswith("/"):
        raise InvalidEntry("a directory has no content")
    if not entry.part_size:
        raise InvalidEntry("part_size is 0")
    fields.check_known(set(asdict(entry)))
    return entry


def _parse_rename(fields: CheckedFields) -> RenameEntry:
    entry = RenameEntry(
        source=_prefix(fields.text("source")),
        target=_prefix(fields.text("target")),
        phase=_member(RenamePhase, fields.text("phase")),
        replaces=fields.flag("replaces"),
        recorded_ns=fields.number("recorded_ns"),
    )
    if entry.source.startswith(entry.target) or entry.target.startswith(entry.source):
        raise InvalidEntry("one directory of the rename is in the other")
    fields.check_known(set(asdict(entry)))
    return entry


def _begun(fields: CheckedFields) -> UploadStart | None:
    if not fields.has("begun"):
        return None
    inner = CheckedFields.of(fields.values["begun"], "begun")
    inner.check_known({"metadata", "headers", "tags", "checksums"})
    return UploadStart(
        metadata=inner.texts("metadata"),
        headers=inner.texts("headers"),
        tags=inner.texts("tags"),
        checksums=inner.has("checksums") and inner.flag("checksums"),  # older notes have none
    )


def _member(kind: type[_Word], text: str) -> _Word:
    try:
        return kind(text)
    except ValueError:
        raise InvalidEntry(f"phase {text[:40]!r} is unknown") from None


def _ranges(value: object, size: int) -> list[tuple[int, int]]:
    if not isinstance(value, list):
        raise InvalidEntry("written is not a list of ranges")
    ranges: list[tuple[int, int]] = []
    at = 0
    for pair in value:
        if not isinstance(pair, list) or [type(n) for n in pair] != [int, int]:
            raise InvalidEntry("written is not a list of ranges")
        start, end = pair
        if not at <= start < end <= size:
            raise InvalidEntry(f"range {start}-{end} is out of order, or beyond {size} bytes")
        ranges.append((start, end))
        at = end
    return ranges


def _file_key(key: str) -> str:
    if not all(is_visible(part) for part in key.removesuffix("/").split("/")):  # or a marker
        raise InvalidEntry(f"key {key[:200]!r} can be no file")
    return _encodable(key)


def _keys(fields: CheckedFields) -> list[str]:
    keys = fields.values.get("annotations_of")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise InvalidEntry("annotations_of is not a list of keys")
    return [_file_key(key) for key in keys]


def _prefix(prefix: str) -> str:
    if not prefix.endswith("/") or not all(is_visible(p) for p in prefix[:-1].split("/")):
        raise InvalidEntry(f"{prefix[:200]!r} can be no directory")
    return _encodable(prefix)


def _encodable(key: str) -> str:
    try:
        key.encode()
    except UnicodeEncodeError:
        raise InvalidEntry(f"key {key[:200]!r} is not UTF-8") from None
    return key
