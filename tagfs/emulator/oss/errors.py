"""OSS errors: one table of codes, and how a failure becomes an XML answer.

Codes, statuses and messages follow the manual's "HTTP 4xx status code" pages; EC values are those
that the SDKs' tests and the EC pages name. Other codes get a made-up EC of the same form.
"""

import base64

from tagfs.emulator.engine.errors import ErrorEntry, Failure, error_document, error_reply
from tagfs.emulator.messages import Reply, Request

_UNKNOWN_EC = "0099-00000001"
_NOT_MODIFIED = 304


ERRORS = {
    "AccessDenied": ErrorEntry(
        403, "You have no right to access this object because of bucket acl.", "0003-00000001"
    ),
    "BadRequest": ErrorEntry(400, "The request is malformed."),
    "BucketAlreadyExists": ErrorEntry(409, "The requested bucket name is not available."),
    "BucketNotEmpty": ErrorEntry(
        409, "The bucket you tried to delete is not empty.", "0015-00000301"
    ),
    "EntityTooLarge": ErrorEntry(400, "Your proposed upload exceeds the maximum allowed size."),
    "EntityTooSmall": ErrorEntry(
        400, "Your proposed upload smaller than the minimum allowed size.", "0042-00000206"
    ),
    "FileAlreadyExists": ErrorEntry(
        409, "The object you specified already exists and can not be overwritten.", "0026-00000002"
    ),
    "InvalidAccessKeyId": ErrorEntry(
        403, "The OSS Access Key Id you provided does not exist in our records.", "0002-00000902"
    ),
    "InvalidArgument": ErrorEntry(400, "Invalid Argument."),
    "InvalidBucketName": ErrorEntry(400, "The specified bucket is not valid.", "0015-00000001"),
    "InvalidCRC64": ErrorEntry(400, "The crc64 you specified did not match the calculated crc64."),
    "InvalidDigest": ErrorEntry(
        400, "The Content-MD5 you specified did not match what was received.", "0016-00000101"
    ),
    "InvalidObjectName": ErrorEntry(400, "The specified object is not valid.", "0016-00000001"),
    "InvalidObjectState": ErrorEntry(
        403, "The operation is not valid for the object's state.", "0026-00000041"
    ),
    "InvalidPart": ErrorEntry(
        400, "One or more of the specified parts could not be found.", "0042-00000204"
    ),
    "InvalidPartOrder": ErrorEntry(
        400, "The list of parts was not in ascending order.", "0042-00000205"
    ),
    "InvalidRange": ErrorEntry(416, "The requested range cannot be satisfied.", "0016-00000102"),
    "InvalidRequest": ErrorEntry(400, "The request is invalid."),
    "InvalidSecurityToken": ErrorEntry(
        403, "The security token you provided is invalid.", "0002-00000069"
    ),
    "InvalidTag": ErrorEntry(
        400, "The TagKey/TagValue you have provided is invalid.", "0010-00000217"
    ),
    "MetaQueryAlreadyExist": ErrorEntry(
        400, "The metadata index library being built exists in the bucket."
    ),
    "MetaQueryNotExist": ErrorEntry(
        404, "The metadata index library does not exist in the bucket."
    ),
    "InvalidTargetType": ErrorEntry(
        400, "The type of the symlink target is invalid.", "0026-00000013"
    ),
    "MalformedXML": ErrorEntry(
        400, "The XML you provided was not well-formed or did not validate.", "0016-00000201"
    ),
    "MethodNotAllowed": ErrorEntry(
        405, "The specified method is not allowed against this resource."
    ),
    "MissingArgument": ErrorEntry(400, "Missing Some Required Arguments.", "0016-00000501"),
    "MissingContentLength": ErrorEntry(411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": ErrorEntry(404, "The specified bucket does not exist.", "0015-00000101"),
    "NoSuchKey": ErrorEntry(404, "The specified key does not exist.", "0026-00000001"),
    "NoSuchUpload": ErrorEntry(
        404,
        "The specified upload does not exist. The upload ID may be invalid, "
        "or the upload may have been aborted or completed.",
        "0042-00000201",
    ),
    "NoSuchVersion": ErrorEntry(404, "The specified version does not exist."),
    "NotImplemented": ErrorEntry(
        400, "A header you provided implies functionality not implemented."
    ),
    "NotModified": ErrorEntry(304, "The resource was not modified."),
    "NotSymlink": ErrorEntry(400, "The object is not symlink.", "0043-00000101"),
    "ObjectNotAppendable": ErrorEntry(409, "The object is not appendable.", "0026-00000015"),
    "OperationNotSupported": ErrorEntry(400, "The operation is not supported for this resource."),
    "PositionNotEqualToLength": ErrorEntry(
        409, "Position is not equal to file length.", "0026-00000016"
    ),
    "PreconditionFailed": ErrorEntry(
        412, "At least one of the pre-conditions you specified did not hold.", "0026-00000101"
    ),
    "RepeatedTags": ErrorEntry(400, "Tag keys must be unique.", "0010-00000217"),
    "RequestTimeTooSkewed": ErrorEntry(
        403,
        "The difference between the request time and the current time is too large.",
        "0002-00000504",
    ),
    "RestoreAlreadyInProgress": ErrorEntry(409, "The restore operation is in progress."),
    "SecurityTokenExpired": ErrorEntry(403, "The security token you provided has expired."),
    "SignatureDoesNotMatch": ErrorEntry(
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        "0002-00000040",
    ),
    "PartNotSequential": ErrorEntry(409, "The parts have to come in order."),
    "InvalidTrafficLimit": ErrorEntry(400, "The traffic limit is out of range."),
    "SymlinkTargetNotExist": ErrorEntry(
        404, "The symlink target object does not exist.", "0026-00000012"
    ),
    "TooManyTags": ErrorEntry(400, "The number of tags is over the limit.", "0010-00000218"),
    "InternalError": ErrorEntry(
        500, "Please contact the server administrator, oss@service.aliyun.com."
    ),
}


def render_error(failure: Failure, request: Request, identity: tuple[str, str]) -> Reply:
    """Report a failure; the XML for HEAD, which has no body, travels in `x-oss-err`."""
    ec = failure.ec or _UNKNOWN_EC
    fields = {
        "Code": failure.code,
        "Message": failure.message,
        "RequestId": identity[0],
        "HostId": request.host,
        **failure.extra,
        "EC": ec,
        "RecommendDoc": f"https://api.alibabacloud.com/troubleshoot?q={ec}",
    }
    body = error_document(fields)
    reply = error_reply(failure, request, body)
    if failure.status != _NOT_MODIFIED:
        reply.headers["x-oss-ec"] = ec
        if request.method == "HEAD":
            reply.headers["x-oss-err"] = base64.b64encode(body).decode("ascii")
    return reply
