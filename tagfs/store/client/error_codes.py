"""From what a service answered to the class of failure that it is."""

from typing import Final

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    Archived,
    BadCredentials,
    FileTooLarge,
    IntegrityError,
    InvalidRequest,
    InvalidTag,
    NameTooLong,
    NoSuchBucket,
    NoSuchTag,
    NoSuchUpload,
    NotALink,
    NotEmpty,
    NotFound,
    ObjectChanged,
    PositionMismatch,
    QuotaExceeded,
    Refused,
    TagfsError,
    TagKeyTooLong,
    TooManyTags,
    Unsupported,
    ValueTooLarge,
)
from tagfs.store.http.messages import Request, Response
from tagfs.store.http.relocation import PATH_FORBIDDEN, named_region


class FeatureMissing(Unsupported):
    """The bucket cannot do this to any object, so that it need not be asked again."""


_CLASSES: Final[dict[str, type[TagfsError]]] = {
    "NoSuchBucket": NoSuchBucket,
    "NoSuchKey": NotFound,
    "NoSuchUpload": NoSuchUpload,
    "NoSuchVersion": NotFound,
    "SymlinkTargetNotExist": NotFound,
    "InvalidTargetType": NotFound,  # a link to a link has no content to be found
    "InvalidAccessKeyId": BadCredentials,
    "SignatureDoesNotMatch": BadCredentials,
    "InvalidSecurityToken": BadCredentials,
    "SecurityTokenExpired": BadCredentials,
    "SecurityTokenNotSupported": BadCredentials,
    "AccessKeyIdAndSecurityTokenNotMatch": BadCredentials,
    "ExpiredToken": BadCredentials,
    "InvalidToken": BadCredentials,
    "UserDisable": BadCredentials,
    "InvalidObjectState": Archived,
    "FileAlreadyExists": AlreadyExists,
    "ObjectAlreadyExists": AlreadyExists,
    "PositionNotEqualToLength": PositionMismatch,
    "ObjectNotAppendable": Unsupported,
    "FsObjectConflict": AlreadyExists,
    "FsRenameConflict": AlreadyExists,
    "DirectoryNotEmpty": NotEmpty,
    "PreconditionFailed": ObjectChanged,
    "InvalidTag": InvalidTag,
    "InvalidTaggingKey": InvalidTag,
    "InvalidTagError": InvalidTag,
    "MalformedXMLError": InvalidTag,
    "RepeatedTags": InvalidTag,
    "TooManyTags": TooManyTags,
    "NoSuchAnnotation": NoSuchTag,
    "InvalidAnnotationName": InvalidTag,
    "AnnotationNameTooLong": TagKeyTooLong,
    "AnnotationLimitExceeded": TooManyTags,
    "UnsupportedMediaType": InvalidTag,
    "EntityTooLarge": FileTooLarge,
    "AppendTooLarge": FileTooLarge,
    "InvalidObjectName": InvalidRequest,
    "KeyTooLongError": NameTooLong,
    "MetadataTooLarge": ValueTooLarge,
    "NotSymlink": NotALink,
    "InvalidDigest": IntegrityError,
    "BadDigest": IntegrityError,
    "InvalidCRC64": IntegrityError,
    "FileImmutable": AccessDenied,  # a retention rule
    "NotImplemented": FeatureMissing,
    "OperationNotSupported": Unsupported,
    "FsNotSupport": FeatureMissing,
    "MethodNotAllowed": FeatureMissing,
    "QuotaExceeded": QuotaExceeded,
    "InsufficientStorageSpace": QuotaExceeded,
}
# Only the service's own words say that it lacks something: a bare 405 or 501 may be a proxy's.
_STATUSES: Final[dict[int, type[TagfsError]]] = {
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    412: ObjectChanged,
}
_BAD_REQUEST = 400
_REDIRECTS = range(300, 400)


def to_exception(request: Request, answer: Response) -> TagfsError:
    """Return the failure that an answer of status 300 and more is, with a sentence."""
    message = f"{request}: {answer}"
    if answer.code and answer.error and answer.error.message not in ("", answer.code):
        message += f": {answer.error.message}"
    if answer.status in _REDIRECTS or answer.code in {"PermanentRedirect", "TemporaryRedirect"}:
        return Refused(f"{message}; {_elsewhere(answer)}")
    kind = _CLASSES.get(answer.code)
    if kind is None and request.subresource == "tagging" and answer.status == _BAD_REQUEST:
        kind = InvalidTag  # which code a bad tag gets is not documented for every case
    if kind is None:
        kind = _STATUSES.get(answer.status, Refused)
    if answer.code in PATH_FORBIDDEN:
        return Refused(f"{message}; it wants the bucket in the host name: addressing=virtual")
    if answer.error and answer.error.endpoint:
        message += f"; {_elsewhere(answer)}"
    elif named_region(answer):
        message += f"; the bucket is in region {named_region(answer)!r}: set region to that"
    return kind(message)


def _elsewhere(answer: Response) -> str:
    endpoint = answer.error.endpoint if answer.error else ""
    place = endpoint or answer.headers.get("location", "")
    region = answer.headers.get("x-amz-bucket-region")
    if region:
        return f"the bucket is in region {region!r}: set region to that"
    return (
        f"the bucket is served by {place!r}: set endpoint to that host"
        if place
        else ("the bucket is served by another endpoint: set endpoint or region to the bucket's")
    )
