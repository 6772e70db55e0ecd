"""Paths of the mount and keys of the bucket: how one becomes the other, and which never can.

Pure. A path is what the kernel gives, a key what the bucket knows. A key with an empty, `.` or
`..` component, a component over 255 bytes or a NUL cannot be a file: such keys are hidden, and
no request is ever made for one.
"""

from dataclasses import dataclass

from tagfs.errors import InvalidName, NameTooLong

MAX_NAME = 255
"""Bytes of one path component (NAME_MAX of Linux file systems)."""


def split(path: str) -> tuple[str, str]:
    """Return the parent's path and the name; "/" is its own parent with an empty name."""
    parent, _, name = path.rpartition("/")
    return parent or "/", name


def join(parent: str, name: str) -> str:
    """Return the path of `name` in the directory `parent`."""
    return f"/{name}" if parent == "/" else f"{parent}/{name}"


def is_below(path: str, directory: str) -> bool:
    """Say whether `path` lies in `directory`, at any depth."""
    return path.startswith("/" if directory == "/" else directory + "/") and path != directory


def is_visible(name: str) -> bool:
    """Say whether one component of a key can be the name of a file."""
    if name in ("", ".", "..") or "\0" in name:
        return False
    return len(name) <= MAX_NAME // 4 or len(name.encode("utf-8", "replace")) <= MAX_NAME


@dataclass(frozen=True, slots=True)
class Root:
    """Where in the bucket the mount begins.

    Attributes:
        prefix: "" for a whole bucket, else ends in "/".
        max_key: bytes that the service allows in a key.
    """

    prefix: str = ""
    max_key: int = 1023

    def to_key(self, path: str) -> str:
        """Return the key of the file at `path`; of "/" the prefix without its trailing "/".

        Raises:
            InvalidName: the path is not UTF-8.
            NameTooLong: a component is over 255 bytes, or the key over the service's limit.
        """
        try:
            raw = path.encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidName(f"{path!r}: names must be UTF-8") from None
        if len(raw) > MAX_NAME and any(len(part) > MAX_NAME for part in raw.split(b"/")):
            raise NameTooLong(f"{path!r}: a component is over {MAX_NAME} bytes")
        key = self.prefix + path[1:] if path != "/" else self.prefix[:-1]
        # One byte is kept for the "/" of a directory marker.
        if len(raw) + len(self.prefix) * 4 >= self.max_key and len(key.encode()) >= self.max_key:
            raise NameTooLong(f"{path!r}: the key is over {self.max_key - 1} bytes")
        return key

    def to_prefix(self, path: str) -> str:
        """Return the prefix of all keys in the directory at `path`, which is its marker's key."""
        return self.prefix if path == "/" else self.to_key(path) + "/"

    def to_path(self, key: str) -> str | None:
        """Return the path of a key, None if it lies outside the mount or can be no file."""
        if not key.startswith(self.prefix):
            return None
        if key == self.prefix:
            return "/"
        rest = key[len(self.prefix) :].removesuffix("/")
        return "/" + rest if all(is_visible(part) for part in rest.split("/")) else None
