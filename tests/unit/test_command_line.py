"""Commands as a newcomer finds them: help by every way, and what is in use."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from tagfs.cli import main_group
from tagfs.emulator.__main__ import main as emulator_main
from tagfs.host.holders import Holder, describe, find_holders
from tagfs.manual.examples import commands
from tagfs.store.client.error_codes import to_exception
from tagfs.store.dialects.oss import OSS
from tagfs.store.http.connections import why
from tagfs.store.http.error_response import parse_response
from tagfs.store.http.messages import Request

ALL = [path.split()[1:] for path, _ in commands(main_group)]
"""The words of every command."""


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_is_found_by_every_way(words: list[str]) -> None:
    run = CliRunner().invoke
    if words == ["emulator"]:
        return
    texts = [run(main_group, [*words, flag], prog_name="tagfs") for flag in ("-h", "--help")]
    texts.append(run(main_group, ["help", *words], prog_name="tagfs"))
    assert [text.exit_code for text in texts] == [0, 0, 0]
    assert len({text.output for text in texts}) == 1
    assert texts[0].output.startswith(f"Usage: {' '.join(['tagfs', *words])}")


def test_help_of_what_is_no_command() -> None:
    done = CliRunner().invoke(main_group, ["help", "monut"], prog_name="tagfs")
    assert done.exit_code == 2
    assert "monut" in done.output


@pytest.mark.parametrize("flag", ["--help", "--help-faults", "--help-options"])
def test_the_emulators_help(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        emulator_main([flag])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "tagfs.emulator" not in text
    if flag == "--help":
        assert text.startswith("usage: tagfs emulator ")
        assert "AWS_SECRET_ACCESS_KEY=emulator-secret" in text


@pytest.mark.parametrize(
    "words",
    [
        ["--option", "nonsense"],
        ["--fault", "nonsense"],
        ["--bucket", "A"],
        ["--listen", "nowhere"],
        ["--generate", "x"],
    ],
    ids=" ".join,
)
def test_what_the_emulator_does_not_understand_is_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert emulator_main(["--data", str(tmp_path), *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith("emulator: ")
    assert said.count("\n") == 1


def test_who_holds_a_mount(tmp_path: Path) -> None:
    """Links of /proc are read, and never what they lead to."""
    for pid, links in {
        "10": {"cwd": "/mnt/b/dir", "exe": "/bin/bash"},
        "11": {"cwd": "/", "fd/3": "/mnt/b/file (deleted)"},
        "12": {"cwd": "/mnt/bucket", "fd/1": "pipe:[7]", "exe": "/mnt/b2/x"},
        "13": {"cwd": "/", "exe": "/mnt/b/tool"},
        "self": {"cwd": "/mnt/b"},
    }.items():
        process = tmp_path / pid
        (process / "fd").mkdir(parents=True)
        (process / "comm").write_text(f"name-{pid}\n")
        for name, target in links.items():
            os.symlink(target, process / name)
    found = sorted(find_holders("/mnt/b", tmp_path), key=lambda holder: holder.pid)
    assert [str(holder) for holder in found] == [
        "name-10 (pid 10) works in /mnt/b/dir",
        "name-11 (pid 11) has /mnt/b/file (deleted) open",
        "name-13 (pid 13) runs /mnt/b/tool",
    ]


def test_what_is_in_use_is_said_in_one_line() -> None:
    many = [Holder(pid, "vi", "works in /m") for pid in range(9)]
    said = describe("/m", many, ["/m/inner"])
    assert said.startswith("/m is in use: /m/inner is mounted in it; vi (pid 0) works in /m; ")
    assert said.endswith("; 5 more: end that first, or detach it now: tagfs umount --lazy /m")
    assert "cannot be seen from here" in describe("/m", [], [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("_Connection(host='127.0.0.1', port=1): Failed to establish", "Failed to establish"),
        ("<urllib3.connection.HTTPConnection object at 0x7f>: Failed", "Failed"),
        ("HTTPSConnectionPool(host='h', port=443): Read timed out.", "Read timed out."),
        ("[Errno 104] Connection reset by peer", "[Errno 104] Connection reset by peer"),
        ("", "ValueError"),
    ],
)
def test_no_object_of_a_library_is_in_a_message(text: str, reason: str) -> None:
    assert why(ValueError(text)) == reason


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            b"<!DOCTYPE HTML><html><title>403\n Forbidden</title>...</html>",
            "a web page, '403 Forbidden'",
        ),
        (b"<html>\n<body>\nno\n</body>", "a web page"),
        (b"try\n\tlater\x1b[2J", "try later?[2J"),
    ],
)
def test_a_page_in_place_of_an_answer_is_one_line(body: bytes, said: str) -> None:
    request = Request(operation="ListObjects", method="GET")
    answer = parse_response(OSS, request, 403, {}, body)
    assert str(answer) == f"403 {said}, request id unknown"
    assert str(to_exception(request, answer)) == f"ListObjects: {answer}"
