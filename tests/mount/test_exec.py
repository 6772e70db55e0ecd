"""F5. No callback waits for anything that its caller's kernel call may hold: programs that exec.

A descriptor that is close-on-exec is closed within execve(2), where nobody can look at the
process. Whoever waited for that would hang, and every `ps` of the host with it; so each of these
has a limit, after which the mount is killed, for nothing else would end it.
"""

import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mount.conftest import Faults
from tests.mount.test_recover import recovered
from tests.mounting import Mounted, wait_for
from tests.waiting import SOON

BOTH = pytest.mark.services("oss", "fuse2")
"""Marks what is tested on libfuse 2 and on libfuse 3."""


def within(
    mount: Mounted, seconds: float, command: Sequence[str | Path], cwd: Path | None = None
) -> str:
    """Run a program and return what it said; kill the mount and fail if it takes too long."""
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            mount.kill()
            process.kill()
            pytest.fail(f"{command} hangs")
    assert process.returncode == 0, said
    return said


def wait_for_content(mount: Mounted, key: str, content: bytes) -> None:
    """Wait for what execve(2) closed: its upload follows that call."""
    wait_for(lambda: key in set(mount.keys()) and mount.content(key) == content)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


EXECS = {
    "a child": python("""
        import os
        pid = os.fork()
        if pid == 0:
            f = open("new", "w")              # close-on-exec, empty
            os.execv("/bin/true", ["true"])
        os.waitpid(pid, 0)
    """),
    "itself": python("""
        import os
        f = open("new", "w")
        os.execv("/bin/true", ["true"])
    """),
    "a thread": python("""
        import os, threading, time
        f = open("new", "w")
        threading.Thread(target=os.execv, args=("/bin/true", ["true"])).start()
        time.sleep(60)
    """),
    "system(3)": python("import os; f = open('new', 'w'); os.system('true')"),
    "posix_spawn": python("""
        import os
        f = open("new", "w")
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    """),
    "with many files": python("""
        import os
        pid = os.fork()
        if pid == 0:
            files = [open(name, "w") for name in ("new", *map(str, range(12)))]
            os.execv("/bin/true", ["true"])
        os.waitpid(pid, 0)
    """),
    "perl": ["perl", "-e", 'open F,">new"; system("true")'],
    "bash": ["bash", "-c", "exec > new; f() { /bin/true; }; f > /dev/null"],
    "sh": ["sh", "-c", "exec 3> new; /bin/true; : > other; /bin/true"],
}


@BOTH
def test_a_program_that_execs_with_a_new_file_open(mount: Mounted) -> None:
    """F5. Nothing that a program does can hang the host: ps answers all the while."""
    for number, command in enumerate(EXECS.values()):
        if shutil.which(command[0]) is None:
            continue
        directory = mount.path / str(number)
        directory.mkdir()
        within(mount, SOON, command, directory)
        assert within(mount, SOON, ["ps", "-ef"])
        mount.released()
        wait_for_content(mount, f"{number}/new", b"")


CHANGED = {
    "a new file": python("""
        import os
        f = open("f", "w")
        f.write("new"); f.flush()
        os.execv("/bin/true", ["true"])
    """),
    "an old file": python("""
        import os
        f = open("f", "r+")
        f.write("old"); f.flush()
        os.execv("/bin/true", ["true"])
    """),
    "a copy of a descriptor": python("""
        import os
        f = open("f", "w")
        f.write("cpy"); f.flush()
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    """),
}


@BOTH
def test_a_program_that_execs_with_a_changed_file_open(mount: Mounted, refusals: Faults) -> None:
    """F5. Its upload may take as long as it likes: ps answers all the while."""
    for name, command in CHANGED.items():
        refusals.set("hold:op=PutObject")
        with subprocess.Popen(command, cwd=mount.path) as process:
            wait_for(refusals.hits)
            assert within(mount, SOON, ["ps", "-ef"])
            refusals.clear()
            assert process.wait(SOON) == 0
        content = {"a new file": b"new", "an old file": b"old"}.get(name, b"cpy")
        wait_for_content(mount, "f", content)
        mount.released()


def test_a_crash_after_exec_loses_nothing(mount: Mounted, refusals: Faults) -> None:
    """D5. What exec closes is noted before it goes on."""
    refusals.set("hold:op=PutObject")
    within(mount, SOON, CHANGED["a new file"], mount.path)
    mount.kill()
    refusals.clear()
    recovered(mount)
    assert mount.content("f") == b"new"


STORM = python("""
    import os, sys
    for number in range(int(sys.argv[2])):
        pid = os.fork()
        if pid == 0:
            f = open(f"{sys.argv[1]}-{number}", "w")
            if number % 3 == 0:
                f.write(f"{number}")
            os.execv("/bin/true", ["true"])
        assert os.waitpid(pid, 0)[1] == 0
""")
"""What is in a program's own buffer is lost by exec, as everywhere."""


@BOTH
def test_a_storm_of_forks_and_execs(mount: Mounted) -> None:
    """F5, with more callers within execve(2) than tagfs has threads that look."""
    processes = [
        subprocess.Popen([*STORM, str(number), "12"], cwd=mount.path) for number in range(8)
    ]
    assert within(mount, SOON, ["ps", "-ef"])
    try:
        for process in processes:
            assert process.wait(2 * SOON) == 0
    except subprocess.TimeoutExpired:
        mount.kill()
        raise
    finally:
        for process in processes:
            process.kill()
    wait_for(lambda: len(mount.keys()) == 8 * 12)


def is_able(*commands: str) -> bool:
    return os.getuid() == 0 and all(map(shutil.which, commands))


ELSEWHERE = {
    "the mount": "echo hi > {mount}/d/f",
    "a bind mount": "mount --bind {mount} {bound}; echo hi > {bound}/d/f",
    "a bind mount of a directory": "mount --bind {mount}/d {bound}; echo hi > {bound}/f",
    "a container": """
        mount --bind {mount}/d {bound}; mount --make-rprivate /
        exec unshare -p -f --mount-proc sh -c 'echo hi > {bound}/f'
    """,
    "another mount namespace": "exec unshare -m sh -c 'echo hi > {mount}/d/f'",
    "another PID namespace": "exec unshare -p -f sh -c 'echo hi > {mount}/d/f'",
    "a chroot": "mount --bind {mount} {bound}; exec unshare -R / sh -c 'echo hi > {bound}/d/f'",
    "a function of bash": "f() {{ echo hi; }}; f > {mount}/d/f",
}


@BOTH
def test_a_shell_writes_a_file_by_one_request(mount: Mounted, tmp_path: Path) -> None:
    """D2. Create + write + close of a small file is exactly one PutObject, wherever the shell
    runs and by whatever path it comes."""
    if not is_able("unshare", "bash"):
        pytest.skip("needs root, unshare and bash")
    (mount.path / "d").mkdir()
    bound = tmp_path / "bound"
    bound.mkdir()
    for name, lines in ELSEWHERE.items():
        counted = mount.requests()
        line = textwrap.dedent(lines).format(mount=mount.path, bound=bound)
        # In a mount namespace of its own, which takes what is bound with it.
        within(mount, SOON, ["unshare", "-m", "bash", "-c", line])
        assert counted.kinds()["PUT"] == 1, (name, counted.rows())
        assert mount.content("d/f") == b"hi\n"
        (mount.path / "d/f").unlink()


def test_a_file_that_is_bound_itself(mount: Mounted, tmp_path: Path) -> None:
    """D2, as `docker run -v /mnt/f:/etc/f` has it."""
    if not is_able("unshare"):
        pytest.skip("needs root and unshare")
    (mount.path / "f").touch()
    target = tmp_path / "target"
    target.touch()
    counted = mount.requests()
    line = f"mount --bind {mount.path}/f {target}; echo hi > {target}"
    within(mount, SOON, ["unshare", "-m", "sh", "-c", line])
    assert counted.kinds()["PUT"] == 1, counted.rows()
    assert mount.content("f") == b"hi\n"


PROJECT = {
    "configure.ac": """
        AC_INIT([hello], [1.0])
        AC_CONFIG_SRCDIR([hello.c])
        AM_INIT_AUTOMAKE([foreign])
        AC_CONFIG_HEADERS([config.h])
        AC_PROG_CC
        AC_CHECK_HEADERS([stdlib.h unistd.h])
        AC_CHECK_FUNCS([strlcpy])
        AC_CONFIG_FILES([Makefile])
        AC_OUTPUT
    """,
    "Makefile.am": """
        bin_PROGRAMS = hello
        hello_SOURCES = hello.c
    """,
    "hello.c": """
        #include <config.h>
        #include <stdio.h>
        int main(void) { puts("hello from " PACKAGE_STRING); return 0; }
    """,
}


def test_a_project_in_c(mount: Mounted) -> None:
    """F5. What autoconf and automake do, from the first line to the program that they build."""
    if not all(map(shutil.which, ("autoreconf", "automake", "make", "gcc", "perl"))):
        pytest.skip("no autoconf, automake, make, gcc")
    source = mount.path / "hello"
    source.mkdir()
    for name, text in PROJECT.items():
        (source / name).write_text(textwrap.dedent(text).lstrip())
    for command in (["autoreconf", "-i"], ["sh", "./configure"], ["make"]):
        within(mount, 240, command, source)
    assert within(mount, SOON, [source / "hello"]) == "hello from hello 1.0\n"
    assert mount.content("hello/hello.c").startswith(b"#include <config.h>")


def wheel(directory: Path) -> Path:
    """Write a wheel of one module and one program."""
    path = directory / "tinyone-1.0-py3-none-any.whl"
    info = "tinyone-1.0.dist-info"
    files = {
        "tinyone.py": "def main() -> None:\n    print('tiny')\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tinyone\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ntinyone = tinyone:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_virtual_environment(mount: Mounted, tmp_path: Path) -> None:
    """F5. `python -m venv` in the mount, and `pip install` there, with the pip that runs us."""
    home = mount.path / "env"
    within(mount, 240, [sys.executable, "-m", "venv", "--without-pip", home])
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "-q"]
    within(mount, 240, [*pip, "--no-index", str(wheel(tmp_path))])
    assert within(mount, SOON, [home / "bin/tinyone"]) == "tiny\n"
