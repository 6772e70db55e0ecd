"""Tags of a bucket with ABAC (AWS): they decide who may do what, so S3 Control alone changes them.

PutBucketTagging and DeleteBucketTagging are refused there, with a code that is documented nowhere.
So a refusal is followed by the question whether ABAC is on. TagResource and UntagResource change
single tags, and what another host sets meanwhile stays.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from tagfs.errors import AccessDenied, BadCredentials, TagfsError, Unsupported
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.control_plane import ControlCall
from tagfs.store.http.messages import Request
from tagfs.store.objects import NOTHING
from tagfs.store.tags import TagSet
from tagfs.store.wire.documents import parse_abac, parse_resource_tags, render_resource_tags

_PATH: Final = "/v20180820/tags/"


class ResourceTags:
    """The other way to the tags of a bucket."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api
        self._control = context.control
        self._in_use = False

    @property
    def in_use(self) -> bool:
        """Whether it is known that this is the way."""
        return self._in_use

    def is_enabled(self) -> bool | None:
        """Say whether ABAC is on; None if that may not be known.

        Raises:
            TagfsError: no answer came.
        """
        request = Request(
            operation="GetBucketAbac", method="GET", query={"abac": ""}, subresource="abac"
        )
        try:
            return parse_abac(self._api.send(request).body)
        except BadCredentials:
            raise
        except AccessDenied:
            return None
        except TagfsError:
            return False  # what does not know the question has no ABAC

    def take_over(self, refusal: TagfsError, wanted: TagSet, present: TagSet) -> None:
        """Make a change that was refused, this way if it is what the bucket wants.

        Raises:
            TagfsError: it is not (the refusal), or it is refused as well.
        """
        enabled = self.is_enabled() if self._api.dialect.control_plane else False
        if enabled is False:
            raise refusal
        try:
            self.change(wanted, present)
        except TagfsError:
            if enabled is None:
                raise refusal from None
            raise
        self._in_use = True
        logger.info("bucket %r has ABAC: its tags are changed by TagResource", self._api.name)

    def change(self, wanted: TagSet, present: TagSet) -> None:
        """Set what is new or other, then remove what is lost.

        Raises:
            AccessDenied, Unreachable
        """
        new = {key: text for key, text in wanted.items() if present.get(key) != text}
        if new:
            self._ask("TagResource", "POST", body=render_resource_tags(new))
        for key in present:
            if key not in wanted:
                self._ask("UntagResource", "DELETE", {"tagKeys": key})

    def get(self) -> TagSet:
        """Return the tags.

        Raises:
            AccessDenied, Unreachable, MalformedResponse
        """
        return parse_resource_tags(self._ask("ListTagsForResource", "GET"))

    def _ask(
        self, operation: str, method: str, query: Mapping[str, str] = NOTHING, body: bytes = b""
    ) -> bytes:
        if self._control is None:
            raise Unsupported(f"{operation}: nobody says where AWS's services are, nor whose it is")
        partition = "aws-cn" if self._control.suffix.endswith(".cn") else "aws"
        path = _PATH + quote(f"arn:{partition}:s3:::{self._api.name}", safe="-_.~")
        call = ControlCall(operation=operation, method=method, path=path, query=query, body=body)
        return self._control.ask(call)
