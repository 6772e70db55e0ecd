"""Whom the cloud takes the key pair for, and what changes the tags of a bucket of AWS."""

from collections.abc import Iterator

from tagfs.doctor.findings import Finding, ok, warning
from tagfs.errors import TagfsError
from tagfs.store.client.client import Client

_ABAC = (
    "ABAC is on: TagResource and UntagResource change them (s3:TagResource, s3:UntagResource), "
    "PutBucketTagging is refused"
)


def check_identity(client: Client) -> Iterator[Finding]:
    """Yield who it is, where a token service is known and says so: a mount needs none."""
    if client.control is None:
        return
    try:
        caller = client.control.caller()
    except TagfsError:
        return
    yield ok("identity", f"{caller.arn} (account {caller.account})")


def check_abac(client: Client) -> Iterator[Finding]:
    """Yield that the tags of the bucket decide who may do what, if they do."""
    if not client.dialect.control_plane:
        return
    try:
        enabled = client.has_abac()
    except TagfsError:
        return
    if enabled and client.control is None:
        yield warning("bucket tags", _ABAC, "set AWS_ENDPOINT_URL_STS and _S3_CONTROL")
    elif enabled:
        yield ok("bucket tags", _ABAC)
