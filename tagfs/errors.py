"""What can go wrong, and the errno that tells a Linux program so.

TagfsError                      EIO           anything below, and what has no better word
├── SettingsError               EINVAL        what the user chose cannot be done
│   └── BadUsage                EINVAL        ... and the command line says it: exit status 2
├── NotFound                    ENOENT        no such key
│   ├── NoSuchBucket            ENOENT
│   └── NoSuchUpload            ENOENT
├── AccessDenied                EACCES        the service answered 403
│   └── BadCredentials          EACCES        ... to the key pair itself
├── InvalidTag                  EINVAL        characters, empty key, not UTF-8
│   ├── TagKeyTooLong           ERANGE
│   ├── TagValueTooLong         E2BIG
│   └── TooManyTags             ENOSPC
├── TagExists                   EEXIST        XATTR_CREATE of a tag that is there
├── NoSuchTag                   ENODATA       XATTR_REPLACE or removal of one that is not
├── AlreadyExists               EEXIST
├── NotEmpty                    ENOTEMPTY
├── NotADirectory               ENOTDIR
├── IsADirectory                EISDIR
├── NotALink                    EINVAL
├── BadHandle                   EBADF
├── InvalidName                 EILSEQ        a name that is not UTF-8
├── InvalidRequest              EINVAL
├── NameTooLong                 ENAMETOOLONG
├── ValueTooLarge               E2BIG         an extended attribute that fits in no header
├── FileTooLarge                EFBIG
├── ReadOnly                    EROFS
├── NotPermitted                EPERM
├── NotExecutable               EACCES        what access(2) was asked for
├── Unsupported                 EOPNOTSUPP
├── CrossDevice                 EXDEV
├── ObjectChanged               ESTALE        replaced under a reader
├── Archived                    EREMOTE       must be restored before it can be read
├── QuotaExceeded               EDQUOT
├── StagingFull                 ENOSPC        no room on the local disk
├── Interrupted                 EINTR
├── PositionMismatch            EIO           an append met another length than it expected
├── IntegrityError              EIO           checksums differ
├── MalformedResponse           EIO           an answer that is none
├── Refused                     EIO           the service refused for a reason without a class here
└── Unreachable                 EIO           no answer in time
    └── Throttled               EIO           answered "slow down" until the time was up

The errno belongs to the class, so that whoever finally answers a program needs no table. Nothing
in this file knows HTTP or FUSE.
"""

import errno


class TagfsError(Exception):
    """A failure that tagfs expects; `errno` is what a system call reports for it.

    `told`: a line of the log tells of it already. `answer`: it is what a program has asked for,
    and nothing has gone wrong.
    """

    errno: int = errno.EIO
    told: bool = False
    answer: bool = False


class SettingsError(TagfsError):
    """What the user chose is wrong or contradicts itself."""

    errno = errno.EINVAL


class BadUsage(SettingsError):
    """An option of the command line is unknown, or has a value that it cannot have."""


class NotFound(TagfsError):
    """No object has this key."""

    errno = errno.ENOENT


class NoSuchBucket(NotFound):
    """The bucket does not exist, or exists no more."""


class NoSuchUpload(NotFound):
    """The multipart upload was completed or aborted."""


class AccessDenied(TagfsError):
    """The service answered 403."""

    errno = errno.EACCES


class Denied(str):
    """Why one of many keys was not deleted, where that is certain: it may not be, and stays."""

    __slots__ = ()


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


class TagExists(TagfsError):
    """A tag that was to be created is there."""

    errno = errno.EEXIST


class NoSuchTag(TagfsError):
    """A tag that was to be replaced, removed or read is not there."""

    errno = errno.ENODATA


class AlreadyExists(TagfsError):
    """An exclusive creation found something of that name."""

    errno = errno.EEXIST


class NotEmpty(TagfsError):
    """A directory with entries cannot be removed or replaced."""

    errno = errno.ENOTEMPTY


class NotADirectory(TagfsError):
    """A file where a directory was needed."""

    errno = errno.ENOTDIR


class IsADirectory(TagfsError):
    """A directory where a file was needed."""

    errno = errno.EISDIR


class NotALink(TagfsError):
    """A link was asked for and the object is none."""

    errno = errno.EINVAL


class BadHandle(TagfsError):
    """A handle that does not allow this, or is not open."""

    errno = errno.EBADF


class InvalidName(TagfsError):
    """A name that cannot be a key because it is not UTF-8."""

    errno = errno.EILSEQ


class InvalidRequest(TagfsError):
    """An argument that makes no sense."""

    errno = errno.EINVAL


class NameTooLong(TagfsError):
    """A key or a path component above its limit."""

    errno = errno.ENAMETOOLONG


class ValueTooLarge(TagfsError):
    """User metadata that does not fit in the service's headers."""

    errno = errno.E2BIG


class FileTooLarge(TagfsError):
    """A size above what the service keeps in one object."""

    errno = errno.EFBIG


class ReadOnly(TagfsError):
    """The mount is read-only."""

    errno = errno.EROFS


class NotPermitted(TagfsError):
    """Nobody may do this here, whatever the service's policies say."""

    errno = errno.EPERM


class NotExecutable(TagfsError):
    """A file that nobody may execute."""

    errno = errno.EACCES
    answer = True


class Unsupported(TagfsError):
    """The bucket, or this file system, cannot do this."""

    errno = errno.EOPNOTSUPP


class CrossDevice(TagfsError):
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


class Interrupted(TagfsError):
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


class Throttled(Unreachable):
    """The service asked for fewer requests until the time was up."""
