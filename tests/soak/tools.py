"""Programs of others that test file systems, or use them hard."""

import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Beat = Callable[[], None]


class Missing(Exception):
    """A program that is not installed."""


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise Missing(f"{program} is not installed")
    return found


def run(beat: Beat, seconds: float, *command: str, cwd: Path | None = None) -> str:
    """Run a program for at most so long; its failure is ours."""
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    end = time.monotonic() + seconds
    output = ""
    while True:
        try:
            output, _ = process.communicate(timeout=5)
            break
        except subprocess.TimeoutExpired:
            beat()
            if time.monotonic() > end:
                process.kill()
                process.communicate()
                raise
    assert process.returncode == 0, f"{command}: {output[-1500:]}"
    return output


STRESSORS = ("dentry", "dir", "rename", "symlink", "filename", "open", "seek", "mmap")
"""Of stress-ng. Those left out want what a bucket has not: hard links, user.* names that are no
tags (xattr), locks that others see."""


def stress(place: Path, seconds: float, beat: Beat, stressors: Sequence[str] = STRESSORS) -> None:
    program = need("stress-ng")
    each = max(int(seconds / len(stressors)), 1)
    small = ("--dentries", "50", "--mmap-bytes", "1M", "--seek-size", "1M")
    for name in stressors:
        options = ("--mmap-file",) if name == "mmap" else ()
        run(
            beat,
            each + 60,
            program,
            "--temp-path",
            str(place),
            f"--{name}",
            "2",
            "--timeout",
            f"{each}s",
            "--verify",
            *small,
            *options,
        )


def fio(place: Path, seconds: float, beat: Beat) -> None:
    run(
        beat,
        seconds + 120,
        need("fio"),
        "--name=verify",
        f"--directory={place}",
        "--rw=randwrite",
        "--bs=4k",
        "--size=4m",
        "--numjobs=2",
        "--ioengine=psync",
        "--verify=crc32c",
        "--do_verify=1",
        "--end_fsync=1",
        "--verify_state_save=0",  # which it would leave where it was started
        f"--runtime={max(int(seconds), 1)}",
    )


def dbench(place: Path, seconds: float, beat: Beat) -> None:
    program = need("dbench")
    loads = ("/usr/share/dbench/client.txt", "/usr/share/doc/dbench/client.txt")
    found = next((text for text in loads if Path(text).exists()), None)
    if found is None:
        raise Missing("dbench has no load file here")
    run(
        beat,
        seconds + 120,
        program,
        "-c",
        found,
        "-D",
        str(place),
        "-t",
        f"{int(seconds) or 1}",
        "2",
    )


def sqlite(place: Path, seconds: float, beat: Beat) -> None:
    """Transactions, some rolled back, by one connection after the other."""
    end = time.monotonic() + seconds
    file, rows = place / "base.sqlite", 0
    while time.monotonic() < end or rows == 0:
        base = sqlite3.connect(file)
        base.execute("create table if not exists t (n integer primary key, data blob)")
        for number in range(20):
            base.execute("insert into t (data) values (randomblob(500))")
            if number % 5 == 4:
                base.rollback()
            else:
                base.commit()
                rows += 1
        (count,) = base.execute("select count(*) from t").fetchone()
        (whole,) = base.execute("pragma integrity_check").fetchone()
        base.close()
        assert whole == "ok"
        assert count == rows, f"{count} rows, {rows} were committed"
        beat()


def git(place: Path, seconds: float, beat: Beat) -> None:
    program = need("git")
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "gc.auto=0")
    run(beat, 60, program, "init", "-q", str(place))
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end or number == 0:
        number += 1
        for name in "abc":
            (place / name).write_text(f"{name} {number}\n" * 20)
        run(beat, 120, program, *who, "add", "-A", cwd=place)
        run(beat, 120, program, *who, "commit", "-q", "-m", str(number), cwd=place)
        if number % 5 == 0:
            run(beat, 120, program, *who, "gc", "-q", cwd=place)
    run(beat, 120, program, "fsck", "--strict", cwd=place)
    assert run(beat, 60, program, "rev-list", "--count", "HEAD", cwd=place).strip() == str(number)


UNIT = """
#include <stdio.h>
int value_{n}(int x) {{ return x * {n} + {n}; }}
"""


def build(place: Path, seconds: float, beat: Beat) -> None:
    """Compile and link, incrementally: what was built is not built again, what was touched is."""
    make, compiler = need("make"), need("cc")
    units = 12
    for n in range(units):
        (place / f"unit{n}.c").write_text(UNIT.format(n=n))
    calls = " + ".join(f"value_{n}(1)" for n in range(units))
    heads = "".join(f"int value_{n}(int);\n" for n in range(units))
    (place / "main.c").write_text(
        f'#include <stdio.h>\n{heads}int main(void) {{ printf("%d\\n", {calls}); return 0; }}\n'
    )
    objects = " ".join(f"unit{n}.o" for n in range(units))
    (place / "Makefile").write_text(f"CC={compiler}\nprogram: main.o {objects}\n\t$(CC) -o $@ $^\n")
    run(beat, seconds + 120, make, "-j4", cwd=place)
    assert "up to date" in run(beat, 60, make, cwd=place)
    reported = run(beat, 60, str(place / "program")).strip()
    assert reported == str(sum(n + n for n in range(units))), reported


PROJECT = "markupsafe==2.1.5"
"""A project with a module in C, small, from the package index."""


def project(place: Path, seconds: float, beat: Beat) -> None:
    """A real project is fetched, unpacked, compiled, installed and imported, all in here."""
    fetch = ("download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(place), PROJECT)
    try:
        run(beat, 60, sys.executable, "-m", "pip", *fetch)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{PROJECT} cannot be fetched: {error}"[:200]) from error
    (archive,) = place.glob("*.tar.gz")
    run(beat, 60, need("tar"), "xzf", str(archive), "-C", str(place))
    (tree,) = (path for path in place.iterdir() if path.is_dir())
    build = ("build_ext", "--inplace", "--force")
    run(beat, seconds + 120, sys.executable, "setup.py", "-q", *build, cwd=tree)
    assert list(tree.glob("src/markupsafe/_speedups*.so")), "nothing was compiled"
    test = "from markupsafe import _speedups; assert str(_speedups.escape('<')) == '&lt;'"
    run(beat, 60, sys.executable, "-c", test, cwd=tree / "src")
    shutil.copytree(tree, place / "copy")
    run(beat, 60, need("diff"), "-r", str(tree), str(place / "copy"))


def interpreter(place: Path, seconds: float, beat: Beat) -> None:
    """A copy of the standard library's sources runs from here, bytecode written here."""
    source = Path(sysconfig.get_path("stdlib")) / "json"
    shutil.copytree(source, place / "json")
    python = need("python3")
    test = "import json; assert json.loads(json.dumps({'a': [1, None]})) == {'a': [1, None]}"
    for _ in range(2):
        run(beat, seconds + 60, python, "-c", test, cwd=place)


TOOLS: dict[str, Callable[[Path, float, Beat], None]] = {
    "stress-ng": stress,
    "fio": fio,
    "dbench": dbench,
    "sqlite": sqlite,
    "git": git,
    "build": build,
    "project": project,
    "interpreter": interpreter,
}
