"""Tags of a bucket with ABAC: changed by S3 Control, found out by the refusal, remembered."""

from collections.abc import Iterator

import pytest

from tagfs.doctor.findings import Level
from tagfs.doctor.identity_checks import check_abac, check_identity
from tagfs.errors import AccessDenied, Unreachable, Unsupported
from tagfs.store.client.control_plane import ControlPlane, find_control_plane
from tagfs.store.credentials.token_requests import HttpTokenRequests
from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.http import retry
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.tags import TagSet
from tests.emulated import Emulator, emulator
from tests.fakes.token_services import TokenServices
from tests.service.store.service import Service

PAIR = Credentials("emulator", "emulator-secret")


@pytest.fixture(scope="module")
def abac(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    directory = tmp_path_factory.mktemp("abac")
    with emulator(directory, service="s3", options=["abac=on"], buckets=20) as one:
        yield one


@pytest.fixture
def sts() -> Iterator[TokenServices]:
    with TokenServices([("", "", "", "")], {"emulator": ("emulator-secret", "")}) as one:
        yield one


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file or variable of this host's counts."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setattr(retry, "delay", lambda _: 0.0)


@pytest.fixture
def service(
    abac: Emulator, sts: TokenServices, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3_CONTROL", abac.url)
    one = Service(abac)
    yield one
    one.faults()
    one.client.close()


def tag(service: Service, **tags: str) -> TagSet:
    found: TagSet = service.client.update_bucket_tags(lambda old: TagSet({**old, **tags}))
    return found


def test_a_refusal_is_asked_about_once_and_the_other_way_taken(
    service: Service, sts: TokenServices
) -> None:
    tag(service, a="1", b="2")
    assert service.client.get_bucket_tags() == {"a": "1", "b": "2"}
    service.client.update_bucket_tags(lambda _: TagSet({"a": "3", "c d": "ä"}))
    assert service.client.get_bucket_tags() == {"a": "3", "c d": "ä"}
    service.client.update_bucket_tags(lambda _: TagSet())
    assert service.client.get_bucket_tags() == {}
    asked = [line["operation"] for line in service._lines()]
    asked = [name for name in asked if name != "GetBucketTags"]
    assert asked == [
        "RefusedTags",
        "GetEnabledAbac",
        "TagResource",
        "TagResource",
        "UntagResource",
        "UntagResource",
        "UntagResource",
    ]
    assert set(sts.actions()) == {"GetCallerIdentity"}


def test_what_another_host_sets_meanwhile_stays(service: Service) -> None:
    """TagResource merges: no tag is lost between our reading and our writing."""
    other = service.open()
    tag(service, a="1")

    def change(present: TagSet) -> TagSet:
        other.update_bucket_tags(lambda theirs: theirs.with_tag("theirs", "x"))
        return present.with_tag("ours", "y")

    service.client.update_bucket_tags(change)
    assert service.client.get_bucket_tags() == {"a": "1", "theirs": "x", "ours": "y"}


@pytest.mark.parametrize(
    "refusal", ["deny", "status=400:code=InvalidRequest", "status=409:code=InvalidBucketState"]
)
def test_whatever_the_refusal_is_called(service: Service, refusal: str) -> None:
    service.faults(f"{refusal}:op=RefusedTags")
    assert tag(service, a="1") == {"a": "1"}
    assert service.client.get_bucket_tags() == {"a": "1"}


def test_whether_it_is_on_need_not_be_known(service: Service) -> None:
    service.faults("deny:op=GetEnabledAbac")
    assert tag(service, a="1") == {"a": "1"}


def test_without_the_right_to_read_as_before_the_other_way_reads(service: Service) -> None:
    tag(service, a="1")
    service.faults("deny:op=GetBucketTags")
    assert service.client.get_bucket_tags() == {"a": "1"}
    assert tag(service, b="2") == {"a": "1", "b": "2"}


def test_without_the_right_it_is_refused(service: Service) -> None:
    service.faults("deny:op=TagResource")
    with pytest.raises(AccessDenied, match="TagResource"):
        tag(service, a="1")
    service.faults("deny:op=TagResource", "deny:op=GetEnabledAbac", "deny:op=RefusedTags")
    with pytest.raises(AccessDenied, match="PutBucketTags"):
        tag(service, a="1")
    assert service.client.get_bucket_tags() == {}


def test_a_token_service_that_is_silent(service: Service, sts: TokenServices) -> None:
    sts.script = [b""] * 3
    with pytest.raises(Unreachable):
        tag(service, a="1")
    assert tag(service, a="1") == {"a": "1"}


def test_where_nobody_says_who_it_is_it_stays_refused(
    abac: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key pair of another service is not shown to Amazon."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS", raising=False)
    one = Service(abac)
    assert one.client.control is None
    with pytest.raises(Unsupported, match="TagResource"):
        tag(one, a="1")
    assert one.client.get_bucket_tags() == {}  # which is no reason not to read them
    one.client.close()


@pytest.mark.parametrize(
    ("endpoint", "region", "base"),
    [
        (None, "eu-west-1", "https://1.s3-control.eu-west-1.amazonaws.com"),
        (None, "cn-north-1", "https://1.s3-control.cn-north-1.amazonaws.com.cn"),
        ("s3.dualstack.eu-west-1.amazonaws.com", None, "https://1.s3-control.eu-west-1"),
        ("s3.amazonaws.com", None, "https://1.s3-control.us-east-1.amazonaws.com"),
        ("x.r2.cloudflarestorage.com", None, None),
        ("minio.example.com:9000", "us-east-1", None),
    ],
)
def test_which_host_it_is(endpoint: str | None, region: str | None, base: str | None) -> None:
    at = find_endpoint(S3, "bucket", endpoint, region, "auto")
    found = find_control_plane(S3, at, HttpTokenRequests(), lambda: PAIR, None)
    assert (found is None) == (base is None)
    if isinstance(found, ControlPlane) and base:
        assert found._base("1").startswith(base)
    assert find_control_plane(OSS, at, HttpTokenRequests(), lambda: PAIR, None) is None


def test_the_doctor_says_who_it_is_and_what_changes_the_tags(service: Service) -> None:
    assert [f.detail for f in check_identity(service.client)] == [
        "arn:aws:iam::123456789012:user/emulator (account 123456789012)"
    ]
    (found,) = check_abac(service.client)
    assert found.level is Level.OK
    assert "s3:TagResource" in found.detail


def test_it_is_silent_where_nobody_answers(service: Service, sts: TokenServices) -> None:
    sts.script = [(403, "", {})]
    assert list(check_identity(service.client)) == []
    service.faults("deny:op=GetEnabledAbac")
    assert list(check_abac(service.client)) == []
