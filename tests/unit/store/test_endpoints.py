"""Where a bucket is, from what a user writes."""

from urllib.parse import quote

import pytest

from tagfs.errors import SettingsError
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.http.endpoints import find_endpoint

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
        ("bkt", "http://host/path"),
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
