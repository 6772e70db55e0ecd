"""What every handler is given: the request, the store, and the questions they all ask."""

from dataclasses import dataclass

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine.chunked import ChunkChain
from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Call, Reply, Request
from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.storage.records import BucketRecord, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS
from tagfs.emulator.xml_text import group, render

POSIX = "POSIX"
_DIGITS = 18  # of a number that is taken for what it says


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from; `chain` judges the chunks of a body that is signed in chunks."""

    anonymous: bool
    chain: ChunkChain | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One request on its way through a service; `family` is the caller's header prefix."""

    storage: Storage
    config: EmulatorConfig
    dialect: Dialect
    request: Request
    call: Call
    caller: Caller
    family: str

    @property
    def now_ms(self) -> int:
        """Return the time; what a handler stores bears the time when it is stored."""
        return int(self.request.now * MILLISECONDS)

    @property
    def bucket(self) -> BucketRecord:
        """Return the bucket asked for.

        Raises:
            ServiceError: there is none.
        """
        return self.bucket_named(self.call.bucket or "")

    def bucket_named(self, name: str) -> BucketRecord:
        """Return a bucket.

        Raises:
            ServiceError: there is none of that name.
        """
        record = self.storage.buckets.get(name)
        if record is None:
            raise ServiceError("NoSuchBucket", extra={"BucketName": name})
        return record

    @property
    def key(self) -> str:
        """Return the key asked for; routing made sure that there is one."""
        return self.call.key or ""

    @property
    def is_posix(self) -> bool:
        """Tell whether the bucket is a parallel file system."""
        return self.bucket.kind == POSIX

    def header(self, name: str) -> str | None:
        """Return a request header."""
        return self.request.headers.get(name)

    def own(self, name: str) -> str | None:
        """Return one of the service's headers, named without prefix."""
        value = self.request.headers.get(self.family + name)
        if value is None and len(self.dialect.families) > 1:
            others = (family for family in self.dialect.families if family != self.family)
            value = next(
                (found for each in others if (found := self.request.headers.get(each + name))), None
            )
        return value

    def parameter(self, name: str) -> str | None:
        """Return a query parameter."""
        return self.request.query.get(name)

    def number(self, name: str, default: int, high: int, *, low: int = 1) -> int:
        """Return a numeric query parameter, cut down to `high` where the service is not strict.

        Raises:
            ServiceError: it is not a number, or out of its range.
        """
        text = self.request.query.get(name)
        if not text:
            return default
        extra = {"ArgumentName": name, "ArgumentValue": text}
        if self.dialect.strict_numbers:
            if not text.isdecimal() or not low <= int(text[:_DIGITS]) <= high:
                message = f"Argument {name} must be an integer between {low} and {high}."
                raise ServiceError("InvalidArgument", message, extra=extra)
        elif not text.isdecimal():
            raise ServiceError("InvalidArgument", f"Provided {name} not an integer", extra=extra)
        return min(int(text[:_DIGITS]), high)

    def find(self) -> ObjectRecord | None:
        """Return the object at the key, if any; the version that is asked for, if one is."""
        return self.find_version(self.bucket, self.key, self.parameter("versionId"))

    def find_version(
        self, bucket: BucketRecord, key: str, version: str | None
    ) -> ObjectRecord | None:
        """Return an object, or one version of it.

        Raises:
            ServiceError: there is no such version, or it says that the object was deleted.
        """
        objects = self.storage.objects
        if not version or not bucket.versioning:
            return objects.get(bucket.id, key)
        found = objects.versions.find(bucket.id, key, version)
        if found is None:
            raise ServiceError("NoSuchVersion", extra={"Key": key, "VersionId": version})
        if found.is_marker:
            headers = {f"{self.family}delete-marker": "true", "Allow": "DELETE"}
            raise ServiceError("MethodNotAllowed", headers=headers, extra={"Method": "GET"})
        return found.record

    def demand(self) -> ObjectRecord:
        """Return the object at the key.

        Raises:
            ServiceError: there is none.
        """
        record = self.find()
        if record is None:
            raise no_such_key(self.key, self._marker())
        return record

    def _marker(self) -> dict[str, str]:
        """Return the headers that tell of a key that it was deleted."""
        if not self.bucket.versioning:
            return {}
        newest = next(iter(self.storage.objects.versions.of_key(self.bucket.id, self.key)), None)
        if newest is None:
            return {}
        return {
            f"{self.family}delete-marker": "true",
            f"{self.family}version-id": newest.record.version,
        }

    def document(self, root: str, *inner: str) -> Reply:
        """Return an answer that is a document."""
        namespace = self.dialect.namespace.format(host=self.request.host)
        return Reply(
            headers={"Content-Type": "application/xml"},
            body=render(root, *inner, namespace=namespace),
        )

    def time(self, milliseconds: int) -> str:
        """Return a time as the service's documents write it."""
        return self.dialect.render_time(milliseconds)


def owner(context: Context) -> str:
    """Return the element that names the account."""
    return group("Owner", context.dialect.owner)


def no_such_key(key: str, headers: dict[str, str] | None = None) -> ServiceError:
    """Return the error for a missing object."""
    return ServiceError("NoSuchKey", extra={"Key": key}, headers=headers)
