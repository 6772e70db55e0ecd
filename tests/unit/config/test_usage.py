"""Exit status 2 for a command line that is wrong, of every command that has -o; 1 for the rest."""

import sys
from pathlib import Path

import pytest

import tagfs.cli
from tagfs.config.resolve import check_usage
from tagfs.errors import BadUsage

COMMANDS = {
    "mount": ["mount", "oss://bucket", "MNT"],
    "remount": ["mount", "oss://bucket", "MNT", "-o", "remount"],
    "doctor": ["doctor", "oss://bucket"],
    "recover": ["recover", "CACHE"],
    "recover --list": ["recover", "--list", "CACHE"],
    "tag get": ["tag", "get", "oss://bucket/a"],
    "tag set": ["tag", "set", "a=b", "oss://bucket/a"],
    "tag rm": ["tag", "rm", "a", "oss://bucket/a"],
    "tag replace": ["tag", "replace", "a=b", "oss://bucket/a"],
    "tag dump": ["tag", "dump", "oss://bucket"],
    "tag find": ["tag", "find", "a=b", "oss://bucket"],
    "tag restore": ["tag", "restore", "--base", "oss://bucket", "FILE"],
    "tag undo": ["tag", "undo", "FILE"],
}
WRONG = {
    "regoin=x": "-o regoin: unknown option",
    "ttl=soon": "-o ttl=soon: expected seconds",
    "ro=perhaps": "-o ro=perhaps: expected true or false",
    "memory": "-o memory: expected a size",
    "credentials=/a,credential_process=b": "exclude one another",
}


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    """`run(*words)`: exit status and stderr of tagfs, or of mount(8)'s helper by its name."""
    for name in ("MNT", "CACHE"):
        (tmp_path / name).mkdir()
    (tmp_path / "FILE").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def done(*words: str, name: str = "tagfs") -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", [name, *words])
        with pytest.raises(SystemExit) as ended:
            tagfs.cli.main()
        return ended.value.code, capsys.readouterr().err

    return done


@pytest.mark.parametrize("option", WRONG)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_option_is_bad_usage(run, command, option):
    status, said = run(*COMMANDS[command], "-o", option)
    assert status == 2, said
    assert WRONG[option] in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("option", WRONG)
def test_mount8_gets_its_own_status(run, option):
    """2 is an error of the system there; what is wrong with an invocation is 1."""
    for name in ("tagfs", "/sbin/mount.fuse.tagfs"):
        status, said = run("oss://bucket", "MNT", "-o", option, name=name)
        assert status == 1
        assert WRONG[option] in said


@pytest.mark.parametrize("command", ["mount", "doctor"])
def test_a_mistake_in_another_place_is_a_failure(run, monkeypatch, command):
    monkeypatch.setenv("TAGFS_TTL", "soon")
    status, said = run(*COMMANDS[command], "-o", "region=x")
    assert status == 1
    assert "TAGFS_TTL=soon" in said


def test_other_places_are_named_as_well():
    environment = {"TAGFS_TTL": "soon", "HOME": "/none"}
    check_usage({"region": "x"}, environment)
    check_usage({"config": "/no/such/file"}, environment)
    with pytest.raises(BadUsage, match=r"-o regoin.*TAGFS_TTL=soon"):
        check_usage({"regoin": "x"}, environment)
