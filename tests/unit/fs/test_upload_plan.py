"""How a file is sent: which requests, from its shape, its object and what the bucket can do."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tagfs.errors import FileTooLarge
from tagfs.fs.content.byte_ranges import ByteRanges
from tagfs.fs.content.part_plan import Segment
from tagfs.fs.content.upload_plan import (
    Append,
    ContentShape,
    Put,
    SendParts,
    StartAppend,
    UploadPlan,
    UploadRules,
    goes_on,
    plan_upload,
)
from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.objects import ObjectInfo, ObjectType

PART = 100
RULES = UploadRules(Limits(min_part=PART, max_part=8 * PART), Capabilities(), part_size=PART)
NO_COPIES = replace(RULES, capabilities=Capabilities(part_copies=False))
NO_APPEND = replace(RULES, capabilities=Capabilities(append=False))


def base(size: int, kind: ObjectType = ObjectType.NORMAL) -> ObjectInfo:
    return ObjectInfo(key="k", size=size, etag="e", last_modified_ns=0, type=kind)


def log_file(size: int) -> ObjectInfo:
    return base(size, ObjectType.APPENDABLE)


def new(size: int) -> ContentShape:
    return ContentShape(size, 0, ((0, size),) if size else ())


@pytest.mark.parametrize(
    ("shape", "of", "rules", "kind"),
    [
        # a new file, or one that keeps nothing of its object
        (new(0), None, RULES, Put),
        (new(2 * PART), None, RULES, Put),
        (new(2 * PART + 1), None, RULES, SendParts),
        (new(2 * PART), base(900), RULES, Put),
        # a changed one
        (ContentShape(PART, PART, ((0, 1),)), base(PART), RULES, Put),
        (ContentShape(PART + 1, PART + 1, ((0, 1),)), base(PART + 1), RULES, SendParts),
        # its object was replaced or deleted: all of it is here, or it cannot be had
        (ContentShape(2 * PART, 2 * PART, ((0, 2 * PART),)), None, RULES, Put),
        # an appendable object
        (ContentShape(60, 50, ((50, 60),)), log_file(50), RULES, Append),
        (ContentShape(60, 50, ((50, 60),)), log_file(50), NO_APPEND, Put),
        (ContentShape(60, 50, ((50, 60),)), base(50), RULES, Put),
        (ContentShape(60, 50, ((49, 60),)), log_file(50), RULES, Put),
        (ContentShape(60, 50, ()), log_file(50), RULES, Append),  # a hole is added
        (ContentShape(50, 50, ()), log_file(50), RULES, Put),
        (ContentShape(60, 40, ((40, 60),)), log_file(50), RULES, Put),  # cut, then extended
        (ContentShape(60, 40, ()), log_file(50), RULES, Put),  # by holes alone
        (ContentShape(900, 50, ((50, 900),)), log_file(50), RULES, Append),
        (ContentShape(900, 50, ((0, 900),)), log_file(50), RULES, SendParts),
        (new(60), log_file(0), RULES, Append),  # empty until now: it stays appendable
        (new(60), log_file(50), RULES, Put),
    ],
)
def test_the_shape_decides(
    shape: ContentShape, of: ObjectInfo | None, rules: UploadRules, kind: type[UploadPlan]
) -> None:
    plan = plan_upload(shape, of, rules)
    assert type(plan) is kind
    if isinstance(plan, Append):
        assert plan.base is of


def test_an_appendable_object_is_begun_whole_as_long_as_one_request_holds_it() -> None:
    small = replace(RULES, limits=replace(RULES.limits, max_put=150))
    assert plan_upload(new(0), None, small, appendable=True) == StartAppend()
    assert plan_upload(new(150), None, small, appendable=True) == StartAppend()
    assert plan_upload(new(151), None, small, appendable=True) == Put()


def test_parts_are_copied_where_that_can_be() -> None:
    shape = ContentShape(1000, 1000, ((500, 501),))
    plan = plan_upload(shape, base(1000), RULES)
    assert isinstance(plan, SendParts)
    assert plan.copies
    assert plan.segments == (
        Segment(0, 500, copied=True),
        Segment(500, 600, copied=False),
        Segment(600, 1000, copied=True),
    )
    whole = plan_upload(shape, base(1000), NO_COPIES)
    assert isinstance(whole, SendParts)
    assert not whole.copies
    assert whole == plan_upload(new(1000), None, RULES)


def test_parts_are_no_smaller_than_the_service_has_them() -> None:
    plan = plan_upload(new(1000), None, replace(RULES, part_size=7))
    assert plan == plan_upload(new(1000), None, RULES)


sizes = st.integers(0, 3000)


@given(
    size=sizes,
    writes=st.lists(st.tuples(sizes, st.integers(1, 400)), max_size=8),
    of=sizes,
    copies=st.booleans(),
)
def test_every_byte_comes_from_where_it_is(
    *, size: int, writes: list[tuple[int, int]], of: int, copies: bool
) -> None:
    """What was written is sent; what is copied is the base's, and unchanged."""
    base_size = min(size, of)
    written = ByteRanges(*((at, min(size, at + n)) for at, n in writes))
    shape = ContentShape(size, base_size, tuple(written))
    plan = plan_upload(shape, base(of), RULES if copies else NO_COPIES)
    if not isinstance(plan, SendParts):
        assert plan == Put()
        assert size <= 2 * PART
        return
    assert [s.start for s in plan.segments] == [0, *(s.end for s in plan.segments[:-1])]
    assert plan.segments[-1].end == size
    assert plan.copies <= copies
    for segment in plan.segments:
        assert not segment.copied or segment.end <= base_size
        assert not (segment.copied and written.overlaps(segment.start, segment.end))


@pytest.mark.parametrize(
    ("shape", "sent", "fits"),
    [
        (new(301), 3, True),
        (new(300), 3, True),
        (new(201), 3, True),
        (new(200), 3, False),  # cut: the third part has no byte of it any more
        (new(301), 0, False),  # begun, and nothing sent
        (ContentShape(301, 10, ()), 3, False),
    ],
)
def test_what_was_sent_while_it_was_written_is_used(
    shape: ContentShape, sent: int, *, fits: bool
) -> None:
    assert goes_on(shape, sent, RULES) is fits


def test_more_than_an_object_holds_is_refused() -> None:
    tight = replace(RULES, limits=replace(RULES.limits, max_parts=3))
    tight.check_size("k", 3 * PART)
    with pytest.raises(FileTooLarge):
        tight.check_size("k", 3 * PART + 1)
    small = replace(RULES, limits=replace(RULES.limits, max_object=2 * PART))
    with pytest.raises(FileTooLarge):
        small.check_size("k", 2 * PART + 1)
