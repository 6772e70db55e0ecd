"""What `import tagfs` offers: tags and facts of a bucket's objects, for programs in Python.

Keys are whole keys of the bucket ("reports/2026/q1.md"; a directory's marker ends in "/"). Failures
are the exceptions of `tagfs.errors`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from tagfs.catalogue.expression import parse_expression
from tagfs.config.bucket_settings import bucket_settings
from tagfs.config.resolve import choose
from tagfs.config.settings import parse_url
from tagfs.store import bucket as store
from tagfs.store.client.client import open_bucket
from tagfs.store.objects import Detail, ObjectInfo
from tagfs.store.tags import TagSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFacts:
    """What the service says of one object.

    Attributes:
        size: bytes.
        type: Normal, Multipart, Appendable or Symlink.
        headers: Content-Type and the other headers that are kept with it, names in lower case.
        metadata: user metadata, names in lower case and without the service's prefix.
        version_id: on versioned buckets.
    """

    key: str
    size: int
    etag: str
    type: str
    storage_class: str
    last_modified: datetime
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    version_id: str | None


class Bucket:
    """A bucket by its URL. Thread-safe; a context manager, which closes its connections.

    Attributes:
        name: of the bucket.
        store: the bucket as tagfs itself uses it; this is no part of what stays as it is.

    Args:
        url: "oss://bucket", "obs://bucket[/prefix]", "s3://bucket"; of a prefix, `keys` and `find`
            begin there.
        options: as for `tagfs mount -o`: endpoint="...", region="...", credentials="FILE".

    Raises:
        SettingsError: an option or the URL is wrong.
    """

    def __init__(self, url: str, **options: str | bool) -> None:
        settings = choose(parse_url(url), options)
        self.store: store.Bucket = open_bucket(bucket_settings(settings))
        self.name = settings.url.bucket
        self._prefix = settings.url.prefix
        self.tags = ObjectTags(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections and threads."""
        self.store.close()

    def get_tags(self, key: str) -> dict[str, str]:
        """Return the tags of an object; of the bucket itself where `key` is "".

        Raises:
            NotFound, AccessDenied, Unsupported
        """
        return dict(self.store.get_tags(key) if key else self.store.get_bucket_tags())

    def set_tags(self, key: str, tags: Mapping[str, str]) -> None:
        """Replace all tags of an object, or of the bucket itself; an empty mapping removes them.

        Raises:
            NotFound, AccessDenied, Unsupported, InvalidTag and what is below it
        """
        if key:
            self.store.put_tags(key, TagSet(tags))
        else:
            self.store.update_bucket_tags(lambda _: TagSet(tags))

    def edit_tags(
        self, key: str, tags: Mapping[str, str], remove: Iterable[str] = ()
    ) -> dict[str, str]:
        """Set some tags and remove others, read afresh; keep the rest, and return all of them.

        Edits of different tags of one object in this process never lose one another.
        """
        gone = frozenset(remove)

        def change(present: TagSet) -> TagSet:
            kept = {name: text for name, text in present.items() if name not in gone}
            return TagSet({**kept, **tags})

        if key:
            return dict(self.store.update_tags(key, change))
        return dict(self.store.update_bucket_tags(change))

    def keys(self, prefix: str | None = None) -> Iterator[str]:
        """Yield all keys that begin with `prefix` (the URL's), in order; one LIST for 1,000."""
        for page in self.pages(prefix):
            for info in page:
                yield info.key

    def find(self, expression: str, prefix: str | None = None) -> Iterator[str]:
        """Yield the keys whose tags match, as `tagfs tag find` does; one request an object.

        Raises:
            SettingsError: the expression makes no sense.
        """
        wanted = parse_expression(expression)
        for key, tags in self.all_tags(prefix):
            if wanted.matches(TagSet(tags)):
                yield key

    def all_tags(self, prefix: str | None = None) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield keys and tags of all objects below, many asked for at once."""
        for page in self.pages(prefix):
            keys = [info.key for info in page]
            found = self.store.get_tags_many(keys)
            for key in keys:
                yield key, dict(found[key]) if key in found else self.get_tags(key)

    def facts(self, key: str) -> ObjectFacts:
        """Return what the service says of an object, by one HEAD.

        Raises:
            NotFound, AccessDenied
        """
        info = self.store.head(key)
        detail = info.detail or Detail()
        return ObjectFacts(
            key=key,
            size=info.size,
            etag=info.etag,
            type=info.type.value,
            storage_class=info.storage_class,
            last_modified=datetime.fromtimestamp(info.last_modified_ns / 1e9, UTC),
            headers=dict(detail.headers),
            metadata=dict(detail.metadata),
            version_id=detail.version_id,
        )

    def pages(self, prefix: str | None = None) -> Iterator[tuple[ObjectInfo, ...]]:
        """Yield what a listing tells of all objects below, as it comes: 1,000 at a time."""
        start, token = self._prefix if prefix is None else prefix, None
        while True:
            page = self.store.list(start, delimiter="", token=token)
            yield page.objects
            token = page.token
            if token is None:
                return


class ObjectTags:
    """`bucket.tags[key]`: all tags of an object, to be read, replaced and removed."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def __getitem__(self, key: str) -> dict[str, str]:
        return self._bucket.get_tags(key)

    def __setitem__(self, key: str, tags: Mapping[str, str]) -> None:
        self._bucket.set_tags(key, tags)

    def __delitem__(self, key: str) -> None:
        self._bucket.set_tags(key, {})
