"""What every OSS handler is given: the request, the store, and the questions they all ask."""

from dataclasses import dataclass

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.messages import Call, Request
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.storage.records import BucketRecord, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS

_XML_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One request on its way through the service."""

    storage: Storage
    config: EmulatorConfig
    request: Request
    call: Call
    anonymous: bool

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

    def header(self, name: str) -> str | None:
        """Return a request header."""
        return self.request.headers.get(name)

    def parameter(self, name: str) -> str | None:
        """Return a query parameter."""
        return self.request.query.get(name)

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a numeric query parameter.

        Raises:
            ServiceError: it is not a number between `low` and `high`.
        """
        text = self.request.query.get(name)
        if not text:
            return default
        if not text.isdecimal() or not low <= int(text) <= high:
            extra = {"ArgumentName": name, "ArgumentValue": text}
            message = f"Argument {name} must be an integer between {low} and {high}."
            raise ServiceError("InvalidArgument", message, extra=extra)
        return int(text)

    def find(self) -> ObjectRecord | None:
        """Return the object at the key, if any."""
        return self.storage.objects.get(self.bucket.id, self.key)

    def demand(self) -> ObjectRecord:
        """Return the object at the key.

        Raises:
            ServiceError: there is none.
        """
        record = self.find()
        if record is None:
            raise no_such_key(self.key)
        return record

    async def xml_body(self) -> bytes:
        """Return the request's body, which is a document and thus small.

        Raises:
            ServiceError: it is not small.
        """
        data = await self.request.body.read(_XML_LIMIT)
        if len(data) > _XML_LIMIT:
            raise ServiceError("MalformedXML", "The body is over 2 MB.")
        return data


def no_such_key(key: str) -> ServiceError:
    """Return the error for a missing object."""
    return ServiceError("NoSuchKey", extra={"Key": key})
