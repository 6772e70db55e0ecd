"""What is learnt of a bucket: each fact changes by what was seen, and is logged once."""

import logging
from collections.abc import Callable

import pytest

from tagfs.errors import Unsupported
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.features import Features
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3


@pytest.fixture
def features() -> Features:
    return Features("bucket", S3)


def test_what_is_refused_once_is_not_asked_again(features: Features, caplog) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(FeatureMissing), features.require("object_tags"):
        raise FeatureMissing("501 NotImplemented")
    features.disable("object_tags", "another reason")
    with (
        pytest.raises(Unsupported, match=r"'bucket' has no object tags \(501 NotImplemented\)"),
        features.require("object_tags"),
    ):
        pytest.fail("it was asked")
    assert features.reason("object_tags") == "501 NotImplemented"
    assert len(caplog.records) == 1


@pytest.mark.parametrize("failure", [Unsupported("this object"), KeyError("x")])
def test_other_failures_teach_nothing(features: Features, failure: Exception) -> None:
    with pytest.raises(type(failure)), features.require("object_tags"):
        raise failure
    assert features.capabilities.object_tags


def test_ignored_sub_resources_take_all_that_needs_one(features: Features) -> None:
    features.note_ignored("a listing")
    able = features.capabilities
    assert (able.object_tags, able.bucket_tags, able.symlinks, able.append) == (False,) * 4
    assert (able.exclusive, able.part_copies) == (True, True)
    assert features.heeds_subresources is False


@pytest.mark.parametrize("renames", [False, True])
def test_real_directories(features: Features, *, renames: bool) -> None:
    features.note_hierarchy("a parallel file system", renames=renames)
    able = features.capabilities
    assert (able.object_tags, able.symlinks, able.append) == (False, False, False)
    assert (able.bucket_tags, able.rename) == (True, renames)


def test_a_proof_of_tags_stays(features: Features) -> None:
    features.note_heeded(proves_tags=True)
    features.note_heeded()
    assert features.tags_proven


@pytest.mark.parametrize(
    ("note", "level"),
    [
        (lambda one: one.note_metadata(kept=False, of_marker=False), logging.WARNING),
        (lambda one: one.note_metadata(kept=False, of_marker=True), logging.WARNING),
        (lambda one: one.note_metadata(kept=True, of_marker=False), None),
        (lambda one: one.distrust_etags("x"), logging.WARNING),
        (lambda one: one.trust_etags(), None),
        (lambda one: one.forgo_conditional_deletes("x"), logging.INFO),
        (lambda one: one.note_deleted_markers(deleted=False), logging.INFO),
        (lambda one: one.note_deleted_markers(deleted=True), None),
        (lambda one: one.note_uncopied_markers(), logging.INFO),
        (lambda one: one.note_links(), None),
        (lambda one: one.note_listed(), None),
    ],
)
def test_what_a_user_should_know_is_logged(
    features: Features, note: Callable[[Features], None], level: int | None, caplog
) -> None:
    caplog.set_level(logging.INFO)
    note(features)
    assert [record.levelno for record in caplog.records][:1] == ([] if level is None else [level])


def test_lost_metadata_of_objects_alone_is_a_lack(features: Features) -> None:
    features.note_metadata(kept=False, of_marker=True)
    assert features.capabilities.metadata
    features.note_metadata(kept=False, of_marker=False)
    assert not features.capabilities.metadata


@pytest.mark.parametrize(
    ("dialect", "md5", "links"), [(S3, None, True), (OSS, False, True), (OBS, None, False)]
)
def test_what_is_known_before_anything_is_asked(dialect, md5, *, links: bool) -> None:
    features = Features("bucket", dialect)
    assert (features.md5_etags, features.links_proven) == (md5, links)
    assert features.heeds_subresources is None
