"""What all parts of `Client` share: making calls, judging keys, knowing what the bucket can do."""

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, TypeVar
from urllib.parse import quote

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    InvalidRequest,
    MalformedResponse,
    NameTooLong,
    TagfsError,
    Unsupported,
)
from tagfs.store.bucket import Capabilities
from tagfs.store.client.acl_memory import AclNotes
from tagfs.store.client.delete_rights import Deletable
from tagfs.store.client.error_codes import EXPECTED, FeatureMissing, to_exception
from tagfs.store.client.open_uploads import OpenUploads
from tagfs.store.dialects.dialect import Dialect, WriteKind
from tagfs.store.http.messages import Request, Response, check_key
from tagfs.store.http.transport import Transport
from tagfs.store.key_locks import KeyLocks
from tagfs.store.objects import ObjectInfo, ObjectType

logger = logging.getLogger(__name__)

T = TypeVar("T")


_ON_THE_SIDE: Final = frozenset({"HeadObject", "GetSymlink", "GetObjectTagging", "GetBucketTags"})
"""Questions that many a call can go without; who cannot says that they were refused."""


def _is_aside(request: Request, failure: TagfsError) -> bool:
    plain = isinstance(failure, AccessDenied) and not isinstance(failure, BadCredentials)
    return plain and request.operation in _ON_THE_SIDE


class Api:
    """The base of `Client`: one bucket, one transport.

    Args:
        name: the bucket's.
        tags_denied_drop: rewrite objects whose tags may not be read, and lose the tags.
        storage_class: of new objects; None for the bucket's own.
        acl: "keep" to read and carry ACLs, "off" to do neither, or a word to send with all writes.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        transport: Transport,
        *,
        tags_denied_drop: bool = False,
        storage_class: str | None = None,
        acl: str = "off",
    ) -> None:
        self.name = name
        self.dialect = dialect
        self.limits = dialect.limits
        self.object_tag_rules = dialect.object_tag_rules
        self.bucket_tag_rules = dialect.bucket_tag_rules
        self.transport = transport
        self.tags_denied_drop = tags_denied_drop
        self.storage_class = storage_class
        self.acl_choice = acl
        self._acls = AclNotes()
        self._capabilities = dialect.capabilities
        self._kept_tags_by: dict[WriteKind, bool] = {}
        self._literal_tags: bool | None = None
        self._sees_uncopied = False  # an object was seen to have what no copy takes along
        self._tags_readable = False  # an object's tags were read: the right to do so is there
        self._tags_proven = False  # PUT ?tagging is surely no PutObject
        self._proof = threading.Lock()  # one asks, the others wait for the answer
        self._heeds: bool | None = None  # whether sub-resources are looked at
        self._heeding_asked = False
        self._copies_done = False  # a copy is surely no empty object
        self._aborts_done = False  # the end of an upload is surely no deletion
        self._lists = False  # the bucket was listed: the right to do so is there
        self._lacks: dict[str, str] = {}  # capability -> how that was found out
        self._links_tried = not dialect.probes_links
        self._md5_etags: bool | None = None if dialect.md5_etags else False
        self._checks_copied: bool | None = True if dialect.checks_copied else None
        self._trial = threading.Lock()
        self._trying: Future[None] | None = None
        self._locks = KeyLocks()
        self._uploads = OpenUploads()
        self._deletable = Deletable()
        # They make single requests only and never wait for one another.
        self._threads = ThreadPoolExecutor(transport.options.parallel, "tagfs-request")
        # For what the others may wait for.
        self._threads_apart = ThreadPoolExecutor(1, "tagfs-trial")

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do; grows smaller as it refuses things."""
        return self._capabilities

    def close(self) -> None:
        """Interrupt requests that wait for another attempt; give back connections and threads."""
        self.transport.close()
        self._threads.shutdown(cancel_futures=True)
        self._threads_apart.shutdown(cancel_futures=True)

    def _call(self, request: Request, *, allow: Collection[int | str] = ()) -> Response:
        """Deliver a request and return its answer; an error is raised and logged once.

        `allow` holds statuses and error codes that the caller reads itself.
        """
        answer = self.transport.request(request)
        if answer.error is None or answer.status in allow or answer.code in allow:
            return answer
        failure = to_exception(request, answer)
        untold = request.quiet or isinstance(failure, EXPECTED) or _is_aside(request, failure)
        logger.log(logging.DEBUG if untold else logging.WARNING, "%s", failure)
        failure.told = not untold
        raise failure

    def _request_parsed(self, request: Request, parse: Callable[[bytes], T]) -> T:
        """Deliver a request and return what its answer's body says."""
        answer = self._call(request)
        try:
            return parse(answer.body)
        except MalformedResponse as error:
            raise self._log_and_return(MalformedResponse(f"{request}: {error}")) from error

    @contextmanager
    def _requires(self, capability: str) -> Iterator[None]:
        """Remember what the bucket as a whole cannot do, so that it is asked once."""
        if not getattr(self._capabilities, capability):
            raise Unsupported(self._why(capability))
        try:
            yield
        except FeatureMissing as failure:
            self._disable(capability, str(failure))
            raise

    def _disable(self, capability: str, reason: str) -> None:
        """Note once that the bucket lacks something."""
        if getattr(self._capabilities, capability):
            self._lacks[capability] = reason
            self._capabilities = replace(self._capabilities, **{capability: False})
            logger.info(
                "bucket %r on %s has no %s: %s",
                self.name,
                self.dialect.title,
                capability.replace("_", " "),
                reason,
            )

    def _why(self, capability: str) -> str:
        """Say that the bucket lacks something, and how that is known."""
        known = self._lacks.get(capability)
        lacking = f"bucket {self.name!r} has no {capability.replace('_', ' ')}"
        return f"{lacking} ({known})" if known else lacking

    def _check_key(self, key: str) -> None:
        """Raise for a key that names no object or is too long.

        The empty key would turn a request about an object into one about the bucket.
        """
        check_key(key)
        if key.startswith("/"):
            raise InvalidRequest(f"key {key!r} begins with '/'")
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise InvalidRequest(f"key {key!r} is not UTF-8") from None
        if size > self.limits.max_key:
            raise NameTooLong(
                f"key of {size} bytes: {self.dialect.title} allows {self.limits.max_key}"
            )

    def _header(self, name: str) -> str:
        return self.dialect.header_prefix + name

    def _copy_source(self, source: ObjectInfo) -> dict[str, str]:
        """Return the headers that name a copy's source, and the version of it that is meant."""
        headers = {
            self._header("copy-source"): f"/{self.name}/{quote(source.key, safe='/-_.~')}",
        }
        # Which ETag a service compares for a link, its own or its target's, is not documented.
        if source.type is not ObjectType.SYMLINK and source.etag:
            headers[self._header("copy-source-if-match")] = f'"{source.etag}"'
        return headers

    def _log_and_return(self, failure: TagfsError) -> TagfsError:
        """Log a failure that no answer of the service caused, and return it."""
        logger.warning("%s", failure)
        failure.told = True
        return failure
