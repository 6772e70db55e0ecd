"""Lines of fstab of s3fs, ossfs, rclone and mountpoint-s3: what is said of each option."""

import pytest

from tagfs.config.foreign_options import FOREIGN, MEANT
from tagfs.config.fuse_options import FUSE_OPTIONS, IGNORED
from tagfs.config.options import TABLE
from tagfs.config.settings import parse_options, parse_url, split_options
from tagfs.errors import SettingsError

URL = parse_url("oss://bucket")

LINES = {
    "url=https://host": "unknown option 'url': it is endpoint=... here",
    "passwd_file=/etc/passwd-s3fs": "unknown option 'passwd_file': it is credentials=... here",
    "use_path_request_style": "it is addressing=path here",
    "mp_umask=022": "it is umask=... here",
    "use_sse=1": "it is sse=... here",
    "public_bucket=1": "it is anonymous here",
    "retries=3": "it is timeout=... here",
    "mime=/etc/mime.types": "it is content_type=... here",
    "connect_timeout=3": "it is timeout=... here",
    "use_cache=/tmp": "there is none: cache_size says how much",
    "oss_negative_cache_timeout=3": "it is negative_ttl=... here",
    "oss_access_key_secret=x": "put the key pair into a file",
    "vfs-cache-mode=full": "it is not needed here: every pattern of writing works",
    "--file-mode=644": "it is file_mode=... here",
    "part-size=8M": "it is part_size=... here",
    "no-sign-request": "it is anonymous here",
    "allow-delete": "it is not needed here: deleting is allowed unless there is no_delete",
    "no_check_certificate": "there is none: name the authority by ca_bundle=FILE",
}


@pytest.mark.parametrize("line", LINES)
def test_an_option_of_another_tool_has_advice(line: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_options(URL, split_options((line,)))
    assert LINES[line] in str(raised.value)
    assert "did you mean" not in str(raised.value)


def test_no_name_is_both_ours_and_another_tools() -> None:
    assert len(FOREIGN) == len(set(FOREIGN))
    assert not set(FOREIGN) & (TABLE.keys() | FUSE_OPTIONS | IGNORED)


@pytest.mark.parametrize("name", MEANT)
def test_what_is_advised_is_an_option_with_such_a_value(name: str) -> None:
    meant, equals, value = MEANT[name].partition("=")
    assert meant in TABLE or meant in FUSE_OPTIONS
    if equals and value != "FILE":
        parse_options(URL, {meant: value})
