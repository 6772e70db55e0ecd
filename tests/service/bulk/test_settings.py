"""Commands find buckets and credentials where a mount would: settings files, and what they name."""

from pathlib import Path

import pytest

from tests.judges import KEY_ID, SECRET
from tests.mounting import KEYS, REGION
from tests.service.bulk.conftest import Subject, run_tag

BARE = dict.fromkeys(KEYS, "")
"""No credentials in the environment."""


@pytest.fixture
def config(subject: Subject, tmp_path: Path) -> Path:
    """A settings file that says where the bucket is, and names a file with its key pair."""
    keys = tmp_path / "keys"
    keys.touch(0o600)
    keys.write_text(f"{KEY_ID}:{SECRET}")
    file = tmp_path / "tagfs.toml"
    file.write_text(
        f"""
        [bucket."{subject.url}"]
        endpoint = "{subject.service.url}"
        region = "{REGION}"
        credentials = "{keys}"
        """
    )
    file.chmod(0o600)
    return file


def test_a_settings_file_has_all(subject: Subject, config: Path) -> None:
    subject.put("a", team="blue")
    env = {**BARE, "TAGFS_CONFIG": str(config)}
    assert run_tag("get", f"{subject.url}/a", env=env).lines[-1].endswith("team=blue")
    named = run_tag("get", f"{subject.url}/a", "-o", f"config={config}", env=BARE)
    assert named.lines[-1].endswith("team=blue")


def test_a_key_file_that_others_can_read_is_refused(subject: Subject, config: Path) -> None:
    subject.put("a", team="blue")
    log = subject.requests()
    keys = config.with_name("keys")
    keys.chmod(0o644)
    ran = run_tag("get", f"{subject.url}/a", "-o", f"config={config}", env=BARE, status=1)
    assert f"chmod 600 {keys}" in ran.err
    assert SECRET not in ran.err + ran.out
    assert len(log) == 0


def test_mistakes_of_all_places_are_one_message(subject: Subject, config: Path) -> None:
    config.write_text("[default]\nttl = 'soon'\n")
    env = {**BARE, "TAGFS_PARALLEL": "no"}
    ran = run_tag("get", f"{subject.url}/a", "-o", f"config={config},regoin=x", env=env, status=2)
    for said in (f"{config}: default.ttl=soon", "TAGFS_PARALLEL=no", "did you mean 'region'?"):
        assert said in ran.err
