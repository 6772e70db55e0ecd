"""The errors of OBS: those of S3, and its own."""

from tagfs.emulator.engine.errors import ErrorEntry
from tagfs.emulator.s3.errors import ERRORS as S3_ERRORS

ERRORS = {
    **S3_ERRORS,
    "AppendTooLarge": ErrorEntry(400, "Object length exceeded the maximum allowable size."),
    "DirectoryNotEmpty": ErrorEntry(409, "The directory is not empty."),
    "FsNotSupport": ErrorEntry(405, "The file system does not support this API."),
    "FsObjectConflict": ErrorEntry(409, "The object conflicts with an existing file or directory."),
    "InvalidTagError": ErrorEntry(400, "An invalid tag is provided when configuring bucket tags."),
    "InvalidTargetType": ErrorEntry(400, "The type of the symlink target is invalid."),
    "MalformedXMLError": ErrorEntry(400, "The XML configuring bucket tags is malformed."),
    "NotSymlink": ErrorEntry(400, "The object is not symlink."),
    "ObjectAlreadyExists": ErrorEntry(
        409, "The object already exists and must not be overwritten."
    ),
    "ObjectHasAlreadyRestored": ErrorEntry(409, "The object has already been restored."),
    "ObjectNotAppendable": ErrorEntry(409, "The object is not appendable."),
    "PositionNotEqualToLength": ErrorEntry(409, "Position is not equal to file length."),
    "SecurityTokenExpired": ErrorEntry(403, "The security token you provided has expired."),
    "SymlinkTargetNotExist": ErrorEntry(404, "The symlink target object does not exist"),
}
