"""The OBS service: its operations, put together as the options want them."""

import time

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine import appending, symlinks
from tagfs.emulator.engine.context import POSIX
from tagfs.emulator.engine.demands import demanded
from tagfs.emulator.engine.routes import BUCKET, OBJECT, Handler, NotOffered, Routes, Table
from tagfs.emulator.engine.service import EngineService, Rules
from tagfs.emulator.obs import buckets, filesystem, metadata
from tagfs.emulator.obs.dialect import make_dialect
from tagfs.emulator.obs.options import read_options
from tagfs.emulator.s3.authentication import Authenticator
from tagfs.emulator.s3.service import NOT_EMULATED
from tagfs.emulator.storage.engine import Storage

_LINKS: Table = {
    ("PUT", "symlink"): symlinks.PutSymlink,
    ("GET", "symlink"): symlinks.GetSymlink,
}
_APPEND: Table = {("POST", "append"): appending.AppendObject}
_OBJECT: Table = {
    **OBJECT,
    ("PUT", "metadata"): metadata.SetObjectMetadata,
    ("POST", "rename"): filesystem.RenameObject,
    ("PUT", "modify"): filesystem.ModifyObject,
    ("PUT", "truncate"): filesystem.TruncateObject,
}
_BUCKET: Table = {
    **BUCKET,
    ("PUT", None): buckets.PutBucket,
    ("HEAD", None): buckets.HeadBucket,
    ("HEAD", "apiversion"): buckets.ApiVersion,
    ("GET", "location"): buckets.GetBucketLocation,
    ("GET", "storageinfo"): buckets.GetBucketStorageInfo,
    ("GET", "storageClass"): buckets.GetBucketStorageClass,
    ("PUT", "storageClass"): buckets.PutBucketStorageClass,
    ("PUT", "storagePolicy"): buckets.PutBucketStorageClass,
    ("GET", "storagePolicy"): buckets.GetBucketStorageClass,
    ("GET", "quota"): buckets.GetBucketQuota,
}


class ObsService(EngineService):
    """OBS with one account."""

    def __init__(self, storage: Storage, config: EmulatorConfig) -> None:
        """Put the service together.

        Raises:
            ValueError: an option makes no sense.
        """
        chosen, posix = read_options(config.options)
        objects: dict[tuple[str, str | None], Handler] = dict(_OBJECT)
        objects |= _LINKS if chosen["symlinks"] == "on" else {}
        objects |= dict.fromkeys(_LINKS, NotOffered) if chosen["symlinks"] == "off" else {}
        objects |= _APPEND if chosen["append"] == "on" else dict.fromkeys(_APPEND, NotOffered)
        routes = Routes(
            service=buckets.ListBuckets,
            probe=buckets.ApiVersion,
            objects=objects,
            buckets=_BUCKET,
            sources=("x-obs-copy-source", "x-amz-copy-source"),
            not_emulated=NOT_EMULATED,
            ignored=frozenset({"symlink"}) if chosen["symlinks"] == "ignored" else frozenset(),
        )
        dialect = make_dialect(chosen)
        rules = Rules(
            dialect=dialect,
            routes=routes,
            authenticator=Authenticator(config, dialect),
            unsigned=frozenset({"ApiVersion"}),
            demands=demanded(chosen),
        )
        super().__init__(storage, config, rules)
        for name in posix:
            _make_file_system(storage, name)


def _make_file_system(storage: Storage, name: str) -> None:
    found = storage.buckets.get(name)
    if found is not None and found.kind != POSIX:
        if not storage.buckets.is_empty(found.id):
            raise ValueError(f"bucket {name!r} holds objects and is no file system")
        storage.buckets.delete(found.id)
    storage.buckets.create(name, int(time.time() * 1000), kind=POSIX)
