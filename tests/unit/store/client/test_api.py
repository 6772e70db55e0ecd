"""One bucket's requests: which keys are sent, which answers are failures, and which class."""

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    Archived,
    BadCredentials,
    InvalidRequest,
    InvalidTag,
    MalformedResponse,
    NameTooLong,
    NoSuchBucket,
    NotFound,
    ObjectChanged,
    QuotaExceeded,
    Refused,
    TagfsError,
    Unsupported,
)
from tagfs.store.client.error_codes import FeatureMissing, to_exception
from tagfs.store.http.error_response import parse_response
from tagfs.store.http.messages import Request
from tagfs.store.objects import ObjectType
from tests.unit.store.client.scripted import LINK, Raw, Script, info, ok, refused

ASK = Request(operation="GetObject", method="GET", key="k")
TAGGING = Request(operation="PutObjectTagging", method="PUT", key="k", subresource="tagging")

FAILURES: list[tuple[Raw, type[TagfsError]]] = [
    (refused(401), AccessDenied),
    (refused(403), AccessDenied),
    (refused(403, "AccessDenied"), AccessDenied),
    (refused(403, "InvalidAccessKeyId"), BadCredentials),
    (refused(400, "ExpiredToken"), BadCredentials),
    (refused(403, "InvalidObjectState"), Archived),
    (refused(403, "QuotaExceeded"), QuotaExceeded),
    (refused(404), NotFound),
    (refused(404, "NoSuchKey"), NotFound),
    (refused(404, "NoSuchBucket"), NoSuchBucket),
    (refused(409, "FileAlreadyExists"), AlreadyExists),
    (refused(412), ObjectChanged),
    (refused(412, "PreconditionFailed"), ObjectChanged),
    (refused(400), Refused),
    (refused(418), Refused),
    # A bare one may be a proxy's: only the service's own word says that it lacks something.
    (refused(405), Refused),
    (refused(501), Refused),
    (refused(405, "MethodNotAllowed"), FeatureMissing),
    (refused(501, "NotImplemented"), FeatureMissing),
    (refused(400, "OperationNotSupported"), Unsupported),
    (refused(301), Refused),
    (refused(403, "SecondLevelDomainForbidden"), Refused),
    # Begun as a success: the code decides.
    (Raw(200, {}, b"<Error><Code>AccessDenied</Code></Error>"), Refused),
    (Raw(200, {}, b"<Error><Code>NoSuchKey</Code></Error>"), NotFound),
]


@pytest.mark.parametrize(("raw", "kind"), FAILURES, ids=lambda one: str(one)[:60])
def test_a_refusal_is_raised_as_its_class(raw: Raw, kind: type[TagfsError]) -> None:
    script = Script().on("GetObject", raw)
    with pytest.raises(kind) as raised:
        script.context.api.send(ASK)
    assert type(raised.value) is kind
    assert "GetObject of 'k'" in str(raised.value)


def test_every_refused_tag_set_is_a_bad_one() -> None:
    """Which code a bad tag gets is not documented for every case."""
    script = Script()
    answer = parse_response(script.dialect, TAGGING, 400, {}, refused(400, "Odd").body)
    assert type(to_exception(TAGGING, answer)) is InvalidTag


@pytest.mark.parametrize(
    ("raw", "advice"),
    [
        (Raw(301, {"x-amz-bucket-region": "eu-west-1"}), "region 'eu-west-1': set region to that"),
        (Raw(307, {"location": "https://other"}), "'https://other': set endpoint to that host"),
        (Raw(302, {}), "served by another endpoint"),
        (refused(403, "AccessDenied", Endpoint="oss-x.example"), "'oss-x.example'"),
    ],
)
def test_who_is_asked_at_the_wrong_place_is_sent_to_the_right_one(raw: Raw, advice: str) -> None:
    with pytest.raises(TagfsError, match=advice):
        Script().on("GetObject", raw).context.api.send(ASK)


def test_a_caller_reads_what_it_allows() -> None:
    script = Script().on("GetObject", refused(404, "NoSuchKey"), refused(404, "NoSuchKey"))
    assert script.context.api.send(ASK, allow={404}).code == "NoSuchKey"
    assert script.context.api.send(ASK, allow={"NoSuchKey"}).status == 404


def test_a_document_that_is_not_the_one_due_names_its_request() -> None:
    def parse(_body: bytes) -> str:
        raise MalformedResponse("not that")

    with pytest.raises(MalformedResponse, match="GetObject of 'k': not that"):
        Script().on("GetObject", ok("x")).context.api.send_parsed(ASK, parse)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("", InvalidRequest),
        ("/k", InvalidRequest),
        ("a//b", InvalidRequest),
        ("a/../b", InvalidRequest),
        ("a/.", InvalidRequest),
        ("\udc80", InvalidRequest),
        ("k" * 1025, NameTooLong),
        ("é" * 513, NameTooLong),
    ],
)
def test_a_key_that_names_no_object_is_not_sent(key: str, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        Script().context.api.check_key(key)


@pytest.mark.parametrize("key", ["k", "d/", "d/k", "...", "é" * 512, "k" * 1024])
def test_a_key_that_names_one_is(key: str) -> None:
    Script().context.api.check_key(key)


@pytest.mark.parametrize(
    ("service", "server", "vouched"),
    [("s3", "AmazonS3", True), ("s3", "MinIO", False), ("s3", "", False), ("oss", "", True)],
)
def test_only_the_service_itself_is_vouched_for(
    service: str, server: str, *, vouched: bool
) -> None:
    assert Script(service, server).context.api.is_vouched_for is vouched


@pytest.mark.parametrize(
    ("source", "condition"),
    [(info("d/é k"), True), (info("d/é k", etag=""), False), (LINK, False)],
)
def test_a_copy_names_the_version_that_is_meant(source, *, condition: bool) -> None:
    """... but of no link: which ETag a service compares for one is not documented."""
    headers = Script().context.api.copy_source(source)
    path = "link" if source.type is ObjectType.SYMLINK else "d/%C3%A9%20k"
    assert headers["x-amz-copy-source"] == f"/bucket/{path}"
    assert ("x-amz-copy-source-if-match" in headers) is condition
