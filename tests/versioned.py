"""Buckets that keep versions, and their versions, as the vendors' SDKs have them."""

from typing import NamedTuple

import boto3
import oss2
from obs import ObsClient

from tests.judges import KEY_ID, SECRET


class Listed(NamedTuple):
    """One version as an SDK lists it."""

    key: str
    version_id: str
    is_marker: bool


class VersionedBucket:
    """A bucket of an emulated service, through its vendor's SDK; it keeps versions from now on."""

    def __init__(self, service: str, url: str, name: str) -> None:
        self.service, self._url, self.name = service, url, name
        if service == "oss":
            self._oss = oss2.Bucket(oss2.Auth(KEY_ID, SECRET), url, name)
            self._oss.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
        elif service == "obs":
            self._obs = ObsClient(KEY_ID, SECRET, server=url, max_retry_count=0)
            assert self._obs.setBucketVersioning(name, "Enabled").status == 200
        else:
            self._s3 = boto3.client(
                "s3",
                endpoint_url=url,
                aws_access_key_id=KEY_ID,
                aws_secret_access_key=SECRET,
                region_name="us-east-1",
            )
            self._s3.put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": "Enabled"}
            )

    def versions(self) -> list[Listed]:
        """Return all versions, then all delete markers."""
        if self.service == "oss":
            found = self._oss.list_object_versions()
            rows = [Listed(v.key, v.versionid, is_marker=False) for v in found.versions]
            return rows + [Listed(v.key, v.versionid, is_marker=True) for v in found.delete_marker]
        if self.service == "obs":
            body = self._obs.listVersions(self.name).body
            rows = [Listed(v.key, v.versionId, is_marker=False) for v in body.versions]
            return rows + [Listed(v.key, v.versionId, is_marker=True) for v in body.markers]
        answer = self._s3.list_object_versions(Bucket=self.name)
        rows = [
            Listed(v["Key"], v["VersionId"], is_marker=False) for v in answer.get("Versions", [])
        ]
        markers = answer.get("DeleteMarkers", [])
        return rows + [Listed(v["Key"], v["VersionId"], is_marker=True) for v in markers]

    def close(self) -> None:
        """Give back the SDK's connections."""
        if self.service == "obs":
            self._obs.close()
        elif self.service == "s3":
            self._s3.close()
        else:
            self._oss.session.session.close()
