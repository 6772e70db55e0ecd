"""Which proxy is asked: what was chosen, what the environment names, and what it excepts."""

import re
from pathlib import Path

import pytest

from tagfs.config.resolve import choose
from tagfs.config.settings import parse_options, parse_url
from tagfs.errors import SettingsError
from tagfs.host.hidden_arguments import passwords_in
from tagfs.store.proxies import DIRECT, Proxy, find_proxy, is_excepted, parse_proxy, read_proxy

HOST = "bkt.s3.eu-west-1.amazonaws.com"
FILED = "http://user:p%40ss@proxy:3128"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://proxy:3128", Proxy("http", "proxy", 3128)),
        ("proxy:3128", Proxy("http", "proxy", 3128)),
        ("https://proxy", Proxy("https", "proxy", 443)),
        ("http://proxy/", Proxy("http", "proxy", 80)),
        ("http://u:p%40s%2Fs@proxy:1", Proxy("http", "proxy", 1, "u", "p@s/s")),
        ("http://u:p@ss@proxy:1", Proxy("http", "proxy", 1, "u", "p@ss")),
        ("http://[::1]:3128", Proxy("http", "::1", 3128)),
        ("none", DIRECT),
    ],
)
def test_a_url_of_a_proxy(text, found):
    assert parse_proxy(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "socks5://proxy:1080",
        "http://",
        "http://proxy:99999",
        "http://proxy/path",
        "http://u:pass?@proxy",
        "http://[::1:3128",
    ],
)
def test_what_is_no_proxy_is_not_repeated(text):
    """It may have a password in it."""
    with pytest.raises(SettingsError) as raised:
        parse_options(parse_url("s3://bkt"), {"proxy": text})
    assert str(raised.value).startswith("proxy: expected http[s]://")
    assert "pass?" not in str(raised.value)


@pytest.mark.parametrize(
    ("entries", "host", "port", "excepted"),
    [
        ("*", HOST, 443, True),
        ("amazonaws.com", HOST, 443, True),
        (".amazonaws.com", HOST, 443, True),
        ("*.amazonaws.com", HOST, 443, True),
        ("AmazonAWS.com", HOST, 443, True),
        (HOST, HOST, 443, True),
        ("aws.com", HOST, 443, False),
        ("a.b, amazonaws.com", HOST, 443, True),
        ("a.b amazonaws.com", HOST, 443, True),
        ("amazonaws.com:443", HOST, 443, True),
        ("amazonaws.com:8443", HOST, 443, False),
        ("localhost", "localhost", 9000, True),
        ("localhost:9000", "localhost", 9001, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "host10", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:443", "10.1.2.3", 80, False),
        ("2.3", "10.1.2.3", 443, False),
        ("fd00::/8", "fd00::7", 443, True),
        ("::1", "::1", 443, True),
        ("[::1]:443", "::1", 443, True),
        ("[::1]:443", "::1", 80, False),
        ("", HOST, 443, False),
        (".", HOST, 443, False),
    ],
)
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_what_is_excepted(variable, entries, host, port, excepted):
    assert is_excepted(host, port, {variable: entries}) is excepted
    environment = {variable: entries, "http_proxy": "http://proxy:1"}
    assert (find_proxy("http", host, port, None, environment) is None) is excepted


@pytest.mark.parametrize(
    ("scheme", "environment", "origin"),
    [
        ("https", {"HTTPS_PROXY": "http://p:1"}, "HTTPS_PROXY"),
        ("https", {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "https_proxy"),
        ("https", {"HTTP_PROXY": "http://p:1"}, None),
        ("http", {"HTTP_PROXY": "http://p:1"}, "HTTP_PROXY"),
        ("http", {"http_proxy": "p:1"}, "http_proxy"),
        ("http", {"ALL_PROXY": "http://p:1"}, "ALL_PROXY"),
        ("https", {"all_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "HTTPS_PROXY"),
        ("https", {"https_proxy": "", "HTTPS_PROXY": "http://p:1"}, None),
        ("https", {"HTTPS_PROXY": "none"}, None),
        ("https", {}, None),
    ],
)
def test_which_variable_holds(scheme, environment, origin):
    found = find_proxy(scheme, HOST, 443, None, environment)
    assert (found.origin if found else None) == origin


def test_a_choice_goes_before_the_environment():
    environment = {"HTTPS_PROXY": "http://other:1", "NO_PROXY": "*"}
    chosen = parse_proxy("http://proxy:1")
    assert find_proxy("https", HOST, 443, chosen, environment) == chosen
    assert find_proxy("https", HOST, 443, DIRECT, {"HTTPS_PROXY": "http://p:1"}) is None


def test_a_proxy_that_cannot_be_spoken_to_is_an_error():
    """To go without it would be another way than the user thinks."""
    with pytest.raises(SettingsError, match="ALL_PROXY: socks5 proxies are not") as raised:
        find_proxy("https", HOST, 443, None, {"ALL_PROXY": "socks5://u:secret@proxy:1080"})
    assert "secret" not in str(raised.value)
    assert "proxy=none" in str(raised.value)


def test_a_password_is_in_no_text_and_found_again():
    proxy = parse_proxy(FILED)
    assert isinstance(proxy, Proxy)
    assert "p@ss" not in f"{proxy} {proxy!r} {proxy.shown}"
    reported = parse_proxy(str(proxy))
    assert isinstance(reported, Proxy)
    assert (reported.user, reported.password) == ("user", "")
    found = find_proxy("https", HOST, 443, reported, {"HTTPS_PROXY": FILED})
    assert found is not None
    assert found.password == "p@ss"
    other = find_proxy("https", HOST, 443, reported, {"HTTPS_PROXY": FILED.replace("proxy:", "p:")})
    assert other is not None
    assert other.password == ""


def test_a_file_keeps_the_password(tmp_path: Path):
    file = tmp_path / "proxy"
    file.write_text(FILED + "\n")
    file.chmod(0o600)
    found = read_proxy(file)
    assert isinstance(found, Proxy)
    assert (found.password, str(found)) == ("p@ss", str(file))
    assert parse_options(parse_url("s3://bkt"), {"proxy": str(file)}).proxy == found


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        (None, 0o600, "no such file"),
        (FILED, 0o644, "can be read by others"),
        ("socks5://u:secret@p", 0o600, "does not hold"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text, mode, reason):
    file = tmp_path / "proxy"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    with pytest.raises(SettingsError, match=reason) as raised:
        parse_options(parse_url("s3://bkt"), {"proxy": str(file)})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "hidden"),
    [
        (b"tagfs\0mount\0s3://b\0/m\0-o\0ro,proxy=http://u:secret@p:1,ttl=3\0", [b"secret"]),
        (b"tagfs\0-oproxy=u:secret@p:1\0", [b"secret"]),
        (b"tagfs\0-o\0proxy=http://u:s@cr:et@p:1\0", [b"s@cr:et"]),
        (b"tagfs\0-o\0proxy=http://p:1\0x@y\0", []),
        (b"tagfs\0-o\0proxy=http://u@p:1\0", []),
        (b"tagfs\0-o\0proxy=/etc/p,endpoint=http://h:1\0", []),
    ],
)
def test_what_is_hidden_of_arguments(arguments, hidden):
    assert [arguments[begin:end] for begin, end in passwords_in(arguments)] == hidden


def test_a_password_belongs_into_no_settings_file(tmp_path: Path):
    file = tmp_path / "tagfs.toml"
    file.write_text('[default]\nproxy = "http://u:secret@p:1"\n')
    with pytest.raises(SettingsError, match="a password does not belong here") as raised:
        choose(parse_url("s3://bkt"), {"config": str(file)}, {})
    assert not re.search("secret@", str(raised.value))
