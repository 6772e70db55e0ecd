"""What operations cost: requests counted from the service's log (design: request budgets).

Looking a path up is counted apart: each test looks its path up first, then counts what comes on
top of it.
"""

import os
import stat
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagfs.fs.content.access_pattern import FIRST
from tests.judges import judge_of
from tests.mount.conftest import ALL, MountFactory
from tests.mounting import Mounted, RequestLog, getfattr, run
from tests.waiting import moment, until_stale

THREADS = 8


def besides_what_is_kept(log: RequestLog, *, reads: int = 1) -> Counter[str]:
    """Return what was asked besides ACLs and annotations, which cost `reads` at most each.

    They are asked for beside other requests (`mount/test_acl.py`, `mount/test_annotations.py`).
    S3 alone has annotations, and is asked once whether there are ACLs.
    """
    kinds = log.kinds()
    assert kinds.pop("GET acl", 0) <= reads
    assert kinds.pop("GET annotation", 0) <= reads
    assert kinds.pop("GET ownershipControls", 0) <= 1
    return kinds


def fill(
    mount: Mounted, count: int, prefix: str = "d/", tags: dict[str, str] | None = None
) -> None:
    def put(first: int) -> None:
        judge = judge_of(mount.kind, mount.service.url, mount.bucket)
        for number in range(first, count, THREADS):
            judge.put(f"{prefix}{number:04}", b"x%d" % number, tags)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, range(THREADS)))


def in_flight(log: RequestLog) -> int:
    return max(int(row["inflight"]) for row in log.rows())


def round_trips(log: RequestLog) -> int:
    """Count the requests of which each began when the one before had its answer, at most."""
    chain, free = 0, 0.0
    for row in sorted(log.rows(), key=lambda row: row["time"] + row["seconds"]):
        if row["time"] >= free:
            chain, free = chain + 1, row["time"] + row["seconds"]
    return chain


class TestLooking:
    @ALL
    def test_ls_is_one_list_for_a_thousand(self, mount: Mounted) -> None:
        fill(mount, 1001, "")
        log = mount.requests()
        assert len(os.listdir(mount.path)) == 1001
        assert log.kinds() == {"GET list": 2}

    def test_ls_l_of_a_listing_mount_is_the_same(self, mount_with: MountFactory) -> None:
        mount = mount_with("attributes=listing")
        fill(mount, 40)
        log = mount.requests()
        run("ls", "-l", mount.path / "d")
        assert log.kinds()["GET list"] <= 3  # the lookup of d, and its listing
        assert set(log.kinds()) <= {"GET list", "HEAD"}
        assert log.kinds()["HEAD"] <= 1  # the lookup of d

    def test_ls_l_reads_attributes_once_and_in_parallel(self, far_mount: Mounted) -> None:
        mount = far_mount
        fill(mount, 200)
        os.listdir(mount.path / "d")
        mount.forget()
        (mount.path / "d").stat()
        log = mount.requests()
        run("ls", "-l", mount.path / "d")
        assert log.kinds() == {"GET list": 1, "HEAD": 200}
        assert in_flight(log) >= 32
        again = mount.requests()
        run("ls", "-l", mount.path / "d")
        assert len(again) == 0

    def test_ls_l_of_few_takes_few_round_trips(self, far_mount: Mounted) -> None:
        """The lookup, which brings the names, and two batches of attributes."""
        fill(far_mount, 60)
        log = far_mount.requests()
        run("ls", "-l", far_mount.path / "d")
        assert log.kinds() == {"GET list": 1, "HEAD": 61}
        assert round_trips(log) <= 4

    def test_who_takes_the_first_entry_only_costs_nothing_more(self, mount: Mounted) -> None:
        fill(mount, 40, "d/")
        fill(mount, 40, "e/")
        fill(mount, 40, "f/")
        for directory in ("d", "e"):
            (mount.path / directory / os.listdir(mount.path / directory)[0]).stat()
        log = mount.requests()
        (mount.path / "f" / os.listdir(mount.path / "f")[0]).stat()
        assert log.kinds()["HEAD"] <= 2

    @ALL
    def test_one_cold_path(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x")
        log = mount.requests()
        (mount.path / "f").stat()
        assert log.kinds() == {"HEAD": 1, "GET list": 1}

    def test_a_path_in_a_listed_directory(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x")
        os.listdir(mount.path)
        log = mount.requests()
        (mount.path / "f").stat()
        assert log.kinds() == {"HEAD": 1}

    @ALL
    def test_paths_in_a_small_directory(self, mount: Mounted) -> None:
        """What the directory is brings its names: files cost a HEAD each, other names nothing."""
        fill(mount, 100)
        log, began = mount.requests(), time.monotonic()
        for number in (1, 70, 30):
            (mount.path / f"d/{number:04}").stat()
            assert not (mount.path / f"d/missing-{number}").exists()
        late = 4 * int(time.monotonic() - began)  # it does not count for longer than a second
        assert log.kinds()["GET list"] <= 1 + late
        assert log.kinds()["HEAD"] <= 1 + 3 + late
        mount.judge.put("d/missing-1", b"x")
        until_stale()
        mount.forget_in_kernel()
        assert (mount.path / "d/missing-1").exists()

    @ALL
    def test_a_missing_path(self, mount: Mounted) -> None:
        assert not (mount.path / "missing").exists()
        log = mount.requests()
        mount.forget_in_kernel()  # it has forgotten, we have not
        assert not (mount.path / "missing").exists()
        os.listdir(mount.path)
        assert not (mount.path / "other").exists()
        assert log.kinds() == {"GET list": 1}


class TestContent:
    @ALL
    def test_cat_of_a_small_file(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x" * 1000)
        (mount.path / "f").stat()
        log = mount.requests()
        assert (mount.path / "f").read_bytes() == b"x" * 1000
        assert log.kinds() == {"GET": 1}

    def test_cat_in_a_listed_directory_of_a_listing_mount(self, mount_with: MountFactory) -> None:
        mount = mount_with("attributes=listing")
        mount.judge.put("f", b"x" * 1000)
        os.listdir(mount.path)
        log = mount.requests()
        assert (mount.path / "f").read_bytes() == b"x" * 1000
        assert log.kinds() == {"GET": 1}

    @ALL
    def test_create(self, mount: Mounted) -> None:
        assert not (mount.path / "f").exists()
        log = mount.requests()
        (mount.path / "f").write_bytes(b"x")
        assert log.kinds() == {"PUT": 1}

    def test_create_through_a_shell(self, mount: Mounted) -> None:
        assert not (mount.path / "f").exists()
        log = mount.requests()
        run("sh", "-c", "echo x > f; test -s f", cwd=mount.path)
        assert log.kinds() == {"PUT": 1}

    @ALL
    def test_create_with_tags_mode_and_time(self, mount: Mounted) -> None:
        assert not (mount.path / "f").exists()
        log = mount.requests()
        with (mount.path / "f").open("wb") as file:
            file.write(b"x")
            file.flush()
            for name in ("a", "b", "c"):
                os.setxattr(file.fileno(), f"user.tag.{name}", b"1")
            os.fchmod(file.fileno(), 0o640)
            os.utime(file.fileno(), (1, 1))
        assert log.kinds() == {"PUT": 1}
        assert mount.tags("f") == {"a": "1", "b": "1", "c": "1"}

    @ALL
    def test_overwrite_with_tags_unknown(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x", {"k": "v"})
        (mount.path / "f").stat()
        log = mount.requests()
        (mount.path / "f").write_bytes(b"y")
        assert besides_what_is_kept(log) == {"GET tagging": 1, "PUT": 1}
        assert mount.tags("f") == {"k": "v"}

    @ALL
    def test_overwrite_known_to_be_untagged(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x")
        (mount.path / "f").stat()
        assert getfattr(mount.path / "f") == {}
        log = mount.requests()
        (mount.path / "f").write_bytes(b"y")
        assert besides_what_is_kept(log) == {"PUT": 1}

    @ALL
    def test_append_to_a_small_file(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x", {"k": "v"})
        (mount.path / "f").stat()
        log = mount.requests()
        run("sh", "-c", "echo y >> f", cwd=mount.path)
        assert besides_what_is_kept(log) == {"GET": 1, "PUT": 1, "GET tagging": 1}
        assert mount.content("f") == b"xy\n"
        assert mount.tags("f") == {"k": "v"}

    @pytest.mark.services("oss", "obs")
    def test_append_to_an_appendable_object(self, mount: Mounted) -> None:
        mount.judge.append("f", 0, b"x" * 10_000)
        (mount.path / "f").stat()
        log = mount.requests()
        run("sh", "-c", "echo y >> f", cwd=mount.path)
        assert log.kinds() == {"POST append": 1}
        assert log.rows()[0]["bytes_in"] == 2
        assert mount.content("f") == b"x" * 10_000 + b"y\n"

    @ALL
    def test_one_byte_of_a_large_object(self, mount: Mounted) -> None:
        size = 40 * 1024**2
        mount.judge.put("f", bytes(size), {"k": "v"})
        (mount.path / "f").stat()
        log = mount.requests()
        with (mount.path / "f").open("r+b") as file:
            file.seek(size // 2)
            file.write(b"!")
        # Where an upload may drop tags, they are read back once on a mount, and where copies may
        # ignore a condition, that is tried once; and a busy machine looks at what it opens again.
        assert sum(besides_what_is_kept(log).values()) <= (10 if mount.kind == "s3" else 7)
        moved = sum(row["bytes_in"] + row["bytes_out"] for row in log.rows())
        assert moved <= 2 * 8 * 1024**2
        content = mount.content("f")
        assert content == bytes(size // 2) + b"!" + bytes(size // 2 - 1)
        assert mount.tags("f") == {"k": "v"}

    @ALL
    def test_a_log_that_is_synced_line_by_line(self, mount_with: MountFactory) -> None:
        """Of what is there already nothing is sent again: parts of it are copied, or it grows."""
        mount = mount_with("append_objects=*.log")
        mount.judge.put("large", bytes(12 * 1024**2))
        for name in ("large", "grown.log") if mount.has("append") else ("large",):
            log = mount.requests()
            with (mount.path / name).open("ab", buffering=0) as file:
                for _ in range(5):
                    file.write(b"x" * 4096)
                    os.fsync(file.fileno())
            sent = [row["bytes_in"] for row in log.rows() if row["bytes_in"] >= 4096]
            assert sent == [4096] * 5, name
        assert mount.content("large")[12 * 1024**2 :] == b"x" * 5 * 4096

    def test_edits_of_a_large_object_take_few_round_trips(self, far_mount: Mounted) -> None:
        """Tags and what surrounds the change come together; parts are copied all at once."""
        size = 20 * 1024**2
        trips = []
        for name, offset in (("f", size // 2), ("g", size // 2), ("h", size)):
            far_mount.judge.put(name, bytes(size), {"k": "v"} if name == "f" else None)
            (far_mount.path / name).stat()
            log = far_mount.requests()
            change(far_mount.path / name, offset)
            trips.append(round_trips(log))
        # At best 4, and 3 and 3 when the right to read tags is known. Where no tags are asked for,
        # that of the ACL is a round trip of its own.
        assert sum(trips) <= 13
        assert far_mount.content("f") == bytes(size // 2) + b"!" + bytes(size // 2 - 1)
        assert far_mount.content("h") == bytes(size) + b"!"
        assert far_mount.tags("f") == {"k": "v"}

    @ALL
    def test_edits_keep_tags_that_no_count_reported(self, mount: Mounted) -> None:
        size = 20 * 1024**2
        for name in ("f", "g"):
            mount.judge.put(name, bytes(size))
            (mount.path / name).stat()
        change(mount.path / "f", 0)
        mount.judge.set_tags("g", {"k": "v"})
        until_stale()
        change(mount.path / "g", size // 2)
        assert mount.tags("g") == {"k": "v"}
        assert mount.content("g")[size // 2 : size // 2 + 1] == b"!"

    @ALL
    def test_a_copy_inside_the_mount_is_the_services(self, mount: Mounted) -> None:
        """copy_file_range(2): three requests and no byte, tags as cp(1) asks for them."""
        content = os.urandom(9 * 1024**2)
        mount.judge.put("d/source", content, {"team": "blue"})
        mount.judge.put("tagged", b"old", {"keep": "me"})
        (mount.path / "d/source").stat()
        (mount.path / "tagged").stat()
        rows = {
            "plain": (["cp"], {}),
            "all": (["cp", "-a"], {"team": "blue"}),
            "light": (["cp", "--reflink=auto", "--sparse=never"], {}),
            "installed": (["install", "-m", "640"], {}),
            "tagged": (["cp"], {"keep": "me"}),
        }
        run("cp", mount.path / "d/source", mount.path / "first")  # one part more: a trial, once
        for name, (command, tags) in rows.items():
            log = mount.requests()
            run(*command, mount.path / "d/source", mount.path / name)
            mount.released()
            kinds = besides_what_is_kept(log)
            writes = {kind: n for kind, n in kinds.items() if not kind.startswith(("GET", "HEAD"))}
            if name == "installed":  # install(1) sets the mode after it has closed the file
                assert writes.pop("PUT copy", 0) + writes.pop("PUT metadata", 0) == 1
            assert writes == {"POST uploads": 1, "PUT partNumber": 1, "POST uploadId": 1}, name
            assert sum(row["bytes_in"] for row in log.rows()) < 64 * 1024, name
            assert sum(row["bytes_out"] for row in log.rows()) < 1024**2, name
            assert mount.content(name) == content
            assert mount.tags(name) == tags
        assert stat.S_IMODE((mount.path / "installed").stat().st_mode) == 0o640

    @ALL
    def test_sequential_write_and_read(self, mount: Mounted, tmp_path: Path) -> None:
        size = 48 * 1024**2
        local = tmp_path / "local"
        local.write_bytes(os.urandom(size))
        log = mount.requests()
        with local.open("rb") as source, (mount.path / "f").open("wb") as file:
            while block := source.read(128 * 1024):
                file.write(block)
            begun = log.kinds()["POST uploads"]
        assert begun == 1, "parts are sent while writing"
        kinds = log.kinds()
        assert kinds["POST uploads"] == 1
        assert kinds["POST uploadId"] == 1
        parts = [r for r in log.rows() if r["subresource"] == "partNumber"]
        assert sum(row["bytes_in"] for row in parts) == size
        mount.released()  # until then a reader shares the writer's local copy
        log = mount.requests()
        assert (mount.path / "f").read_bytes() == local.read_bytes()
        assert sum(row["bytes_out"] for row in log.rows() if row["method"] == "GET") == size

    def test_what_is_read_again_is_the_kernels(self, mount: Mounted) -> None:
        """The service is asked for the version, with the first range, and for no more of it."""
        path = mount.path / "f"

        def read() -> tuple[bytes, list[int]]:
            log = mount.requests()
            data = path.read_bytes()
            mount.released()
            return data, [row["bytes_out"] for row in log.rows() if row["method"] == "GET"]

        for content in (os.urandom(2 * 2**20) for _ in range(2)):
            mount.judge.put("f", content)
            mount.forget()
            assert read()[0] == content
            again = [read() for _ in range(3)]  # the kernel may be short of memory, once or twice
            assert {data for data, _ in again} == {content}
            assert any(sent == [FIRST] for _, sent in again)


def change(path: Path, offset: int) -> None:
    """Write one byte, in the middle or at the end."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"!")


class TestTree:
    @ALL
    def test_rsync_of_a_file(self, mount: Mounted, tmp_path: Path) -> None:
        """Content, one copy that takes name and attributes along, one delete; and the lookup."""
        (tmp_path / "s").mkdir()
        for number in range(10):
            (tmp_path / f"s/{number}").write_bytes(b"x%d" % number)
            os.utime(tmp_path / f"s/{number}", (number, number))
        (tmp_path / "s/7").chmod(0o640)
        (mount.path / "r").mkdir()
        run("rsync", "-a", f"{tmp_path}/s/0", mount.path / "r/0")
        log, began = mount.requests(), time.monotonic()
        run("rsync", "-a", f"{tmp_path}/s/", mount.path / "r")
        late = int(time.monotonic() - began)  # seconds, of which it takes none if it is let
        kinds = log.kinds()
        assert (kinds["PUT"], kinds["DELETE"]) == (9, 9)
        of_files = [r for r in log.rows() if r["key"] and not r["key"].endswith("/")]
        assert len([r for r in of_files if r["subresource"] == "copy"]) == 9
        # On a busy machine one rename may come more than a second after what was learnt.
        again = [r for r in of_files if r["subresource"] in ("tagging", "metadata")]
        assert len(again) <= 1 + 2 * late
        assert sum(kinds.values()) <= 9 * 5 + 12 + 4 * late
        log = mount.requests()
        assert run("rsync", "-ain", f"{tmp_path}/s/", mount.path / "r") == ""
        mount.forget()
        assert run("rsync", "-ain", f"{tmp_path}/s/", mount.path / "r") == ""
        assert (mount.path / "r/7").stat().st_mode & 0o777 == 0o640

    def test_rsync_of_a_file_takes_three_round_trips(
        self, far_mount: Mounted, tmp_path: Path
    ) -> None:
        (tmp_path / "s").mkdir()
        for number in range(6):
            (tmp_path / f"s/{number}").write_bytes(b"x")
        (far_mount.path / "r").mkdir()
        log = far_mount.requests()
        run("rsync", "-r", "-t", "-p", f"{tmp_path}/s/", far_mount.path / "r")
        assert round_trips(log) <= 6 * 3 + 6

    @ALL
    def test_rm_r_looks_at_a_directory_once(self, mount: Mounted) -> None:
        fill(mount, 30)
        os.listdir(mount.path / "d")
        log = mount.requests()
        for number in reversed(range(30)):
            (mount.path / f"d/{number:04}").unlink()
        assert log.kinds()["DELETE"] == 30
        assert log.kinds()["GET list"] <= 3
        assert mount.keys() == ["d/"], "it stays until rmdir"

    @ALL
    def test_rm_r_of_a_tree_reads_each_directory_once(self, mount: Mounted) -> None:
        for directory in range(5):
            fill(mount, 3, f"t/{directory}/")
        log = mount.requests()
        run("rm", "-r", mount.path / "t")
        kinds = log.kinds()
        # The lookup of t, six directories, and what took longer than an answer is recent.
        assert kinds["GET list"] <= 7 + 3
        assert kinds["PUT"] <= 6, "a directory that is emptied stays until rmdir"
        assert kinds["DELETE"] == 15 + 6
        assert mount.keys() == []

    def test_rmdir_sees_what_others_have_just_made(self, mount: Mounted) -> None:
        (mount.path / "d").mkdir()
        until_stale()
        mount.judge.put("d/f", b"x")
        with pytest.raises(OSError, match="not empty"):
            (mount.path / "d").rmdir()
        assert mount.keys() == ["d/", "d/f"]

    @ALL
    def test_mv_of_a_file(self, mount: Mounted) -> None:
        mount.judge.put("d/", b"")
        mount.judge.put("d/f", b"x")
        (mount.path / "d/f").stat()
        assert not (mount.path / "d/g").exists()
        log = mount.requests()
        (mount.path / "d/f").rename(mount.path / "d/g")
        assert besides_what_is_kept(log) == {"PUT copy": 1, "DELETE": 1}

    @ALL
    def test_mv_of_a_small_directory(self, mount: Mounted) -> None:
        fill(mount, 12)
        (mount.path / "d").stat()
        assert not (mount.path / "e").exists()
        log = mount.requests()
        (mount.path / "d").rename(mount.path / "e")
        kinds = besides_what_is_kept(log, reads=12)
        assert (kinds["PUT copy"], kinds["POST delete"]) == (12, 1)
        assert sum(kinds.values()) <= 16

    def test_mv_of_a_directory(self, far_mount: Mounted) -> None:
        mount = far_mount
        fill(mount, 60)
        (mount.path / "d").stat()
        assert not (mount.path / "e").exists()
        log = mount.requests()
        (mount.path / "d").rename(mount.path / "e")
        kinds = besides_what_is_kept(log, reads=60)
        assert kinds["PUT copy"] == 60
        assert kinds["POST delete"] == 1
        assert sum(kinds.values()) <= 64
        assert in_flight(log) >= 16

    @ALL
    def test_symlink_and_readlink(self, mount: Mounted) -> None:
        assert not (mount.path / "l").exists()
        (mount.path / "first").symlink_to(
            "target"
        )  # where a service may have no links, one is tried
        log = mount.requests()
        (mount.path / "l").symlink_to("target")
        assert log.kinds() == {"PUT symlink" if mount.has("symlinks") else "PUT": 1}
        if mount.has("symlinks"):
            mount.judge.put_symlink("m", "target")
        else:
            mount.judge.put("m", b"target", meta={"mode": str(stat.S_IFLNK | 0o777)})
        mount.forget()
        os.listdir(mount.path)
        if not mount.has("symlinks"):
            (mount.path / "m").lstat()  # nothing but its metadata shows what it is
        log = mount.requests()
        os.readlink(mount.path / "m")
        assert log.kinds() == {"GET symlink" if mount.has("symlinks") else "GET": 1}
        os.readlink(mount.path / "m")
        assert len(log) == 1

    def test_ls_l_of_links_on_a_listing_mount_is_one_list(self, mount_with: MountFactory) -> None:
        """L4. The listing alone tells a link from a file."""
        mount = mount_with("attributes=listing")
        for number in range(30):
            mount.judge.put_symlink(f"{number}", "target")
        log = mount.requests()
        names = [e.name for e in os.scandir(mount.path) if e.is_symlink()]
        assert len(names) == 30
        assert all((mount.path / n).lstat().st_size == 6 for n in names)
        assert log.kinds() == {"GET list": 1}


class TestTags:
    @ALL
    def test_setfattr_of_one_tag(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x")
        (mount.path / "f").stat()
        log = mount.requests()
        os.setxattr(mount.path / "f", "user.tag.k", b"v")
        assert log.kinds() == {"GET tagging": 1, "PUT tagging": 1}

    @ALL
    def test_getfattr_d(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x", {"k": "v", "l": "w"})
        mount.judge.put("untagged", b"x")
        (mount.path / "f").stat()
        log = mount.requests()
        assert len(getfattr(mount.path / "f")) == 2
        assert log.kinds() == {"GET tagging": 1}
        getfattr(mount.path / "f")
        assert len(log) == 1
        (mount.path / "untagged").stat()
        log = mount.requests()
        assert getfattr(mount.path / "untagged") == {}
        # OSS's HEAD reported no tags, and the right to read them is known; others report nothing.
        assert len(log) == (0 if mount.kind == "oss" else 1)

    def test_getfattr_of_a_directory_is_parallel(self, far_mount: Mounted) -> None:
        mount = far_mount
        fill(mount, 200, tags={"k": "v"})
        run("ls", "-l", mount.path / "d")
        log = mount.requests()
        shown = run("getfattr", "-R", "-d", "--absolute-names", mount.path / "d")
        assert shown.count('user.tag.k="v"') == 200
        assert log.kinds()["GET tagging"] <= 201
        assert in_flight(log) >= 32
        again = mount.requests()
        run("getfattr", "-R", "-d", "--absolute-names", mount.path / "d")
        assert len(again) == 0

    def test_getfattr_of_few_takes_few_round_trips(self, far_mount: Mounted) -> None:
        """The lookup, which brings the names, the attributes of all, the tags of all."""
        fill(far_mount, 30, tags={"k": "v"})
        log = far_mount.requests()
        shown = run("getfattr", "-R", "-d", "--absolute-names", far_mount.path / "d")
        assert shown.count('user.tag.k="v"') == 30
        assert log.kinds() == {"GET list": 1, "HEAD": 31, "GET tagging": 30}
        assert round_trips(log) <= 4

    def test_who_reads_tags_of_the_first_entry_only_costs_nothing_more(
        self, mount: Mounted
    ) -> None:
        for directory in ("d", "e"):
            fill(mount, 40, f"{directory}/", {"k": "v"})
            os.listdir(mount.path / directory)
        os.listxattr(mount.path / "d/0000")
        log = mount.requests()
        os.listdir(mount.path / "e")
        os.listxattr(mount.path / "e/0000")
        moment()  # what was asked for ahead would come
        of_tags = [row["key"] for row in log.rows() if row["subresource"] == "tagging"]
        assert [key for key in of_tags if key.startswith("e/")] == ["e/0000"]

    @ALL
    def test_untagged_files_are_not_asked_for_tags(self, mount: Mounted) -> None:
        mount.judge.put("f", b"x")
        fill(mount, 100)
        getfattr(mount.path / "f")  # now the right to read tags is known
        log = mount.requests()
        run("getfattr", "-R", "-d", "--absolute-names", mount.path / "d")
        assert log.kinds()["HEAD"] == 101
        assert log.kinds()["GET tagging"] <= (0 if mount.kind == "oss" else 101)

    @ALL
    def test_a_symlink_in_a_listed_directory(self, mount: Mounted) -> None:
        (mount.path / "first").symlink_to("target")
        fill(mount, 2)
        os.listdir(mount.path / "d")
        (mount.path / "d").stat()
        log = mount.requests()
        run("ln", "-s", "target", mount.path / "d/l")
        assert len(log) == 1

    def test_writing_asks_for_no_foreign_attribute(self, mount: Mounted) -> None:
        """The kernel asks for security.capability at every write."""
        log = mount.requests()
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={mount.path / 'f'}", "bs=4096", "count=256"],
            check=True,
            capture_output=True,
        )
        kinds = log.kinds()
        assert kinds["PUT"] == 1
        assert sum(kinds.values()) <= 3  # and the lookup

    def test_a_plain_ls_reads_no_tags(self, mount: Mounted) -> None:
        fill(mount, 50, tags={"k": "v"})
        log = mount.requests()
        run("ls", "-lR", mount.path)
        assert log.kinds()["GET tagging"] == 0
