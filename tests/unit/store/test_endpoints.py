"""Where a bucket is, from what a user writes."""

from dataclasses import replace
from urllib.parse import quote

import pytest

from tagfs.errors import SettingsError
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.http.authenticator import Authenticator
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.http.messages import Request
from tagfs.store.http.request_body import Body

HANGZHOU = "oss-cn-hangzhou.aliyuncs.com"


@pytest.mark.parametrize(
    ("endpoint", "region", "addressing", "url", "base", "found"),
    [
        (None, "cn-hangzhou", "auto", f"https://bkt.{HANGZHOU}", "/", "cn-hangzhou"),
        (None, "oss-cn-hangzhou", "auto", f"https://bkt.{HANGZHOU}", "/", "cn-hangzhou"),
        (HANGZHOU, None, "auto", f"https://bkt.{HANGZHOU}", "/", "cn-hangzhou"),
        (f"http://{HANGZHOU}/", None, "auto", f"http://bkt.{HANGZHOU}", "/", "cn-hangzhou"),
        (f"bkt.{HANGZHOU}", None, "auto", f"https://bkt.{HANGZHOU}", "/", "cn-hangzhou"),
        (HANGZHOU, None, "path", f"https://{HANGZHOU}", "/bkt/", "cn-hangzhou"),
        ("store.local:8443", None, "auto", "https://bkt.store.local:8443", "/", None),
        ("store.local", "x", "auto", "https://bkt.store.local", "/", "x"),
        ("http://127.0.0.1:9000", None, "auto", "http://127.0.0.1:9000", "/bkt/", None),
        ("http://[::1]:9000", None, "auto", "http://[::1]:9000", "/bkt/", None),
        ("http://localhost:9000", None, "auto", "http://localhost:9000", "/bkt/", None),
        ("http://localhost:9000", None, "virtual", "http://bkt.localhost:9000", "/", None),
        ("http://localhost:80", None, "auto", "http://localhost", "/bkt/", None),
    ],
)
def test_an_endpoint(endpoint, region, addressing, url, base, found):
    result = find_endpoint(OSS, "bkt", endpoint, region, addressing)
    assert (result.url, result.base, result.region) == (url, base, found)


@pytest.mark.parametrize(
    ("bucket", "endpoint"),
    [
        ("bkt", None),
        ("bkt", "ftp://host"),
        ("bkt", "http://"),
        ("bkt", "http://host/a/../b"),
        ("bkt", "http://host/a//b"),
        ("bkt", "http://host/./b"),
        ("bkt", "http://host/%41"),
        ("bkt", "http://host/a b"),
        ("bkt", "http://host/path?query"),
        ("bkt", "http://host/path#part"),
        ("bkt", "http://user:password@host"),
        ("bkt", "http://host:port"),
        ("bkt", "http://[::1"),
        ("Bucket", HANGZHOU),
        ("b", HANGZHOU),
        ("../x", HANGZHOU),
    ],
)
def test_what_is_no_endpoint(bucket, endpoint):
    with pytest.raises(SettingsError):
        find_endpoint(OSS, bucket, endpoint)


@pytest.mark.parametrize("changes", [{"service": "ftp"}, {"parallel": 0}, {"timeout": 0}])
def test_settings_that_cannot_be(changes):
    settings = {"service": "oss", "bucket": "bkt", "endpoint": HANGZHOU} | changes
    with pytest.raises(SettingsError):
        open_bucket(BucketSettings(**settings))


@pytest.mark.parametrize("name", ["My_Bucket", "tenant:bucket", "a_b", "x" * 200, "END-"])
def test_old_and_relaxed_names_go_into_the_path(name):
    """Whoever names a bucket that is there need not be judged; no host can have such a name."""
    for host in ("ceph.local", "s3.eu-west-1.amazonaws.com"):
        place = find_endpoint(S3, name, host)
        assert (place.host, place.base) == (host, f"/{quote(name, safe='')}/")
    with pytest.raises(SettingsError, match="addressing=path"):
        find_endpoint(S3, name, "ceph.local", addressing="virtual")
    with pytest.raises(SettingsError, match="cannot be a bucket"):
        find_endpoint(OSS, name, "oss.local")


@pytest.mark.parametrize("name", ["ab", "a b", "a/b", "a?b", "_a", "ü-bucket", "x" * 256])
def test_what_can_be_no_bucket_is_refused_at_once(name):
    with pytest.raises(SettingsError, match="cannot be a bucket"):
        find_endpoint(S3, name, "ceph.local")


PATHS = [
    ("https://host/s3/", "https://host", "/s3/bkt/"),
    ("https://host/storage/v1/s3", "https://host", "/storage/v1/s3/bkt/"),
    ("host:8443/s3", "https://host:8443", "/s3/bkt/"),
    ("http://host/bkt", "http://host", "/bkt/"),
    ("http://host/s3/bkt/", "http://host", "/s3/bkt/"),
]


@pytest.mark.parametrize(("endpoint", "url", "base"), PATHS)
@pytest.mark.parametrize("dialect", [OSS, OBS, S3], ids=lambda d: d.service)
def test_an_endpoint_with_a_path(dialect, endpoint, url, base):
    """It comes before the bucket; a bucket that was pasted with it is not named twice."""
    at = find_endpoint(dialect, "bkt", endpoint)
    expected = base if at.path_style else base.removesuffix("bkt/")
    assert (at.service_host, at.base) == (url.partition("://")[2].partition(":")[0], expected)
    assert at.target("a/k", {"tagging": ""}) == f"{expected}a/k?tagging"
    assert at.path_style is (base != "/bkt/" or dialect is S3)


@pytest.mark.parametrize(
    ("dialect", "host", "style", "region"),
    [
        (S3, "s3.eu-west-1.amazonaws.com", "virtual", "eu-west-1"),
        (S3, "s3-us-west-2.amazonaws.com", "virtual", "us-west-2"),
        (S3, "s3.dualstack.eu-west-1.amazonaws.com", "virtual", "eu-west-1"),
        (S3, "s3-fips.dualstack.us-gov-west-1.amazonaws.com", "virtual", "us-gov-west-1"),
        (S3, "s3.cn-north-1.amazonaws.com.cn", "virtual", "cn-north-1"),
        (S3, "s3.amazonaws.com", "virtual", "us-east-1"),
        (S3, "s3-external-1.amazonaws.com", "virtual", "us-east-1"),
        (S3, "s3-accelerate.amazonaws.com", "virtual", None),
        (S3, "s3-accelerate.dualstack.amazonaws.com", "virtual", None),
        (S3, "bucket.vpce-1a-2b.s3.us-east-2.vpce.amazonaws.com", "path", "us-east-2"),
        (S3, "s3.oss-cn-hangzhou.aliyuncs.com", "virtual", None),
        (S3, "oss-cn-hangzhou-internal.aliyuncs.com", "virtual", None),
        (S3, "cos.ap-guangzhou.myqcloud.com", "virtual", "ap-guangzhou"),
        (S3, "tos-s3-cn-beijing.volces.com", "virtual", "cn-beijing"),
        (S3, "obs.cn-north-4.myhuaweicloud.com", "virtual", "cn-north-4"),
        (S3, "s3.us-west-002.backblazeb2.com", "path", "us-west-002"),
        (S3, "s3.fr-par.scw.cloud", "path", "fr-par"),
        (S3, "0123abcd.r2.cloudflarestorage.com", "path", "auto"),
        (S3, "minio.local", "path", None),
        (OSS, "oss-cn-hangzhou-internal.aliyuncs.com", "virtual", "cn-hangzhou"),
        (OSS, "cn-hangzhou.oss.aliyuncs.com", "virtual", "cn-hangzhou"),
        (OSS, "oss-accelerate.aliyuncs.com", "virtual", None),
        (OSS, "oss-accelerate-overseas.aliyuncs.com", "virtual", None),
        (OBS, "obs.cn-north-4.myhuaweicloud.com", "virtual", "cn-north-4"),
    ],
)
def test_hosts_of_services(dialect, host, style, region):
    at = find_endpoint(dialect, "bkt", host)
    assert at.region == region
    assert at.host == (host if style == "path" else f"bkt.{host}")
    assert at.service_host == host
    assert find_endpoint(dialect, "bkt", host, "chosen").region == "chosen"


@pytest.mark.parametrize("dialect", [OSS, OBS, S3], ids=lambda d: d.service)
@pytest.mark.parametrize("domain", ["img.example.com", "bkt.example.com", "10.0.0.1"])
def test_a_domain_of_the_buckets_own(dialect, domain):
    at = find_endpoint(dialect, "bkt", f"http://{domain}", None, "cname")
    assert (at.host, at.base, at.bucket, at.path_style) == (domain, "/", "bkt", False)
    with pytest.raises(SettingsError, match="cname needs endpoint"):
        find_endpoint(dialect, "bkt", None, "region-1", "cname")


@pytest.mark.parametrize(
    ("bucket", "endpoint", "reason"),
    [
        ("arn:aws:s3:us-west-2:123456789012:accesspoint", "s3.local", "alias, s3://NAME-s3alias"),
        ("arn:aws:s3::123456789012:accesspoint", "s3.local", "is an ARN"),
        ("arn:aws-cn:s3-outposts:cn-north-1:1:outpost", "s3.local", "is an ARN"),
        ("fast--usw2-az1--x-s3", "s3.local", "directory bucket"),
        ("bkt", "s3-website-us-east-1.amazonaws.com", "serves web sites"),
        ("bkt", "bkt.s3-website.eu-central-1.amazonaws.com", "serves web sites"),
    ],
)
def test_what_is_named_and_no_bucket(bucket, endpoint, reason):
    with pytest.raises(SettingsError, match=reason):
        find_endpoint(S3, bucket, endpoint)


def test_an_alias_of_an_access_point_is_a_bucket():
    name = "reports-a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5-s3alias"
    assert find_endpoint(S3, name, None, "eu-west-1").host == f"{name}.s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(("dialect", "signed"), [(OBS, "img.example"), (OSS, "bkt"), (S3, "bkt")])
def test_what_is_signed_of_a_domain(dialect, signed):
    """OBS has the domain in the bucket's place, as its SDK and its manual do."""
    seen = []

    def sign(request, _pair, _now):
        seen.append(request)
        return {}

    def signer(_region):
        return sign

    at = find_endpoint(dialect, "bkt", "http://img.example:8080", None, "cname")
    pair = Credentials("ak", "sk")
    authenticator = Authenticator(at, replace(dialect, signer=signer), StaticCredentials(pair))
    request = Request(operation="GetObject", method="GET", key="k")
    headers = authenticator.headers(at, request, "/k", pair, Body())
    assert (headers["host"], seen[0].host, seen[0].bucket) == (at.authority, at.authority, signed)
