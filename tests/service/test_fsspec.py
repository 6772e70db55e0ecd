"""fsspec: what tags add, and what is promised of writes, judged by the vendor's SDK."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tagfs.fsspec_api import TagFileSystem
from tests.emulated import Emulator, emulator
from tests.judges import REGIONS, Judge, judge_of
from tests.mounting import KEYS

TAGS = {"team": "blue", "odd é": "中"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Emulator]]:
    begun: dict[str, Any] = {}

    def of(kind: str) -> Emulator:
        if kind not in begun:
            begun[kind] = emulator(tmp_path_factory.mktemp(kind), service=kind)
            running[kind] = begun[kind].__enter__()
        return running[kind]

    running: dict[str, Emulator] = {}
    yield of
    for one in begun.values():
        one.__exit__(None, None, None)


@pytest.fixture(params=["oss"])
def service(request: pytest.FixtureRequest, services: Callable[[str], Emulator]) -> Emulator:
    return services(request.param)


@pytest.fixture
def name(service: Emulator) -> str:
    return service.take()


@pytest.fixture
def opened(service: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TagFileSystem:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable, value in KEYS.items():
        monkeypatch.setenv(variable, value)
    kind = service.service
    words = {"endpoint": service.url, "region": REGIONS[kind], "skip_instance_cache": True}
    found = fsspec.filesystem(f"tagfs+{kind}", **words)
    assert isinstance(found, TagFileSystem)
    return found


@pytest.fixture
def fs(opened: TagFileSystem) -> TagFileSystem:
    return opened


@pytest.fixture
def judge(service: Emulator, name: str) -> Judge:
    return judge_of(service.service, service.url, name)


both = pytest.mark.parametrize("service", ["oss", "s3"], indirect=True)


def interrupted(fs: TagFileSystem, path: str, data: bytes, **words: int) -> None:
    """Write a file, and fail before it is closed."""
    with contextlib.suppress(ZeroDivisionError), fs.open(path, "wb", **words) as file:
        file.write(data)
        raise ZeroDivisionError


@both
def test_what_is_written_is_there_at_once_or_not_at_all(
    fs: TagFileSystem, name: str, judge: Judge
) -> None:
    judge.put("f", b"old", tags=TAGS)
    interrupted(fs, f"{name}/f", b"half")
    assert judge.get("f") == b"old"
    with fs.open(f"{name}/f", "wb") as file:
        file.write(b"new")
        assert judge.get("f") == b"old"
    assert judge.get("f") == b"new"
    assert judge.tags("f") == TAGS


@both
def test_large_files_go_in_parts(fs: TagFileSystem, name: str, judge: Judge) -> None:
    judge.put("f", b"old", tags=TAGS)
    data = bytes(range(256)) * 1600
    for block in (102_400, 131_072):  # the last part is a whole one, or shorter
        with fs.open(f"{name}/f", "wb", block_size=block) as file:
            for start in range(0, len(data), 50_000):
                file.write(data[start : start + 50_000])
        assert judge.get("f") == data
        assert judge.tags("f") == TAGS
    interrupted(fs, f"{name}/f", data, block_size=102_400)
    assert judge.get("f") == data
    assert judge.uploads() == []
    with fs.open(f"{name}/f", "rb", block_size=10_000) as file:
        file.seek(123_456)
        assert file.read(5000) == data[123_456:128_456]
        assert file.read() == data[128_456:]


@both
def test_a_read_is_of_one_version(fs: TagFileSystem, name: str, judge: Judge) -> None:
    judge.put("f", b"a" * 100_000)
    with fs.open(f"{name}/f", "rb", block_size=1000) as file:
        assert file.read(10) == b"a" * 10
        judge.put("f", b"b" * 100_000)
        file.seek(90_000)
        with pytest.raises(OSError, match="f"):
            file.read(10)


@both
def test_copies_and_moves_keep_tags(fs: TagFileSystem, name: str, judge: Judge) -> None:
    judge.put("d/f", b"x", tags=TAGS)
    judge.put("d/e/g", b"y", tags=TAGS)
    fs.cp(f"{name}/d/f", f"{name}/copy")
    fs.mv(f"{name}/d/", f"{name}/moved/", recursive=True)
    assert {key: judge.tags(key) for key in judge.keys("") if key[-1] != "/"} == {
        "copy": TAGS,
        "moved/f": TAGS,
        "moved/e/g": TAGS,
    }


def test_a_copy_to_another_bucket_keeps_tags(
    fs: TagFileSystem, service: Emulator, name: str, judge: Judge
) -> None:
    judge.put("f", b"x", tags=TAGS)
    other = service.take()
    fs.cp(f"{name}/f", f"{other}/g")
    copied = judge_of(service.service, service.url, other)
    assert (copied.get("g"), copied.tags("g")) == (b"x", TAGS)


@both
def test_tags(fs: TagFileSystem, name: str, judge: Judge) -> None:
    judge.put("d/f", b"x")
    path = f"{name}/d/f"
    fs.put_tags(path, TAGS)
    fs.put_tags(path, {"team": "red"}, mode="m")
    assert judge.tags("d/f") == fs.get_tags(path) == {**TAGS, "team": "red"}
    assert fs.info(path, tags=True)["tags"] == {**TAGS, "team": "red"}
    assert fs.find_by_tags(f"{name}/d", "team=red") == [path]
    assert fs.find_by_tags(name, "team=blue") == []
    fs.put_tags(name, {"owner": "me"})
    assert judge.bucket_tags() == {"owner": "me"}
    with fs.open(f"{name}/new.html", "wb", tags=TAGS) as file:
        file.write(b"x")
    assert judge.tags("new.html") == TAGS
    assert judge.head("new.html").content_type == "text/html"


def test_metadata_stays_without_times(fs: TagFileSystem, name: str, judge: Judge) -> None:
    """... which new content makes wrong: a mount would show the old time of the new content."""
    meta = {"mode": "33188", "mtime": "1000", "note": "n"}
    judge.put("f", b"x", meta=meta, content_type="text/x-own")
    fs.pipe(f"{name}/f", b"y")
    seen = judge.head("f")
    assert seen.meta == {"mode": "33188", "note": "n"}
    assert seen.content_type == "text/x-own"


def test_what_costs_how_many_requests(
    fs: TagFileSystem, service: Emulator, name: str, judge: Judge
) -> None:
    for number in range(3):
        judge.put(f"d/{number}/f", b"x")
    fs.ls(name)
    costs: dict[Callable[[], object], int] = {
        lambda: fs.ls(f"{name}/d"): 1,
        lambda: fs.find(name): 1,
        lambda: fs.pipe(f"{name}/g", b"x"): 2,
        lambda: fs.rm(f"{name}/d", recursive=True): 5,
    }
    for call, most in costs.items():
        before = len(service.log.read_text().splitlines())
        call()
        assert len(service.log.read_text().splitlines()) - before <= most


def test_errors_are_those_of_files(fs: TagFileSystem, name: str, judge: Judge) -> None:
    judge.put("f", b"x")
    fs.makedirs(f"{name}/d")
    fs.pipe(f"{name}/d/f", b"x")
    refused: dict[Callable[[], object], type[OSError]] = {
        lambda: fs.info(f"{name}/none"): FileNotFoundError,
        lambda: fs.cat(f"{name}/none"): FileNotFoundError,
        lambda: fs.get_tags(f"{name}/none"): FileNotFoundError,
        lambda: fs.rm(f"{name}/none"): FileNotFoundError,
        lambda: fs.rm(f"{name}/d"): IsADirectoryError,
        lambda: fs.rmdir(f"{name}/d"): OSError,
        lambda: fs.mkdir(f"{name}/d"): FileExistsError,
        lambda: fs.ls(""): FileNotFoundError,
        lambda: fs.put_tags(f"{name}/f", {"": "x"}): OSError,
    }
    for call, error in refused.items():
        with pytest.raises(error):
            call()
    assert sorted(judge.keys()) == ["d/", "d/f", "f"]
    with pytest.raises(NotImplementedError):
        fs.open(f"{name}/f", "ab")


@pytest.mark.usefixtures("opened")
def test_a_url_is_enough(service: Emulator, name: str, judge: Judge) -> None:
    url = f"tagfs+oss://{name}/a.txt"
    words = {"endpoint": service.url, "region": REGIONS["oss"]}
    with fsspec.open(url, "w", **words) as file:
        file.write("text")
    with fsspec.open(url, **words) as file:
        assert io.TextIOWrapper(file).read() == "text"
    assert judge.get("a.txt") == b"text"
