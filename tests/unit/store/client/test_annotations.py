"""Annotations: read before a rewrite, set again after it, and lost by none that goes wrong."""

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from tagfs.errors import (
    AccessDenied,
    MalformedResponse,
    NoSuchTag,
    StagingFull,
    Unreachable,
    Unsupported,
)
from tagfs.localfiles.private import open_directory, open_file
from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.client.annotations.file import AnnotationWriter, DamagedFile, read_annotations
from tagfs.store.client.annotations.notes import AnnotationNotes, Names
from tagfs.store.objects import BytesSource, Keep, NewObject, Part, Upload
from tagfs.store.tags import NO_TAGS
from tests.unit.store.client.scripted import (
    ETAG,
    LOST,
    OTHER,
    Raw,
    Script,
    Step,
    copied,
    info,
    listing,
    ok,
    refused,
    tag_set,
)

NEW = NewObject(tags=NO_TAGS)
MADE = hashlib.md5(b"12345", usedforsecurity=False).hexdigest()
DONE = ok(etag=f'"{MADE}"')
DENIED = refused(403, "AccessDenied")
UNMET = refused(412, "PreconditionFailed")
COPY = "UploadPartCopy"
LIST, GET, PUT = "ListObjectAnnotations", "GetObjectAnnotation", "PutObjectAnnotation"


def annotations(*names: str, token: str = "") -> Raw:
    entries = "".join(
        f"<AnnotationEntry><AnnotationName>{name}</AnnotationName><Size>5</Size></AnnotationEntry>"
        for name in names
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    root = "ListObjectAnnotationsOutput"
    return ok(f"<{root}><Annotations>{entries}</Annotations>{more}</{root}>")


NONE = annotations()


def put(script: Script, new: NewObject = NEW) -> None:
    script.parts.writes.put("k", BytesSource(b"12345"), new)


def annotated(script: Script, *names: str) -> Script:
    return script.on(LIST, annotations(*names)).on(GET, *(ok(f"={name}") for name in names))


def saved(directory: Path) -> list[str]:
    return sorted(path.suffix for path in directory.iterdir())


@pytest.fixture
def script(tmp_path: Path) -> Script:
    one = Script()
    one.parts.kept_annotations.directory = tmp_path
    return one


class TestRewrites:
    def test_keep_them(self, script: Script, tmp_path: Path) -> None:
        annotated(script, "a", "b").on("PutObject", DONE).on(PUT, ok(), ok())
        put(script)
        assert script.asked == [LIST, GET, GET, "PutObject", PUT, PUT]
        sent = script.all_of(PUT)
        assert {one.query["annotationName"]: one.body for one in sent} == {"a": b"=a", "b": b"=b"}
        assert {one.headers["x-amz-object-if-match"] for one in sent} == {f'"{MADE}"'}
        assert saved(tmp_path) == []

    def test_what_has_none_costs_one_request_and_for_a_moment_no_further(self) -> None:
        script = Script().on(LIST, NONE).on("PutObject", DONE, DONE)
        put(script)
        put(script)
        assert script.asked == [LIST, "PutObject", "PutObject"]

    @pytest.mark.parametrize("new", [NewObject(tags=NO_TAGS, exclusive=True), NewObject(acl={})])
    def test_what_replaces_nothing_asks_nothing(self, new: NewObject) -> None:
        script = Script().on("PutObject", DONE).on("GetObjectTagging", tag_set())
        put(script, new)
        assert LIST not in script.asked

    def test_all_pages_are_read(self, script: Script) -> None:
        script.on(LIST, annotations("a", token="t"), annotations("b")).on(GET, ok("1"), ok("2"))
        script.on("PutObject", DONE).on(PUT, ok(), ok())
        put(script)
        assert script.all_of(LIST)[1].query["continuation-token"] == "t"
        assert len(script.all_of(PUT)) == 2

    @pytest.mark.parametrize("page", [annotations(token="t"), annotations("a", token="t")])
    def test_a_listing_that_goes_on_where_it_began(self, page: Raw) -> None:
        script = Script().on(LIST, page, page)
        with pytest.raises(MalformedResponse):
            put(script)
        assert "PutObject" not in script.asked

    def test_one_that_goes_meanwhile_is_gone(self, script: Script) -> None:
        annotated(script, "a").on("PutObject", DONE)
        script.transport.steps[GET].clear()
        script.on(GET, refused(404, "NoSuchAnnotation"))
        put(script)
        assert PUT not in script.asked

    def test_of_an_upload(self, script: Script, tmp_path: Path) -> None:
        upload = begun(script)
        annotated(script, "a").on(PUT, ok())
        script.parts.completion.complete_upload(upload, [Part(number=1, etag=ETAG, size=5)])
        assert script.asked[1:] == [LIST, GET, "CompleteMultipartUpload", PUT]
        assert saved(tmp_path) == []

    def test_of_an_edit_are_asked_for_while_parts_are_copied(self, script: Script) -> None:
        upload = begun(script)
        annotated(script, "a").on(PUT, ok()).on(COPY, UNMET, copied(), copied())
        parts = [script.parts.part_copies.copy_part(upload, n, info(), 0, 5) for n in (1, 2)]
        assert script.asked[1:] == [LIST, COPY, COPY, COPY]
        script.parts.completion.complete_upload(upload, parts)
        assert script.asked[5:] == [GET, "CompleteMultipartUpload", PUT]

    def test_that_are_set_while_parts_are_copied_are_kept(self, script: Script) -> None:
        upload = begun(script)
        script.on(LIST, NONE).on(COPY, UNMET, copied())
        part = script.parts.part_copies.copy_part(upload, 1, info(), 0, 5)
        annotated(script.on(PUT, ok(), ok()), "a")
        script.parts.annotations.put_annotation("k", "a", b"1")
        script.parts.completion.complete_upload(upload, [part])
        assert len(script.all_of(PUT)) == 2

    def test_are_asked_for_again_when_an_answer_is_old(self) -> None:
        now = [0.0]
        notes = AnnotationNotes(lambda: now[0])
        answers: list[Future[Names]] = [Future(), Future()]
        notes.ask_ahead("k", lambda: answers[0])
        notes.ask_ahead("k", lambda: answers[1])
        assert notes.take_ahead("k") is answers[0]
        assert notes.take_ahead("k") is None
        notes.ask_ahead("k", lambda: answers[1])
        now[0] += FRESH_WITHIN
        assert notes.take_ahead("k") is None


def begun(script: Script) -> Upload:
    """Begin an upload that can be completed."""
    tags = "InitiateMultipartUploadResult", "CompleteMultipartUploadResult"
    first, last = (f"<{tag}>{{}}</{tag}>" for tag in tags)
    script.on("InitiateMultipartUpload", ok(first.format("<UploadId>u</UploadId>")))
    script.on("CompleteMultipartUpload", ok(last.format("<ETag>e-1</ETag>"), etag='"e-1"'))
    return script.parts.multipart.start_upload("k", NEW)


class TestCopies:
    def test_take_their_own(self) -> None:
        script = Script().on("CopyObject", copied(OTHER))
        script.parts.copies.copy(info("s"), "k")
        assert script.asked == ["CopyObject"]

    @pytest.mark.parametrize(
        ("at_key", "of_source", "asked"),
        [
            (NONE, None, [LIST, "CopyObject"]),
            (annotations("a"), annotations("b"), [LIST, LIST, "CopyObject"]),
            (annotations("a"), NONE, [LIST, LIST, GET, "CopyObject", PUT]),
        ],
    )
    def test_keep_what_they_replace_if_they_bring_none(
        self, at_key: Raw, of_source: Raw | None, asked: list[str]
    ) -> None:
        script = Script().on(LIST, at_key).on(GET, ok("1")).on(PUT, ok())
        script.on(LIST, *([of_source] if of_source else [])).on("CopyObject", copied(OTHER))
        script.on("GetObjectTagging", tag_set(), tag_set())
        script.parts.copies.copy(
            info("s"), "k", tags=Keep.SOURCE_OR_REPLACED, acl=Keep.SOURCE_OR_REPLACED
        )
        assert [name for name in script.asked if name != "GetObjectTagging"] == asked

    def test_go_without_where_they_may_not_be_copied(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        script = Script().on("CopyObject", DENIED, copied(), DENIED, copied())
        script.parts.copies.copy(info("s"), "k")
        assert script.last.headers["x-amz-object-annotation-directive"] == "EXCLUDE"
        script.parts.edits.set_metadata(info(), {}, {}, known_tags=NO_TAGS)
        assert script.last.headers["x-amz-object-annotation-directive"] == "EXCLUDE"
        assert caplog.text.count("annotations may not be copied") == 1

    def test_that_are_refused_anyway_are_refused(self) -> None:
        script = Script().on("CopyObject", DENIED, DENIED)
        with pytest.raises(AccessDenied):
            script.parts.copies.copy(info("s"), "k")

    def test_in_parts_bring_those_of_their_source(self, script: Script) -> None:
        new = NewObject(tags=NO_TAGS, acl={}, exclusive=True, annotations_of=("s", "k"))
        script.on(LIST, NONE, annotations("a")).on(GET, ok("1")).on(PUT, ok())
        script.on("PutObject", DONE)
        put(script, new)
        assert [one.key for one in script.all_of(LIST)] == ["s", "k"]


class TestServersWithout:
    @pytest.mark.parametrize(
        "step",
        [
            refused(501, "NotImplemented"),
            refused(405, "MethodNotAllowed"),
            refused(400, "InvalidArgument"),
            ok("whatever the object holds", last_modified="x"),
            listing("k"),
            ok("x" * (1024**2 + 1)),
        ],
    )
    def test_are_asked_once(self, step: Raw) -> None:
        script = Script().on(LIST, step).on("PutObject", DONE, DONE)
        put(script)
        put(script)
        assert script.asked.count(LIST) == 1
        assert not script.features.capabilities.annotations
        with pytest.raises(Unsupported):
            script.parts.annotations.put_annotation("k", "a", b"1")
        assert PUT not in script.asked

    @pytest.mark.parametrize(
        ("service", "server", "choice"),
        [("s3", "Odd", "auto"), ("s3", None, "off"), ("oss", None, "on"), ("obs", None, "auto")],
    )
    def test_or_never(self, service: str, server: str | None, choice: str) -> None:
        script = Script(service, server, annotations=choice).on("PutObject", DONE)
        put(script)
        assert LIST not in script.asked
        with pytest.raises(Unsupported):
            script.parts.annotations.list_annotations("k")

    def test_unless_the_user_says_so(self) -> None:
        script = Script("s3", "Odd", annotations="on").on(LIST, NONE).on("PutObject", DONE)
        put(script)
        assert script.asked == [LIST, "PutObject"]

    @pytest.mark.parametrize("edit", ["put_annotation", "delete_annotation", "get_annotation"])
    def test_nothing_goes_out_before_a_listing_came(self, edit: str) -> None:
        """PUT ?annotation would be PutObject, and DELETE ?annotation DeleteObject."""
        script = Script("s3", "Odd", annotations="on").on(LIST, ok("the object"))
        arguments = ("k", "a", b"1") if edit == "put_annotation" else ("k", "a")
        with pytest.raises(Unsupported):
            getattr(script.parts.annotations, edit)(*arguments)
        assert script.asked == [LIST]

    def test_an_object_that_can_have_none_says_nothing_of_the_others(self) -> None:
        """One that is encrypted with a customer's key."""
        script = Script().on(LIST, annotations("a"), refused(400, "InvalidRequest"))
        assert script.parts.annotations.list_annotations("k") == {"a": 5}
        with pytest.raises(Unsupported):
            script.parts.annotations.list_annotations("other")
        assert script.features.capabilities.annotations


class TestWithoutRights:
    def test_to_list_them_the_log_says_so_once(self, caplog: pytest.LogCaptureFixture) -> None:
        script = Script().on(LIST, DENIED, DENIED).on("PutObject", DONE, DONE, DONE)
        for _ in range(3):
            put(script)
        assert script.asked.count(LIST) == 2  # twice in a row is no accident
        assert caplog.text.count("annotations may not be read") == 1

    def test_to_read_them(self, script: Script, caplog: pytest.LogCaptureFixture) -> None:
        script.on(LIST, annotations("a")).on(GET, DENIED).on("PutObject", DONE)
        put(script)
        assert caplog.text.count("annotations may not be read") == 1

    def test_to_set_them_they_are_left_on_the_disk(
        self, script: Script, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        annotated(script, "a").on("PutObject", DONE).on(PUT, DENIED)
        put(script)
        assert saved(tmp_path) == [".saved"]
        assert "tagfs recover" in caplog.text


class TestTrouble:
    @pytest.mark.parametrize("step", [LOST, refused(503, "SlowDown")])
    def test_without_an_answer_nothing_is_replaced(self, step: Raw) -> None:
        script = Script().on(LIST, step, Unreachable("no answer"))
        with pytest.raises(Unreachable):
            put(script)
        assert "PutObject" not in script.asked

    def test_a_refused_rewrite_leaves_nothing_behind(self, script: Script, tmp_path: Path) -> None:
        annotated(script, "a").on("PutObject", DENIED)
        with pytest.raises(AccessDenied):
            put(script)
        assert saved(tmp_path) == []

    @pytest.mark.parametrize(
        "steps",
        {
            "the rewrite is not answered": {"PutObject": [Unreachable("x")]},
            "the annotation is not": {"PutObject": [DONE], PUT: [Unreachable("x")]},
        }.values(),
        ids=str,
    )
    def test_what_failed_is_made_good_by_the_next_rewrite(
        self,
        script: Script,
        tmp_path: Path,
        steps: dict[str, list[Step]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        annotated(script, "a")
        for operation, answers in steps.items():
            script.on(operation, *answers)
        with pytest.raises(Unreachable):
            put(script)
        assert saved(tmp_path) == [".saved"]
        script.on(LIST, NONE).on("PutObject", DONE).on(PUT, ok())
        put(script)
        assert script.last.body == b"=a"
        assert saved(tmp_path) == []
        caplog.clear()

    def test_nor_is_a_copy_made_where_that_failed_and_nothing_was_replaced(
        self, script: Script, tmp_path: Path
    ) -> None:
        annotated(script, "a").on("PutObject", Unreachable("x"))
        with pytest.raises(Unreachable):
            put(script)
        annotated(script, "a").on("PutObject", DONE).on(PUT, ok())
        put(script)
        assert len(script.all_of(PUT)) == 1
        assert saved(tmp_path) == []

    def test_what_another_host_made_since_is_not_annotated(
        self, script: Script, tmp_path: Path
    ) -> None:
        annotated(script, "a").on("PutObject", DONE).on(PUT, refused(412, "PreconditionFailed"))
        put(script)
        assert saved(tmp_path) == []

    def test_a_full_disk_replaces_nothing(self, script: Script, tmp_path: Path) -> None:
        script.parts.kept_annotations.directory = tmp_path / "missing"
        annotated(script, "a")
        with pytest.raises(StagingFull):
            put(script)
        assert "PutObject" not in script.asked


class TestChanges:
    def test_one_is_read_set_and_removed(self) -> None:
        script = Script().on(LIST, NONE).on(GET, ok("1")).on(PUT, ok())
        script.on("DeleteObjectAnnotation", Raw(204))
        parts = script.parts.annotations
        assert parts.get_annotation("k", "a") == b"1"
        parts.put_annotation("k", "a", b"2")
        parts.delete_annotation("k", "a")
        assert script.asked == [LIST, GET, PUT, "DeleteObjectAnnotation"]
        assert script.last.query == {"annotation": "", "annotationName": "a"}

    def test_a_missing_one(self) -> None:
        script = Script().on(LIST, NONE).on(GET, refused(404, "NoSuchAnnotation"))
        with pytest.raises(NoSuchTag):
            script.parts.annotations.get_annotation("k", "a")

    def test_one_that_was_just_set_is_kept_by_a_rewrite(self, script: Script) -> None:
        script.on(LIST, NONE).on("PutObject", DONE)
        put(script)
        script.on(PUT, ok())
        script.parts.annotations.put_annotation("k", "a", b"1")
        annotated(script, "a").on("PutObject", DONE).on(PUT, ok())
        put(script)
        assert len(script.all_of(PUT)) == 2


class TestRecovery:
    def left(self, directory: Path) -> Path:
        writer = AnnotationWriter(directory, "k")
        writer.add("a", b"1\n2")
        writer.add("b", b"\x00{}")
        left = writer.finish()
        left.close()
        assert left.path is not None
        return left.path

    def read(self, path: Path) -> dict[str, bytes]:
        found = read_annotations(path, open_file(open_directory(path.parent), path.name))
        try:
            return {name: found.read(name) for name in found.places}
        finally:
            found.close()

    def test_what_was_left_is_read(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        assert self.read(self.left(tmp_path)) == {"a": b"1\n2", "b": b"\x00{}"}

    @pytest.mark.parametrize(
        "damage",
        {
            "cut": lambda data: data[:-2],
            "cut in a line": lambda data: data[:40],
            "empty": lambda _: b"",
            "no JSON": lambda data: b"\xff" + data,
            "a list": lambda data: b"[]\n" + data,
            "another version": lambda data: data.replace(b'"version": 1', b'"version": 2'),
            "no size": lambda data: data.replace(b'"size": 3', b'"size": -3'),
        }.values(),
    )
    def test_what_is_damaged_is_not_believed(
        self, tmp_path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        tmp_path.chmod(0o700)
        path = self.left(tmp_path)
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(DamagedFile):
            self.read(path)

    def test_only_what_is_missing_is_set(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        path = self.left(tmp_path)
        found = read_annotations(path, open_file(open_directory(tmp_path), path.name))
        script = Script().on(LIST, annotations("a")).on(PUT, ok())
        assert script.parts.kept_annotations.set_missing(found, info()) == 1
        assert script.last.query["annotationName"] == "b"
        found.close()
