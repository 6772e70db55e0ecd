"""Rules about tags on real mounts: every call that changes something, judged by the SDK."""

import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mount.conftest import ALL, Faults
from tests.mount.test_rights import CALLS, Bench, outcome
from tests.mounting import KEYS, Mounted, mounted

RULES = """
[[rules]]
path = "/given/"
tags = {owner = "{user}", kind = "{ext}"}
inherit = ["project"]

[[rules]]
path = "/strict/"
required = ["team"]
allowed = {team = ["blue", "red"]}
fixed = ["serial"]

[[rules]]
path = "/late/"
required = ["team"]
checked = "close"

[[rules]]
path = "/owned/"
tags = {owner = "{user}"}
required = ["owner"]
allowed = {team = ["blue", "red"]}
"""
WRONG = "[[rules]]\n\n[[rules]]\npaths = 'x'\n"
ME = pwd.getpwuid(os.getuid()).pw_name
GIVEN = {"owner": ME, "kind": "tif", "project": "apollo"}
EPERM, EINVAL = "Operation not permitted", "Invalid argument"
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/rules.md"


def write_rules(directory: Path, text: str) -> Path:
    """Write a file that nobody else can change, whatever the umask is."""
    path = directory / "rules.toml"
    path.write_text(text)
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def mount(
    service: Emulator, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> Iterator[Mounted]:
    """One mount for all cases of a service, with a directory of each kind.

    Its rules are in a file of their own, or in the settings file.
    """
    path = tmp_path_factory.mktemp(f"rules-{kind}")
    rules = write_rules(path, RULES)
    option = "rules" if service.service == "oss" else "config"
    (path / "in.tif").write_bytes(b"data")
    os.setxattr(path / "in.tif", "user.tag.team", b"red")
    with mounted(service, service.take(), path / "mnt", f"{option}={rules}") as one:
        for name in ("given", "strict", "late", "free", "owned"):
            tags = {"project": "apollo", "team": "blue"} if name in ("given", "strict") else {}
            one.judge.put(f"{name}/", b"", tags, content_type="application/x-directory")
        one.judge.put("strict/old", b"old", {"team": "blue", "serial": "1"})
        one.judge.put("given/old", b"old", {"a": "1"})
        one.judge.put("free/old", b"old", {"a": "1"})
        yield one


Case = tuple[str, str, dict[str, str] | str]

TAR = (
    "tar -C $(dirname $IN) --xattrs --xattrs-include='*' -cf- in.tif"
    " | tar -C given --xattrs --xattrs-include='*' -xf-"
)

MKNOD = f"{sys.executable} -c \"import os; os.mknod('late/made', 0o100600)\""

CASES: list[Case] = [
    ("echo x > given/a.tif", "given/a.tif", GIVEN),
    ("mkdir given/d.tif", "given/d.tif/", GIVEN),
    ("echo x > given/d.tif/b.tif", "given/d.tif/b.tif", GIVEN),
    ("ln -s old given/l.tif", "given/l.tif", GIVEN),
    ("mkfifo given/f.tif", "given/f.tif", GIVEN),
    ("cp --preserve=all $IN given/c.tif", "given/c.tif", {**GIVEN, "team": "red"}),
    ("rsync -aX $IN given/r.tif", "given/r.tif", {**GIVEN, "team": "red"}),
    (TAR, "given/in.tif", {**GIVEN, "team": "red"}),
    ("head -c 20000000 /dev/zero > given/big.tif", "given/big.tif", GIVEN),
    ("echo x >> given/g.tif; echo y >> given/g.tif", "given/g.tif", GIVEN),
    ("sed -i s/o/0/ given/old", "given/old", {"a": "1"}),
    ("echo new > given/old", "given/old", {"a": "1"}),
    ("ln -sf x given/l.tif", "given/l.tif", GIVEN),
    ("mv free/old given/moved", "given/moved", {"a": "1"}),
    ("echo x > free/plain", "free/plain", {}),
    ("echo x > strict/a", "strict/a", EPERM),
    ("mkdir strict/d", "strict/d/", EPERM),
    ("ln -s x strict/l", "strict/l", EPERM),
    ("mkfifo strict/f", "strict/f", EPERM),
    ("mv free/plain strict/plain", "strict/plain", EPERM),
    ("cp $IN strict/c", "strict/c", EPERM),
    ("sed -i s/o/0/ strict/old", "strict/old", EPERM),  # its new file has no team when it is made
    ("echo new > strict/old", "strict/old", {"team": "blue", "serial": "1"}),
    ("setfattr -n user.tag.team -v green strict/old", "", EINVAL),
    ("setfattr -n user.tagging -v team=green strict/old", "", EINVAL),
    ("setfattr -x user.tag.team strict/old", "", EPERM),
    ("setfattr -n user.tag.serial -v 2 strict/old", "", EPERM),
    ("setfattr -n user.tag.team -v red strict/old", "strict/old", {"team": "red", "serial": "1"}),
    ("mv strict/old free/s", "free/s", {"team": "red", "serial": "1"}),
    ("mv free/s strict/s", "strict/s", {"team": "red", "serial": "1"}),
    ("cp --preserve=all $IN late/c", "late/c", {"team": "red"}),
    ("rsync -aX $IN late/r", "late/r", {"team": "red"}),
    ("cp $IN late/p", "late/p", EPERM),
    ("mv free late/free", "late/free/", EPERM),
    (TAR.replace("-C given", "-C late"), "late/in.tif", {"team": "red"}),
    (MKNOD, "late/made", {}),
    ("mkdir -p free/d/e && echo x > free/d/e/f && mv free/d owned", "owned/d/e/f", {"owner": ME}),
    ("ls owned/d", "owned/d/", {"owner": ME}),
    ("echo x > free/g && setfattr -n user.tag.team -v green free/g", "free/g", {"team": "green"}),
    ("mv free/g owned/g", "owned/g", EPERM),
    ("mv free owned/free", "owned/free/", EPERM),
]  # fmt: skip


@ALL
def test_every_call_that_makes_or_changes_something(mount: Mounted) -> None:
    """G16. What rules say travels with what is made; what breaks one has changed nothing."""
    wrong = {}
    for command, key, expected in CASES:
        before = mount.keys()
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=mount.path,
            env={**os.environ, "IN": str(mount.path.parent / "in.tif")},
            capture_output=True,
            text=True,
            check=False,
        )
        if isinstance(expected, str):
            ok = done.returncode != 0 and expected in done.stderr
            ok = ok and set(mount.keys()) == set(before)
            found: object = (done.returncode, done.stderr)
        else:
            mount.released()
            found = mount.tags(key) if done.returncode == 0 else done.stderr
            ok = found == expected
        if not ok:
            wrong[command] = found
    assert wrong == {}, mount.log()
    assert "rule 2 of " in mount.log()
    assert re.search(rf"{mount.path.parent}/rules.toml( \[\])?, line 7\)", mount.log())


@ALL
def test_rules_cost_one_request_for_a_directory(mount: Mounted) -> None:
    """A new small file is 1 PUT, with the tags that rules give it."""
    mount.forget()
    log = mount.requests()
    for name in ("one.tif", "two.tif", "three.tif"):
        (mount.path / "given" / name).write_bytes(b"x")
    kinds = log.kinds()
    assert (kinds["PUT"], kinds["PUT tagging"], kinds["GET tagging"]) == (3, 0, 1)
    assert mount.tags("given/three.tif") == GIVEN


@ALL
def test_a_bucket_whose_policy_demands_a_tag(
    service: Emulator, refusals: Faults, tmp_path: Path
) -> None:
    """All calls of programs work with rules, as with `default_tags`."""
    rules = write_rules(tmp_path, "[[rules]]\ntags = {cost = '42'}\nrequired = 'cost'\n")
    option = f"rules={rules}"
    with mounted(service, service.take(), tmp_path / "mnt", option) as mount:
        there = [f"t/{number:02}" for number in range(len(CALLS))]
        for key in there:
            mount.judge.put(key, b"old", {"team": "blue"})
        refusals.set("demand_tags")
        bench = Bench(mount, tmp_path / "out")
        bench.out.mkdir()
        found = {
            name: outcome(call, bench, bench.path(f"{number:02}"))
            for number, (name, call) in enumerate(CALLS.items())
        }
        refusals.clear()
        assert found == dict.fromkeys(CALLS, "ok"), mount.log()
        keys = mount.keys()
        made = [k for k in keys if k not in there and not k.endswith(".moved")]
        assert {key: mount.tags(key) for key in made} == {key: {"cost": "42"} for key in made}
        overwritten = there[list(CALLS).index("overwrite")]
        assert mount.tags(overwritten) == {"team": "blue", "cost": "42"}


@pytest.mark.parametrize(
    ("option", "text", "mode", "said"),
    [
        ("rules", WRONG, 0o644, "rule 2 of {file}, line 3: 'paths' is not known"),
        ("rules", "[[rules]\n", 0o644, "{file}: "),
        ("rules", None, 0, "rules={file}: no such file"),
        ("rules", "", 0o666, "rules={file}: {file} can be changed by others"),
        ("config", WRONG, 0o644, "rule 2 of {file} [], line 3: 'paths' is not known"),
        ("config", "[default]\nttl = 1\n" + WRONG.replace("[[", "[[default."), 0o644,
         "rule 2 of {file} [default], line 5: 'paths' is not known"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_rules_is_said_at_once(
    tmp_path: Path, option: str, text: str | None, mode: int, said: str
) -> None:
    """Before anything is asked of a service."""
    file = tmp_path / "rules.toml"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    (tmp_path / "mnt").mkdir()
    options = f"{option}={file},endpoint=http://127.0.0.1:1"
    command = [sys.executable, "-m", "tagfs", "mount", "oss://b", str(tmp_path / "mnt")]
    done = subprocess.run(
        [*command, "-o", options], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said.format(file=file) in done.stderr


def test_the_examples_of_the_page(service: Emulator, tmp_path: Path) -> None:
    """docs/rules.md shows what happens."""
    page = PAGE.read_text()
    rules = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    console = "".join(re.findall(r"```console\n(.*?)```", page, re.DOTALL))
    assert rules
    option = f"rules={write_rules(tmp_path, rules[1])}"
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE)
    assert steps[0][0].startswith("tagfs mount ")
    with mounted(service, service.take(), tmp_path / "mnt", option) as mount:
        for command, output in steps[1:]:
            typed = command.replace("/mnt", str(mount.path))
            typed = re.sub("^tagfs", f"{sys.executable} -m tagfs", typed)
            done = subprocess.run(
                ["sh", "-c", f"exec 2>&1; {typed}"],
                cwd=tmp_path,
                env={
                    **os.environ,
                    **KEYS,
                    "LC_ALL": "C",
                    "PYTHONPATH": str(ROOT),
                    "TAGFS_CACHE_DIR": str(tmp_path),
                },
                capture_output=True,
                text=True,
                check=False,
            )
            shown = done.stdout.replace(str(mount.path), "/mnt")
            shown = shown.replace(f"{tmp_path}/rules.toml", "/etc/photos-rules.toml")
            assert shown.strip() == output.replace('owner="root"', f'owner="{ME}"').strip(), command
    logged = re.search(r"^setxattr: (.*) \(rule", page, re.MULTILINE)
    assert logged
    assert logged[1] in mount.log()
