"""Whom a service takes us for, whether it has the bucket, in which region, and of what kind."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tagfs.doctor.findings import Finding, fail, ok, warning
from tagfs.doctor.policy_actions import ACTIONS, NEEDED_FOR
from tagfs.errors import AccessDenied, BadCredentials, TagfsError
from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.credentials.values import CredentialsProvider
from tagfs.store.http.messages import FIRST_REFUSAL, Request, Response

_SHOWN = 4  # characters of an access key's id, which is no secret but nobody's business

_TOKEN: Final = (
    "key pair",
    "the session token is refused",
    "get a new one: {token}, or wherever {origin} has it from",
)
_KEY: Final = (
    "key pair",
    "the service does not know the key",
    "check its id ({key}) in {origin}, and the endpoint",
)
RIGHT_TO_LIST: Final = "right to list"
_MEANINGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "InvalidSecurityToken": _TOKEN,
    "SecurityTokenExpired": _TOKEN,
    "ExpiredToken": _TOKEN,
    "InvalidToken": _TOKEN,
    "InvalidAccessKeyId": _KEY,
    "UserDisable": _KEY,
    "SignatureDoesNotMatch": (
        "key pair",
        "the secret does not belong to the key",
        "check {secret} in {origin}",
    ),
    "NoSuchBucket": (
        "bucket",
        "there is no bucket {bucket!r} here",
        "check its name, endpoint and region",
    ),
    "RequestTimeTooSkewed": (
        "clock",
        "the service does not accept this host's",
        "set it: timedatectl set-ntp true",
    ),
    "AccessDenied": (RIGHT_TO_LIST, "missing", "allow {action} to this key: {needed}"),
}
"""What codes of a refused listing mean: the check that fails, what is wrong, what to do."""

_WRONG_REGION = frozenset(
    {
        "AuthorizationHeaderMalformed",  # S3, which names the right one
        "PermanentRedirect",
        "TemporaryRedirect",
        "IllegalLocationConstraintException",
    }
)


def check_credentials(provider: CredentialsProvider) -> Finding:
    """Say where the key pair was found; never the pair."""
    try:
        pair = provider.get()
    except TagfsError as error:
        return fail("credentials", "none can be used", str(error))
    if pair.anonymous:
        return ok("credentials", "none: requests are not signed (anonymous)")
    kind = "temporary pair" if pair.session_token else "pair"
    shown = pair.access_key_id[:_SHOWN] + "..."
    stands_for = f", which is {pair.identity}" if pair.identity else ""
    return ok("credentials", f"a {kind} ({shown}) from {provider.origin}{stands_for}")


def check_bucket(
    client: Client, settings: BucketSettings, provider: CredentialsProvider, prefix: str
) -> Iterator[Finding]:
    """Yield what listing the bucket tells; the last finding fails if nothing else makes sense."""
    request = Request(
        operation="ListObjects",
        method="GET",
        query={"prefix": prefix, "max-keys": "1", "encoding-type": "url"},
        subresource="list",
        retry_connect=False,
    )
    try:
        answer = client.transport.request(request)
    except BadCredentials as error:
        yield fail("credentials", "none can be used", str(error))
        return
    except TagfsError as error:
        yield fail("service", f"no answer: {error}", "check endpoint, region and network")
        return
    if answer.status < FIRST_REFUSAL:
        yield ok("key pair", "accepted")
        yield ok("bucket", f"{settings.bucket} is there and may be listed")
        return
    refusal = _refusal(client, settings, provider, answer)
    if refusal.check == RIGHT_TO_LIST:  # a mount works without
        refusal = warning(refusal.check, refusal.detail, refusal.advice)
    yield refusal


def _refusal(
    client: Client, settings: BucketSettings, provider: CredentialsProvider, answer: Response
) -> Finding:
    """Say what a refused listing means."""
    if _is_of_region(answer):
        return _region(client, settings, provider, answer)
    if answer.code not in _MEANINGS:
        return fail("service", _said(answer), "check endpoint and region, or try again later")
    names = client.dialect.environment
    words = {
        "bucket": settings.bucket,
        "origin": provider.origin,
        "key": names.access_key_id,
        "secret": names.secret_access_key,
        "token": names.session_token,
        "action": ACTIONS[client.dialect.service]["list"],
        "needed": NEEDED_FOR["list"],
    }
    check, wrong, advice = _MEANINGS[answer.code]
    return fail(check, f"{wrong.format(**words)} ({_said(answer)})", advice.format(**words))


def _said(answer: Response) -> str:
    message = answer.error.message if answer.error else ""
    return f"{answer}: {message}" if message and message != answer.code else str(answer)


def _is_of_region(answer: Response) -> bool:
    message = answer.error.message.lower() if answer.error else ""
    return (
        answer.code in _WRONG_REGION
        or answer.status // 100 == 3  # noqa: PLR2004  (a redirect)
        or (answer.code in {"InvalidArgument", "AccessDenied"} and "region" in message)
        or bool(answer.error and answer.error.endpoint)
    )


def _region(
    client: Client, settings: BucketSettings, provider: CredentialsProvider, answer: Response
) -> Finding:
    """Name the right region or endpoint: the service's answer does, or another question."""
    endpoint = answer.error.endpoint if answer.error else ""
    region = answer.headers.get("x-amz-bucket-region", "") or _asked(client, settings, provider)
    advice = "set endpoint or region to the bucket's"
    if endpoint:
        advice = f"the bucket is served by {endpoint}: set endpoint={endpoint}"
    elif region:
        advice = f"the bucket is in {region}: set region={region}"
    shown = settings.region or "the one of the endpoint"
    return fail("region", f"{shown} is not the bucket's ({_said(answer)})", advice)


def _asked(client: Client, settings: BucketSettings, provider: CredentialsProvider) -> str:
    """Return the bucket's region as the service tells it, asked without naming one; "" if not."""
    if client.dialect.service == "s3":
        head = Request(operation="HeadBucket", method="HEAD", retry_connect=False)
        try:
            answer = client.transport.request(head)
        except TagfsError:
            return ""
        return answer.headers.get("x-amz-bucket-region", "")
    other = open_bucket(
        replace(settings, region=None, endpoint=client.transport.endpoint.url), provider
    )
    try:
        return other.describe().location.removeprefix(f"{client.dialect.service}-")
    except TagfsError:
        return ""
    finally:
        other.close()


def check_kind(client: Client) -> Iterator[Finding]:
    """Yield what kind of bucket it is, as far as that may be known."""
    check = "bucket kind"
    try:
        found = client.describe()
    except AccessDenied:
        yield warning(check, "may not be known", "allow GetBucketInfo to see what it can do")
        return
    except TagfsError as error:
        yield warning(check, "stays unknown", str(error))
        return
    facts = [found.storage_class, f"in {found.location}" if found.location else ""]
    shown = ", ".join(filter(None, facts)) or "an ordinary bucket"
    if found.hierarchical:
        yield warning(
            check,
            f"{shown}, hierarchical (a parallel file system)",
            "it has no tags of objects, no appending and no link objects: for tags, take an object"
            " bucket",
        )
    else:
        yield ok(check, shown)
    yield from _check_place(client, found.location)
    versioning = found.versioning or _versioning(client)
    if versioning == "Enabled":
        yield warning(
            "versioning",
            "enabled: what is replaced or deleted stays, and is paid for",
            "have a lifecycle rule expire old versions",
        )
    if versioning and client.dialect.versions_replace:
        yield warning(
            "O_EXCL",
            f"versioning is {versioning.lower()}: no write is refused because the key is taken",
            "let no two hosts make the same file at once: one would replace the other's",
        )


def _check_place(client: Client, location: str) -> Iterator[Finding]:
    """Yield a warning if the bucket says that it is in another region than was chosen.

    A server that takes any region for its own does not refuse the wrong one.
    """
    chosen, found = client.transport.endpoint.region, location.removeprefix("oss-")
    if chosen and found and chosen != found:
        yield warning("region", f"{chosen}, and the bucket is in {found}", f"set region={found}")


def _versioning(client: Client) -> str:
    """Return whether old versions are kept, in the service's word; "" if it does not tell."""
    request = Request(
        operation="GetBucketVersioning",
        method="GET",
        query={"versioning": ""},
        subresource="versioning",
    )
    try:
        answer = client.transport.request(request)
    except TagfsError:
        return ""
    found = re.search(rb"<Status>(\w+)</Status>", answer.body)
    return found[1].decode() if found else ""
