"""Buckets for programs that use fsspec (pandas, Dask, PyArrow, ...), with their tags.

    fsspec.open("tagfs+oss://photos/report.csv", region="cn-hangzhou")

Paths are "bucket/key". What is written replaces the object at once, when the file is closed, and
keeps the tags, metadata and headers which that had; nothing is written if the `with` block fails.
"""

import errno
import shutil
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from fsspec.spec import AbstractFileSystem

from tagfs.api import Bucket
from tagfs.fs.mapping.content_types import CONTENT_TYPE
from tagfs.fsspec_file import TagFile, as_oserror, failure
from tagfs.store.objects import MARKER_TYPE, BytesSource, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet


class TagFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The buckets of one service.

    Args:
        options: as for `tagfs mount -o`: endpoint="...", region="...", credentials="FILE".
    """

    service: ClassVar[str]
    root_marker = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._options = options
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def bucket(self, path: str) -> tuple[Bucket, str]:
        """Return the bucket of a path, and the key."""
        name, _, key = self._strip_protocol(path).partition("/")
        if not name:
            raise failure(errno.ENOENT, path)
        with self._lock:
            if name not in self._buckets:
                self._buckets[name] = Bucket(f"{self.service}://{name}", **self._options)
            return self._buckets[name], key

    # Tags

    def get_tags(self, path: str) -> dict[str, str]:
        """Return the tags of an object, or of a bucket."""
        bucket, key = self.bucket(path)
        with as_oserror(path):
            return bucket.get_tags(key)

    def put_tags(self, path: str, tags: Mapping[str, str], mode: str = "o") -> None:
        """Set tags of an object, or of a bucket: all of them ("o") or besides the others ("m")."""
        bucket, key = self.bucket(path)
        with as_oserror(path):
            if mode == "m":
                bucket.edit_tags(key, tags)
            else:
                bucket.set_tags(key, tags)

    def find_by_tags(self, path: str, expression: str) -> list[str]:
        """Return all objects below a path whose tags match, as `tagfs tag find` has it."""
        bucket, key = self.bucket(path)
        with as_oserror(path):
            found = list(bucket.find(expression, f"{key}/" if key else ""))
        return [f"{bucket.name}/{one}" for one in found]

    # Looking

    def ls(self, path: str, detail: bool = True, **_words: Any) -> list[Any]:
        """List a directory, or the file that is there."""
        bucket, key = self.bucket(path)
        prefix = f"{key}/" if key else ""
        found, there = [], not key
        with as_oserror(path):
            for page in bucket.store.scan(prefix):
                there = there or bool(page.objects or page.prefixes)
                found += [_directory(f"{bucket.name}/{one[:-1]}") for one in page.prefixes]
                found += [_entry(bucket, one) for one in page.objects if one.key != prefix]
        if not there:
            found = [self.info(path)]
        found.sort(key=lambda entry: str(entry["name"]))
        return found if detail else [entry["name"] for entry in found]

    def info(self, path: str, tags: bool = False, **_words: Any) -> dict[str, Any]:
        """Describe what is at a path; with its tags, if they are asked for."""
        path = self._strip_protocol(path)
        if not path:
            return _directory(path)
        bucket, key = self.bucket(path)
        with as_oserror(path):
            found = bucket.store.lookup(key) if key else None
        if found is None or found.is_prefix:
            entry = _directory(path)
        elif found.info is None:
            raise failure(errno.ENOENT, path)
        else:
            entry = _entry(bucket, found.info)
        return {**entry, "tags": self.get_tags(path)} if tags else entry

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, **words: Any
    ) -> Any:
        """List all files below a path: one request for 1,000, where no directories are wanted."""
        if maxdepth is not None or withdirs:
            return super().find(path, maxdepth, withdirs, **words)
        bucket, key = self.bucket(path)
        with as_oserror(path):
            pages = list(bucket.pages(f"{key}/" if key else ""))
        objects = [one for page in pages for one in page if not one.key.endswith("/")]
        found = {f"{bucket.name}/{one.key}": _entry(bucket, one) for one in objects}
        if not found and key and self.isfile(path):
            found = {self._strip_protocol(path): self.info(path)}
        return found if words.get("detail") else list(found)

    def modified(self, path: str) -> datetime:
        """Return when an object was written."""
        when: datetime = self.info(path)["LastModified"]
        return when

    # Changing

    def mkdir(self, path: str, create_parents: bool = True, **_words: Any) -> None:
        """Make a directory, by a marker; a bucket is not made."""
        if self.exists(path):
            raise failure(errno.EEXIST, path)
        bucket, key = self.bucket(path)
        with as_oserror(path):
            marker = NewObject(headers={CONTENT_TYPE: MARKER_TYPE}, tags=TagSet({}))
            bucket.store.put(f"{key}/", BytesSource(b""), marker)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a directory; those above it are there by its name."""
        if not (exist_ok and self.isdir(path)):
            self.mkdir(path)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        if self.ls(path):
            raise failure(errno.ENOTEMPTY, path)
        bucket, key = self.bucket(path)
        with as_oserror(path):
            bucket.store.delete(f"{key}/")

    def rm_file(self, path: str) -> None:
        """Delete one object."""
        if self.info(path)["type"] == "directory":
            raise failure(errno.EISDIR, path)
        bucket, key = self.bucket(path)
        with as_oserror(path):
            bucket.store.delete(key)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete objects; `recursive`: directories with all that is below them."""
        if maxdepth is not None:
            raise NotImplementedError("rm with maxdepth")
        for one in self.expand_path(path):
            if not recursive:
                self.rm_file(one)
                continue
            bucket, key = self.bucket(one)
            with as_oserror(one):
                for page in list(bucket.pages(f"{key}/" if key else "")):
                    failed = bucket.store.delete_many([info.key for info in page])
                    for name, reason in failed.items():
                        raise OSError(errno.EIO, reason, f"{bucket.name}/{name}")
                if key:
                    bucket.store.delete(key)

    def cp_file(self, path1: str, path2: str, **_words: Any) -> None:
        """Copy an object with its tags, within a bucket by the service; a directory is made."""
        if self.isdir(path1):
            self.makedirs(path2, exist_ok=True)
            return
        source, key = self.bucket(path1)
        target, new = self.bucket(path2)
        with as_oserror(path1):
            if source is target:
                source.store.copy(source.store.head(key), new)
                return
            tags = source.get_tags(key)
        with self.open(path1) as file, self.open(path2, "wb", tags=tags) as copy:
            shutil.copyfileobj(file, copy, 2**20)

    def _open(self, path: str, mode: str = "rb", **words: Any) -> "TagFile":
        if mode == "xb" and self.exists(path):
            raise failure(errno.EEXIST, path)
        return TagFile(self, *self.bucket(path), path, mode, **words)


class OssFileSystem(TagFileSystem):
    """Alibaba Cloud OSS."""

    protocol, service = "tagfs+oss", "oss"


class ObsFileSystem(TagFileSystem):
    """Huawei Cloud OBS."""

    protocol, service = "tagfs+obs", "obs"


class S3FileSystem(TagFileSystem):
    """S3 and compatible services."""

    protocol, service = "tagfs+s3", "s3"


def _directory(path: str) -> dict[str, Any]:
    return {"name": path, "size": 0, "type": "directory"}


def _entry(bucket: Bucket, info: ObjectInfo) -> dict[str, Any]:
    return {
        "name": f"{bucket.name}/{info.key}",
        "size": info.size,
        "type": "link" if info.type is ObjectType.SYMLINK else "file",
        "ETag": info.etag,
        "LastModified": datetime.fromtimestamp(info.last_modified_ns / 1e9, UTC),
        "StorageClass": info.storage_class,
    }
