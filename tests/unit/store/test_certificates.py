"""Whose certificates are trusted: which place holds, and what is said of one that is none."""

from pathlib import Path

import certifi
import pytest

from tagfs.errors import SettingsError
from tagfs.store.certificates import Trust, find_trust

AWS, REQUESTS, CURL = "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"
FILE, DIRECTORY = "SSL_CERT_FILE", "SSL_CERT_DIR"


@pytest.mark.parametrize(
    ("chosen", "service", "environment", "found"),
    [
        ("/own", "s3", {AWS: "/a", REQUESTS: "/r"}, Trust("/own", "", "ca_bundle")),
        (None, "s3", {AWS: "/a", REQUESTS: "/r"}, Trust("/a", "", AWS)),
        (None, "oss", {AWS: "/a", REQUESTS: "/r"}, Trust("/r", "", REQUESTS)),
        (None, "obs", {CURL: "/c", FILE: "/f"}, Trust("/c", "", CURL)),
        (None, "obs", {REQUESTS: "", FILE: "/f"}, Trust("/f", "", FILE)),
        (None, "oss", {FILE: "/f", DIRECTORY: "/d"}, Trust("/f", "/d", f"{FILE} and {DIRECTORY}")),
        (None, "oss", {DIRECTORY: "/d:/e"}, Trust("", "/d:/e", DIRECTORY)),
        (None, "s3", {REQUESTS: "/etc"}, Trust("", "/etc", REQUESTS)),
        ("/etc", "s3", {}, Trust("", "/etc", "ca_bundle")),
    ],
)
def test_which_place_holds(chosen, service, environment, found):
    assert find_trust(chosen, service, environment) == found


def test_the_store_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The file that its tools write; the list of certifi only where it has none."""
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: Paths(tmp_path))
    store, empty = tmp_path / "store.pem", tmp_path / "empty.pem"
    empty.touch()
    stores = (str(tmp_path / "none"), str(empty), str(store))
    assert find_trust(None, "s3", {}, stores) == Trust(certifi.where())
    (tmp_path / "certs").mkdir()
    assert find_trust(None, "s3", {}, stores) == Trust(certifi.where())
    (tmp_path / "certs" / "1a2b3c4d.0").touch()
    assert find_trust(None, "s3", {}, stores) == Trust("", str(tmp_path / "certs"))
    store.write_text("certificates")
    assert find_trust(None, "s3", {}, stores) == Trust(str(store))
    (tmp_path / "openssl.pem").write_text("certificates")
    assert find_trust(None, "s3", {}, stores) == Trust(str(tmp_path / "openssl.pem"))


class Paths:
    """What an interpreter's OpenSSL was built with."""

    def __init__(self, base: Path) -> None:
        self.openssl_cafile = str(base / "openssl.pem")
        self.openssl_capath = str(base / "certs")


@pytest.mark.parametrize("variable", [AWS, REQUESTS, CURL, FILE, DIRECTORY])
def test_who_named_what_is_not_there_gets_an_error(variable):
    with pytest.raises(SettingsError, match=f"{variable}=/nowhere/ca is not there"):
        find_trust(None, "s3", {variable: "/nowhere/ca"}).context()


def test_a_file_without_a_certificate(tmp_path: Path):
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(SettingsError, match=f"{REQUESTS}={file} has no certificate"):
        find_trust(None, "s3", {REQUESTS: str(file)}).context()
