"""The gate of every call that changes the tree."""

from tagfs.fs.context import FsContext
from tagfs.fs.openfiles.copied_content import Copies


class ChangeGate:
    """Lets a change begin: on a mount that can be written, when nothing needs the old content.

    Attributes:
        copies: contents that the service has not copied yet; it would copy what is there then.
    """

    def __init__(self, env: FsContext) -> None:
        self._env = env
        self.copies = Copies(env.root)

    def enter(self, *paths: str) -> None:
        """Begin to change what is at these paths, or below them; what is new needs no path.

        Raises:
            ReadOnly
            TagfsError: a copy of what is there cannot be made; it is to stay as it is.
        """
        self._env.check_writable()
        for path in paths:
            self.copies.settle(path)
