"""What can go wrong, and the errno that tells a Linux program so.

Below `Answer`, the errno says all and nothing went wrong; all else is EIO where it says nothing
better.

Errno and log level belong to the class. Lower layers raise with the facts and log no failure that
they raise; who answers a program or a person (`fuse/operations.py`, a command, deferred work) logs
it once. Nothing in this file knows HTTP or FUSE.
"""

import errno
import logging


class TagfsError(Exception):
    """A failure that tagfs expects.

    Attributes:
        errno: what a system call reports for it.
        log_level: of the one line that says why.
    """

    errno: int = errno.EIO
    log_level: int = logging.WARNING


class Answer(TagfsError):
    """What a program finds out by asking: its errno says all, and nothing has gone wrong."""

    log_level = logging.DEBUG


class SettingsError(TagfsError):
    """What the user chose is wrong or contradicts itself."""

    errno = errno.EINVAL


class BadUsage(SettingsError):
    """An option of the command line is unknown, or has a value that it cannot have."""


class RulesError(BadUsage):
    """A file of rules cannot be read, or is wrong."""


class NotFound(Answer):
    """No object has this key."""

    errno = errno.ENOENT


class NoSuchBucket(NotFound):
    """The bucket does not exist, or exists no more."""


class NoSuchUpload(NotFound):
    """The multipart upload was completed or aborted."""


class AccessDenied(TagfsError):
    """The service answered 403."""

    errno = errno.EACCES


class BadCredentials(AccessDenied):
    """The access key is unknown, its secret is wrong or its token has expired."""


class InvalidTag(TagfsError):
    """A tag that the service would refuse."""

    errno = errno.EINVAL


class TagKeyTooLong(InvalidTag):
    """A tag key above the service's limit."""

    errno = errno.ERANGE


class TagValueTooLong(InvalidTag):
    """A tag value above the service's limit."""

    errno = errno.E2BIG


class TooManyTags(InvalidTag):
    """One tag more than the service keeps."""

    errno = errno.ENOSPC


class ValueNotAllowed(InvalidTag):
    """A value that a rule of the user's does not allow."""


class RuleBroken(TagfsError):
    """What a rule of the user's about tags forbids."""

    errno = errno.EPERM


class TagExists(Answer):
    """A tag that was to be created is there."""

    errno = errno.EEXIST


class NoSuchTag(Answer):
    """A tag that was to be replaced, removed or read is not there."""

    errno = errno.ENODATA


class AlreadyExists(Answer):
    """An exclusive creation found something of that name."""

    errno = errno.EEXIST


class NotEmpty(Answer):
    """A directory with entries cannot be removed or replaced."""

    errno = errno.ENOTEMPTY


class NotADirectory(Answer):
    """A file where a directory was needed."""

    errno = errno.ENOTDIR


class IsADirectory(Answer):
    """A directory where a file was needed."""

    errno = errno.EISDIR


class NotALink(Answer):
    """A link was asked for and the object is none."""

    errno = errno.EINVAL


class BadHandle(Answer):
    """A handle that does not allow this, or is not open."""

    errno = errno.EBADF


class InvalidName(Answer):
    """A name that cannot be a key because it is not UTF-8."""

    errno = errno.EILSEQ


class InvalidRequest(Answer):
    """An argument that makes no sense."""

    errno = errno.EINVAL


class NameTooLong(Answer):
    """A key or a path component above its limit."""

    errno = errno.ENAMETOOLONG


class ValueTooLarge(Answer):
    """User metadata that does not fit in the service's headers."""

    errno = errno.E2BIG


class XattrSpaceFull(Answer):
    """The user metadata of an object has no room for another extended attribute."""

    errno = errno.ENOSPC


class FileTooLarge(TagfsError):
    """A size above what the service keeps in one object."""

    errno = errno.EFBIG


class ReadOnly(Answer):
    """The mount is read-only."""

    errno = errno.EROFS


class NotPermitted(Answer):
    """Nobody may do this here, whatever the service's policies say."""

    errno = errno.EPERM


class NotShown(NotPermitted):
    """A file is in the way that this mount does not show, or one would be made (see `only`)."""

    log_level = logging.WARNING


class NotExecutable(Answer):
    """A file that nobody may execute."""

    errno = errno.EACCES


class Unsupported(Answer):
    """The bucket, or this file system, cannot do this."""

    errno = errno.EOPNOTSUPP


class CrossDevice(Answer):
    """A rename that has to be a copy made by the caller."""

    errno = errno.EXDEV


class ObjectChanged(TagfsError):
    """The object is no longer the version that was asked for."""

    errno = errno.ESTALE


class Archived(TagfsError):
    """The object is in an archive class and not restored."""

    errno = errno.EREMOTE


class QuotaExceeded(TagfsError):
    """The bucket or the account is full."""

    errno = errno.EDQUOT


class StagingFull(TagfsError):
    """The local disk has no room for what is written."""

    errno = errno.ENOSPC


class Interrupted(Answer):
    """The caller was interrupted, or the mount is going away."""

    errno = errno.EINTR


class PositionMismatch(TagfsError):
    """An append found the object at another length.

    Attributes:
        length: the object's length in bytes as the service reported it, or None.
    """

    def __init__(self, message: str, length: int | None = None) -> None:
        super().__init__(message)
        self.length = length


class IntegrityError(TagfsError):
    """What arrived is not what was sent."""


class MalformedResponse(TagfsError):
    """The service's answer could not be understood."""


class Refused(TagfsError):
    """The service refused a request for a reason that has no class of its own."""


class Unreachable(TagfsError):
    """The service gave no usable answer before the time was up."""

    log_level = logging.ERROR


class Throttled(Unreachable):
    """The service asked for fewer requests until the time was up."""
