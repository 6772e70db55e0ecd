"""A catalogue keeps what it was given, says how old it is, and is never an error."""

import os
import sqlite3
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tagfs.catalogue import catalogue as module
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.database import Database, Unusable
from tagfs.catalogue.expression import parse_expression
from tagfs.catalogue.place import catalogue_name
from tagfs.catalogue.query import count_keys, find, find_keys, unknown_tags, vocabulary
from tagfs.catalogue.rows import Known, pack_detail, pack_etag, unpack_detail, unpack_etag
from tagfs.mount_catalogue import described
from tagfs.store.objects import Detail, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet
from tests.unit.catalogue.cataloguekit import NAME, SIZE, T0, Time, an_object, opened, tags

DETAIL: dict[str, Any] = {"metadata": {"mode": "33188"}, "headers": {"content-type": "text/plain"}}


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def catalogue(tmp_path: Path, time: Time):
    found = opened(tmp_path, time)
    yield found
    found.close()


def one(catalogue: Catalogue, key: str) -> Known | None:
    return catalogue.known([key]).get(key)


def tags_of(catalogue: Catalogue, key: str) -> TagSet | None:
    known = one(catalogue, key)
    return None if known is None else known.tags


def age_of(catalogue: Catalogue, key: str) -> float:
    known = one(catalogue, key)
    assert known is not None
    return catalogue.clock.age(known.tags_at)


texts = st.text(max_size=8)
details = st.builds(
    Detail,
    metadata=st.dictionaries(texts, texts, max_size=3),
    headers=st.dictionaries(texts, texts, max_size=2),
    tag_count=st.none() | st.integers(0, 10),
    crc64=st.none() | st.integers(0, 2**64 - 1),
    version_id=st.none() | texts,
    target=st.none() | texts,
    readable=st.booleans(),
)


@given(details)
def test_a_detail_is_read_as_it_was_written(detail: Detail) -> None:
    assert unpack_detail(pack_detail(detail)) == detail


HEX = "a" * 32


@pytest.mark.parametrize("etag", [HEX, HEX.upper(), "1" * 32, "aB" * 16, HEX + "-5", "", "x"])
def test_an_etag_is_read_as_it_was_written(etag: str) -> None:
    assert unpack_etag(pack_etag(etag)) == etag


@pytest.mark.parametrize("when", ["before it is written", "written", "by another process"])
def test_what_was_learnt_is_known(
    tmp_path: Path, time: Time, catalogue: Catalogue, when: str
) -> None:
    info = replace(
        an_object("a/é b", **DETAIL), type=ObjectType.SYMLINK, storage_class="IA", etag="x-1"
    )
    catalogue.saw(info, settled=True)
    catalogue.saw_tags("a/é b", tags(team="blue", b="ü &="), age=2)
    if when != "before it is written":
        catalogue.flush()
    other = opened(tmp_path, time) if when == "by another process" else catalogue
    known = one(other, "a/é b")
    assert known is not None
    assert known.info == info
    assert known.settled
    assert known.tags == tags(team="blue", b="ü &=")
    assert other.clock.age(known.detail_at) == 0
    assert other.clock.age(known.tags_at) == 2
    if other is not catalogue:
        other.close()


def test_the_later_answer_counts_whoever_wrote_it(
    tmp_path: Path, time: Time, catalogue: Catalogue
) -> None:
    other = opened(tmp_path, time)
    catalogue.saw_tags("a", tags(v="new"))
    catalogue.flush()
    other.saw_tags("a", tags(v="old"), age=5)
    other.saw(an_object("a", etag="B" * 32), age=5)
    other.flush()
    other.close()
    known = one(catalogue, "a")
    assert known is not None
    assert known.tags == tags(v="new")
    assert known.info is not None


@pytest.mark.parametrize(
    ("listed", "kept"),
    [
        ({}, True),
        ({"etag": "B" * 32}, False),
        ({"modified": T0 - 98}, False),
    ],
)
@pytest.mark.parametrize("written", [False, True])
def test_another_version_takes_the_detail_away(
    catalogue: Catalogue, listed, *, kept: bool, written: bool
) -> None:
    catalogue.saw(an_object("a", **DETAIL), settled=True)
    if written:
        catalogue.flush()
    catalogue.saw(an_object("a", **listed))
    catalogue.flush()
    known = one(catalogue, "a")
    assert known is not None
    assert known.info is not None
    assert (known.info.detail is not None) is kept
    assert known.settled is kept


@pytest.mark.parametrize("written", [False, True])
def test_what_was_dropped_is_not_known(catalogue: Catalogue, *, written: bool) -> None:
    for key in ("d/a", "d/b", "e"):
        catalogue.saw_tags(key, tags(x=key))
    if written:
        catalogue.flush()
    catalogue.drop("e")
    catalogue.drop_prefix("d/")
    catalogue.saw_tags("d/b", tags(x="again"))
    for _ in range(2):
        assert {k: v.tags for k, v in catalogue.known(["d/a", "d/b", "e"]).items()} == {
            "d/b": tags(x="again")
        }
        catalogue.flush()


def test_tags_of_which_nothing_is_known_any_more(catalogue: Catalogue) -> None:
    catalogue.saw_tags("a", tags(x="1"))
    catalogue.saw(an_object("a"))
    catalogue.flush()
    catalogue.saw_tags("a", None)
    catalogue.flush()
    known = one(catalogue, "a")
    assert known is not None
    assert known.tags is None
    assert unknown_tags(catalogue, "") == 1


def test_no_step_of_the_clock_makes_an_answer_younger(tmp_path: Path, time: Time) -> None:
    catalogue = opened(tmp_path, time)
    catalogue.saw_tags("a", tags(x="1"))
    time.pass_time(100)
    time.wall -= 5000
    assert age_of(catalogue, "a") == 100
    catalogue.close()
    catalogue = opened(tmp_path, time)  # another process of the same boot
    assert age_of(catalogue, "a") == 100
    catalogue.close()
    time.reboot(wall=T0 - 10)  # with a calendar that is wrong
    catalogue = opened(tmp_path, time)
    assert age_of(catalogue, "a") > 1e8
    catalogue.close()


def damage_header(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def damage_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()


def damage_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE objects")
    connection.close()


@pytest.mark.parametrize("damage", [damage_header, damage_version, damage_tables, Path.unlink])
def test_a_file_that_is_no_catalogue_is_begun_anew(tmp_path: Path, time: Time, damage) -> None:
    catalogue = opened(tmp_path, time)
    catalogue.saw_tags("a", tags(x="1"))
    catalogue.close()
    damage(tmp_path / "catalogue" / NAME)
    catalogue = opened(tmp_path, time)
    assert one(catalogue, "a") is None
    catalogue.saw_tags("a", tags(x="2"))
    catalogue.flush()
    assert tags_of(catalogue, "a") == tags(x="2")
    catalogue.close()


@pytest.mark.parametrize("damage", [damage_tables, Path.unlink])
def test_damage_meanwhile_is_no_error(tmp_path: Path, time: Time, damage) -> None:
    catalogue = opened(tmp_path, time)
    catalogue.saw_tags("a", tags(x="1"))
    catalogue.flush()
    damage(tmp_path / "catalogue" / NAME)
    for number in range(3):
        time.pass_time(1)
        catalogue.known(["a"])
        catalogue.saw_tags("a", tags(x=str(number)))
        catalogue.flush()
    assert tags_of(catalogue, "a") == tags(x="2")
    catalogue.close()


def test_names_that_are_not_utf_8_are_no_damage(tmp_path: Path, time: Time) -> None:
    catalogue = opened(tmp_path, time)
    catalogue.saw_tags("a", tags(x="1"))
    catalogue.flush()
    odd = "d\udcff/"
    assert catalogue.scanned_at(odd) is None
    assert list(find(catalogue, odd, parse_expression("x"))) == []
    assert count_keys(catalogue, odd, 10) == 0
    catalogue.keep_query("", odd)
    catalogue.drop_prefix(odd)
    with pytest.raises(Unusable, match="UTF-8"):
        catalogue.begin_scan(odd)
    catalogue.saw_tags("b", tags(x="1"))
    catalogue.flush()
    assert [known.key for known in find(catalogue, "", parse_expression("x"))] == ["a", "b"]
    catalogue.close()


def test_a_file_that_was_replaced_is_let_go(tmp_path: Path, time: Time) -> None:
    catalogue = opened(tmp_path, time)
    catalogue.saw_tags("a", tags(x="1"))
    catalogue.flush()
    (tmp_path / "catalogue" / NAME).unlink()
    other = opened(tmp_path, time)
    catalogue.saw_tags("b", tags(x="2"))
    catalogue.flush()
    assert set(catalogue.known(["a", "b"])) == {"b"}
    assert set(other.known(["a", "b"])) == {"b"}
    catalogue.close()
    other.close()


def test_what_could_not_be_written_lets_nothing_older_count(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = opened(tmp_path, time)
    monkeypatch.setattr(Database, "write", lambda *_: False)
    assert catalogue.believed_from == 0
    catalogue.saw_tags("a", tags(x="1"))
    catalogue.flush()
    assert catalogue.believed_from == catalogue.clock.now()
    catalogue.close()


def test_a_bug_while_writing_ends_nothing(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    catalogue = opened(tmp_path, time)
    failed = threading.Event()

    def fail(*_: object) -> None:
        failed.set()
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(module, "_write", fail)
        catalogue.saw_tags("a", tags(x="1"))
        catalogue._urgent.set()  # as for very many facts
        assert failed.wait(10)
        catalogue.close()
    assert "a bug in tagfs" in caplog.text
    caplog.clear()


def test_a_catalogue_is_private(tmp_path: Path, catalogue: Catalogue) -> None:
    catalogue.saw_tags("a", NO_TAGS)
    catalogue.flush()
    base = tmp_path / "catalogue"
    assert stat.S_IMODE(base.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in base.iterdir()} == {0o600}


@pytest.mark.parametrize("odd", ["link", "open to others", "a file"])
def test_a_place_that_is_not_ours_alone_is_not_used(tmp_path: Path, odd: str) -> None:
    base = tmp_path / "catalogue"
    if odd == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        base.symlink_to(tmp_path / "elsewhere")
    elif odd == "open to others":
        base.mkdir()
        base.chmod(0o777)
    else:
        base.touch()
    with pytest.raises(Unusable):
        opened(tmp_path)


def test_a_planted_file_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir(mode=0o700)
    (tmp_path / "target").touch()
    (tmp_path / "catalogue" / NAME).symlink_to(tmp_path / "target")
    with pytest.raises(Unusable):
        opened(tmp_path)
    assert os.path.getsize(tmp_path / "target") == 0


def test_keys_that_no_database_holds_are_left_out(catalogue: Catalogue) -> None:
    catalogue.saw_tags("a\udcff", tags(x="1"))
    assert catalogue.known(["a\udcff"]) == {}


def test_what_was_deleted_elsewhere_goes_with_the_next_scan(
    time: Time, catalogue: Catalogue
) -> None:
    for key in ("d/gone", "d/here", "else"):
        catalogue.saw(an_object(key))
        catalogue.saw_tags(key, tags(x="1"))
    catalogue.flush()
    time.pass_time(50)
    assert catalogue.scanned_at("d/") is None
    began = catalogue.begin_scan("d/")
    time.pass_time(5)
    assert catalogue.begin_scan("d/") == began, "a scan that was not ended is gone on with"
    catalogue.saw(an_object("d/here"))
    catalogue.end_scan("d/", began)
    assert set(catalogue.known(["d/gone", "d/here", "else"])) == {"d/here", "else"}
    assert catalogue.scanned_at("d/e/f/") == began
    assert catalogue.scanned_at("d/") == began
    assert catalogue.scanned_at("") is None
    assert catalogue.begin_scan("d/") > began


def test_objects_are_found_by_their_tags(catalogue: Catalogue) -> None:
    sets = {"a/1": tags(team="blue"), "a/2": tags(team="red", x=""), "b": NO_TAGS, "a0": tags(x="")}
    for key, value in sets.items():
        catalogue.saw_tags(key, value)
    catalogue.saw(an_object("c"))

    def keys(text: str, prefix: str = "") -> list[str]:
        wanted = parse_expression(text)
        found = [known.key for known in find(catalogue, prefix, wanted)]
        assert list(find_keys(catalogue, prefix, wanted)) == found
        return found

    assert keys("team") == ["a/1", "a/2"]
    assert keys("not team=blue") == ["a/2", "a0", "b"]
    assert keys("x", "a/") == ["a/2"]
    assert keys("not *") == ["b"]
    assert vocabulary(catalogue, "a/") == {"team": {"blue", "red"}, "x": {""}}
    assert vocabulary(catalogue, "a/", parse_expression("team=blue")) == {"team": {"blue"}}


def test_many_sets_are_found_as_few_are(catalogue: Catalogue) -> None:
    for number in range(700):
        catalogue.saw_tags(f"{number:03}", tags(n=str(number)))
    assert len(list(find(catalogue, "", parse_expression("n=*")))) == 700
    others = list(find_keys(catalogue, "", parse_expression("not n~^6")))
    assert len(others) == 589
    assert "600" not in others


@pytest.mark.slow
def test_a_catalogue_stays_below_its_size(tmp_path: Path, time: Time) -> None:
    size = 400_000
    catalogue = opened(tmp_path, time, size=size)
    for turn in range(6):
        for number in range(1000):
            catalogue.saw_tags(f"{turn}/{number:04}" + "x" * 50, tags(n=str(number % 7)))
        time.pass_time(1)
        catalogue.flush()
        assert catalogue.database.used() < size * 1.3
    assert len(catalogue.known([f"5/{n:04}" + "x" * 50 for n in range(1000)])) == 1000
    catalogue.close()


@pytest.mark.slow
def test_a_million_objects_take_less_than_400_mib(tmp_path: Path, time: Time) -> None:
    catalogue = opened(tmp_path, time)
    count = 20_000
    for number in range(count):
        key = f"department/project/2026/month-{number % 12}/a file name {number:09}.parquet"
        metadata = {"mode": "33188", "uid": "1000", "gid": "1000", "mtime": f"1800000{number}.123"}
        info = ObjectInfo(
            key=key,
            size=number * 1000,
            etag=f"{number:032x}",
            last_modified_ns=1_800_000_000_123_000_000,
            detail=Detail(
                metadata=metadata, headers={"content-type": "application/x-parquet"}, crc64=2**63
            ),
        )
        catalogue.saw(info, settled=True)
        catalogue.saw_tags(key, TagSet({"team": f"t{number % 50}", "retention": "7y"}))
    catalogue.flush()
    assert catalogue.database.used() / count * 1e6 < 400 * 1024**2
    catalogue.close()


def test_writers_of_several_processes_take_turns(tmp_path: Path, time: Time) -> None:
    catalogues = [opened(tmp_path, time) for _ in range(4)]

    def work(number: int) -> None:
        for turn in range(20):
            catalogues[number].saw_tags(f"{number}/{turn}", tags(x="1"))
            catalogues[number].flush()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(find(catalogues[0], "", parse_expression("x")))) == 80
    for catalogue in catalogues:
        catalogue.close()


def test_names_keep_buckets_apart() -> None:
    names = {
        catalogue_name("oss", "b", "https://a", None),
        catalogue_name("oss", "b", "https://b", None),
        catalogue_name("s3", "b", None, "eu-west-1"),
        catalogue_name("s3", "b", None, "eu-west-2"),
        catalogue_name("s3", "../b", None, "eu-west-2"),
    }
    assert len(names) == 5
    assert not any("/" in name for name in names)


def test_a_database_alone_says_why_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(Unusable, match="x"):
        Database(tmp_path / "x" / "y", NAME)
    assert SIZE


def test_what_the_status_of_a_mount_shows(tmp_path: Path) -> None:
    """Its size, and how long ago all that is shown was read; without waiting for a lock."""
    time = Time()
    one = opened(tmp_path, time)
    with one.database._lock:  # as if who asks had interrupted a reader
        assert described(one, "")["index_age_seconds"] is None
        assert described(one, "")["index_bytes"] > 0
    one.end_scan("d/", one.begin_scan("d/"))
    time.pass_time(90)
    assert described(one, "d/e/")["index_age_seconds"] == 90.0
    assert described(one, "")["index_age_seconds"] is None
    assert described(one, "da/")["index_age_seconds"] is None
    one.close()
    one.database.path.unlink()
    assert described(one, "d/") == {"index_bytes": 0, "index_age_seconds": None}
