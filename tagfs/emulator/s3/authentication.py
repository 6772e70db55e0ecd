"""Who sends a request: checks its signature, its age and its token, with the service's errors.

A key pair works in every region, for emulators are asked for by all sorts of clients.
"""

import hmac

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine.addressing import bucket_of_host
from tagfs.emulator.engine.context import Caller
from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Call, Request
from tagfs.emulator.s3.signing import (
    ChunkChain,
    V4Claim,
    folded,
    v2_resources,
    v2_signature,
    v2_string,
    v2_subresources,
    v4_canonical_requests,
    v4_signature,
    v4_string,
)
from tagfs.emulator.temporary_keys import find_key
from tagfs.emulator.time_formats import basic_time, parse_basic_time, parse_http_date

_SKEW = 15 * 60
_LONGEST = 7 * 24 * 3600
_V4 = "AWS4-HMAC-SHA256"
_OBS = "x-obs-"
_SCOPE_WORDS = 5


class Authenticator:
    """Knows one key pair, perhaps a temporary one."""

    def __init__(self, config: EmulatorConfig, dialect: Dialect) -> None:
        self._config = config
        self._dialect = dialect

    def check(self, request: Request, call: Call) -> Caller:
        """Tell who sends a request.

        Raises:
            ServiceError: it is signed, but not well.
        """
        authorization = request.headers.get("Authorization")
        if not self._config.verify_signatures:
            return Caller(anonymous=False)
        temporary = find_key(self._config.temporary_keys, request)
        if temporary is not None:
            config = temporary.config(self._config)
            caller = Authenticator(config, self._dialect).check(request, call)
            if temporary.expires <= request.now:
                raise ServiceError(self._dialect.expired_token)
            return caller
        if authorization is not None:
            return self._check_header(request, call, authorization)
        if "X-Amz-Algorithm" in request.query:
            self._check_v4_url(request)
        elif "Signature" in request.query:
            self._check_v2_url(request, call)
        else:
            return Caller(anonymous=True)
        return Caller(anonymous=False)

    def _check_header(self, request: Request, call: Call, authorization: str) -> Caller:
        scheme, _, rest = authorization.partition(" ")
        if scheme == _V4:
            return self._check_v4_header(request, rest)
        if scheme == "AWS" or (scheme == "OBS" and _OBS in self._dialect.families):
            self._check_v2_header(request, call, rest)
            return Caller(anonymous=False)
        raise ServiceError("InvalidArgument", "Unsupported Authorization Type")

    def _check_v2_header(self, request: Request, call: Call, rest: str) -> None:
        family = self._dialect.family_of(request)
        access_key_id, separator, signature = rest.strip().partition(":")
        if not separator:
            message = "AWS authorization header is invalid. Expected AwsAccessKeyId:signature"
            raise ServiceError("InvalidArgument", message)
        self._check_access_key(access_key_id)
        special = request.headers.get(f"{family}date")
        date = special or request.headers.get("Date", "")
        moment = parse_http_date(date) or parse_basic_time(date)
        if moment is None or moment < 0:
            raise ServiceError("AccessDenied", "Authentication requires a valid Date.")
        self._check_skew(request, moment)
        self._check_token(request.headers.get(f"{family}security-token"))
        self._compare_v2(request, call, "" if special else date, signature)

    def _check_v2_url(self, request: Request, call: Call) -> None:
        query = request.query
        access_key_id = query.get("AccessKeyId") or query.get("AWSAccessKeyId", "")
        expires = query.get("Expires", "")
        if not expires.isdecimal():
            raise ServiceError("AccessDenied", "Query-string authentication requires Expires.")
        self._check_access_key(access_key_id)
        if int(expires) < request.now:
            raise ServiceError("AccessDenied", "Request has expired")
        family = self._dialect.family_of(request)
        self._check_token(query.get(f"{family}security-token"))
        self._compare_v2(request, call, expires, query["Signature"])

    def _compare_v2(self, request: Request, call: Call, date: str, signature: str) -> None:
        family = self._dialect.family_of(request)
        headers = folded(request.headers)
        rest = v2_subresources(request.pairs, self._dialect.signed_parameters, family)
        virtual = bucket_of_host(request.host, self._dialect.host_labels) is not None
        string = b""
        for path in v2_resources(call.bucket, request.path, virtual=virtual):
            attempt = v2_string(request.method, headers, date, family, path + rest)
            string = string or attempt
            expected = v2_signature(self._config.access_key_secret, attempt)
            if hmac.compare_digest(expected.encode(), signature.encode()):
                return
        raise self._mismatch(signature, string.decode("utf-8", "surrogateescape"))

    def _check_v4_header(self, request: Request, rest: str) -> Caller:
        fields = {
            name.strip(): value.strip()
            for name, _, value in (part.partition("=") for part in rest.split(","))
        }
        if "Credential" not in fields:
            raise ServiceError("AuthorizationHeaderMalformed")
        headers = folded(request.headers)
        date = headers.get("x-amz-date") or headers.get("date", "")
        signed_at = parse_basic_time(date) or parse_http_date(date)
        if signed_at is None:
            raise ServiceError("AccessDenied", "AWS authentication requires a valid Date.")
        payload = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        claim = _claim(fields, basic_time(signed_at), payload)
        if claim is None:
            raise ServiceError("AuthorizationHeaderMalformed")
        self._check_access_key(claim.access_key_id)
        self._check_skew(request, signed_at)
        self._check_token(headers.get("x-amz-security-token"))
        self._compare_v4(request, claim, request.pairs)
        is_chain = payload.startswith("STREAMING-" + _V4)
        chain = ChunkChain(self._config.access_key_secret, claim) if is_chain else None
        return Caller(anonymous=False, chain=chain)

    def _check_v4_url(self, request: Request) -> None:
        query = request.query
        fields = {
            name: query.get(f"X-Amz-{name}", "")
            for name in ("Credential", "SignedHeaders", "Signature")
        }
        moment, expires = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
        payload = request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        claim, signed_at = _claim(fields, moment, payload), parse_basic_time(moment)
        if claim is None or signed_at is None or not expires.isdecimal():
            raise ServiceError("AuthorizationQueryParametersError")
        if int(expires) > _LONGEST:
            raise ServiceError("AuthorizationQueryParametersError", "X-Amz-Expires is over a week.")
        self._check_access_key(claim.access_key_id)
        if not signed_at - _SKEW <= request.now <= signed_at + int(expires):
            raise ServiceError("AccessDenied", "Request has expired")
        self._check_token(query.get("X-Amz-Security-Token"))
        pairs = [pair for pair in request.pairs if pair[0] != "X-Amz-Signature"]
        self._compare_v4(request, claim, pairs)

    def _compare_v4(self, request: Request, claim: V4Claim, pairs: list[tuple[str, str]]) -> None:
        headers = folded(request.headers)
        string = ""
        for text in v4_canonical_requests(request.method, request.path, pairs, headers, claim):
            attempt = v4_string(claim.moment, claim.scope, text)
            string = string or f"{attempt}\n\n{text}"
            expected = v4_signature(self._config.access_key_secret, claim.scope, attempt)
            if hmac.compare_digest(expected.encode(), claim.signature.encode()):
                return
        raise self._mismatch(claim.signature, string)

    def _check_access_key(self, access_key_id: str) -> None:
        if access_key_id != self._config.access_key_id:
            raise ServiceError("InvalidAccessKeyId", extra={"AWSAccessKeyId": access_key_id})

    def _check_skew(self, request: Request, moment: float) -> None:
        if abs(request.now - moment) > _SKEW:
            raise ServiceError("RequestTimeTooSkewed")

    def _check_token(self, token: str | None) -> None:
        wanted = self._config.security_token
        if wanted is None:
            if token:
                raise ServiceError("InvalidToken")
        elif not token:  # the service does not know a temporary key without its token
            raise ServiceError("InvalidAccessKeyId")
        elif token != wanted:
            raise ServiceError("InvalidToken")

    def _mismatch(self, signature: str, string: str) -> ServiceError:
        extra = {
            "AWSAccessKeyId": self._config.access_key_id,
            "SignatureProvided": signature,
            "StringToSign": string,
        }
        return ServiceError("SignatureDoesNotMatch", extra=extra)


def _claim(fields: dict[str, str], moment: str, payload: str) -> V4Claim | None:
    words = fields.get("Credential", "").split("/")
    if len(words) < _SCOPE_WORDS or not fields.get("Signature"):
        return None
    names = tuple(fields.get("SignedHeaders", "").lower().split(";"))
    scope = "/".join(words[1 - _SCOPE_WORDS :])
    key = "/".join(words[: 1 - _SCOPE_WORDS])
    return V4Claim(key, scope, names, fields["Signature"], moment, payload)
