"""Servers whose keys are paths: what becomes of the keys that end in "/", which are markers."""

from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.listing import Query
from tagfs.emulator.time_formats import MILLISECONDS, http_date

_INTERNAL: Final = "We encountered an internal error, please try again."
_IMPLIED: Final = '"d41d8cd98f00b204e9800998ecf8427e-0"'
_MAKES: Final = frozenset({"PutObject", "CopyObject", "InitiateMultipartUpload"})
_SINGLE: Final = frozenset({"PutObject", "GetObject", "HeadObject", "DeleteObject"})


class RealDirectories:
    """What such a server does otherwise; `kind` is one of `tagfs.emulator.s3.foreign`."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @property
    def drops_metadata(self) -> bool:
        """Whether a marker keeps nothing."""
        return self._kind in {"seaweedfs", "minio"}

    @property
    def drops_etags(self) -> bool:
        """Whether answers about markers have no ETag."""
        return self._kind == "minio"

    def is_marker(self, context: Context) -> bool:
        """Tell whether a request is about one, and that matters here."""
        return self._kind != "keys" and (context.call.key or "").endswith("/")

    def place(self, context: Context) -> Context:
        """Return the request as it is carried out.

        Raises:
            ServiceError: there is a file where a directory would have to be, or the reverse.
        """
        if self._kind != "files" or context.call.operation not in _SINGLE | _MAKES:
            return context
        key = context.key.rstrip("/")
        if context.call.operation in _MAKES:
            parts = key.split("/")
            above = ("/".join(parts[:count]) for count in range(1, len(parts)))
            objects = context.storage.objects
            in_file = any(objects.get(context.bucket.id, name) for name in above)
            if in_file or self._is_occupied(context, f"{key}/"):
                raise ServiceError("InternalError", _INTERNAL)
        return replace(context, call=replace(context.call, key=key))

    def refuse(self, context: Context) -> None:
        """Raise what such a server says of a request about a marker.

        Raises:
            ServiceError
        """
        operation = context.call.operation
        if self._kind == "refused" and operation in _MAKES:
            raise ServiceError("InvalidArgument", "Invalid Argument")
        if self._kind == "seaweedfs":
            self._refuse_as_seaweedfs(operation, context)
        elif self._kind == "minio" and operation == "CopyObject":
            source = unquote(context.own("copy-source") or "").lstrip("/")
            if source != f"{context.call.bucket}/{context.call.key}":
                raise ServiceError("InternalError", f"{_INTERNAL}: cause(invalid argument)")

    def _refuse_as_seaweedfs(self, operation: str, context: Context) -> None:
        if operation == "CopyObject":
            raise ServiceError("NoSuchKey")
        if operation == "PutObjectTagging":
            raise ServiceError("InternalError", _INTERNAL)
        if operation == "PutObject" and context.header("if-none-match") and self._implied(context):
            raise ServiceError("PreconditionFailed")

    def answer_itself(self, context: Context) -> Reply | None:
        """Return the answer to a look at a directory that has no marker, and shows as if it had."""
        looks = self._kind == "seaweedfs" and context.call.operation == "HeadObject"
        if not looks or context.find() is not None or not self._implied(context):
            return None
        made = http_date(context.now_ms // MILLISECONDS)
        return Reply(headers={"ETag": _IMPLIED, "Last-Modified": made, "Content-Length": "0"})

    def _implied(self, context: Context) -> bool:
        return self._is_occupied(context, context.key)

    def _is_occupied(self, context: Context, prefix: str) -> bool:
        page = context.storage.list(context.bucket.id, Query(prefix=prefix, limit=1))
        return bool(page.objects)
