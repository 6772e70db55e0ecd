"""The S3 service: its operations, put together as the options want them."""

from collections.abc import Mapping

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine import acl, objects
from tagfs.emulator.engine.addressing import Target
from tagfs.emulator.engine.demands import demanded
from tagfs.emulator.engine.routes import BUCKET, OBJECT, Route, Routes, Table
from tagfs.emulator.engine.service import EngineService, Rules
from tagfs.emulator.messages import Request
from tagfs.emulator.s3 import annotations, attributes, buckets, control, transcoding
from tagfs.emulator.s3.authentication import Authenticator
from tagfs.emulator.s3.dialect import make_dialect
from tagfs.emulator.s3.foreign import Foreign
from tagfs.emulator.s3.options import read_options
from tagfs.emulator.storage.engine import Storage

NOT_EMULATED = frozenset(
    """
    lifecycle policy policyStatus cors website logging notification encryption replication
    inventory object-lock retention legal-hold requestPayment accelerate ownershipControls metrics
    publicAccessBlock analytics intelligent-tiering torrent select select-type session
    customdomain directcoldaccess mirrorBackToSource obscompresspolicy deletebucket renameObject
    x-image-process fileinterface annotation
    """.split()
)
_COMMON: Table = {
    **OBJECT,
    ("GET", "partNumber"): objects.GetObject,
    ("HEAD", "partNumber"): objects.HeadObject,
    ("GET", "attributes"): attributes.GetObjectAttributes,
}
_OBJECT: Table = {
    **_COMMON,
    ("PUT", "annotation"): annotations.PutObjectAnnotation,
    ("GET", "annotation"): annotations.GetObjectAnnotation,
    ("DELETE", "annotation"): annotations.DeleteObjectAnnotation,
}
_TRANSCODING: Table = {("GET", None): transcoding.GetObject}
_BUCKET: Table = {
    **BUCKET,
    ("PUT", None): buckets.PutBucket,
    ("HEAD", None): buckets.HeadBucket,
    ("GET", "location"): buckets.GetBucketLocation,
    ("GET", "ownershipControls"): acl.GetBucketOwnershipControls,
    ("GET", "abac"): control.GetBucketAbac,
}
_IGNORED = frozenset({"tagging", "acl"})


def _objects(chosen: Mapping[str, str], *, annotated: bool) -> Table:
    table = _OBJECT if annotated else _COMMON
    return {**table, **_TRANSCODING} if chosen["transcoding"] == "on" else table


def _buckets(chosen: Mapping[str, str]) -> Table:
    return {**_BUCKET, **control.ENABLED} if chosen["abac"] == "on" else _BUCKET


def _without(table: Table, ignored: frozenset[str]) -> Table:
    return {route: handler for route, handler in table.items() if route[1] not in ignored}


class S3Service(EngineService):
    """S3 with one account."""

    def __init__(self, storage: Storage, config: EmulatorConfig) -> None:
        """Put the service together.

        Raises:
            ValueError: an option makes no sense.
        """
        chosen = read_options(config.options)
        ignored = _IGNORED if chosen["subresources"] == "ignored" else frozenset()
        dialect = make_dialect(chosen)
        routes = Routes(
            service=buckets.ListBuckets,
            objects=_without(_objects(chosen, annotated=dialect.copies.annotations), ignored),
            buckets=_without(_buckets(chosen), ignored),
            sources=("x-amz-copy-source",),
            not_emulated=NOT_EMULATED,
            ignored=ignored,
        )
        authenticator = Authenticator(config, dialect)
        rules = Rules(
            dialect=dialect,
            routes=routes,
            authenticator=authenticator,
            demands=demanded(chosen),
            handle=Foreign(chosen).answer,
        )
        super().__init__(storage, config, rules)

    def _find(self, request: Request) -> tuple[Target, Route]:
        return control.find(request) or super()._find(request)
