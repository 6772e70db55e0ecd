"""Whether a service looks at sub-resources at all, proved before anything is changed by one.

A server that ignores what it does not know in a query takes `PUT key?tagging` for a PutObject of
the tags' XML, and `DELETE key?tagging` for a DeleteObject. So nothing of the kind goes out before
an answer came that such a server cannot give:

- to GET ?tagging of an object, a tag set without the headers of an object, or "NoSuchTagSet";
- to GET ?bucketInfo or ?tagging of the bucket anything but the listing that is left of such a
  request without its sub-resource. Even a refusal will do, where the bucket may be listed.

What other requests are to a server that ignores their sub-resource or header, and what stands
between that and a loss:

PUT ?tagging, DELETE ?tagging    the proof above
PUT ?symlink, POST ?append       OSS: the proof above; OBS: its signature covers the sub-resources
PUT ?metadata, POST ?rename      that a service knows, so that another is refused, and links are
                                 tried on a key of their own
POST ?uploads, ?uploadId         answers must be the documents that are due; parts go nowhere
                                 without an upload id that the service gave
DELETE ?uploadId, x-*-copy-source  `trying`
POST ?delete                     the same; nothing is lost by a deletion that is not done
GET ?symlink, ?uploadId          only headers and documents that are due are read
"""

from typing import Final

from tagfs.errors import BadCredentials, TagfsError, Unsupported
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import FeatureMissing, to_exception
from tagfs.store.http.messages import FIRST_FAILURE, Request, Response
from tagfs.store.wire.xml import find_root

NO_TAGS_CODES: Final = frozenset({"NoSuchTagSet", "NoSuchTagSetError"})

_LISTING = "ListBucketResult"
_DUE = frozenset({"Tagging", "BucketInfo"})
_NOT_IMPLEMENTED = 501
_IGNORED: Final = "sub-resources are ignored: the answer to {} is a listing"


class SubresourceProofs:
    """Knows which requests mean what they say."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api
        self._features = context.features
        self._asked = False

    def check(self) -> None:
        """Raise unless the service surely looks at sub-resources; asks once.

        Raises:
            FeatureMissing: it does not.
            TagfsError: that cannot be known.
        """
        failure = None
        if self._features.heeds_subresources is None:
            failure = self._ask_heeding()
        if self._features.heeds_subresources is False:
            raise FeatureMissing(self._features.why_not("object_tags"))
        if self._features.heeds_subresources is None:
            raise failure or Unsupported(
                f"whether {self._api.dialect.title} has tags stays unknown"
            )

    def is_ignored(self) -> bool:
        """Tell whether sub-resources are surely ignored; asks once, and takes a refusal for no.

        Raises:
            TagfsError: no answer came, or the key pair itself is refused. Who goes on without
                knowing may lose tags, so that the next call asks again.
        """
        if self._features.heeds_subresources is None and not self._asked:
            failure = self._ask_heeding()
            if failure is not None and not self._asked:
                raise failure
        return self._features.heeds_subresources is False

    def _ask_heeding(self) -> TagfsError | None:
        """Ask the bucket for something that is no listing; return why that proved nothing."""
        name = self._api.dialect.bucket_info or "tagging"
        request = Request(
            operation="GetBucketInfo" if self._api.dialect.bucket_info else "GetBucketTags",
            method="GET",
            query={name: ""},
            subresource=name,
        )
        try:
            answer = self._api.request(request)
        except TagfsError as failure:
            return failure
        self.learn(request, answer)
        refusal = to_exception(request, answer) if answer.error is not None else None
        self._asked = not isinstance(refusal, BadCredentials)
        return refusal

    def learn(self, request: Request, answer: Response) -> None:
        """Learn from the answer to GET of a sub-resource of the bucket."""
        if answer.error is None:
            root = find_root(answer.body)
            if root == _LISTING:
                self._note_ignored(request)
            elif root in _DUE:
                self._note_heeded()
            return
        final = answer.status < FIRST_FAILURE or answer.status == _NOT_IMPLEMENTED
        is_proof = answer.code in NO_TAGS_CODES or isinstance(
            to_exception(request, answer), FeatureMissing
        )
        if is_proof or (final and self._features.listable):
            self._note_heeded()

    def is_other(self, request: Request, answer: Response, *, is_set: bool) -> bool:
        """Tell whether what came for an object's tags, or the bucket's, is something else.

        `is_set`: it is a tag set to look at, or nothing. That proves something where it has none
        of the headers of an object, whose content may look like anything. What is no tag set
        proves nothing by itself: it may be a proxy's page, or damaged. The bucket is asked then.
        """
        if self._features.tags_proven and request.key is not None:
            return False
        looks_like_object = request.key is not None and "last-modified" in answer.headers
        if is_set and answer.body.strip() and not looks_like_object:
            self._features.note_heeded(proves_tags=request.key is not None)
            return False
        if is_set:
            return self.is_ignored()
        if request.key is None and find_root(answer.body) == _LISTING:
            self._note_ignored(request)
        return self.is_ignored()

    def _note_heeded(self) -> None:
        # All that know ?bucketInfo are OSS, which has tags.
        self._features.note_heeded(proves_tags=self._api.dialect.bucket_info is not None)

    def _note_ignored(self, request: Request) -> None:
        self._features.note_ignored(_IGNORED.format(f"GET ?{next(iter(request.query), '')}"))
