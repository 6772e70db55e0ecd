"""Where a refusal says that a bucket is, and when that is followed."""

import pytest

from tagfs.store.client.error_codes import to_exception
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.http.messages import Request, Response
from tagfs.store.http.relocation import PATH_FORBIDDEN, relocated
from tagfs.store.wire.xml import ServiceError

MALFORMED = "AuthorizationHeaderMalformed"
WORDS = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting '{}'"
GARAGE = "Authorization header malformed, unexpected scope, expected: '20260101/{}/s3/aws4_request'"


def refusal(code, message="", region="", status=400, header=""):
    headers = {"x-amz-bucket-region": header} if header else {}
    error = ServiceError(code, message, "RID", region=region)
    return Response(status=status, headers=headers, error=error)


TELLING = {
    "element": refusal(MALFORMED, region="eu-west-1"),
    "words": refusal(MALFORMED, WORDS.format("eu-west-1")),
    "garage": refusal(MALFORMED, GARAGE.format("eu-west-1")),
    "redirect": refusal("PermanentRedirect", status=301, header="eu-west-1"),
    "head": refusal("", status=400, header="eu-west-1"),
    "head 301": refusal("", status=301, header="eu-west-1"),
}


@pytest.mark.parametrize("answer", TELLING.values(), ids=list(TELLING))
@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("s3.amazonaws.com", "bkt.s3.eu-west-1.amazonaws.com"),
        ("s3-accelerate.amazonaws.com", "bkt.s3-accelerate.amazonaws.com"),
        ("minio.local", "minio.local"),
        ("s3.us-east-1.amazonaws.com", None),
    ],
)
def test_a_region_that_is_reported(answer, host, found):
    """A region's own endpoint was meant; everywhere else the bucket is where it is said to be."""
    at = relocated(find_endpoint(S3, "bkt", host), S3, answer)
    assert (at and (at.host, at.region)) == (found and (found, "eu-west-1"))
    chosen = find_endpoint(S3, "bkt", host, "us-east-1")
    assert relocated(chosen, S3, answer) is None, "what the user chose is not changed"
    assert "eu-west-1" in str(to_exception(Request(operation="X", method="GET"), answer))


@pytest.mark.parametrize(
    "answer",
    [
        refusal("AccessDenied", status=403, header="eu-west-1"),
        refusal("NoSuchBucket", status=404, header="eu-west-1"),
        refusal(MALFORMED),
        refusal(MALFORMED, "The authorization header is malformed."),
        Response(status=200, headers={"x-amz-bucket-region": "eu-west-1"}),
    ],
)
def test_other_answers_move_nothing(answer):
    assert relocated(find_endpoint(S3, "bkt", "s3.amazonaws.com"), S3, answer) is None


@pytest.mark.parametrize("code", sorted(PATH_FORBIDDEN))
@pytest.mark.parametrize(
    ("dialect", "bucket", "addressing", "found"),
    [
        (S3, "bkt", "auto", "bkt.store.local"),
        (S3, "bkt", "path", None),
        (S3, "Old_Bucket", "auto", None),
        (OSS, "bkt", "path", None),
    ],
)
def test_a_path_that_is_forbidden(code, dialect, bucket, addressing, found):
    before = find_endpoint(dialect, bucket, "store.local", None, addressing)
    answer = refusal(code, status=403)
    at = relocated(before, dialect, answer)
    assert (at and at.host) == found
    if at is not None:
        assert (at.base, at.service_host) == ("/", "store.local")
        assert relocated(at, dialect, answer) is None, "not for ever"
    reported = to_exception(Request(operation="X", method="GET"), answer)
    assert "addressing=virtual" in str(reported)
