"""Where the catalogue of a bucket is, and how it is opened."""

import hashlib
import re
from pathlib import Path

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.clock import HOST, HostClock
from tagfs.catalogue.database import Database


def catalogue_name(service: str, bucket: str, endpoint: str | None, region: str | None) -> str:
    """Return the name of a bucket's file: buckets of one name at two endpoints are two."""
    host = re.sub("^https?://", "", endpoint or region or "").rstrip("/")
    place = f"{service}://{bucket}\0{host}"
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    plain = re.sub(r"[^A-Za-z0-9.-]", "_", bucket)[:80]
    return f"{service}-{plain}-{digest}.sqlite"


def open_catalogue(cache_dir: Path, name: str, size: int, host: HostClock = HOST) -> Catalogue:
    """Open a catalogue, or begin one.

    Raises:
        Unusable: there can be none.
    """
    return Catalogue(Database(cache_dir / "catalogue", name, host), size)
