"""What every way of making an object goes through."""

from dataclasses import dataclass

from tagfs.store.client.acls.object_acls import ObjectAcls
from tagfs.store.client.annotations.transfer import AnnotationTransfer
from tagfs.store.client.tags.transfer import TagTransfer
from tagfs.store.client.writes.conditional import ConditionalWrites
from tagfs.store.client.writes.kept_metadata import KeptMetadata
from tagfs.store.client.writes.outcomes import Outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSteps:
    """The parts that a write uses, in the order in which it does.

    Attributes:
        acls: asks for the ACL to send along, and sets what no header could say.
        transfer: chooses the tags, and makes sure that they arrive.
        annotations: keeps those of what is replaced.
        conditional: sends, exclusively where asked, until all of it is there.
        outcomes: says what was made.
        metadata: looks once whether it was kept.
    """

    acls: ObjectAcls
    transfer: TagTransfer
    annotations: AnnotationTransfer
    conditional: ConditionalWrites
    outcomes: Outcomes
    metadata: KeptMetadata
