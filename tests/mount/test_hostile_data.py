"""Names, sizes and contents that others put into a bucket to see what breaks."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.storage.generate import generate
from tests.emulated import Emulator, emulator
from tests.mounting import Mounted, mounted
from tests.waiting import FAR, soon, until_stale

GIB = 1024**3


@pytest.fixture(scope="module")
def place(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    """One mount for all names; each test has a directory of its own there."""
    with mounted(service, service.take(), tmp_path_factory.mktemp("hostile") / "mnt") as mount:
        yield mount


class TestNames:
    def test_every_byte(self, place: Mounted) -> None:
        """From the kernel's side: 1 to 0x7f are names, bytes that are not UTF-8 are EILSEQ."""
        root = os.fsencode(place.path) + b"/bytes"
        os.mkdir(root)
        made = []
        for byte in range(1, 256):
            name = b"x" + bytes([byte])
            if byte == ord("/"):
                continue
            if byte < 0x80:
                os.close(os.open(root + b"/" + name, os.O_CREAT | os.O_WRONLY, 0o644))
                made.append(name)
                continue
            for call in (
                lambda p: os.open(p, os.O_CREAT | os.O_WRONLY),
                os.mkdir,
                os.stat,
                os.unlink,
                lambda p: os.rename(root + b"/x\x01", p),
            ):
                with pytest.raises(OSError, match="Invalid or incomplete multibyte"):
                    call(root + b"/" + name)
        place.forget()
        assert sorted(os.listdir(root)) == sorted(made)
        assert sorted(place.judge.keys("bytes/")) == sorted(
            ["bytes/", *(f"bytes/{name.decode()}" for name in made)]
        )

    @pytest.mark.parametrize(
        "names",
        [
            ("\u00e9", "e\u0301", "E\u0301"),
            ("a.", "a..", "a", "a "),
            ("\u00df", "ss", "SS"),
            ("K", "\u212a"),
            ("\u200b", "\u200b\u200b", "\ufeff"),
            ("a\u202eb", "ab"),
        ],
        ids=ascii,
    )
    def test_names_that_look_alike_are_different_files(
        self, place: Mounted, names: tuple[str, ...]
    ) -> None:
        """No normalisation, no folding, nothing stripped: each name is the key, byte for byte."""
        directory = place.path / f"alike{len(place.keys())}"
        directory.mkdir()
        for name in names:
            (directory / name).write_text(name)
        assert sorted(os.listdir(directory)) == sorted(names)
        assert {name: (directory / name).read_text() for name in names} == {n: n for n in names}
        for name in names:
            assert place.content(f"{directory.name}/{name}") == name.encode()

    def test_the_longest_key(self, place: Mounted) -> None:
        """A file's key may have all bytes that the service allows but the one of a marker's "/"."""
        parts = ["long", *("n" * 200 for _ in range(4))]
        directory = place.path.joinpath(*parts)
        directory.mkdir(parents=True)
        room = 1022 - len("/".join(parts)) - 1
        longest = directory / ("x" * room)
        longest.write_bytes(b"whole")
        os.setxattr(longest, "user.tag.k", b"v")
        longest.rename(directory / ("y" * room))
        key = "/".join([*parts, "y" * room])
        assert len(key) == 1022
        assert (place.content(key), place.tags(key)) == (b"whole", {"k": "v"})
        for call in (Path.touch, Path.mkdir, lambda p: p.symlink_to("x")):
            with pytest.raises(OSError, match="File name too long"):
                call(directory / ("x" * (room + 1)))

    def test_a_key_of_1023_bytes_is_read(self, place: Mounted) -> None:
        """Which others may have put there."""
        parts = ["others", *("n" * 200 for _ in range(5))]
        key = "/".join(parts) + "/"
        key += "x" * (1023 - len(key))
        place.judge.put(key, b"theirs")
        place.forget()
        directory = place.path.joinpath(*parts)
        (name,) = os.listdir(directory)
        assert f"{'/'.join(parts)}/{name}" == key

    def test_keys_that_are_no_paths(self, place: Mounted) -> None:
        """Hidden, and in nobody's way: what is beside them is listed."""
        for key in ("odd//x", "odd/./x", "odd/../x", "odd/a//b", "odd/" + "n" * 256, "odd/good"):
            place.judge.put(key, b"content")
        place.forget()
        assert sorted(os.listdir(place.path / "odd")) == ["a", "good"]
        assert os.listdir(place.path / "odd" / "a") == []
        with pytest.raises(OSError, match="not empty"):
            os.rmdir(place.path / "odd" / "a")
        assert place.content("odd/../x") == b"content"

    def test_an_object_that_is_shadowed_comes_back(self, place: Mounted) -> None:
        """T2: the directory wins while it is there, and takes nothing of the object with it."""
        place.judge.put("shadowed/both", b"object", {"k": "v"})
        place.judge.put("shadowed/both/below", b"below")
        place.forget()
        assert os.listdir(place.path / "shadowed") == ["both"]
        assert (place.path / "shadowed/both").is_dir()
        os.unlink(place.path / "shadowed/both/below")
        os.rmdir(place.path / "shadowed/both")
        place.forget()
        assert (place.path / "shadowed/both").read_bytes() == b"object"
        assert place.tags("shadowed/both") == {"k": "v"}


class TestSizes:
    @pytest.mark.parametrize(("before", "after"), [(5000, 12), (12, 5000), (12, 0), (0, 12)])
    def test_that_change_between_listing_and_reading(
        self, place: Mounted, before: int, after: int
    ) -> None:
        """Neither a short read, nor zeros, nor bytes of two versions."""
        name = f"{before}-{after}"
        place.judge.put(f"sizes{name}/f", b"a" * before)
        assert os.stat(place.path / f"sizes{name}/f").st_size == before
        place.judge.put(f"sizes{name}/f", b"b" * after)
        if not before:
            until_stale()  # of an empty file there is nothing to ask for
        assert (place.path / f"sizes{name}/f").read_bytes() == b"b" * after

    def test_of_what_is_gone(self, place: Mounted) -> None:
        place.judge.put("gone/f", b"content")
        assert os.stat(place.path / "gone/f").st_size == 7
        place.judge.delete("gone/f")
        with pytest.raises(FileNotFoundError):
            (place.path / "gone/f").read_bytes()


class TestHuge:
    """An object over every limit of a single request, all zeros, which takes no room here."""

    SIZE = 6 * GIB

    @pytest.fixture(scope="class", params=["oss", "s3"])
    def huge(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Mounted]:
        directory = tmp_path_factory.mktemp(f"huge-{request.param}")
        (directory / "data").mkdir()
        storage = Storage(directory / "data")
        lower = request.param != "oss"
        generate(storage, "bucket-0", "huge:1:6g", int(time.time() * 1000), lower_case=lower)
        storage.close()
        with (
            emulator(directory, 1, service=request.param) as service,
            mounted(service, service.take(), directory / "mnt") as mount,
        ):
            mount.judge.set_tags("huge", {"k": "v"})
            yield mount

    def test_read_edited_and_moved(self, huge: Mounted) -> None:
        """Its ends are read, one byte is changed, it is moved: its bytes stay at the service."""
        path = huge.path / "huge"
        assert path.stat().st_size == self.SIZE
        log = huge.requests()
        with path.open("rb") as file:
            assert file.read(10) == bytes(10)
            file.seek(-10, os.SEEK_END)
            assert file.read(100) == bytes(10)
            file.seek(5 * GIB)
            assert file.read(1) == b"\0"
        with path.open("r+b") as file:
            file.seek(5 * GIB + 1)
            file.write(b"X")
        path.rename(huge.path / "moved")
        moved = huge.path / "moved"
        assert moved.stat().st_size == self.SIZE
        with moved.open("rb") as file:
            file.seek(5 * GIB)
            assert file.read(3) == b"\0X\0"
        assert huge.tags("moved") == {"k": "v"}
        assert huge.judge.keys() == ["moved"]
        assert huge.judge.uploads() == []
        moved_bytes = sum(row["bytes_in"] + row["bytes_out"] for row in log.rows())
        assert moved_bytes < 64 * 1024**2
        assert len(log) < 100

    def test_cut_to_nothing(self, huge: Mounted) -> None:
        (name,) = huge.judge.keys()
        with soon():
            subprocess.run(["truncate", "-s", "1", huge.path / name], check=True, timeout=FAR)
            assert huge.content(name) == b"\0"
