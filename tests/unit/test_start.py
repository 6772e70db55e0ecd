"""How a command begins: it imports what it needs, and Ctrl-C ends it without a word."""

import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tagfs.cli import COMMANDS, main_group
from tagfs.manual.examples import commands
from tagfs.terminal.lazy_group import INTERRUPTED, LazyGroup

pytestmark = pytest.mark.slow
"""Each of these starts processes."""

HEAVY = {"requests", "urllib3", "lxml", "fuse", "mfusepy", "rich", "aiohttp", "ssl", "fastcrc"}
"""What takes tens of milliseconds to import."""

MOST = 270
"""Modules of which a command is made that does nothing; all would be 700."""

IMPORTED = """
import json, sys
from tagfs.__main__ import main
sys.argv = ["tagfs", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit:
    pass
sys.stderr.write("\\n" + json.dumps(list(sys.modules)))
"""

INTERRUPT = """
import os, sys

class Interrupt:
    left = 0

    def find_spec(self, *_arguments):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

def begin(number):
    Interrupt.left = number
    sys.meta_path.insert(0, Interrupt())
    sys.argv = ["tagfs", *sys.argv[1:]]
    from tagfs.__main__ import main
    main()

import tagfs.__main__  # a file of a few lines: what can be interrupted is all that it imports
for number in range(1, 400, 4):
    child = os.fork()
    if child == 0:
        os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
        begin(number)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status)
    if status != 130:
        break
"""


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        "--version",
        "--help",
        "nonsense",
        "mount --help",
        "umount --help",
        "status --help",
        "status --json",
        "doctor --help",
        "recover --help",
        "demo --help",
        "tag --help",
        "tag set --help",
        "tag rm --help",
        "tag get --help",
        "tag find --help",
        "tag restore --help",
        "tag check --help",
        "index --help",
        "restore --help",
        "undelete --help",
    ],
)
def test_nothing_is_imported_that_is_not_needed(words: str) -> None:
    _look(run(IMPORTED, json.dumps(words.split())))


@pytest.mark.parametrize("line", ["tagfs ", "tagfs tag s", "tagfs mount oss://b /mnt -o att"])
def test_nor_by_completion(line: str) -> None:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = run(IMPORTED, "[]", _TAGFS_COMPLETE="bash_complete", **words)
    assert done.stdout
    _look(done)


def _look(done: subprocess.CompletedProcess[str]) -> None:
    imported = json.loads(done.stderr.splitlines()[-1])
    assert not HEAVY & set(imported)
    assert len(imported) < MOST


@pytest.mark.parametrize("words", ["--version", "mount --help"])
def test_an_interrupt_while_it_is_imported_is_silent(words: str) -> None:
    done = run(INTERRUPT, *words.split())
    *interrupted, whole = done.stdout.split()
    assert (set(interrupted), whole, done.stderr) == ({"130"}, "0", "")
    assert len(interrupted) > 10


def _interrupted(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_of_a_command_is_silent() -> None:
    group = LazyGroup(
        "tagfs", later={}, commands={"go": click.Command("go", callback=_interrupted)}
    )
    done = CliRunner().invoke(group, ["go"])
    assert (done.exit_code, done.output) == (INTERRUPTED, "")


def test_the_list_says_what_each_command_says_of_itself() -> None:
    for path, command in commands(main_group):
        if isinstance(command, LazyGroup):
            for name, later in command._later.items():
                loaded = later.load()
                first = (loaded.help or "").partition("\n\n")[0]
                assert " ".join(first.split()) == later.text, (path, name)
    assert list(COMMANDS) == sorted(COMMANDS)
