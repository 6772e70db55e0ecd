"""Man pages, completions, --help and README: of one source, and complete."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from scripts.manpages.__main__ import generated
from tagfs.cli import main_group
from tagfs.config.fuse_options import FUSE_OPTIONS
from tagfs.config.options import TABLE
from tagfs.manual.examples import commands, has_example

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "tagfs/data/share/man"
MAN_PAGES = ["man1/tagfs.1", "man8/tagfs-mount.8", "man8/mount.fuse.tagfs.8"]


@pytest.mark.parametrize("name", generated())
def test_what_is_made_is_up_to_date(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == generated()[name].strip("\n") + "\n", "run scripts/man"


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


def test_help_of_mount_tells_every_option() -> None:
    text = " ".join(CliRunner().invoke(main_group, ["mount", "--help"]).output.split())
    for option in TABLE.values():
        assert " ".join(option.text.split()) in text


def test_the_readme_does_not_drift() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]*) \|", _options_of_readme(), re.MULTILINE)
    told = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    assert len(told) > 10
    assert set(told) <= set(TABLE)
    for names, default in rows:
        name = names.strip("`")
        if name in TABLE and re.fullmatch(r"`\w+` *", default):
            assert default.strip(" `") == TABLE[name].default, name


def _options_of_readme() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("## Mount options")[2].partition("\n## ")[0]


class TestCompletion:
    def complete(self, *words: str) -> list[str]:
        """Return what bash offers for the last of `words`, by the file that is installed."""
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("needs bash")
        script = ROOT / "tagfs/data/share/bash-completion/completions/tagfs"
        quoted = " ".join(f"'{word}'" for word in words)
        call = (
            f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
            f"_tagfs_completion '{words[0]}' '{words[-1]}' '{words[-2]}'; "
            "printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            [bash, "--norc", "-c", call],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    def test_commands(self) -> None:
        assert self.complete("tagfs", "u") == ["umount"]
        assert "set" in self.complete("tagfs", "tag", "")

    def test_mount_options(self) -> None:
        asked = ("tagfs", "mount", "oss", ":", "//b", "/mnt", "-o")  # as bash takes words apart
        assert set(self.complete(*asked, "att")) == {"attr_timeout", "attributes="}
        assert self.complete(*asked, "ro,replace_t") == ["ro,replace_tags="]
        assert self.complete(*asked, "ro,replace_tags=k") == ["ro,replace_tags=keep"]

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_other_shells_can_read_theirs(self, shell: str) -> None:
        name = {"zsh": "zsh/site-functions/_tagfs", "fish": "fish/vendor_completions.d/tagfs.fish"}
        text = (ROOT / "tagfs/data/share" / name[shell]).read_text()
        assert f"_TAGFS_COMPLETE={shell}_complete" in text
        if shutil.which(shell):
            subprocess.run([shell, "-n", str(ROOT / "tagfs/data/share" / name[shell])], check=True)
