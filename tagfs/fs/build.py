"""The parts of one mounted tree, joined: who uses whom is written here and nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tagfs.fs.content.journal import Journal
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.desktop_labels import DesktopLabels
from tagfs.fs.openfiles.deferred_attributes import DeferredAttributes
from tagfs.fs.openfiles.deferred_work import DeferredWork
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.kernel_pages import KernelPages
from tagfs.fs.openfiles.kernel_sizes import KernelSizes
from tagfs.fs.openfiles.tag_policy import TagPolicy
from tagfs.fs.openfiles.write_back import WriteBack
from tagfs.fs.pending.queue import PendingChanges
from tagfs.fs.pending.threads import ChangeThreads
from tagfs.fs.prefetch.prefetcher import SiblingPrefetcher
from tagfs.fs.tree.create import Creator
from tagfs.fs.tree.heritage import Heritage
from tagfs.fs.tree.implicit_directories import ImplicitDirectories
from tagfs.fs.tree.lookup import TreeLookup
from tagfs.fs.tree.markers import MarkerWriter
from tagfs.fs.tree.remove import Remover
from tagfs.fs.tree.rename import Renamer
from tagfs.fs.tree.replaced_files import ReplacedFiles
from tagfs.fs.tree.save_patterns import BackupTags
from tagfs.fs.xattr.annotations import AnnotationXattrs
from tagfs.fs.xattr.desktop import DesktopTagXattrs
from tagfs.fs.xattr.dispatch import XattrDispatcher, XattrFamilies
from tagfs.fs.xattr.object_facts import ObjectXattrs
from tagfs.fs.xattr.other_names import OtherUserXattrs
from tagfs.fs.xattr.setattr import AttributeSetter, MetadataWriter
from tagfs.fs.xattr.tags import TagXattrs
from tagfs.fs.xattr.user_metadata import UserMetadataXattrs


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the calls of the kernel are passed on to."""

    files: HandleTable
    due: DeferredWork
    tree: TreeLookup
    replaced: ReplacedFiles
    heritage: Heritage
    policy: TagPolicy
    creator: Creator
    remover: Remover
    renamer: Renamer
    prefetcher: SiblingPrefetcher
    xattrs: XattrDispatcher
    attributes: AttributeSetter
    kernel_sizes: KernelSizes
    kernel_pages: KernelPages


def build(env: FsContext, status: Callable[[], dict[str, Any]]) -> Parts:
    """Make the parts of a tree; `status` is what `user.tagfs.status` shows."""
    held = env.choices.uploads_behind
    pending = PendingChanges(env.clock, ChangeThreads(held))
    files = HandleTable(env, Journal(pending, env.clock))
    due = DeferredWork(
        DeferredAttributes(pending, env.clock),
        pending,
        WriteBack(files, pending, env.staging.free_bytes, is_on=held > 0),
    )
    tree = TreeLookup(env, files, due.attributes)
    policy = TagPolicy(env, files)
    markers = MarkerWriter(env, tree, policy)
    parents = ImplicitDirectories(env, files, markers.make)
    replaced = ReplacedFiles(env, files, parents, due.changes)
    tree.pending_deletes = replaced
    heritage = Heritage(env, files, replaced, BackupTags(env, env.clock), policy)
    remover = Remover(env, tree, files, due, replaced, parents)
    edits = MetadataWriter(env, files)
    pages = KernelPages()
    return Parts(
        files=files,
        due=due,
        tree=tree,
        replaced=replaced,
        heritage=heritage,
        policy=policy,
        creator=Creator(env, tree, due, heritage, policy),
        remover=remover,
        renamer=Renamer(env, tree, files, due, remover, heritage),
        prefetcher=SiblingPrefetcher(env, tree),
        xattrs=XattrDispatcher(
            env, tree, due, _xattr_families(env, tree, files, markers, edits, policy), status
        ),
        attributes=AttributeSetter(env, tree, files, markers, edits, due),
        kernel_sizes=KernelSizes(pages.resized, env.clock),
        kernel_pages=pages,
    )


def _xattr_families(
    env: FsContext,
    tree: TreeLookup,
    files: HandleTable,
    markers: MarkerWriter,
    edits: MetadataWriter,
    policy: TagPolicy,
) -> XattrFamilies:
    choice = env.choices.desktop_tags
    labels = DesktopLabels(choice, env.bucket.object_tag_rules.is_reserved)
    tags = TagXattrs(env, tree, markers, policy, labels if choice else None)
    metadata = UserMetadataXattrs(env, tree, files, markers, edits)
    others = OtherUserXattrs(env, metadata)
    return XattrFamilies(
        tags=tags,
        annotations=AnnotationXattrs(env, tree, markers, others),
        labels=DesktopTagXattrs(tags, labels),
        metadata=metadata,
        others=others,
        objects=ObjectXattrs(env, tree, files, metadata, edits),
    )
