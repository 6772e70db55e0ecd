"""What a bucket is and can do, asked once when it is mounted."""

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    NoSuchBucket,
    NotFound,
    Refused,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.store.client.annotations.requests import AnnotationRequests
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.deletes.rights import NO_OBJECT
from tagfs.store.client.error_codes import FeatureMissing, to_exception
from tagfs.store.client.proofs import SubresourceProofs
from tagfs.store.client.reads.listing import ObjectListing
from tagfs.store.client.tags.requests import TagRequests
from tagfs.store.http.error_response import NO_ETAGS
from tagfs.store.http.messages import Request, Response
from tagfs.store.wire.documents import BucketDescription, parse_bucket_info

_CHECK_TIMEOUT = 5.0  # seconds; a user waits for the mount


class BucketProbes:
    """What a mount begins with."""

    def __init__(
        self,
        context: ClientContext,
        listing: ObjectListing,
        requests: TagRequests,
        proofs: SubresourceProofs,
        annotations: AnnotationRequests,
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._listing = listing
        self._requests = requests
        self._proofs = proofs
        self._annotations = annotations
        self._listed: str | None = None  # an object that is there

    def check(self, prefix: str = "") -> None:
        """Prove by one request that the bucket can be listed; fails within seconds.

        Raises:
            NoSuchBucket, BadCredentials, AccessDenied, Unreachable: with what to do about it.
        """
        request = Request(
            operation="ListObjects",
            method="GET",
            query={"prefix": prefix, "max-keys": "1", "encoding-type": "url"},
            subresource="list",
            timeout=min(_CHECK_TIMEOUT, self._api.transport.options.timeout),
            retry_connect=False,
        )
        try:
            page = self._api.send_parsed(request, self._listing.parse)
        except TagfsError as failure:
            raise self._explained(failure) from failure
        self._features.note_listed()
        files = [info for info in page.objects if not info.key.endswith("/")]
        if any(not info.etag for info in files):
            logger.warning("bucket %r: %s", self._api.name, NO_ETAGS)
        self._listed = next((info.key for info in page.objects), None)

    def check_listing(self, prefix: str = "") -> str:
        """Do the same; return what is to be said, and logged, if the bucket may not be listed."""
        try:
            self.check(prefix)
        except BadCredentials:
            raise
        except AccessDenied as denied:
            self._features.note_unlistable()
            warning = f"names that are known can be used, and nothing can be listed: {denied}"
            if self._api.dialect.hides_absence and not self._choices.unlisted_absent:
                warning += "; to make new files, mount with unlisted=absent"
            logger.warning("%s", warning)
            return warning
        return ""

    def probe(self, prefix: str = "") -> None:
        """Find out what the bucket cannot do, and log it in one line.

        What is not found out now shows at first use.
        """
        lacks = []
        self._annotations.settle()
        try:
            found = self.describe()
            if found.versioning and self._api.dialect.versions_replace:
                self._features.note_versions()
            if found.hierarchical:
                kind = self._api.dialect.hierarchical
                self._features.note_hierarchy(kind, renames=self._api.dialect.renames)
                lacks.append(f"no object tags, appending or link objects ({kind})")
        except TagfsError as failure:
            logger.info("what kind of bucket it is stays unknown: %s", failure)
        if self._features.heeds_subresources is False:
            lacks.append(f"no tags ({self._features.reason('object_tags')})")
        elif self._features.capabilities.object_tags and self._api.dialect.probes_tags:
            lacks += self._probe_tags(prefix)
        if lacks:
            title = self._api.dialect.title
            logger.warning("bucket %r on %s: %s", self._api.name, title, "; ".join(lacks))

    def describe(self) -> BucketDescription:
        """Return what the service tells of the bucket.

        Raises:
            NoSuchBucket, AccessDenied
        """
        info = self._api.dialect.bucket_info
        if info is not None:
            request = Request(
                operation="GetBucketInfo",
                method="GET",
                query={info: ""},
                subresource=info,
            )
            return parse_bucket_info(self._heeding_answer(request).body)
        headers = self._api.send(Request(operation="HeadBucket", method="HEAD")).headers
        posix = (
            headers.get(self._api.header("bucket-type"), "").upper() == "POSIX"
            or headers.get(self._api.header("fs-file-interface"), "").lower() == "enabled"
        )
        return BucketDescription(
            name=self._api.name,
            location=headers.get(self._api.header("bucket-location"))
            or headers.get(self._api.header("bucket-region"), ""),
            endpoint="",
            storage_class=headers.get(self._api.header("storage-class"), ""),
            hierarchical=posix,
            versioning="",
        )

    def _heeding_answer(self, request: Request) -> Response:
        """Return the answer to GET of a sub-resource of the bucket, and learn from it.

        Raises:
            FeatureMissing: it is a listing.
        """
        answer = self._api.request(request)
        self._proofs.learn(request, answer)
        if answer.error is not None:
            raise to_exception(request, answer)
        if self._features.heeds_subresources is False:
            raise FeatureMissing(self._features.why_not("object_tags"))
        return answer

    def _probe_tags(self, prefix: str) -> list[str]:
        """Return what is to be said of tags of objects.

        Where an object is known, one request for its tags proves everything.
        """
        known = self._listed is not None and self._api.is_vouched_for
        if known and self._proves_tags(self._listed or ""):
            return []
        request = self._requests.tagging("GetObjectTagging", "GET", prefix + NO_OBJECT)
        denied = []
        try:
            with self._features.require("object_tags"):
                self._api.send(request)
            return self._made_up_tags()
        except NotFound:
            pass
        except AccessDenied:
            denied = ["tags of objects may not be read, so what has some is not rewritten"]
        except Unsupported as failure:
            return [f"no object tags ({failure})"]
        except TagfsError as failure:
            logger.info("whether objects can have tags stays unknown: %s", failure)
            return []
        return self._ignored_tags() or denied

    def _made_up_tags(self) -> list[str]:
        """Say that tags were returned of what is not there, which none can have."""
        if self._ignored_tags() or self._api.is_vouched_for:
            return self._ignored_tags()
        reason = "tags are returned of an object that is not there"
        self._features.disable("object_tags", reason)
        return [f"no object tags ({reason})"]

    def _ignored_tags(self) -> list[str]:
        try:
            ignored = self._proofs.is_ignored()
        except TagfsError as failure:
            logger.info("whether sub-resources are heeded stays unknown: %s", failure)
            return []
        return [f"no tags ({self._features.reason('object_tags')})"] if ignored else []

    def _proves_tags(self, key: str) -> bool:
        """Tell whether the answer to a request for an object's tags shows that it has some."""
        try:
            self._api.check_key(key)
            self._requests.get("GetObjectTagging", key)
        except TagfsError as failure:
            logger.debug("whether objects can have tags is not shown by %r: %s", key, failure)
        return self._features.tags_proven

    def _style(self) -> str:
        """Return what to try where a name was made of the bucket's and the endpoint's."""
        at = self._api.transport.endpoint
        if at.path_style or at.own_domain or self._api.dialect.region(at.service_host):
            return ""
        return (
            f"; if {at.service_host} has no host for each bucket, choose addressing=path, and if it"
            " is the bucket's own domain, addressing=cname"
        )

    def _explained(self, failure: TagfsError) -> TagfsError:
        name, origin = self._api.name, self._api.transport.origin
        where = f"{self._api.dialect.title} at {self._api.transport.endpoint.url}"
        proxy = self._api.transport.options.proxy
        match failure:
            case NoSuchBucket():
                advice = f"no bucket {name!r} at {where}: check its name, endpoint and region"
            case BadCredentials() if not origin:
                return failure  # there is no pair that the service could refuse
            case BadCredentials():
                advice = f"{where} refuses the key pair of {origin}"
            case AccessDenied():
                advice = f"bucket {name!r} may not be listed: allow ListObjects to this key"
            case Unreachable() if proxy is not None:
                advice = f"cannot reach {where} through {proxy.shown} ({proxy.origin}): check both"
            case Unreachable():
                advice = f"cannot reach {where}: check endpoint, region and network{self._style()}"
            case Refused():
                advice = f"{where} does not answer for {name!r}: check endpoint and region"
            case _:
                return failure
        return type(failure)(f"{advice} ({failure})")
