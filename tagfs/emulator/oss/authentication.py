"""Who sends a request: checks its signature, its age and its token, with the service's errors."""

import hmac
from dataclasses import dataclass

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine.context import Caller
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Call, Request
from tagfs.emulator.oss.signing import (
    v1_resource,
    v1_signature,
    v1_string,
    v4_canonical_request,
    v4_signature,
    v4_string,
)
from tagfs.emulator.temporary_keys import find_key
from tagfs.emulator.time_formats import parse_basic_time, parse_http_date

_SKEW = 15 * 60
_LONGEST = 7 * 24 * 3600
_V4 = "OSS4-HMAC-SHA256"
_SCOPE_WORDS = 5


@dataclass(frozen=True, slots=True)
class _Claim:
    """A V4 signature with what it says about itself."""

    credential: str
    additional: tuple[str, ...]
    signature: str
    moment: str
    expires: str | None = None


class Authenticator:
    """Knows one key pair, perhaps a temporary one."""

    def __init__(self, config: EmulatorConfig) -> None:
        self._config = config

    def check(self, request: Request, call: Call) -> Caller:
        """Tell who sends a request.

        Raises:
            ServiceError: it is signed, but not well.
        """
        if not self._config.verify_signatures:
            return Caller(anonymous=False)
        temporary = find_key(self._config.temporary_keys, request)
        if temporary is not None:
            Authenticator(temporary.config(self._config)).check(request, call)
            if temporary.expires <= request.now:
                raise ServiceError("SecurityTokenExpired")
            return Caller(anonymous=False)
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            self._check_header(request, call, authorization)
        elif request.query.get("x-oss-signature-version") == _V4:
            self._check_v4_url(request, call)
        elif "OSSAccessKeyId" in request.query or "Signature" in request.query:
            self._check_v1_url(request, call)
        else:
            return Caller(anonymous=True)
        return Caller(anonymous=False)

    def _check_header(self, request: Request, call: Call, authorization: str) -> None:
        scheme, _, rest = authorization.partition(" ")
        if scheme == "OSS":
            self._check_v1_header(request, call, rest)
        elif scheme == _V4:
            self._check_v4_header(request, call, rest)
        else:
            raise ServiceError(
                "InvalidArgument", "Unsupported authorization type.", ec="0002-00000202"
            )

    def _check_v1_header(self, request: Request, call: Call, rest: str) -> None:
        access_key_id, colon, signature = rest.strip().partition(":")
        if not colon or not signature:
            raise ServiceError("InvalidArgument", "Authorization header is invalid.")
        self._check_access_key(access_key_id)
        date = request.headers.get("x-oss-date") or request.headers.get("Date", "")
        moment = parse_http_date(date)
        if moment is None:
            raise ServiceError("AccessDenied", "OSS authentication requires a valid Date.")
        self._check_skew(request, moment)
        token = request.headers.get("x-oss-security-token") or request.headers.get("security-token")
        self._check_token(token)
        self._compare_v1(request, call, date, signature)

    def _check_v1_url(self, request: Request, call: Call) -> None:
        query = request.query
        try:
            signature, expires = query["Signature"], query["Expires"]
            access_key_id = query["OSSAccessKeyId"]
            moment = int(expires)
        except (KeyError, ValueError):
            raise ServiceError(
                "AccessDenied",
                "Query-string authentication requires the Signature, Expires and "
                "OSSAccessKeyId parameters.",
            ) from None
        self._check_access_key(access_key_id)
        if moment < request.now:
            raise ServiceError("AccessDenied", "Request has expired.")
        self._check_token(query.get("security-token"))
        self._compare_v1(request, call, expires, signature)

    def _compare_v1(self, request: Request, call: Call, date: str, signature: str) -> None:
        resource = v1_resource(call.bucket, call.key, request.pairs)
        string = v1_string(request.method, request.headers, date, resource)
        expected = v1_signature(self._config.access_key_secret, string)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise self._mismatch(signature, string.decode("utf-8", "surrogateescape"))

    def _check_v4_header(self, request: Request, call: Call, rest: str) -> None:
        fields = {
            name.strip(): value.strip()
            for name, _, value in (part.partition("=") for part in rest.split(","))
        }
        if not {"Credential", "Signature"} <= fields.keys():
            raise ServiceError("InvalidArgument", "Authorization header is invalid.")
        moment = request.headers.get("x-oss-date", "")
        claim = _Claim(
            fields["Credential"],
            tuple(fields.get("AdditionalHeaders", "").split(";")),
            fields["Signature"],
            moment,
        )
        signed_at = parse_basic_time(claim.moment)
        if signed_at is None:
            raise ServiceError("AccessDenied", "OSS authentication requires a valid Date.")
        self._check_skew(request, signed_at)
        token = request.headers.get("x-oss-security-token")
        self._compare_v4(request, call, claim, token)

    def _check_v4_url(self, request: Request, call: Call) -> None:
        query = request.query
        claim = _Claim(
            query.get("x-oss-credential", ""),
            tuple(query.get("x-oss-additional-headers", "").split(";")),
            query.get("x-oss-signature", ""),
            query.get("x-oss-date", ""),
        )
        signed_at = parse_basic_time(claim.moment)
        expires = query.get("x-oss-expires", "")
        if signed_at is None or not expires.isdigit() or int(expires) > _LONGEST:
            raise ServiceError("InvalidArgument", "Invalid date or expires in the signed URL.")
        if signed_at - request.now > _SKEW:
            raise ServiceError("AccessDenied", "Request is not valid yet.")
        if signed_at + int(expires) < request.now:
            raise ServiceError("AccessDenied", "Request has expired.")
        self._compare_v4(request, call, claim, query.get("x-oss-security-token"))

    def _compare_v4(self, request: Request, call: Call, claim: _Claim, token: str | None) -> None:
        words = claim.credential.split("/")
        if len(words) != _SCOPE_WORDS or words[4] != "aliyun_v4_request" or words[3] != "oss":
            raise ServiceError("InvalidArgument", "Invalid credential in Authorization header.")
        access_key_id, day, region = words[:3]
        self._check_access_key(access_key_id)
        if region != self._config.region:
            message = "Invalid signing region in Authorization header."
            if "Authorization" not in request.headers:
                message = "The signing region in credential is invalid."
            raise ServiceError("InvalidArgument", message, ec="0002-00000226")
        if day != claim.moment[:8]:
            raise ServiceError("InvalidArgument", "Invalid signing date in Authorization header.")
        self._check_token(token)
        scope = "/".join(words[1:])
        path = "/" if call.bucket is None else f"/{call.bucket}/{call.key or ''}"
        pairs = [pair for pair in request.pairs if pair[0] != "x-oss-signature"]
        canonical = v4_canonical_request(
            request.method, path, pairs, request.headers, filter(None, claim.additional)
        )
        string = v4_string(claim.moment, scope, canonical)
        expected = v4_signature(self._config.access_key_secret, scope, string)
        if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
            raise self._mismatch(claim.signature, string, canonical)

    def _check_access_key(self, access_key_id: str) -> None:
        if access_key_id != self._config.access_key_id:
            raise ServiceError("InvalidAccessKeyId", extra={"OSSAccessKeyId": access_key_id})

    def _check_skew(self, request: Request, moment: float) -> None:
        if abs(request.now - moment) > _SKEW:
            raise ServiceError("RequestTimeTooSkewed")

    def _check_token(self, token: str | None) -> None:
        wanted = self._config.security_token
        if wanted is None:
            if token:
                raise ServiceError("InvalidSecurityToken")
        elif not token:  # the service does not know a temporary key without its token
            raise ServiceError(
                "InvalidAccessKeyId", extra={"OSSAccessKeyId": self._config.access_key_id}
            )
        elif token != wanted:
            raise ServiceError("InvalidSecurityToken")

    def _mismatch(self, signature: str, string: str, canonical: str | None = None) -> ServiceError:
        extra = {
            "OSSAccessKeyId": self._config.access_key_id,
            "SignatureProvided": signature,
            "StringToSign": string,
            "StringToSignBytes": string.encode("utf-8", "surrogateescape").hex(" ").upper(),
        }
        if canonical is not None:
            extra["CanonicalRequest"] = canonical
        return ServiceError("SignatureDoesNotMatch", extra=extra)
