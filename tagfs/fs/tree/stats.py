"""What stat(2) shows of what was looked up."""

from tagfs.fs.mapping.stat_fields import Stat, to_stat
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.tree.lookup import Entry


def stat_of(entry: Entry, files: HandleTable) -> Stat:
    """Return what stat(2) shows of a path."""
    node = entry.node
    ino = files.number(entry.path) if node is None else node.ino
    links = 0 if node is not None and node.unlinked else 1
    return to_stat(entry.attributes, entry.size, links=links, ino=ino)
