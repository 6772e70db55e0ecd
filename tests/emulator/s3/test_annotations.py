"""Annotations as boto3 knows them: of one version of an object, taken along by copies."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.s3.client import refusal


def names(s3: Any, bucket: str, key: str) -> list[str]:
    found = s3.list_object_annotations(Bucket=bucket, Key=key)
    return [entry["AnnotationName"] for entry in found.get("Annotations", [])]


def annotate(s3: Any, bucket: str, key: str, name: str, text: str) -> None:
    s3.put_object_annotation(
        Bucket=bucket, Key=key, AnnotationName=name, AnnotationPayload=text.encode()
    )


def test_an_annotation_is_set_read_listed_and_removed(s3: Any, name: str) -> None:
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    etag = s3.head_object(Bucket=name, Key="k")["ETag"]
    annotate(s3, name, "k", "note.1", "ä text")
    annotate(s3, name, "k", "other", "2")
    found = s3.get_object_annotation(Bucket=name, Key="k", AnnotationName="note.1")
    assert found["AnnotationPayload"].read().decode() == "ä text"
    assert names(s3, name, "k") == ["note.1", "other"]
    page = s3.list_object_annotations(Bucket=name, Key="k", MaxAnnotationResults=1)
    assert page["AnnotationCount"] == 1
    rest = s3.list_object_annotations(
        Bucket=name, Key="k", ContinuationToken=page["NextContinuationToken"]
    )
    assert [entry["AnnotationName"] for entry in rest["Annotations"]] == ["other"]
    s3.delete_object_annotation(Bucket=name, Key="k", AnnotationName="note.1")
    assert names(s3, name, "k") == ["other"]
    assert s3.head_object(Bucket=name, Key="k")["ETag"] == etag


def test_annotations_belong_to_a_version(s3: Any, name: str) -> None:
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    annotate(s3, name, "k", "note", "1")
    source = {"Bucket": name, "Key": "k"}
    s3.copy_object(Bucket=name, Key="copy", CopySource=source)
    s3.copy_object(Bucket=name, Key="bare", CopySource=source, AnnotationDirective="EXCLUDE")
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert [names(s3, name, key) for key in ("k", "copy", "bare")] == [[], ["note"], []]


@pytest.mark.parametrize(
    ("name_of_it", "text", "code"),
    [
        ("aws.x", b"1", "InvalidAnnotationName"),
        ("a b", b"1", "InvalidAnnotationName"),
        ("n" * 513, b"1", "AnnotationNameTooLong"),
        ("n", b"\xff", "UnsupportedMediaType"),
    ],
)
def test_what_is_no_annotation_is_refused(
    s3: Any, name: str, name_of_it: str, text: bytes, code: str
) -> None:
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    with pytest.raises(ClientError) as raised:
        s3.put_object_annotation(
            Bucket=name, Key="k", AnnotationName=name_of_it, AnnotationPayload=text
        )
    assert refusal(raised.value)[1] == code
