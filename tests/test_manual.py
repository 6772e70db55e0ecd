"""Man pages, completions, --help and the guide: of one source, and complete."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from scripts.manpages.__main__ import generated
from tagfs.cli import main_group
from tagfs.config.fuse_options import FUSE_OPTIONS
from tagfs.config.options import TABLE
from tagfs.emulator.__main__ import make_parser
from tagfs.manual.examples import commands, has_example

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "tagfs/data/share/man"
MAN_PAGES = ["man1/tagfs.1", "man8/tagfs-mount.8", "man8/mount.fuse.tagfs.8"]


@pytest.mark.parametrize("name", generated())
def test_what_is_made_is_up_to_date(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == generated()[name].strip("\n") + "\n", "run scripts/man"


@pytest.mark.parametrize("name", [name for name, option in TABLE.items() if option.values])
def test_all_that_an_option_may_be_is_written(name: str) -> None:
    """In --help, the man page and docs/options.md, which are made of this text."""
    for word in TABLE[name].values:
        assert re.search(rf"\b{word}\b", TABLE[name].described), word


@pytest.mark.parametrize("page", MAN_PAGES)
def test_pages_are_clean_roff(page: str) -> None:
    if shutil.which("groff") is None:
        pytest.skip("needs groff")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", page],
        cwd=PAGES,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) > 50


def rendered(page: str) -> str:
    """Return a page as `man -l` shows it on a wide terminal, in one line."""
    if shutil.which("man") is None:
        pytest.skip("needs man")
    done = subprocess.run(
        ["man", "-M", str(PAGES), "-l", str(PAGES / page)],
        env={**os.environ, "MANWIDTH": "200", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return " ".join(re.sub(".\b", "", done.stdout).replace("\u2010", "-").split())


def test_every_command_is_in_the_manual() -> None:
    text = rendered("man1/tagfs.1")
    for path, command in commands(main_group):
        assert path in text
        if path == "tagfs":
            continue
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[-1] in text, (path, parameter.opts)
    for name in ("user.tag.KEY", "OSS_ACCESS_KEY_ID", "EXIT STATUS", "tagfs-mount(8)"):
        assert name in text


def test_every_option_is_in_the_manual() -> None:
    text = rendered("man8/tagfs-mount.8")
    for option in TABLE.values():
        assert " ".join(option.text.split()) in text, option.name
    for name in FUSE_OPTIONS:
        assert name in text
    assert "ln -s" in text
    if os.path.lexists("/usr/bin/man"):
        assert rendered("man8/mount.fuse.tagfs.8") == text


@pytest.mark.parametrize("path", [p for p, _ in commands(main_group) if p != "tagfs emulator"])
def test_help_shows_an_example(path: str) -> None:
    done = CliRunner().invoke(main_group, [*path.split()[1:], "--help"], terminal_width=300)
    assert done.exit_code == 0
    assert has_example(path, done.output), done.output


def test_help_of_mount_shows_every_option() -> None:
    text = " ".join(CliRunner().invoke(main_group, ["mount", "--help"]).output.split())
    for option in TABLE.values():
        assert " ".join(option.text.split()) in text


def test_the_guide_does_not_drift() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]*) \|", _options_of_guide(), re.MULTILINE)
    reported = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    assert len(reported) > 10
    assert set(reported) <= set(TABLE)
    for names, default in rows:
        name = names.strip("`")
        if name in TABLE and re.fullmatch(r"`\w+` *", default):
            assert default.strip(" `") == TABLE[name].default, name


def _options_of_guide() -> str:
    text = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    return text.partition("## Mount options")[2].partition("\n## ")[0]


class TestCompletion:
    def complete(self, line: str, before: str = "") -> list[str]:
        """Return what bash offers at the end of a line, by the file that is installed."""
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("needs bash")
        script = ROOT / "tagfs/data/share/bash-completion/completions/tagfs"
        call = f"source {script}; {before} _tagfs; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(
            [bash, "--norc", "-c", call],
            env={"COMP_LINE": line, "COMP_POINT": str(len(line)), "PATH": ""},  # no program is run
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return [one for one in done.stdout.split("\n") if one]

    @pytest.mark.parametrize(
        ("line", "offered"),
        {
            "tagfs u": ["umount", "undelete"],
            "tagfs tag und": ["undo"],
            "tagfs help tag": ["tag"],
            "tagfs mount os": ["oss://"],
            "tagfs mount oss://b /mnt -o att": ["attributes=", "attr_timeout="],
            "tagfs mount oss://b /mnt -o ro,replace_t": ["ro,replace_tags="],
            "tagfs mount oss://b /mnt -o ro,replace_tags=k": ["keep"],  # "=" parts words
            "tagfs mount oss://b /mnt -o durability=": ["service", "local"],
            "tagfs mount -o ro,durability=l": ["local"],
            "tagfs doctor oss://b -o regi": ["region="],
            "tagfs tag get -o regi": ["region="],
            "tagfs tag set team=blue -o fuse=": ["auto", "2", "3"],
            "tagfs tag set --dry": ["--dry-run"],
            "tagfs demo --service o": ["oss", "obs"],
            "tagfs emulator --service s": ["s3"],
            "tagfs emulator --help-f": ["--help-faults"],
            # What bash itself completes: names of files.
            "tagfs tag get ~/bucket/re": [],
            "tagfs tag set team=blue buck": [],
            "tagfs tag dump -R buck": [],
            "tagfs tag restore ta": [],
            "tagfs mount oss://x ~/de": [],
            "tagfs mount oss://x /mnt -o credentials=~/.e": [],
            "tagfs emulator --data /tm": [],
        }.items(),
    )
    def test_bash(self, line: str, offered: list[str]) -> None:
        assert self.complete(line) == offered

    def test_mounts_are_offered_where_mounts_are_meant(self) -> None:
        mounts = "_tagfs_mounts() { printf '/mnt/one\\n/mnt/a b\\n'; };"
        for command in ("umount", "status"):
            assert self.complete(f"tagfs {command} /mnt/", mounts) == ["/mnt/one", "/mnt/a b"]

    @pytest.mark.parametrize("path", [path for path, _ in commands(main_group)])
    def test_every_option_of_every_command(self, path: str) -> None:
        offered = self.complete(f"{path} -")
        known = {action.option_strings[-1] for action in make_parser()._actions}
        if path != "tagfs emulator":
            command = dict(commands(main_group))[path]
            options = [one for one in command.params if isinstance(one, click.Option)]
            known = {text for one in options for text in one.opts} | {"-h", "--help"}
        assert set(offered) == known

    def test_the_commands_own_way_is_the_same_file(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tagfs"],
            env={**os.environ, "_TAGFS_COMPLETE": "bash_source", "_PYTHON_M_TAGFS_COMPLETE": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        text = (ROOT / "tagfs/data/share/bash-completion/completions/tagfs").read_text()
        assert done.stdout.strip() == text.strip()

    @pytest.mark.parametrize(
        "words", ["tag get a", "tag set t=b a", "mount oss://x /m", "tag undo a"]
    )
    def test_zsh_and_fish_keep_names_of_files(self, words: str) -> None:
        *before, last = words.split()
        shell = get_completion_class("zsh")
        assert shell is not None
        found = shell(main_group, {}, "tagfs", "_TAGFS_COMPLETE").get_completions(before, last)
        assert {item.type for item in found} == {"file"}

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_other_shells_can_read_theirs(self, shell: str) -> None:
        name = {"zsh": "zsh/site-functions/_tagfs", "fish": "fish/vendor_completions.d/tagfs.fish"}
        text = (ROOT / "tagfs/data/share" / name[shell]).read_text()
        assert f"_TAGFS_COMPLETE={shell}_complete" in text
        if shutil.which(shell):
            subprocess.run([shell, "-n", str(ROOT / "tagfs/data/share" / name[shell])], check=True)
