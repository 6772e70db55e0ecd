"""The parts of a client, from those that ask to those that write, and who uses whom."""

from tagfs.store.client.acls.edits import AclEdits
from tagfs.store.client.acls.object_acls import ObjectAcls
from tagfs.store.client.annotations.object_annotations import ObjectAnnotations
from tagfs.store.client.annotations.requests import AnnotationRequests
from tagfs.store.client.annotations.transfer import AnnotationTransfer
from tagfs.store.client.context import ClientContext
from tagfs.store.client.copies.metadata_edits import MetadataEdits
from tagfs.store.client.copies.object_copies import ObjectCopies
from tagfs.store.client.copies.renames import ObjectRenames
from tagfs.store.client.copies.requests import CopyRequests
from tagfs.store.client.copies.rewrites import Rewrites
from tagfs.store.client.deletes.batch import BatchDeletes
from tagfs.store.client.deletes.object_deletes import ObjectDeletes
from tagfs.store.client.multipart.completion import UploadCompletions
from tagfs.store.client.multipart.part_copies import PartCopies
from tagfs.store.client.multipart.uploads import MultipartUploads
from tagfs.store.client.object_versions import ObjectVersions
from tagfs.store.client.probes import BucketProbes
from tagfs.store.client.proofs import SubresourceProofs
from tagfs.store.client.reads.content import ObjectContent
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.reads.listing import ObjectListing
from tagfs.store.client.restores import ObjectRestores
from tagfs.store.client.tags.detailed_scans import DetailedScans
from tagfs.store.client.tags.meta_queries import MetaQueries
from tagfs.store.client.tags.object_tags import ObjectTags
from tagfs.store.client.tags.open_uploads import OpenUploads
from tagfs.store.client.tags.requests import TagRequests
from tagfs.store.client.tags.transfer import TagTransfer
from tagfs.store.client.trials.markers import MarkerTrials
from tagfs.store.client.trials.trials import Trials
from tagfs.store.client.writes.appends import ObjectAppends
from tagfs.store.client.writes.conditional import ConditionalWrites
from tagfs.store.client.writes.kept_metadata import KeptMetadata
from tagfs.store.client.writes.markers import MarkerWrites
from tagfs.store.client.writes.object_writes import ObjectWrites
from tagfs.store.client.writes.outcomes import Outcomes
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.client.writes.symlinks import SymlinkWrites


class Parts:
    """All parts of one client."""

    def __init__(self, context: ClientContext) -> None:
        uploads = OpenUploads()
        proofs = SubresourceProofs(context)
        tag_requests = TagRequests(context, proofs)
        self.listing = ObjectListing(context)
        self.heads = ObjectHeads(context, self.listing)
        self.content = ObjectContent(context, self.heads)
        self.acls = ObjectAcls(context)
        self.acl_edits = AclEdits(context, self.acls)
        self.tags = ObjectTags(context, tag_requests, uploads)
        self.scans = DetailedScans(context, self.listing, self.heads, self.tags)
        annotation_requests = AnnotationRequests(context)
        self.kept_annotations = AnnotationTransfer(context, annotation_requests)
        self.annotations = ObjectAnnotations(
            context, annotation_requests, self.kept_annotations, self.heads
        )
        self.probes = BucketProbes(context, self.listing, tag_requests, proofs, annotation_requests)
        self.deletes = ObjectDeletes(context, self.heads, self.acls)
        self.batch_deletes = BatchDeletes(context, self.heads, self.acls, self.deletes)
        self.renames = ObjectRenames(context, self.heads, self.acls)
        self.restores = ObjectRestores(context)
        self.tag_index = MetaQueries(context) if context.api.dialect.indexes_tags else None
        trials = Trials(context, self.deletes)
        steps = WriteSteps(
            acls=self.acls,
            transfer=TagTransfer(context, self.heads, self.tags, proofs),
            annotations=self.kept_annotations,
            conditional=ConditionalWrites(context, self.heads, self.acls),
            outcomes=Outcomes(context, self.heads),
            metadata=KeptMetadata(context, self.heads),
        )
        self.writes = ObjectWrites(context, steps, MarkerTrials(context, self.deletes))
        self.links = SymlinkWrites(context, self.heads, trials, steps)
        self.appends = ObjectAppends(context, self.heads, self.content, steps)
        self.multipart = MultipartUploads(context, trials, uploads, steps)
        self.completion = UploadCompletions(context, self.heads, self.tags, uploads, steps)
        self.part_copies = PartCopies(
            context, self.multipart, self.completion, uploads, self.kept_annotations
        )
        requests = CopyRequests(context, self.heads, trials, steps)
        rewrites = Rewrites(
            requests=requests,
            part_copies=self.part_copies,
            links=self.links,
            markers=MarkerWrites(context, self.heads, self.writes),
        )
        self.versions = ObjectVersions(context, self.heads, proofs, requests, steps.conditional)
        self.copies = ObjectCopies(context, self.deletes, rewrites, steps)
        self.edits = MetadataEdits(context, self.heads, rewrites, steps)
