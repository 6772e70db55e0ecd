"""Where a bucket is, as far as the vendors' files say so that credentials come from."""

from collections.abc import Mapping
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.alibaba_files import Aliyun, Ossutil
from tagfs.store.credentials.aws_files import AwsFiles
from tagfs.store.credentials.huawei_files import Obsutil
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import HttpTokenRequests
from tagfs.store.credentials.values import NotAvailable

_OTHER_IDENTITIES: Final = {
    "oss": (
        "OSS_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        "ALIBABA_CLOUD_CREDENTIALS_URI",
        "ALIBABA_CLOUD_CREDENTIALS_FILE",
    ),
    "obs": (
        "OBS_ACCESS_KEY_ID",
        "HUAWEICLOUD_SDK_AK",
        "HUAWEICLOUD_SDK_IDP_ID",
        "HUAWEICLOUD_OIDC_AGENCY_URN",
        "HUAWEICLOUD_SDK_CREDENTIALS_FILE",
        "HC_CONTAINER_CREDENTIALS_FULL_URI",
    ),
}
"""Variables that say who we are, so that the files do not: then they say nothing of the bucket."""


def place_in_files(
    service: str, profile: str | None, environment: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return what the files say of "endpoint" and "region", each with where it stands.

    Files that cannot be read say nothing here; a lookup of credentials in them says why.
    """
    around = Surroundings(environment=environment, tokens=HttpTokenRequests())
    if profile is None and around.variable(*_OTHER_IDENTITIES.get(service, ())):
        return {}
    try:
        found, origin = _read(service, profile, around)
    except (NotAvailable, BadCredentials):
        return {}
    return {name: (value, f"{origin}: {name}") for name, value in found.items() if value}


def _read(service: str, profile: str | None, around: Surroundings) -> tuple[Mapping[str, str], str]:
    if service == "s3":
        return _of_aws(profile, around)
    if service == "obs":
        fields = Obsutil(around).fields()
        return {"endpoint": fields.get("endpoint", "")}, Obsutil.name
    if around.variable("ALIBABA_CLOUD_PROFILE") and profile is None:
        return _of_aliyun(around.variable("ALIBABA_CLOUD_PROFILE"), around)
    try:
        ossutil = Ossutil(profile or around.variable("OSSUTIL_PROFILE") or None, around).fields()
    except NotAvailable:
        return _of_aliyun(profile, around)
    return {name: ossutil.get(name, "") for name in ("endpoint", "region")}, Ossutil.name


def _of_aliyun(profile: str | None, around: Surroundings) -> tuple[Mapping[str, str], str]:
    return {"region": Aliyun(profile, around).fields().get("regionid", "")}, Aliyun.name


def _of_aws(profile: str | None, around: Surroundings) -> tuple[Mapping[str, str], str]:
    """Return the profile's, which AWS's tools go by wherever the key pair comes from."""
    files = AwsFiles(around)
    wanted = profile or around.variable("AWS_PROFILE", "AWS_DEFAULT_PROFILE") or "default"
    found = files.profile(wanted)
    if files.ignores_endpoints(found.fields):
        return {"region": found.fields.get("region", "")}, found.title
    endpoint = files.endpoint_in("s3", found.fields)
    return {"endpoint": endpoint, "region": found.fields.get("region", "")}, found.title
