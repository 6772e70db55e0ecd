"""OSS: its operations, put together."""

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine import appending, symlinks
from tagfs.emulator.engine.demands import demanded
from tagfs.emulator.engine.routes import BUCKET, OBJECT, Routes, Table
from tagfs.emulator.engine.service import EngineService, Rules
from tagfs.emulator.oss import buckets, meta_query, objects
from tagfs.emulator.oss.authentication import Authenticator
from tagfs.emulator.oss.dialect import make_dialect
from tagfs.emulator.oss.options import read_options
from tagfs.emulator.storage.engine import Storage

_NOT_EMULATED = frozenset(
    """
    lifecycle policy cors website logging referer encryption replication
    inventory worm requestPayment transferAcceleration accessmonitor resourceGroup
    publicAccessBlock cname x-oss-process x-oss-dir x-oss-rename x-oss-delete seal
    callback
""".split()
)
_OBJECT: Table = {
    **OBJECT,
    ("PUT", None): objects.PutObject,
    ("GET", None): objects.GetObject,
    ("HEAD", "objectMeta"): objects.GetObjectMeta,
    ("GET", "objectMeta"): objects.GetObjectMeta,
    ("POST", "append"): appending.AppendObject,
    ("PUT", "symlink"): symlinks.PutSymlink,
    ("GET", "symlink"): symlinks.GetSymlink,
    ("PUT", "acl"): buckets.PutObjectAcl,
    ("GET", "acl"): buckets.GetObjectAcl,
}
_BUCKET: Table = {
    **BUCKET,
    ("PUT", None): buckets.PutBucket,
    ("GET", "bucketInfo"): buckets.GetBucketInfo,
    ("GET", "location"): buckets.GetBucketLocation,
    ("GET", "stat"): buckets.GetBucketStat,
    ("GET", "acl"): buckets.GetBucketAcl,
    ("PUT", "acl"): buckets.PutBucketAcl,
    ("GET", "metaQuery"): meta_query.GetMetaQueryStatus,
    ("POST", "metaQuery&comp=add"): meta_query.OpenMetaQuery,
    ("POST", "metaQuery&comp=query"): meta_query.DoMetaQuery,
    ("POST", "metaQuery&comp=delete"): meta_query.CloseMetaQuery,
}


class OssService(EngineService):
    """OSS with one account."""

    def __init__(self, storage: Storage, config: EmulatorConfig) -> None:
        """Put the service together.

        Raises:
            ValueError: an option makes no sense.
        """
        routes = Routes(
            service=buckets.ListBuckets,
            objects=_OBJECT,
            buckets=_BUCKET,
            sources=("x-oss-copy-source",),
            not_emulated=_NOT_EMULATED,
        )
        rules = Rules(
            dialect=make_dialect(),
            routes=routes,
            authenticator=Authenticator(config),
            demands=demanded(read_options(config.options)),
        )
        super().__init__(storage, config, rules)
