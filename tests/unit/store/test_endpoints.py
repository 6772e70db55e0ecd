"""Where a bucket is, from what a user writes."""

import pytest

from tagfs.errors import SettingsError
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.dialects.oss import OSS
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
