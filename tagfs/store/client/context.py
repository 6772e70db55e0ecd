"""What all parts of a client share."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from tagfs.store.client.api import Api
from tagfs.store.client.control_plane import ControlPlane
from tagfs.store.client.features import Features
from tagfs.store.key_locks import KeyLocks
from tagfs.store.tags import NO_TAGS, TagSet

TRIES: Final = 3
"""How often an object is read or sent at most until what arrives is what was sent.

The transport repeats what fails on the way by itself (`tagfs.store.http.retry`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteChoices:
    """What the user chose of objects that are written, or are to be.

    Attributes:
        tags_denied_drop: rewrite objects whose tags may not be read, and lose the tags.
        storage_class: of new objects; None for the bucket's own.
        acl: "keep" to read and carry ACLs, "off" to do neither, or a word to send with all writes.
        default_tags: of objects that are written, each but where they have its key.
        unlisted_absent: where nothing may be listed, a key that may not be looked at is free.
        annotations: "auto": where AWS answers; "on": where any server has them; "off".
        has_rules: other objects get tags as well: a policy may demand some of every request.
    """

    tags_denied_drop: bool = False
    storage_class: str | None = None
    acl: str = "off"
    default_tags: TagSet = NO_TAGS
    unlisted_absent: bool = False
    annotations: str = "auto"
    has_rules: bool = False

    @property
    def brings_tags(self) -> bool:
        """Whether the user may have chosen tags because a policy demands some."""
        return bool(self.default_tags) or self.has_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContext:
    """One client.

    Attributes:
        api: sends requests.
        features: what was learnt of the bucket.
        choices: what the user chose.
        locks: one of each key; held while an object is read and written anew.
        pool: its tasks make single requests only and never wait for one another.
        trial_pool: one thread, for a request that tasks of `pool` may wait for.
        control: the way to AWS's S3 Control; None where there is none.
    """

    api: Api
    features: Features
    choices: WriteChoices
    locks: KeyLocks
    pool: ThreadPoolExecutor
    trial_pool: ThreadPoolExecutor
    control: ControlPlane | None = None


def client_context(
    api: Api, choices: WriteChoices, control: ControlPlane | None = None
) -> ClientContext:
    """Return the context of a new client."""
    return ClientContext(
        api=api,
        features=Features(api.name, api.dialect),
        choices=choices,
        locks=KeyLocks(),
        pool=ThreadPoolExecutor(api.transport.options.parallel, "tagfs-request"),
        trial_pool=ThreadPoolExecutor(1, "tagfs-trial"),
        control=control,
    )
