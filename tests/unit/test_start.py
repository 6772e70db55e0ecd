"""How a command begins: it imports what it needs, and Ctrl-C ends it without a word."""

import json
import os
import subprocess
import sys
from collections.abc import Collection
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

HEAVY = set(
    "aiohttp asyncio certifi concurrent.futures csv ctypes email fastcrc fuse http.client lxml"
    " mfusepy multiprocessing requests rich secrets socket sqlite3 ssl subprocess tempfile tomllib"
    " urllib3 xml".split()
)
"""What takes milliseconds to import, each."""

MOST = 200
"""Modules of which a command is made that only says what it is for; all would be 700."""

ASKING_MOUNTS = {"subprocess"}
SETTINGS = {"tomllib"}
TAGS = SETTINGS | {"sqlite3", "concurrent.futures", "secrets"}
MOUNTING = SETTINGS | {"ctypes", "subprocess", "socket"}

NEEDED: dict[str, tuple[set[str], int]] = {
    "--version": (set(), 165),
    "--help": (set(), 165),
    "nonsense": (set(), 165),
    "help tag set": (set(), MOST),
    "status --help": (set(), MOST),
    "status": (ASKING_MOUNTS, 230),
    "status --json": (ASKING_MOUNTS, 230),
    "status /nowhere": (ASKING_MOUNTS, 230),
    "umount --help": (set(), MOST),
    "umount /nowhere": (ASKING_MOUNTS, 230),
    "mount --help": (set(), MOST),
    "mount s3://bucket /nowhere -o region=r": (MOUNTING, 270),
    "mount s3://bucket /nowhere -o region=r,tll=3": (MOUNTING, 270),
    "doctor --help": (set(), MOST),
    "recover --help": (set(), MOST),
    "demo --help": (set(), MOST),
    "index --help": (set(), MOST),
    "restore --help": (set(), MOST),
    "undelete --help": (set(), MOST),
    "tag --help": (set(), MOST),
    **{
        f"tag {name} --help": (set(), MOST)
        for name in (
            "check copy dump find get import merge rename replace restore rm set stat undo untagged"
        ).split()
    },
    "tag set": (TAGS | {"tempfile"}, 300),
    "tag set a=b /": (TAGS | {"tempfile"}, 300),
    "tag get": (set(), MOST),
    "tag get /": (TAGS, 300),
    "tag find a /": (TAGS, 300),
}
"""What a command may import of the heavy, and how many modules at most, until it asks a service."""

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


@pytest.mark.parametrize("words", NEEDED)
def test_nothing_is_imported_that_is_not_needed(words: str) -> None:
    _look(run(IMPORTED, json.dumps(words.split())), *NEEDED[words])


def test_every_command_is_in_the_table() -> None:
    asked = {words.removesuffix(" --help") for words in NEEDED if words.endswith(" --help")}
    names = {path.removeprefix("tagfs ") for path, _ in commands(main_group)}
    assert names - asked <= {"tagfs", "help", "emulator"}


@pytest.mark.parametrize("line", ["tagfs ", "tagfs tag s", "tagfs mount oss://b /mnt -o att"])
def test_nor_by_completion(line: str) -> None:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = run(IMPORTED, "[]", _TAGFS_COMPLETE="bash_complete", **words)
    assert done.stdout
    _look(done)


def _look(
    done: subprocess.CompletedProcess[str], allowed: Collection[str] = (), most: int = MOST
) -> None:
    imported = json.loads(done.stderr.splitlines()[-1])
    assert not (HEAVY & set(imported)).difference(allowed)
    assert len(imported) < most


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


SERVED = """
import gc, sys
import tagfs.session
from tagfs.__main__ import main

def serve(*_arguments, **_words):
    print(gc.isenabled(), len(gc.get_objects()) < gc.get_freeze_count() / 100)

tagfs.session.serve = serve
sys.argv = ["tagfs", "mount", "-f", "s3://bucket", sys.argv[1], "-o", "endpoint=http://h,region=r"]
main()
"""


def test_a_mount_does_not_look_for_garbage_in_what_was_loaded(tmp_path: Path) -> None:
    done = run(SERVED, str(tmp_path))
    assert done.stdout == "True True\n", done.stderr


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


BETWEEN = """
import os, signal, sys
import click
from tagfs.__main__ import main

kept, calls = click.{place}, []

def struck(*arguments, **words):
    calls.append(1)
    if len(calls) == {number}:
        os.kill(os.getpid(), signal.SIGINT)
    return kept(*arguments, **words)

click.{place} = struck
sys.argv = ["tagfs", *sys.argv[1:]]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", ["help", "status", "tag set --help", "--version"])
def test_nor_is_one_of_what_is_between_ours(words: str) -> None:
    """Where click would say that it aborts."""
    whole = run(BETWEEN.format(place="Context.exit", number=0), *words.split())
    for place in ("Command.make_context", "Context.__enter__", "Context.__exit__", "Context.exit"):
        for number in range(1, 100):
            end = run(BETWEEN.format(place=place, number=number), *words.split())
            if end.returncode == whole.returncode:
                break  # it is not called so often
            assert (end.returncode, end.stderr) == (INTERRUPTED, "")


def test_the_list_says_what_each_command_says_of_itself() -> None:
    for path, command in commands(main_group):
        if isinstance(command, LazyGroup):
            for name, later in command._later.items():
                loaded = later.load()
                first = (loaded.help or "").partition("\n\n")[0]
                assert " ".join(first.split()) == later.text, (path, name)
    assert list(COMMANDS) == sorted(COMMANDS)
