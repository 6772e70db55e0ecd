"""What is known of a key when something more is learnt of it. Pure."""

from dataclasses import dataclass, replace

from tagfs.catalogue.rows import Known
from tagfs.store.versions import same_version


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was learnt of one key.

    Attributes:
        known: what it is; tags that are None with a time are tags of which nothing is known.
        is_whole: whatever was known before does not count: the object was deleted, or written by
            a writer whose success is not known.
    """

    known: Known
    is_whole: bool = False


def merge(old: Fact | None, new: Fact) -> Fact:
    """Return both as one; of two answers to one question the later counts."""
    if old is None or new.is_whole:
        return new
    return replace(old, known=merge_known(old.known, new.known))


def apply(stored: Known | None, fact: Fact | None) -> Known | None:
    """Return what is known of a key, by what is stored and what was learnt since."""
    if fact is None:
        return stored
    if stored is not None and not fact.is_whole:
        return merge_known(stored, fact.known)
    nothing = fact.known.info is None and fact.known.tags is None
    return None if nothing else fact.known


def merge_known(old: Known, new: Known) -> Known:
    """Return what is known of one key by two answers."""
    found = old
    if new.info is not None and (old.info is None or new.seen_at >= old.seen_at):
        found = _with_version(old, new)
    if new.tags_at and new.tags_at >= old.tags_at:
        found = replace(found, tags=new.tags, tags_at=new.tags_at)
    return found


def _with_version(old: Known, new: Known) -> Known:
    info = new.info
    assert info is not None  # noqa: S101  (who calls looked)
    seen = replace(
        old,
        info=info,
        seen_at=new.seen_at,
        detail_at=new.detail_at,
        settled=new.settled,
    )
    before = old.info
    if info.detail is None and before is not None and before.detail is not None:
        if same_version(before, info):
            kept = info.with_detail(before.detail)
            return replace(seen, info=kept, detail_at=old.detail_at, settled=old.settled)
        return replace(seen, detail_at=0, settled=False)
    return seen
