"""The errors of S3, and how they are reported."""

from tagfs.emulator.engine.errors import ErrorEntry, Failure, error_document, error_reply
from tagfs.emulator.messages import Reply, Request

ERRORS = {
    "UnsupportedMediaType": ErrorEntry(415, "The annotation is not UTF-8."),
    "MissingSecurityHeader": ErrorEntry(400, "Your request was missing a required header"),
    "NoSuchAnnotation": ErrorEntry(404, "The specified annotation does not exist."),
    "InvalidAnnotationName": ErrorEntry(400, "The name of the annotation is not valid."),
    "AnnotationNameTooLong": ErrorEntry(400, "The name of the annotation is too long."),
    "AnnotationLimitExceeded": ErrorEntry(400, "An object has 1,000 annotations at most."),
    "AccessControlListNotSupported": ErrorEntry(400, "The bucket does not allow ACLs"),
    "AccessDenied": ErrorEntry(403, "Access Denied"),
    "AuthorizationHeaderMalformed": ErrorEntry(400, "The authorization header is malformed."),
    "AuthorizationQueryParametersError": ErrorEntry(
        400, "The query string parameters are malformed."
    ),
    "BadDigest": ErrorEntry(
        400, "The Content-MD5 or checksum you specified did not match what we received."
    ),
    "BadRequest": ErrorEntry(400, "Bad request."),
    "BucketAlreadyExists": ErrorEntry(409, "The requested bucket name is not available."),
    "BucketAlreadyOwnedByYou": ErrorEntry(
        409, "Your previous request to create the named bucket succeeded and you already own it."
    ),
    "BucketNotEmpty": ErrorEntry(409, "The bucket you tried to delete is not empty."),
    "EntityTooLarge": ErrorEntry(
        400, "Your proposed upload exceeds the maximum allowed object size."
    ),
    "EntityTooSmall": ErrorEntry(
        400, "Your proposed upload is smaller than the minimum allowed object size."
    ),
    "ExpiredToken": ErrorEntry(400, "The provided token has expired."),
    "IncompleteBody": ErrorEntry(
        400, "You did not provide the number of bytes specified by the Content-Length header."
    ),
    "InternalError": ErrorEntry(500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": ErrorEntry(
        403, "The access key ID that you provided does not exist in our records."
    ),
    "InvalidArgument": ErrorEntry(400, "Invalid Argument"),
    "InvalidBucketName": ErrorEntry(400, "The specified bucket is not valid."),
    "InvalidDigest": ErrorEntry(400, "The Content-MD5 you specified is not valid."),
    "InvalidObjectState": ErrorEntry(
        403, "The operation is not valid for the current state of the object."
    ),
    "InvalidPart": ErrorEntry(400, "One or more of the specified parts could not be found."),
    "InvalidPartNumber": ErrorEntry(416, "The requested partnumber is not satisfiable"),
    "InvalidLocationConstraint": ErrorEntry(400, "The specified location-constraint is not valid"),
    "InvalidPartOrder": ErrorEntry(400, "The list of parts was not in ascending order."),
    "InvalidRange": ErrorEntry(416, "The requested range is not satisfiable"),
    "InvalidRequest": ErrorEntry(400, "Invalid Request"),
    "InvalidStorageClass": ErrorEntry(400, "The storage class you specified is not valid."),
    "InvalidTag": ErrorEntry(400, "The tag provided was not a valid tag."),
    "InvalidToken": ErrorEntry(403, "The provided token is malformed or otherwise not valid."),
    "KeyTooLongError": ErrorEntry(400, "Your key is too long."),
    "MalformedACLError": ErrorEntry(
        400, "The XML you provided was not well-formed or did not validate against our schema"
    ),
    "MalformedXML": ErrorEntry(
        400, "The XML you provided was not well-formed or did not validate against our schema."
    ),
    "MaxMessageLengthExceeded": ErrorEntry(400, "Your request was too big."),
    "MetadataTooLarge": ErrorEntry(
        400, "Your metadata headers exceed the maximum allowed metadata size."
    ),
    "MethodNotAllowed": ErrorEntry(
        405, "The specified method is not allowed against this resource."
    ),
    "MissingContentLength": ErrorEntry(411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": ErrorEntry(404, "The specified bucket does not exist"),
    "NoSuchKey": ErrorEntry(404, "The specified key does not exist."),
    "NoSuchTagSet": ErrorEntry(404, "The TagSet does not exist"),
    "NoSuchUpload": ErrorEntry(
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may "
        "have been aborted or completed.",
    ),
    "NoSuchVersion": ErrorEntry(404, "The specified version does not exist."),
    "NotImplemented": ErrorEntry(
        501, "A header or parameter implies functionality not implemented."
    ),
    "NotModified": ErrorEntry(304, "Not Modified"),
    "OwnershipControlsNotFoundError": ErrorEntry(
        404, "The bucket ownership controls were not found"
    ),
    "PreconditionFailed": ErrorEntry(
        412, "At least one of the pre-conditions you specified did not hold"
    ),
    "RequestHeaderSectionTooLarge": ErrorEntry(
        400, "Your request header section exceeds the maximum allowed size."
    ),
    "RequestTimeTooSkewed": ErrorEntry(
        403, "The difference between the request time and the current time is too large."
    ),
    "RestoreAlreadyInProgress": ErrorEntry(409, "Object restore is already in progress."),
    "SignatureDoesNotMatch": ErrorEntry(
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    ),
    "XAmzContentSHA256Mismatch": ErrorEntry(
        400, "The provided 'x-amz-content-sha256' header does not match what was computed."
    ),
}


def render_error(failure: Failure, request: Request, identity: tuple[str, str]) -> Reply:
    """Report a failure; `identity` is the request's id and the host's."""
    request_id, host_id = identity
    fields = {
        "Code": failure.code,
        "Message": failure.message,
        **failure.extra,
        "RequestId": request_id,
        "HostId": host_id,
    }
    return error_reply(failure, request, error_document(fields))
