"""The S3 personality: its operations, put together as the options want them."""

from tagfs.emulator.amz import acl
from tagfs.emulator.amz.routes import BUCKET, OBJECT, Routes, Table
from tagfs.emulator.amz.service import FamilyService, Rules
from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.s3 import buckets
from tagfs.emulator.s3.flavour import make_flavour
from tagfs.emulator.s3.options import read_options
from tagfs.emulator.storage.engine import Storage

_BUCKET: Table = {
    **BUCKET,
    ("PUT", None): buckets.PutBucket,
    ("HEAD", None): buckets.HeadBucket,
    ("GET", "location"): buckets.GetBucketLocation,
    ("GET", "ownershipControls"): acl.GetBucketOwnershipControls,
}


class S3Service(FamilyService):
    """S3 with one account."""

    def __init__(self, storage: Storage, config: EmulatorConfig) -> None:
        """Put the service together.

        Raises:
            ValueError: an option makes no sense.
        """
        routes = Routes(
            service=buckets.ListBuckets,
            objects=OBJECT,
            buckets=_BUCKET,
            sources=("x-amz-copy-source",),
        )
        flavour = make_flavour(read_options(config.options))
        super().__init__(storage, config, Rules(flavour=flavour, routes=routes))
