"""How a command begins: it imports what it needs, and Ctrl-C ends it without a word."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tagfs.cli import COMMANDS, main_group
from tagfs.manual.examples import commands
from tagfs.terminal.lazy_group import LazyGroup
from tagfs.terminal.loading import INTERRUPTED
from tests.interrupts import ENDED, spread

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

STRUCK = """
import os, signal, weakref
from tagfs.terminal.loading import Loading, keep_interrupts

class Names:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)

class Thing:
    pass

def release():
    thing = Thing()
    reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del thing
    return reference

keep_interrupts()
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


@pytest.mark.parametrize(
    "words",
    [
        "--version",
        "mount --help",
        "mount s3://bucket /nowhere",
        "umount /nowhere",
        "status",
        "recover {empty}",
        "emulator --help",
        "tag set --help",
        "nonsense",
    ],
)
def test_an_interrupt_of_its_start_is_silent(words: str, tmp_path: Path) -> None:
    whole, *struck = spread(*words.format(empty=tmp_path).split(), moments=32)
    assert whole.status in {0, 1, 2}
    for end in struck:
        assert end.status in {*ENDED, whole.status}, end
        assert end.stderr in {"", whole.stderr}
    assert sum(end.status in ENDED for end in struck) > 10
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "code",
    [
        "with Loading():\n    class Named:\n        name = Names()",
        "with Loading():\n    release()",
    ],
)
def test_an_interrupt_of_an_import_is_not_lost(code: str) -> None:
    """Where Python would make another exception of it, or none."""
    done = run(f"{STRUCK}\n{code}\nprint('went on')")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_nor_is_one_that_strikes_a_destructor() -> None:
    code = "try:\n    release()\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('caught')"
    done = run(f"import time\n{STRUCK}\n{code}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "caught\n", "")


def test_who_ignores_interrupts_goes_on_doing_so() -> None:
    code = "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwith Loading():\n    release()"
    done = run(f"{STRUCK}\n{code}\nprint('went on')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


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
