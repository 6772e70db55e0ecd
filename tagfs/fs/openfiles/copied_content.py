"""Content that a program copies from another file: the service copies it, when the file is closed.

Until then the copy is a staged file without a byte, whose base is the other object (its origin).
Nothing of it is noted for recovery, for nothing of it is here: before the origin is changed by
this mount, the copy is made.
"""

import threading

from tagfs.fs.mapping.paths import Root
from tagfs.fs.openfiles.file_state import Unlinked
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.store.objects import ObjectInfo


class Copies:
    """Copies that the service has not made yet. Thread-safe."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._nodes: set[OpenFile] = set()

    def take(self, node: OpenFile, source: ObjectInfo, start: int, end: int) -> bool:
        """Let `[start, end)` of a file be what that range of an object is, if that can be done.

        It can where all that the file has up to `start` is of that object as well.
        """
        with self._lock:  # around both: what is taken is known
            if not node.take_range(source, start, end):
                return False
            self._nodes.add(node)
        return True

    def settle(self, path: str) -> None:
        """Have those copies made whose origin is at a path or below it: that is about to change.

        Raises:
            TagfsError: one cannot be made; the origin is to stay as it is.
        """
        if not self._nodes:
            return
        key = self._root.to_key(path)
        for node, origin in self._pending():
            if origin.key == key or origin.key.startswith(f"{key}/"):
                if isinstance(node.state, Unlinked):
                    node.own_content()
                else:
                    node.flush()

    def _pending(self) -> list[tuple[OpenFile, ObjectInfo]]:
        with self._lock:
            staged = [(node, node.staged) for node in self._nodes]
            found = [(node, s.origin) for node, s in staged if s is not None and s.origin]
            self._nodes = {node for node, _ in found}
            return found
