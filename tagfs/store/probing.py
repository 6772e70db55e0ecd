"""What a bucket is and can do, asked once when it is mounted."""

from dataclasses import replace
from typing import Final

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
from tagfs.store.calls import logger
from tagfs.store.exchange import Request
from tagfs.store.renaming import Renaming
from tagfs.store.wire import BucketDescription, parse_bucket_info, parse_listing

_CHECK_TIMEOUT = 5.0  # seconds; somebody waits for the mount

NO_OBJECT: Final = ".tagfs-no-object"
"""Name of an object that is never there: asking for its tags says whether there can be any."""


class Probing(Renaming):
    """The part of `Client` that a mount begins with."""

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
            timeout=min(_CHECK_TIMEOUT, self.transport.options.timeout),
            patient=False,
            quiet=True,
        )
        try:
            self._ask(request, parse_listing)
        except TagfsError as failure:
            raise self._explained(failure) from failure

    def probe(self, prefix: str = "") -> None:
        """Find out what the bucket cannot do, and log it in one line.

        What is not found out now shows at first use.
        """
        lacks = []
        try:
            if self.describe().hierarchical:
                kind = self.dialect.hierarchical
                for capability in ("object_tags", "append", "symlinks"):
                    self._lose(capability, kind)
                lacks.append(f"no object tags, appending or link objects ({kind})")
                self._capabilities = replace(self._capabilities, rename=self.dialect.renames)
        except TagfsError as failure:
            logger.info("what kind of bucket it is stays unknown: %s", failure)
        if self._capabilities.object_tags and self.dialect.probes_tags:
            lacks += self._probe_tags(prefix)
        if lacks:
            logger.warning("bucket %r on %s: %s", self.name, self.dialect.title, "; ".join(lacks))

    def describe(self) -> BucketDescription:
        """Return what the service tells of the bucket.

        Raises:
            NoSuchBucket, AccessDenied
        """
        info = self.dialect.bucket_info
        if info is not None:
            request = Request(
                operation="GetBucketInfo",
                method="GET",
                query={info: ""},
                subresource=info,
                quiet=True,
            )
            return self._ask(request, parse_bucket_info)
        headers = self._call(Request(operation="HeadBucket", method="HEAD", quiet=True)).headers
        posix = (
            headers.get(self._header("bucket-type"), "").upper() == "POSIX"
            or headers.get(self._header("fs-file-interface"), "").lower() == "enabled"
        )
        return BucketDescription(
            name=self.name,
            location=headers.get(self._header("bucket-location"))
            or headers.get(self._header("bucket-region"), ""),
            endpoint="",
            storage_class=headers.get(self._header("storage-class"), ""),
            hierarchical=posix,
            versioning="",
        )

    def _probe_tags(self, prefix: str) -> list[str]:
        request = self._tagging("GetObjectTagging", "GET", prefix + NO_OBJECT)
        try:
            with self._needs("object_tags"):
                self._call(replace(request, quiet=True))
        except NotFound:
            return []
        except AccessDenied:
            return ["tags of objects may not be read, so what has some is not rewritten"]
        except Unsupported as failure:
            return [f"no object tags ({failure})"]
        except TagfsError as failure:
            logger.info("whether objects can have tags stays unknown: %s", failure)
        return []

    def _explained(self, failure: TagfsError) -> TagfsError:
        where = f"{self.dialect.title} at {self.transport.endpoint.url}"
        match failure:
            case NoSuchBucket():
                advice = f"no bucket {self.name!r} at {where}: check its name, endpoint and region"
            case BadCredentials() if not self.transport.origin:
                return failure  # there is no pair that the service could refuse
            case BadCredentials():
                advice = f"{where} refuses the key pair of {self.transport.origin}"
            case AccessDenied():
                advice = f"bucket {self.name!r} may not be listed: allow ListObjects to this key"
            case Unreachable():
                advice = f"cannot reach {where}: check endpoint, region and network"
            case Refused():
                advice = f"{where} does not answer for {self.name!r}: check endpoint and region"
            case _:
                return failure
        return type(failure)(f"{advice} ({failure})")
