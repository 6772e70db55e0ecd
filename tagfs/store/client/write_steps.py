"""What every way of making an object goes through."""

from dataclasses import dataclass

from tagfs.store.client.annotation_transfer import AnnotationTransfer
from tagfs.store.client.conditional_writes import ConditionalWrites
from tagfs.store.client.kept_metadata import KeptMetadata
from tagfs.store.client.object_acls import ObjectAcls
from tagfs.store.client.outcomes import Outcomes
from tagfs.store.client.tag_transfer import TagTransfer


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
