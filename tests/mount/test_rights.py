"""Key pairs that may do half of it: right missing x call -> outcome. docs/access.md has the table.

Every call is made on a file of its own. What is not "ok" below is refused, with its errno.
"""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.former_trials import FORMER
from tests.mount.conftest import ALL, Faults, MountFactory
from tests.mounting import Mounted, run

TAGS = {"team": "blue"}
BIG = 20 * 1024**2
"""Bytes of a file that is uploaded in parts while it is written."""


class Bench:
    """A mounted directory `t` with a tagged file for each call, and a place outside."""

    def __init__(self, mount: Mounted, out: Path) -> None:
        self.mount = mount
        self.out = out

    def path(self, name: str) -> Path:
        return self.mount.path / "t" / name

    def tool(self, *command: str | Path) -> str:
        return run(*command)


def copies_out(*command: str) -> Callable[[Bench, Path], None]:
    def call(bench: Bench, file: Path) -> None:
        copy = bench.out / file.name
        bench.tool(*command, file, copy)
        assert copy.read_bytes() == b"old"

    return call


def reads(_bench: Bench, file: Path) -> None:
    assert file.read_bytes() == b"old"


def copies_by_python(bench: Bench, file: Path) -> None:
    shutil.copy2(file, bench.out / file.name)
    assert (bench.out / file.name).read_bytes() == b"old"


def moves_out(bench: Bench, file: Path) -> None:
    bench.tool("mv", file, bench.out / "moved")
    assert (bench.out / "moved").read_bytes() == b"old"
    assert not file.exists()


def archives(bench: Bench, file: Path) -> None:
    archive = bench.out / "archive.tar"
    bench.tool("tar", "--xattrs", "-cf", archive, "-C", file.parent, file.name)
    assert bench.tool("tar", "-xOf", archive) == "old"


def stats(_bench: Bench, file: Path) -> None:
    found = file.lstat()
    assert (found.st_size, found.st_nlink) == (3, 1)


def lists(bench: Bench, file: Path) -> None:
    assert file.name in bench.tool("ls", "-l", file.parent)


def lists_names(_bench: Bench, file: Path) -> None:
    command = ["getfattr", "-d", "--absolute-names", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def asks_for_a_tag(_bench: Bench, file: Path) -> None:
    assert os.getxattr(file, "user.tag.team") == b"blue"


def asks_for_the_type(_bench: Bench, file: Path) -> None:
    assert os.getxattr(file, "user.object.type")


def tags(_bench: Bench, file: Path) -> None:
    os.setxattr(file, "user.tag.more", b"red")


def overwrites(_bench: Bench, file: Path) -> None:
    file.write_bytes(b"new")


def appends(_bench: Bench, file: Path) -> None:
    with file.open("ab") as end:
        end.write(b"er")


def sets_a_mode(_bench: Bench, file: Path) -> None:
    file.chmod(0o600)


def creates(_bench: Bench, file: Path) -> None:
    file.with_suffix(".new").write_bytes(b"new")


def creates_large(_bench: Bench, file: Path) -> None:
    with file.with_suffix(".big").open("wb") as big:
        for _ in range(BIG // 2**20):
            big.write(bytes(2**20))


def copies_in(bench: Bench, file: Path) -> None:
    source = bench.out / "source"
    source.write_bytes(b"new")
    bench.tool("cp", "-a", source, file.with_suffix(".copied"))


def renames(_bench: Bench, file: Path) -> None:
    file.rename(file.with_suffix(".moved"))


def renames_over(_bench: Bench, file: Path) -> None:
    source = file.with_suffix(".fresh")
    source.write_bytes(b"new")
    source.rename(file)


def renames_a_directory(_bench: Bench, file: Path) -> None:
    directory = file.with_suffix(".d")
    directory.mkdir()
    (directory / "x").write_bytes(b"x")
    directory.rename(file.with_suffix(".e"))


def removes(_bench: Bench, file: Path) -> None:
    file.unlink()


def makes_a_directory(_bench: Bench, file: Path) -> None:
    file.with_suffix(".made").mkdir()
    file.with_suffix(".made").rmdir()


def makes_a_link(_bench: Bench, file: Path) -> None:
    link = file.with_suffix(".link")
    link.symlink_to("target")
    assert os.readlink(link) == "target"
    os.listxattr(link, follow_symlinks=False)


def looks_at_the_root(bench: Bench, _file: Path) -> None:
    assert "t" in bench.tool("ls", "-la", bench.mount.path)
    done = bench.tool("getfattr", "-d", "--absolute-names", bench.mount.path)
    assert "denied" not in done


CALLS: dict[str, Callable[[Bench, Path], None]] = {
    "read": reads,
    "cp -a": copies_out("cp", "-a"),
    "cp --preserve=all": copies_out("cp", "--preserve=all"),
    "rsync -aX": copies_out("rsync", "-aX"),
    "copy2": copies_by_python,
    "tar": archives,
    "mv out": moves_out,
    "stat": stats,
    "ls -l": lists,
    "listxattr": lists_names,
    "get a tag": asks_for_a_tag,
    "get the type": asks_for_the_type,
    "set a tag": tags,
    "overwrite": overwrites,
    "append": appends,
    "chmod": sets_a_mode,
    "create": creates,
    "create large": creates_large,
    "cp in": copies_in,
    "rename": renames,
    "rename over": renames_over,
    "rename a directory": renames_a_directory,
    "remove": removes,
    "mkdir, rmdir": makes_a_directory,
    "symlink": makes_a_link,
    "the root": looks_at_the_root,
}

DENIED = {
    "tags": ("deny_tags",),
    "bucket tags": ("deny:op=GetBucketTags",),
    "objects": ("deny:op=HeadObject", "deny:op=GetObject", "deny:op=GetSymlink"),
    "objects above": ("deny:op=HeadObject:key=t", "deny:op=HeadObject:key=t/"),
    "deleting": ("deny_delete",),
    "setting tags": ("deny_put_tags",),
    "writing": tuple(
        f"deny:op={name}"
        for name in (
            "PutObject",
            "InitiateMultipartUpload",
            "CopyObject",
            "AppendObject",
            "PutSymlink",
            "SetObjectMetadata",
        )
    ),
    "writing without a tag": ("demand_tags",),
}
"""Rights that are missing, as faults of the emulator."""

REFUSED = {
    # G11: what has tags that may not be read is not written anew.
    "tags": {"get a tag", "set a tag", "overwrite", "append", "rename over"},
    "bucket tags": set[str](),
    # Nothing is read, and what cannot be looked at cannot be kept when it is written anew.
    "objects": {
        "read",
        "cp -a",
        "cp --preserve=all",
        "rsync -aX",
        "copy2",
        "tar",
        "mv out",
        "get the type",
        "overwrite",
        "append",
        "chmod",
        "rename over",
    },
    "objects above": set[str](),
    # `mkdir, rmdir` is refused its second half.
    "deleting": {"mv out", "rename over", "remove", "rename", "rename a directory", "mkdir, rmdir"},
    # What is written anew brings its tags along.
    "setting tags": {"set a tag", "overwrite", "append", "rename over"},
    "writing": {
        "overwrite",
        "append",
        "chmod",
        "create",
        "create large",
        "cp in",
        "rename",
        "rename over",
        "rename a directory",
        "mkdir, rmdir",
        "symlink",
    },
    # What has tags is written anew, and what has none is refused, and so is a copy, whose tags
    # the service takes from its source; the directory is made first.
    "writing without a tag": {
        "chmod",
        "rename",
        "create",
        "create large",
        "cp in",
        "rename over",
        "rename a directory",
        "mkdir, rmdir",
        "symlink",
    },
}
"""Calls that are EACCES, all others being done."""

NOT_THERE = {
    # There a change of metadata is no copy.
    ("obs", "writing without a tag"): {"chmod"},
}
"""Calls that are done nevertheless, by service."""

ELSEWHERE = {
    # Whether a change of metadata loses tags there, only reading them can show.
    ("s3", "tags"): {"chmod"},
    ("obs", "tags"): {"chmod"},
    # The text of a link is what cannot be read; OBS is asked for one on trial first.
    ("s3", "objects"): {"symlink"},
    ("obs", "objects"): {"symlink"},
}
"""The same, of one service alone."""


def outcome(call: Callable[[Bench, Path], None], bench: Bench, file: Path) -> str:
    try:
        call(bench, file)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except AssertionError as error:
        return "EACCES" if "Permission denied" in str(error) else f"failed: {error}"
    return "ok"


@ALL
@pytest.mark.parametrize("size", [3, BIG])
def test_tags_that_a_policy_demands_travel_with_the_file(
    mount: Mounted, refusals: Faults, size: int
) -> None:
    """... where they are set before it is closed, as cp and rsync do; else nothing is there."""
    refusals.set("demand_tags")
    plain, tagged = mount.path / "plain", mount.path / "tagged"
    with pytest.raises(PermissionError), plain.open("wb", buffering=0) as file:
        file.write(bytes(size))
    with tagged.open("wb", buffering=0) as file:
        os.setxattr(file.fileno(), "user.tag.team", b"blue")
        for _ in range(0, size, 1024**2):
            file.write(bytes(min(size, 1024**2)))
    with tagged.open("ab") as file:
        file.write(b"more")
    refusals.clear()
    assert mount.judge.keys() == ["tagged"]
    assert mount.tags("tagged") == TAGS
    assert len(mount.content("tagged")) == size + 4


@ALL
@pytest.mark.parametrize("right", DENIED)
def test_what_works_without_a_right(
    mount_with: MountFactory, refusals: Faults, tmp_path: Path, right: str
) -> None:
    mount = mount_with()
    for number, _name in enumerate(CALLS):
        mount.judge.put(f"t/{number:02}", b"old", TAGS)
    refusals.set(*DENIED[right])
    bench = Bench(mount, tmp_path / "out")
    bench.out.mkdir()
    found = {
        name: outcome(call, bench, bench.path(f"{number:02}"))
        for number, (name, call) in enumerate(CALLS.items())
    }
    refusals.clear()
    refused = REFUSED[right] | ELSEWHERE.get((mount.kind, right), set())
    refused -= NOT_THERE.get((mount.kind, right), set())
    expected = {name: "EACCES" if name in refused else "ok" for name in CALLS}
    differ = {name: reported for name, reported in found.items() if reported != expected[name]}
    assert differ == {}, mount.log()
    for number, name in enumerate(CALLS):  # whatever was refused has changed nothing
        if name in refused:
            assert mount.content(f"t/{number:02}") == b"old", name
            assert mount.tags(f"t/{number:02}") == TAGS, name


@ALL
def test_default_tags_are_what_a_policy_demands(
    mount_with: MountFactory, refusals: Faults, tmp_path: Path
) -> None:
    """Every call works, with the defaults beside tags that were there; they replace none (G5)."""
    mount = mount_with("default_tags=cost=42&team=none")
    there = [f"t/{number:02}" for number in range(len(CALLS))]
    for key in there:
        mount.judge.put(key, b"old", TAGS)
    refusals.set("demand_tags")
    bench = Bench(mount, tmp_path / "out")
    bench.out.mkdir()
    found = {
        name: outcome(call, bench, bench.path(f"{number:02}"))
        for number, (name, call) in enumerate(CALLS.items())
    }
    refusals.clear()
    assert found == dict.fromkeys(CALLS, "ok"), mount.log()
    both = {**TAGS, "cost": "42"}
    for name in ("overwrite", "append", "rename over"):
        assert mount.tags(there[list(CALLS).index(name)]) == both, name
    assert mount.tags(there[list(CALLS).index("rename")] + ".moved") == both
    keys = set(mount.judge.keys()) - set(there)
    made = {key for key in keys if not key.endswith(".moved")}
    assert {key.rpartition(".")[2] for key in made} == {"new", "big", "copied", "e/", "e/x", "link"}
    defaults = {"cost": "42", "team": "none"}
    assert {key: mount.tags(key) for key in made} == dict.fromkeys(made, defaults)
    shown = os.getxattr(bench.path(f"{list(CALLS).index('create'):02}.new"), "user.tagging")
    assert shown == b"cost=42&team=none"


@ALL
def test_what_may_not_be_read_is_said_once_and_asked_once(mount: Mounted, refusals: Faults) -> None:
    """G13. One line in the log for all files, and one request for each within `tag_ttl`."""
    for name in "abc":
        mount.judge.put(name, b"old", TAGS)
    refusals.set("deny_tags")
    log = mount.requests()
    for _ in range(3):
        for name in "abc":
            assert os.listxattr(mount.path / name) == []
    assert log.kinds()["GET tagging"] <= 2 * 3  # those ahead of the walk as well
    assert mount.log().count("tags of objects may not be read") == 1
    assert mount.log().count("GetObjectTagging") == 1
    refusals.clear()
    os.setxattr(mount.path, "user.tagfs.refresh", b"")
    assert os.listxattr(mount.path / "a") == ["user.tag.team"]


@ALL
def test_objects_that_may_not_be_looked_at_are_asked_for_once(
    mount: Mounted, refusals: Faults
) -> None:
    for number in range(20):
        mount.judge.put(f"d/{number}", b"old")
    refusals.set("deny:op=HeadObject")
    run("ls", "-l", mount.path / "d")
    log = mount.requests()
    assert "old" not in run("ls", "-l", mount.path / "d")
    assert "HEAD" not in log.kinds()
    assert mount.log().count("may not be looked at") == 1


@ALL
def test_a_key_pair_that_is_refused_is_no_matter_of_rights(
    mount: Mounted, refusals: Faults
) -> None:
    """Tags are not "not there" because a key pair has expired: a copy would lose them."""
    mount.judge.put("f", b"old", TAGS)
    (mount.path / "f").stat()
    refusals.set("status=403:code=InvalidAccessKeyId:sub=tagging")
    with pytest.raises(PermissionError):
        os.listxattr(mount.path / "f")


@ALL
def test_a_file_is_read_without_the_right_to_list(mount: Mounted, refusals: Faults) -> None:
    mount.judge.put("f", b"old", TAGS)
    refusals.set("deny:sub=list")
    assert (mount.path / "f").read_bytes() == b"old"
    assert os.getxattr(mount.path / "f", "user.tag.team") == b"blue"
    with pytest.raises(PermissionError):
        os.listdir(mount.path)
    with pytest.raises(PermissionError):
        (mount.path / "absent").stat()  # which may be a directory


@ALL
def test_what_is_known_to_have_no_tags_is_written_anew_without_the_right(
    mount: Mounted, refusals: Faults
) -> None:
    """G11 is about tags that there may be."""
    refusals.set("deny_tags")
    file = mount.path / "f"
    file.write_bytes(b"new")
    file.write_bytes(b"newer")  # just written: nobody can have tagged it
    assert mount.content("f") == b"newer"
    os.setxattr(mount.path, "user.tagfs.refresh", b"")
    with pytest.raises(PermissionError):
        file.write_bytes(b"newest")
    assert mount.content("f") == b"newer"


NO_TAGS_AT_ALL = (
    "status=501:code=NotImplemented:sub=tagging",
    "status=501:code=NotImplemented:header=x-amz-tagging*",
)
"""What R2 refuses: a copy that names a tagging directive as well."""


@pytest.mark.services("s3")
def test_no_tagging_header_is_sent_where_there_are_no_tags(
    mount_with: MountFactory, refusals: Faults, tmp_path: Path
) -> None:
    refusals.set(*NO_TAGS_AT_ALL)
    mount = mount_with()
    file = mount.path / "f"
    file.write_bytes(b"x\n")
    file.chmod(0o600)
    run("touch", "-d", "yesterday", file)
    file.rename(mount.path / "g")
    run("sed", "-i", "s/x/y/", mount.path / "g")
    run("cp", "-a", mount.path / "g", mount.path / "h")
    run("rsync", "-aX", "/etc/hosts", mount.path / "h")
    run("mv", mount.path / "h", mount.path / "g")
    (mount.path / "d").mkdir()
    (mount.path / "d/x").symlink_to("y")
    (mount.path / "d").rename(mount.path / "e")
    creates_large(Bench(mount, tmp_path), mount.path / "f")
    with (mount.path / "f.big").open("r+b") as big:
        big.write(b"begun anew")
    (mount.path / "f.big").rename(mount.path / "big")
    assert mount.content("g") == Path("/etc/hosts").read_bytes()
    assert mount.content("big")[:11] == b"begun anew\0"
    hits = refusals.by_fault()
    assert hits[NO_TAGS_AT_ALL[1]] == 0
    assert hits[NO_TAGS_AT_ALL[0]] == 1  # the mount asked if there are any


def own(key: str) -> dict[str, str]:
    return {"own": key.replace("/", "-")}


TREE = {"f": b"f", "g": b"g", "d/1": b"1", "d/2": b"2", "d/e/3": b"3", "t/": b""}


@ALL
@pytest.mark.parametrize("when", ["before it is mounted", "afterwards"])
def test_a_rename_that_cannot_delete_its_source_leaves_everything(
    mount_with: MountFactory, refusals: Faults, when: str
) -> None:
    """G13, D7. Append-only keys may put but not delete; AWS says so in an answer of 200."""
    if when == "before it is mounted":
        refusals.set("deny_delete")
    mount = mount_with()
    for key, data in TREE.items():
        mount.judge.put(key, data, own(key))
    refusals.set("deny_delete")
    for old, new in (("f", "g"), ("d", "n"), ("d", "t"), ("f", "n")):
        if when == "afterwards" and new == "n" and old == "f":
            continue  # believed to be allowed, and the copy cannot be taken away either
        with pytest.raises(PermissionError):
            (mount.path / old).rename(mount.path / new)
    refusals.clear()
    assert mount.keys() == sorted(TREE)
    for key, data in TREE.items():
        assert mount.content(key) == data
        assert mount.tags(key) == own(key)
    (mount.path / "f").rename(mount.path / "g")
    (mount.path / "d").rename(mount.path / "t")
    assert mount.keys() == ["g", "t/", "t/1", "t/2", "t/e/3"]


@ALL
@pytest.mark.parametrize("denied", ["d/*", "d/1", "d/e/*"])
def test_a_directory_of_which_some_may_not_be_deleted_stays_whole(
    mount: Mounted, refusals: Faults, denied: str
) -> None:
    """... whether it is found out before anything is copied, or when half of it is deleted."""
    for key, data in TREE.items():
        mount.judge.put(key, data, own(key))
    refusals.set(f"deny_delete={denied}")
    with pytest.raises(PermissionError):
        (mount.path / "d").rename(mount.path / "n")
    refusals.clear()
    assert mount.keys() == sorted(TREE)
    for key, data in TREE.items():
        assert mount.content(key) == data
        assert mount.tags(key) == own(key)


@ALL
def test_a_copy_whose_source_may_not_be_deleted_is_taken_away(
    mount: Mounted, refusals: Faults
) -> None:
    """... where only the source is locked."""
    mount.judge.put("f", b"f", TAGS)
    refusals.set("deny:op=DeleteObject:key=f")
    with pytest.raises(PermissionError):
        (mount.path / "f").rename(mount.path / "n")
    assert mount.keys() == ["f"]
    assert (mount.path / "f").read_bytes() == b"f"
    assert not (mount.path / "n").exists()


@ALL
def test_the_question_whether_one_may_delete_strikes_nothing(mount_with: MountFactory) -> None:
    """G13. Whatever an object is called: a name that is always the same may be another's."""
    mount = mount_with("")
    for name in (*FORMER, "a", "b"):
        (mount.path / name).write_text(name)
    (mount.path / "b").replace(mount.path / "a")
    with contextlib.suppress(OSError):  # S3 has no links
        (mount.path / "l").symlink_to("a")
        (mount.path / "l").unlink()
    assert {name: mount.content(name) for name in FORMER} == {n: n.encode() for n in FORMER}
    assert mount.keys() == sorted([*FORMER, "a"])
    assert mount.content("a") == b"b"


@ALL
def test_a_mount_that_may_not_list(mount_with: MountFactory, refusals: Faults) -> None:
    """It says so; what is known by name can be used, and a listing is refused."""
    refusals.set("deny:sub=list")
    mount = mount_with()
    assert "nothing can be listed" in mount.log()
    mount.judge.put("f", b"old", TAGS)
    mount.judge.put("d/", b"")
    mount.judge.put("d/f", b"below")
    file = mount.path / "f"
    assert (file.read_bytes(), file.stat().st_size) == (b"old", 3)
    assert (mount.path / "d/f").read_bytes() == b"below"
    os.setxattr(file, "user.tag.more", b"red")
    file.write_bytes(b"new")
    (mount.path / "d/new").write_bytes(b"made")
    for directory in (mount.path, mount.path / "d"):
        with pytest.raises(PermissionError):
            os.listdir(directory)
    refusals.clear()
    assert (mount.content("f"), mount.tags("f")) == (b"new", {**TAGS, "more": "red"})
    assert mount.content("d/new") == b"made"


HIDDEN = "deny:op=HeadObject:key=new*", "deny:op=GetObject:key=new*", "deny:op=*Tagging:key=new*"
"""What S3 says of names that are not there, and of others, without the right to list."""


@pytest.mark.services("s3")
def test_new_files_without_the_right_to_list(
    mount_with: MountFactory, refusals: Faults, tmp_path: Path
) -> None:
    """cp, install, mkdir work where that is chosen, and what is there, unseen, is not replaced."""
    (tmp_path / "local").write_bytes(b"content")
    refusals.set("deny:sub=list", *HIDDEN)
    mount = mount_with("unlisted=absent")
    mount.judge.put("new-taken", b"theirs", TAGS)
    run("cp", tmp_path / "local", f"{mount.path}/new-1")
    run("cp", "-p", tmp_path / "local", f"{mount.path}/new-2")
    run("sh", "-c", 'echo hello > "$1"', "sh", mount.path / "new-3")
    (mount.path / "new-4").mkdir()
    run("cp", tmp_path / "local", f"{mount.path}/new-4/new")
    with pytest.raises(FileNotFoundError):
        (mount.path / "new-5").read_bytes()
    with pytest.raises(PermissionError):
        (mount.path / "new-taken").write_bytes(b"ours")
    with pytest.raises(PermissionError):
        os.listdir(mount.path)
    refusals.clear()
    keys = mount.keys()
    found = {key: mount.content(key) for key in keys if not key.endswith("/")}
    assert found == {
        "new-1": b"content",
        "new-2": b"content",
        "new-3": b"hello\n",
        "new-4/new": b"content",
        "new-taken": b"theirs",
    }
    assert mount.tags("new-taken") == TAGS


@pytest.mark.services("s3")
def test_names_that_may_not_be_known_are_refused(
    mount_with: MountFactory, refusals: Faults
) -> None:
    refusals.set("deny:sub=list", *HIDDEN)
    mount = mount_with()
    assert "unlisted=absent" in mount.log()
    for call in ((mount.path / "new").read_bytes, lambda: (mount.path / "new").write_bytes(b"")):
        with pytest.raises(PermissionError):
            call()
    refusals.clear()
    assert mount.keys() == []
