"""Errors: one table of codes for the whole family, and how a failure becomes an answer."""

from typing import NamedTuple

from tagfs.emulator.messages import Reply
from tagfs.emulator.xml_text import element, render


class _Entry(NamedTuple):
    status: int
    message: str


_TABLE = {
    "AccessDenied": _Entry(403, "Access Denied"),
    "AppendTooLarge": _Entry(400, "Object length exceeded the maximum allowable size."),
    "AuthorizationHeaderMalformed": _Entry(400, "The authorization header is malformed."),
    "AuthorizationQueryParametersError": _Entry(400, "The query string parameters are malformed."),
    "BadDigest": _Entry(
        400, "The Content-MD5 or checksum you specified did not match what we received."
    ),
    "BadRequest": _Entry(400, "Bad request."),
    "BucketAlreadyExists": _Entry(409, "The requested bucket name is not available."),
    "BucketAlreadyOwnedByYou": _Entry(
        409, "Your previous request to create the named bucket succeeded and you already own it."
    ),
    "AccessControlListNotSupported": _Entry(400, "The bucket does not allow ACLs"),
    "BucketNotEmpty": _Entry(409, "The bucket you tried to delete is not empty."),
    "DirectoryNotEmpty": _Entry(409, "The directory is not empty."),
    "EntityTooLarge": _Entry(400, "Your proposed upload exceeds the maximum allowed object size."),
    "EntityTooSmall": _Entry(
        400, "Your proposed upload is smaller than the minimum allowed object size."
    ),
    "ExpiredToken": _Entry(400, "The provided token has expired."),
    "FsNotSupport": _Entry(405, "The file system does not support this API."),
    "FsObjectConflict": _Entry(409, "The object conflicts with an existing file or directory."),
    "IncompleteBody": _Entry(
        400, "You did not provide the number of bytes specified by the Content-Length header."
    ),
    "InternalError": _Entry(500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": _Entry(
        403, "The access key ID that you provided does not exist in our records."
    ),
    "InvalidArgument": _Entry(400, "Invalid Argument"),
    "InvalidBucketName": _Entry(400, "The specified bucket is not valid."),
    "InvalidDigest": _Entry(400, "The Content-MD5 you specified is not valid."),
    "InvalidObjectState": _Entry(
        403, "The operation is not valid for the current state of the object."
    ),
    "InvalidPart": _Entry(400, "One or more of the specified parts could not be found."),
    "InvalidPartOrder": _Entry(400, "The list of parts was not in ascending order."),
    "InvalidRange": _Entry(416, "The requested range is not satisfiable"),
    "InvalidRequest": _Entry(400, "Invalid Request"),
    "InvalidStorageClass": _Entry(400, "The storage class you specified is not valid."),
    "InvalidTag": _Entry(400, "The tag provided was not a valid tag."),
    "InvalidTagError": _Entry(400, "An invalid tag is provided when configuring bucket tags."),
    "InvalidTargetType": _Entry(400, "The type of the symlink target is invalid."),
    "InvalidToken": _Entry(403, "The provided token is malformed or otherwise not valid."),
    "KeyTooLongError": _Entry(400, "Your key is too long."),
    "MalformedACLError": _Entry(
        400, "The XML you provided was not well-formed or did not validate against our schema"
    ),
    "MalformedXML": _Entry(
        400, "The XML you provided was not well-formed or did not validate against our schema."
    ),
    "MalformedXMLError": _Entry(400, "The XML configuring bucket tags is malformed."),
    "MaxMessageLengthExceeded": _Entry(400, "Your request was too big."),
    "MetadataTooLarge": _Entry(
        400, "Your metadata headers exceed the maximum allowed metadata size."
    ),
    "MethodNotAllowed": _Entry(405, "The specified method is not allowed against this resource."),
    "MissingContentLength": _Entry(411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": _Entry(404, "The specified bucket does not exist"),
    "NoSuchKey": _Entry(404, "The specified key does not exist."),
    "NoSuchTagSet": _Entry(404, "The TagSet does not exist"),
    "NoSuchUpload": _Entry(
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may "
        "have been aborted or completed.",
    ),
    "NoSuchVersion": _Entry(404, "The specified version does not exist."),
    "NotImplemented": _Entry(501, "A header or parameter implies functionality not implemented."),
    "NotModified": _Entry(304, "Not Modified"),
    "NotSymlink": _Entry(400, "The object is not symlink."),
    "ObjectAlreadyExists": _Entry(409, "The object already exists and must not be overwritten."),
    "ObjectHasAlreadyRestored": _Entry(409, "The object has already been restored."),
    "ObjectNotAppendable": _Entry(409, "The object is not appendable."),
    "OwnershipControlsNotFoundError": _Entry(404, "The bucket ownership controls were not found"),
    "PositionNotEqualToLength": _Entry(409, "Position is not equal to file length."),
    "PreconditionFailed": _Entry(
        412, "At least one of the pre-conditions you specified did not hold"
    ),
    "RequestTimeTooSkewed": _Entry(
        403, "The difference between the request time and the current time is too large."
    ),
    "RestoreAlreadyInProgress": _Entry(409, "Object restore is already in progress."),
    "SecurityTokenExpired": _Entry(403, "The security token you provided has expired."),
    "SignatureDoesNotMatch": _Entry(
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    ),
    "SymlinkTargetNotExist": _Entry(404, "The symlink target object does not exist"),
    "XAmzContentSHA256Mismatch": _Entry(
        400, "The provided 'x-amz-content-sha256' header does not match what was computed."
    ),
}


class ServiceError(Exception):
    """A failure in the service's words."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        extra: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        entry = _TABLE[code]
        self.status = entry.status
        self.code = code
        self.message = message or entry.message
        self.extra = extra or {}
        self.headers = headers or {}


def render_error(error: ServiceError, *, method: str, identity: tuple[str, str]) -> Reply:
    """Return the answer that reports a failure; HEAD and 304 have no body to do so.

    `identity` is the request's id and the host's.
    """
    headers = dict(error.headers)
    if error.status == 304:  # noqa: PLR2004 - has no body by definition
        return Reply(status=304, headers=headers)
    if method == "HEAD":
        headers.setdefault("Content-Length", "0")
        return Reply(status=error.status, headers=headers)
    request_id, host_id = identity
    fields = {
        "Code": error.code,
        "Message": error.message,
        **error.extra,
        "RequestId": request_id,
        "HostId": host_id,
    }
    body = render("Error", *(element(name, text) for name, text in fields.items()))
    headers["Content-Type"] = "application/xml"
    return Reply(status=error.status, headers=headers, body=body)


def injected(status: int, code: str, message: str) -> ServiceError:
    """Return an error that a fault asks for, whatever the table says of its code."""
    error = ServiceError("InternalError", message)
    error.status = status
    error.code = code
    return error
