"""Versions of objects: listed, read and brought back, on each service."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tagfs.doctor.write_checks import check_writing
from tagfs.errors import AlreadyExists, NotFound, Unsupported
from tagfs.store.client.object_versions import markers_over
from tagfs.store.client.trial_names import unused_key
from tagfs.store.object_versions import ObjectVersion, in_order, is_of_trial
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet
from tests import zygote
from tests.emulated import Emulator, emulator
from tests.mounting import KEYS
from tests.service.store.service import Service
from tests.versioned import VersionedBucket

SERVICES = ("oss", "obs", "s3")
TAGS = TagSet({"team": "blue"})


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(emulator(tmp_path_factory.mktemp(name), 20, service=name))
            for name in SERVICES
        }


@pytest.fixture(params=SERVICES)
def service(services: dict[str, Emulator], request: pytest.FixtureRequest) -> Iterator[Service]:
    one = Service(services[request.param])
    with contextlib.closing(one.client):
        yield one


@pytest.fixture
def kept(service: Service) -> Iterator[VersionedBucket]:
    """The bucket by its vendor's SDK: it keeps versions."""
    bucket = VersionedBucket(service.emulator.service, service.emulator.url, service.name)
    with contextlib.closing(bucket):
        yield bucket


def put(service: Service, key: str, content: bytes, tags: TagSet = NO_TAGS) -> None:
    new = NewObject(tags=tags, metadata={"note": content.decode()})
    service.client.put(key, BytesSource(content), new)


def test_versions_of_a_key_are_read_with_their_tags(
    service: Service, kept: VersionedBucket
) -> None:
    put(service, "d/f", b"one", TAGS)
    put(service, "d/f", b"two two", TagSet({"team": "red"}))
    put(service, "d/f-beside", b"other")
    service.client.delete("d/f")
    versions = service.client.versions
    marker, two, one = versions.of_key("d/f")
    assert [v.is_marker for v in (marker, two, one)] == [True, False, False]
    assert [v.is_latest for v in (marker, two, one)] == [True, False, False]
    assert {(v.info.key, v.version_id) for v in (marker, two, one)} == {
        (v.key, v.version_id) for v in kept.versions() if v.key == "d/f"
    }
    assert versions.get(one).data == b"one"
    assert versions.get(two, 4, 2).data == b"tw"
    assert versions.get(two, 4, 2, if_match=two.info.etag).data == b"tw"
    assert versions.get_tags(one) == TAGS
    assert versions.get_tags(two) == {"team": "red"}
    described = versions.head(one)
    assert described.detail is not None
    assert (described.size, described.detail.metadata["note"]) == (3, "one")
    assert described.detail.version_id == one.version_id
    with pytest.raises(NotFound):
        versions.head(replace(one, version_id="0" * 32))


def test_listing_shows_what_is_deleted_and_rolls_directories_up(
    service: Service, kept: VersionedBucket
) -> None:
    for key in ("a", "d/1", "d/2", "z/ü +%"):
        put(service, key, key.encode())
        service.client.delete(key)
    page = service.client.versions.list("")
    assert [v.info.key for v in page.versions] == ["a", "a"]
    assert page.prefixes == ("d/", "z/")
    found, token = set(), None
    for _ in range(20):
        page = service.client.versions.list("", delimiter="", token=token, limit=1)
        found |= {(v.info.key, v.version_id, v.is_marker) for v in page.versions}
        token = page.token
        if token is None:
            break
    assert found == {tuple(v) for v in kept.versions()}
    assert len(found) == 8


def test_an_undeleted_object_is_as_it_was(service: Service, kept: VersionedBucket) -> None:
    put(service, "f", b"old")
    put(service, "f", b"content", TAGS)
    before = service.client.head("f")
    service.client.delete("f")
    service.client.delete("f")
    versions = service.client.versions
    versions.undelete(versions.of_key("f"))
    assert service.client.get("f").data == b"content"
    assert service.client.get_tags("f") == TAGS
    assert service.client.head("f") == before
    assert not [v for v in kept.versions() if v.is_marker]
    with pytest.raises(AlreadyExists):
        versions.undelete(versions.of_key("f"))
    with pytest.raises(NotFound):
        versions.undelete(versions.of_key("never"))


def test_what_is_written_meanwhile_is_left_alone(service: Service, kept: VersionedBucket) -> None:
    put(service, "f", b"old")
    service.client.delete("f")
    listed = service.client.versions.of_key("f")
    put(service, "f", b"new", TAGS)
    service.client.versions.undelete(listed)
    assert service.client.get("f").data == b"new"
    assert service.client.get_tags("f") == TAGS
    assert len([v for v in kept.versions() if not v.is_marker]) == 2


def test_undeleting_without_the_right_to_delete_versions_copies(
    service: Service, kept: VersionedBucket
) -> None:
    put(service, "f", b"content", TAGS)
    before = service.client.head("f")
    service.client.delete("f")
    versions = service.client.versions
    listed = versions.of_key("f")
    service.faults("deny_versions")
    versions.undelete(listed)
    after = service.client.head("f")
    assert service.client.get("f").data == b"content"
    assert service.client.get_tags("f") == TAGS
    assert (after.detail and after.detail.metadata) == (before.detail and before.detail.metadata)
    assert len(kept.versions()) == 3
    with pytest.raises(AlreadyExists):  # another client was faster
        versions.undelete(listed)


@pytest.mark.parametrize("service", ["oss", "obs"], indirect=True)
def test_versions_of_links(service: Service, kept: VersionedBucket) -> None:
    service.client.put_symlink("link", "one", NewObject(tags=TAGS))
    service.client.put_symlink("link", "two", NewObject())
    service.client.delete("link")
    versions = service.client.versions
    listed = versions.of_key("link")
    assert [v.info.type for v in listed[1:]] == [ObjectType.SYMLINK] * 2
    targets = [head.detail.target for v in listed[1:] if (head := versions.head(v)).detail]
    assert targets == ["two", "one"]
    assert versions.get_tags(listed[2]) == TAGS
    versions.undelete(listed)
    detail = service.client.head("link").detail
    assert (detail and detail.target, kept.service) == ("two", service.emulator.service)


def test_a_bucket_without_versions_has_one_of_each(service: Service) -> None:
    put(service, "f", b"content", TAGS)
    versions = service.client.versions
    [only] = versions.of_key("f")
    assert (only.version_id, only.is_latest) == ("null", True)
    assert versions.get(only).data == b"content"
    assert versions.get_tags(only) == TAGS


def test_nothing_made_on_trial_stays_hidden(service: Service, kept: VersionedBucket) -> None:
    client = service.client
    client.probe()
    client.probe_deletion()
    if client.capabilities.symlinks:
        client.put_symlink("link", "there", NewObject())
        client.delete("link")
    for _ in check_writing(client, "d/"):
        pass
    assert {key for key, _, _ in kept.versions()} <= {"link"}


@pytest.mark.parametrize("probed", [True, False])
def test_what_is_exclusive_replaces_nothing(
    service: Service, kept: VersionedBucket, *, probed: bool
) -> None:
    """OSS ignores the header in such buckets, so what is there is looked for.

    The bucket's description says what kind it is; where that may not be read, the first write.
    """
    client = service.client
    if probed:
        client.probe()
    put(service, "f", b"one")
    put(service, "g", b"two")
    with pytest.raises(AlreadyExists):
        client.put("f", BytesSource(b"two"), NewObject(exclusive=True))
    with pytest.raises(AlreadyExists):
        client.copy(client.head("g"), "f", exclusive=True)
    assert client.get("f").data == b"one"
    assert client.capabilities.exclusive is (kept.service != "oss")


def test_what_is_made_on_trial_is_known_by_its_name() -> None:
    for key in ("", "d/x", "d/e/"):
        assert is_of_trial(unused_key(key))
        assert is_of_trial(unused_key(key) + "/")
    assert is_of_trial("d/.tagfs-doctor-0123456789abcdef-copy")
    assert not is_of_trial("d/.tagfs-trial-mine")
    assert not is_of_trial("d/.tagfs-doctor-mine")


def command(service: Service, *words: str) -> tuple[int, str, str]:
    kind = service.emulator.service
    connection = f"endpoint={service.emulator.url},addressing=path,catalogue=off"
    done = zygote.run("undelete", *words, "-o", connection, env=KEYS)
    return done.returncode, done.stdout, done.stderr.replace(f"{kind}://{service.name}", "URL")


def test_the_command(service: Service, kept: VersionedBucket) -> None:
    url = f"{service.emulator.service}://{service.name}"
    trial = unused_key("d/x")
    for key in ("d", "d/a", "d/e/b.txt", "d/stays", "dd", trial):
        put(service, key, key.encode(), TAGS)
        if key != "d/stays":
            service.client.delete(key)
    status, shown, said = command(service, "-R", "-n", f"{url}/d")
    assert (status, said) == (0, "3 would be undeleted\n")
    assert [line.partition(": as of 2")[0] for line in shown.splitlines()] == [
        f"{url}/d",
        f"{url}/d/a",
        f"{url}/d/e/b.txt",
    ]
    assert len([v for v in kept.versions() if v.is_marker]) == 5
    assert command(service, "-R", "--include", "*.txt", f"{url}/d/")[2] == "1 undeleted\n"
    assert service.client.get_tags("d/e/b.txt") == TAGS
    assert command(service, f"{url}/d/a", f"{url}/dd")[:2] == (0, "")
    assert service.client.get("dd").data == b"dd"
    assert command(service, "-R", url)[2] == "1 undeleted\n"
    assert [v.key for v in kept.versions() if v.is_marker] == [trial]
    status, _, said = command(service, f"{url}/d/a", f"{url}/none", f"{url}/d/", f"{url}/*")
    assert status == 1
    assert sorted(said.splitlines()) == [
        "0 undeleted, 4 failed",
        "tagfs: URL/*: no glob matches what is deleted: -R with --include does",
        "tagfs: URL/d/: -R brings back what is below a directory",
        "tagfs: URL/d/a: 'd/a' is not deleted",
        "tagfs: URL/none: there is no version to bring back",
    ]


@pytest.mark.parametrize("service", ["s3"], indirect=True)
@pytest.mark.parametrize(
    "fault", ["status=501:code=NotImplemented", "status=400:code=InvalidRequest"]
)
def test_a_server_without_versions_says_so(service: Service, fault: str) -> None:
    service.faults(f"{fault}:op=ListObjectVersions")
    with pytest.raises(Unsupported):
        service.client.versions.of_key("f")


def test_markers_of_the_same_second_that_are_listed_apart() -> None:
    """Some servers list all versions of a key, then all its delete markers."""

    def version(name: str, second: int, *, is_marker: bool = False, latest: bool = False):
        info = ObjectInfo(key="f", size=1, etag="", last_modified_ns=second * 10**9)
        return ObjectVersion(info=info, version_id=name, is_latest=latest, is_marker=is_marker)

    new, old = version("new", 7), version("old", 6)
    first = version("first", 6, is_marker=True)
    second, third = (
        version("second", 7, is_marker=True),
        version("third", 7, is_marker=True, latest=True),
    )
    ordered = in_order(iter([new, old, third, second, first]))
    assert [v.version_id for v in ordered] == ["third", "new", "second", "old", "first"]
    assert markers_over(new, ordered) == [third, second]
