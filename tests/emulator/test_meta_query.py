"""MetaQuery through both SDKs of OSS: the index is opened, asked, paged through and closed."""

import json

import alibabacloud_oss_v2 as v2
import oss2
import pytest
from oss2.models import AggregationsRequest, MetaQuery

from tests.emulator.emulation import Emulator, oss2_bucket, v1_auth, v2_client, v4_auth

TEAM_BLUE = {"Field": "OSSTagging.team", "Value": "blue", "Operation": "eq"}
TEAM_RED = {"Field": "OSSTagging.team", "Value": "red", "Operation": "eq"}
BELOW_D = {"Field": "Filename", "Value": "d/", "Operation": "prefix"}
COUNT_OF_TEAMS = [AggregationsRequest("OSSTagging.team", "count")]


@pytest.fixture(scope="module", params=[v1_auth, v4_auth], ids=["v1", "v4"])
def filled(request: pytest.FixtureRequest, emulator: Emulator) -> oss2.Bucket:
    old = oss2_bucket(emulator, f"meta-query-{request.param.__name__[:2]}", request.param())
    old.create_bucket()
    for key, tagging in {
        "a": "team=blue",
        "d/b": "team=blue&cost=4%2F2",
        "d/c": "team=red",
        "e <&>": "",
        "f": "Team=blue",
    }.items():
        old.put_object(key, b"x" * len(key), headers={"x-oss-tagging": tagging} if tagging else {})
    old.open_bucket_meta_query()
    return old


def found(bucket: oss2.Bucket, query: object, **words: object) -> list[str]:
    text = json.dumps(query)
    result = bucket.do_bucket_meta_query(MetaQuery(max_results=100, query=text, **words))
    return [file.file_name for file in result.files]


def both(operation: str, *queries: object) -> dict[str, object]:
    return {"Operation": operation, "SubQueries": list(queries)}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (TEAM_BLUE, ["a", "d/b"]),
        ({"Field": "OSSTagging.team", "Value": "b", "Operation": "prefix"}, ["a", "d/b"]),
        ({"Field": "OSSTagging.cost", "Value": "4/2", "Operation": "eq"}, ["d/b"]),
        (BELOW_D, ["d/b", "d/c"]),
        ({"Field": "Filename", "Value": "/c", "Operation": "match"}, ["d/c"]),
        ({"Field": "Size", "Value": "4", "Operation": "gt"}, ["e <&>"]),
        ({"Field": "OSSTaggingCount", "Value": "2", "Operation": "gte"}, ["d/b"]),
        (both("not", {"Field": "OSSTaggingCount", "Value": "1", "Operation": "gte"}), ["e <&>"]),
        (both("and", TEAM_BLUE, BELOW_D), ["d/b"]),
        (both("or", TEAM_BLUE, TEAM_RED), ["a", "d/b", "d/c"]),
    ],
)  # fmt: skip
def test_what_meets_a_query(filled: oss2.Bucket, query: object, wanted: list[str]) -> None:
    assert found(filled, query, sort="Filename", order="asc") == wanted


def test_what_is_shown_of_an_object(filled: oss2.Bucket) -> None:
    query = json.dumps(TEAM_BLUE)
    result = filled.do_bucket_meta_query(MetaQuery(None, 1, query, "Filename", "desc"))
    [file] = result.files
    assert (file.file_name, file.size, file.oss_object_type) == ("d/b", 3, "Normal")
    assert file.etag == f'"{filled.head_object("d/b").etag}"'
    tags = {tag.key: tag.value for tag in file.oss_tagging}
    assert (file.oss_tagging_count, tags) == (2, {"team": "blue", "cost": "4/2"})
    rest = filled.do_bucket_meta_query(MetaQuery(result.next_token, 1, query, "Filename", "desc"))
    assert ([one.file_name for one in rest.files], rest.next_token) == (["a"], "")


def test_what_is_counted(filled: oss2.Bucket) -> None:
    wishes = [
        AggregationsRequest("Size", "sum"),
        AggregationsRequest("Size", "average"),
        AggregationsRequest("OSSObjectType", "group"),
    ]
    query = {"Field": "Size", "Value": "0", "Operation": "gt"}
    result = filled.do_bucket_meta_query(
        MetaQuery(max_results=1, query=json.dumps(query), aggregations=wishes)
    )
    assert [one.value for one in result.aggregations[:2]] == [13.0, 2.6]
    assert [(one.value, one.count) for one in result.aggregations[2].groups] == [("Normal", 5)]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", {}),
        ("[]", {}),
        ('{"Field": "None", "Value": "1", "Operation": "eq"}', {}),
        ('{"Field": "Size", "Value": "1", "Operation": "prefix"}', {}),
        ('{"Field": "OSSTagging.team", "Value": "1", "Operation": "like"}', {}),
        ('{"Operation": "and", "SubQueries": []}', {}),
        (json.dumps(TEAM_BLUE), {"max_results": 101}),
        (json.dumps(TEAM_BLUE), {"sort": "OSSTagging.team"}),
        (json.dumps(TEAM_BLUE), {"next_token": "no token"}),
        (json.dumps(TEAM_BLUE), {"aggregations": COUNT_OF_TEAMS}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    filled: oss2.Bucket, query: str, words: dict[str, object]
) -> None:
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        filled.do_bucket_meta_query(MetaQuery(query=query, **{"max_results": 5, **words}))
    assert caught.value.code == "InvalidArgument"


def test_an_index_is_opened_and_closed(emulator: Emulator, name: str) -> None:
    client = v2_client(emulator)
    status = v2.GetMetaQueryStatusRequest(bucket=name)
    ask = v2.DoMetaQueryRequest(
        bucket=name, meta_query=v2.MetaQuery(max_results=5, query=json.dumps(TEAM_BLUE))
    )
    for call in (lambda: client.get_meta_query_status(status), lambda: client.do_meta_query(ask)):
        with pytest.raises(v2.exceptions.OperationError) as caught:
            call()
        assert caught.value.unwrap().code == "MetaQueryNotExist"
    client.open_meta_query(v2.OpenMetaQueryRequest(bucket=name, mode="basic"))
    shown = client.get_meta_query_status(status).meta_query_status
    assert (shown.state, shown.phase, shown.meta_query_mode) == (
        "Running", "IncrementalScanning", "basic"
    )  # fmt: skip
    client.put_object(v2.PutObjectRequest(bucket=name, key="k", body=b"x", tagging="team=blue"))
    [file] = client.do_meta_query(ask).files.file
    assert (file.filename, file.oss_tagging_count) == ("k", 1)
    assert [(t.key, t.value) for t in file.oss_tagging.taggings] == [("team", "blue")]
    with pytest.raises(v2.exceptions.OperationError) as caught:
        client.open_meta_query(v2.OpenMetaQueryRequest(bucket=name))
    assert caught.value.unwrap().code == "MetaQueryAlreadyExist"
    for _ in range(2):
        client.close_meta_query(v2.CloseMetaQueryRequest(bucket=name))
    with pytest.raises(v2.exceptions.OperationError):
        client.do_meta_query(ask)
