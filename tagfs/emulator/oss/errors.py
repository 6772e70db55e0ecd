"""OSS errors: one table of codes, and how a failure becomes an XML answer.

Codes, statuses and messages follow the manual's "HTTP 4xx status code" pages; EC values are those
that the SDKs' tests and the EC pages name. Other codes get a made-up EC of the same form.
"""

import base64
from typing import NamedTuple

from tagfs.emulator.messages import Reply
from tagfs.emulator.xml_text import element, render

_UNKNOWN_EC = "0099-00000001"


class _Entry(NamedTuple):
    status: int
    message: str
    ec: str = _UNKNOWN_EC


_TABLE = {
    "AccessDenied": _Entry(403, "You have no right to access this object.", "0003-00000001"),
    "BadRequest": _Entry(400, "The request is malformed."),
    "BucketAlreadyExists": _Entry(409, "The requested bucket name is not available."),
    "BucketNotEmpty": _Entry(409, "The bucket you tried to delete is not empty.", "0015-00000301"),
    "EntityTooLarge": _Entry(400, "Your proposed upload exceeds the maximum allowed size."),
    "EntityTooSmall": _Entry(
        400, "Your proposed upload smaller than the minimum allowed size.", "0042-00000206"
    ),
    "FileAlreadyExists": _Entry(
        409, "The object you specified already exists and can not be overwritten.", "0026-00000002"
    ),
    "InvalidAccessKeyId": _Entry(
        403, "The OSS Access Key Id you provided does not exist in our records.", "0002-00000902"
    ),
    "InvalidArgument": _Entry(400, "Invalid Argument."),
    "InvalidBucketName": _Entry(400, "The specified bucket is not valid.", "0015-00000001"),
    "InvalidCRC64": _Entry(400, "The crc64 you specified did not match the calculated crc64."),
    "InvalidDigest": _Entry(
        400, "The Content-MD5 you specified did not match what was received.", "0016-00000101"
    ),
    "InvalidObjectName": _Entry(400, "The specified object is not valid.", "0016-00000001"),
    "InvalidObjectState": _Entry(
        403, "The operation is not valid for the object's state.", "0026-00000041"
    ),
    "InvalidPart": _Entry(
        400, "One or more of the specified parts could not be found.", "0042-00000204"
    ),
    "InvalidPartOrder": _Entry(
        400, "The list of parts was not in ascending order.", "0042-00000205"
    ),
    "InvalidRange": _Entry(416, "The requested range cannot be satisfied.", "0016-00000102"),
    "InvalidRequest": _Entry(400, "The request is invalid."),
    "InvalidSecurityToken": _Entry(
        403, "The security token you provided is invalid.", "0002-00000069"
    ),
    "InvalidTag": _Entry(400, "The TagKey/TagValue you have provided is invalid.", "0010-00000217"),
    "InvalidTargetType": _Entry(400, "The type of the symlink target is invalid.", "0026-00000013"),
    "MalformedXML": _Entry(
        400, "The XML you provided was not well-formed or did not validate.", "0016-00000201"
    ),
    "MethodNotAllowed": _Entry(405, "The specified method is not allowed against this resource."),
    "MissingArgument": _Entry(400, "Missing Some Required Arguments.", "0016-00000501"),
    "MissingContentLength": _Entry(411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": _Entry(404, "The specified bucket does not exist.", "0015-00000101"),
    "NoSuchKey": _Entry(404, "The specified key does not exist.", "0026-00000001"),
    "NoSuchUpload": _Entry(
        404,
        "The specified upload does not exist. The upload ID may be invalid, "
        "or the upload may have been aborted or completed.",
        "0042-00000201",
    ),
    "NotImplemented": _Entry(400, "A header you provided implies functionality not implemented."),
    "NotModified": _Entry(304, "The resource was not modified."),
    "NotSymlink": _Entry(400, "The object is not symlink.", "0043-00000101"),
    "ObjectNotAppendable": _Entry(409, "The object is not appendable.", "0026-00000015"),
    "OperationNotSupported": _Entry(400, "The operation is not supported for this resource."),
    "PositionNotEqualToLength": _Entry(
        409, "Position is not equal to file length.", "0026-00000016"
    ),
    "PreconditionFailed": _Entry(
        412, "At least one of the pre-conditions you specified did not hold.", "0026-00000101"
    ),
    "RepeatedTags": _Entry(400, "Tag keys must be unique.", "0010-00000217"),
    "RequestTimeTooSkewed": _Entry(
        403,
        "The difference between the request time and the current time is too large.",
        "0002-00000504",
    ),
    "RestoreAlreadyInProgress": _Entry(409, "The restore operation is in progress."),
    "SecurityTokenExpired": _Entry(403, "The security token you provided has expired."),
    "SignatureDoesNotMatch": _Entry(
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        "0002-00000040",
    ),
    "SymlinkTargetNotExist": _Entry(
        404, "The symlink target object does not exist.", "0026-00000012"
    ),
    "TooManyTags": _Entry(400, "The number of tags is over the limit.", "0010-00000218"),
    "InternalError": _Entry(
        500, "Please contact the server administrator, oss@service.aliyun.com."
    ),
}


class ServiceError(Exception):
    """A error in the service's words."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        ec: str | None = None,
        extra: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        entry = _TABLE[code]
        super().__init__(code)
        self.status = entry.status
        self.code = code
        self.message = message or entry.message
        self.ec = ec or entry.ec
        self.extra = extra or {}
        self.headers = headers or {}


def ec_of(code: str) -> str:
    """Return the fine-grained code that goes with a code."""
    entry = _TABLE.get(code)
    return entry.ec if entry else _UNKNOWN_EC


def render_error(error: ServiceError, *, method: str, request_id: str, host: str) -> Reply:
    """Return the answer that reports an error; on HEAD its XML travels in `x-oss-err`."""
    if error.status == 304:  # noqa: PLR2004 - has no body by definition
        return Reply(status=304, headers=dict(error.headers))
    body = error_document(error, request_id=request_id, host=host)
    headers = {"x-oss-ec": error.ec, **error.headers}
    if method == "HEAD":
        headers["x-oss-err"] = base64.b64encode(body).decode("ascii")
        headers.setdefault("Content-Length", "0")
        return Reply(status=error.status, headers=headers)
    headers["Content-Type"] = "application/xml"
    return Reply(status=error.status, headers=headers, body=body)


def error_document(error: ServiceError, *, request_id: str, host: str) -> bytes:
    """Return the XML of an error."""
    fields = {
        "Code": error.code,
        "Message": error.message,
        "RequestId": request_id,
        "HostId": host,
        **error.extra,
        "EC": error.ec,
        "RecommendDoc": f"https://api.alibabacloud.com/troubleshoot?q={error.ec}",
    }
    return render("Error", *(element(name, text) for name, text in fields.items()))


def injected(status: int, code: str, message: str) -> ServiceError:
    """Return an error that a fault asks for, whatever the table says of its code."""
    error = ServiceError("InternalError", message, ec=ec_of(code))
    error.status = status
    error.code = code
    return error
