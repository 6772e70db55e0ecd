"""The index that OSS keeps (MetaQuery): its pages, its states, and answers that are none."""

import pytest

from tagfs.errors import AccessDenied, MalformedResponse, Unsupported
from tagfs.store.client.tags.meta_queries import MetaQueries
from tagfs.store.objects import ObjectInfo, ObjectType
from tagfs.store.tag_index import ANYTHING, Indexed, IndexState, TagEquals
from tagfs.store.tags import NO_TAGS, TagSet
from tests.unit.store.client.scripted import Raw, Script, ok, refused

FILE = """
<File><Filename>d/a &amp; b</Filename><Size>120</Size>
<FileModifiedTime>2021-06-29T15:04:05.000000000+08:00</FileModifiedTime>
<OSSObjectType>Symlink</OSSObjectType><OSSStorageClass>IA</OSSStorageClass>
<ETag>"fba9"</ETag><OSSTaggingCount>1</OSSTaggingCount>
<OSSTagging><Tagging><Key>owner</Key><Value>John</Value></Tagging></OSSTagging></File>
"""
BARE = "<File><Filename>e</Filename><FileModifiedTime>yesterday</FileModifiedTime></File>"


def page(files: str, token: str = "") -> Raw:
    return ok(f"<MetaQuery><NextToken>{token}</NextToken><Files>{files}</Files></MetaQuery>")


def index_of(script: Script) -> MetaQueries:
    index = script.parts.tag_index
    assert index is not None
    return index


def test_pages_follow_one_another() -> None:
    script = Script("oss").on("DoMetaQuery", page(FILE, "t"), page(BARE))
    assert list(index_of(script).find("", TagEquals("owner", "John"))) == [
        Indexed(
            ObjectInfo(
                key="d/a & b",
                size=120,
                etag="fba9",
                last_modified_ns=1_624_950_245 * 10**9,
                type=ObjectType.SYMLINK,
                storage_class="IA",
            ),
            TagSet({"owner": "John"}),
        ),
        Indexed(ObjectInfo(key="e", size=0, etag="", last_modified_ns=0), NO_TAGS),
    ]
    bodies = [str(request.body) for request in script.all_of("DoMetaQuery")]
    assert ["<NextToken>t</NextToken>" in body for body in bodies] == [False, True]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (refused(404, "MetaQueryNotExist"), Unsupported),
        (refused(403, "AccessDenied"), AccessDenied),
        (ok("<html/>"), MalformedResponse),
        (page("<File/>"), MalformedResponse),
        (page("<File><Filename>a</Filename><Size>x</Size></File>"), MalformedResponse),
    ],
)
def test_no_answer(answer: Raw, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        list(index_of(Script("oss").on("DoMetaQuery", answer)).find("", ANYTHING))


def test_a_page_that_leads_to_itself() -> None:
    script = Script("oss").on("DoMetaQuery", page("", "t"), page("", "t"))
    with pytest.raises(MalformedResponse, match="goes on where it began"):
        list(index_of(script).find("", ANYTHING))


def status(*words: str) -> Raw:
    names = zip(("State", "Phase"), words, strict=False)
    inner = "".join(f"<{name}>{word}</{name}>" for name, word in names)
    return ok(f"<MetaQueryStatus>{inner}</MetaQueryStatus>")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (status("Running", "IncrementalScanning"), (True, True, "Running IncrementalScanning")),
        (status("Running", "FullScanning"), (True, False, "Running FullScanning")),
        (status("Ready"), (False, False, "Ready")),
        (status("Failed", "IncrementalScanning"), (False, False, "Failed IncrementalScanning")),
        (status(), (False, False, "")),
    ],
)
def test_what_state_it_is_in(answer: Raw, state: tuple[bool, bool, str]) -> None:
    script = Script("oss").on("GetMetaQueryStatus", answer)
    assert index_of(script).state() == IndexState(*state)


def test_a_bucket_without_one() -> None:
    script = Script("oss").on("GetMetaQueryStatus", refused(404, "MetaQueryNotExist"))
    assert index_of(script).state() is None


@pytest.mark.parametrize("service", ["s3", "obs"])
def test_a_service_without_any(service: str) -> None:
    assert Script(service).parts.tag_index is None
