"""A stand-in for the token services of three clouds, on loopback, as their documents have them.

Signatures are verified by the vendors' own code. Pairs are handed out one after the other, and
what was asked is remembered; before that a script of failures is played.
"""

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from aliyunsdkcore.auth.algorithm import sha_hmac1
from aliyunsdkcore.auth.composer import rpc_signature_composer
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SUBJECT = "iam-token-of-huawei"
SILENT = object()
"""A step of a script: take the request, and do not answer."""


@dataclass(frozen=True)
class Asked:
    """One request that was accepted as such.

    Attributes:
        by: the key that signed it, "" for none.
    """

    action: str
    parameters: dict[str, Any]
    by: str = ""
    target: str = ""


@dataclass
class TokenServices:
    """All services at one address.

    Attributes:
        pairs: id, secret, token and expiration to hand out; the last repeats.
        keys: who may sign: secrets and session tokens ("" for none) by their ids.
        bearers: tokens that are accepted without a signature.
        script: failures to come: status and body, bytes to send as they are, or SILENT.
        offset: seconds by which its clock is ahead.
    """

    pairs: list[tuple[str, str, str, str]] = field(default_factory=list)
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    bearers: set[str] = field(default_factory=set)
    script: list[Any] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    offset: float = 0.0
    requests: int = 0

    def __enter__(self) -> Self:
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service._serve(self)

            do_POST = do_GET  # noqa: N815  (the server's name for it)

            def log_message(self, *_: object) -> None:
                pass

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) + service.offset)

        self._over = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead tagfs, and the vendors' SDKs where they have them, here."""
        return {
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_ENDPOINT_URL_SSO": self.url,
            "ALIBABA_CLOUD_STS_ENDPOINT": self.url,
            "HUAWEICLOUD_SDK_IAM_ENDPOINT": self.url,
            "HUAWEICLOUD_SDK_STS_ENDPOINT": self.url,
        }

    def next_pair(self) -> tuple[str, str, str, str]:
        return self.pairs.pop(0) if len(self.pairs) > 1 else self.pairs[0]

    def actions(self) -> list[str]:
        return [one.action for one in self.asked]

    def _serve(self, request: Any) -> None:
        self.requests += 1
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        if self.script:
            step = self.script.pop(0)
            if step is SILENT:
                self._over.wait(30)
                return
            if isinstance(step, bytes):
                request.wfile.write(step)
                request.close_connection = True
                return
            status, text, headers = (*step, {})[:3]
        else:
            status, text, headers = self._answer(request, body)
        data = text.encode()
        with contextlib.suppress(ConnectionError):
            request.send_response(status)
            for name, value in {**headers, "content-length": str(len(data))}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(data)

    def _answer(self, request: Any, body: bytes) -> tuple[int, str, dict[str, str]]:
        path = urlsplit(request.path).path
        answers: dict[str, Callable[[Any, bytes], tuple[int, str, dict[str, str]]]] = {
            "/federation/credentials": self._sso,
            "/v3.0/OS-AUTH/id-token/tokens": self._huawei_token,
            "/v3.0/OS-CREDENTIAL/securitytokens": self._huawei_pair,
            "/v5/agencies/assume-with-oidc": self._huawei_agency,
            "/pod": self._huawei_pod,
            "/uri": self._uri,
        }
        if path in answers:
            return answers[path](request, body)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        ours = form.get("Version") == "2015-04-01"
        return self._alibaba(request, form) if ours else self._amazon(request, form, body)

    # Amazon

    def _amazon(
        self, request: Any, form: dict[str, str], body: bytes
    ) -> tuple[int, str, dict[str, str]]:
        action, by = form.pop("Action", ""), ""
        version = form.pop("Version", "")
        if action == "GetCallerIdentity" and version == "2011-06-15":
            return self._caller(request, body)
        if version != "2011-06-15" or "RoleSessionName" not in form:
            return _aws_error(400, "MissingParameter", "what is this")
        if action == "AssumeRole":
            by = _access_key_id(request)
            if not self._is_signed(request, body, by):
                return _aws_error(403, "SignatureDoesNotMatch", "what you signed is " + str(form))
        elif form.get("WebIdentityToken") not in self.bearers:
            reported = f"who is {form.get('WebIdentityToken')}"
            return _aws_error(400, "InvalidIdentityToken", reported)
        self.asked.append(Asked(action, form, by, request.path))
        key_id, secret, token, moment = self.next_pair()
        arn = f"{form['RoleArn'].replace(':role/', ':assumed-role/')}/{form['RoleSessionName']}"
        parts = {"AccessKeyId": key_id, "SecretAccessKey": secret, "SessionToken": token}
        inner = "".join(f"<{n}>{v}</{n}>" for n, v in {**parts, "Expiration": moment}.items())
        text = (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
            f"<Credentials>{inner}</Credentials><AssumedRoleUser><Arn>{arn}</Arn>"
            f"<AssumedRoleId>X:y</AssumedRoleId></AssumedRoleUser></{action}Result>"
            f"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
        )
        return 200, text, {"content-type": "text/xml"}

    def _caller(self, request: Any, body: bytes) -> tuple[int, str, dict[str, str]]:
        by = _access_key_id(request)
        if not self._is_signed(request, body, by):
            return _aws_error(403, "SignatureDoesNotMatch", "what you signed is " + body.decode())
        self.asked.append(Asked("GetCallerIdentity", {}, by, request.path))
        text = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/{by}</Arn>"
            "<UserId>X</UserId><Account>123456789012</Account></GetCallerIdentityResult>"
            "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
            "</GetCallerIdentityResponse>"
        )
        return 200, text, {"content-type": "text/xml"}

    def _is_signed(self, request: Any, body: bytes, by: str) -> bool:
        secret, token = self.keys.get(by, ("", ""))
        if not secret or request.headers.get("x-amz-security-token", "") != token:
            return False
        region = request.headers["authorization"].split("/")[2]
        moment = request.headers["x-amz-date"]
        when = time.strptime(moment, "%Y%m%dT%H%M%SZ")
        if abs(time.mktime(when) - time.timezone - time.time() - self.offset) > 300:
            return False
        names = request.headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
        signed = {name: request.headers[name] for name in names.split(";")}
        url = f"http://{request.headers['host']}{request.path}"
        shown = AWSRequest(method=request.command, url=url, headers=signed, data=body)
        shown.context["timestamp"] = moment
        judge = SigV4Auth(Credentials(by, secret, token or None), "sts", region)
        text = judge.string_to_sign(shown, judge.canonical_request(shown))
        return bool(request.headers["authorization"].endswith(judge.signature(text, shown)))

    def _sso(self, request: Any, _body: bytes) -> tuple[int, str, dict[str, str]]:
        if request.headers.get("x-amz-sso_bearer_token") not in self.bearers:
            return 401, '{"message":"no"}', {"x-amzn-ErrorType": "UnauthorizedException:x"}
        query = dict(parse_qsl(urlsplit(request.path).query))
        self.asked.append(Asked("GetRoleCredentials", query))
        key_id, secret, token, moment = self.next_pair()
        words = {"accessKeyId": key_id, "secretAccessKey": secret, "sessionToken": token}
        stamp = int(_seconds(moment) * 1000)
        return 200, json.dumps({"roleCredentials": {**words, "expiration": stamp}}), {}

    # Alibaba Cloud

    def _alibaba(self, request: Any, form: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        action, by = form.get("Action", ""), form.get("AccessKeyId", "")
        if not form.get("RoleSessionName") or form.get("Format") != "JSON":
            return 400, json.dumps({"Code": "MissingParameter", "Message": "what"}), {}
        if action == "AssumeRole":
            secret, token = self.keys.get(by, ("", ""))
            signature = form.pop("Signature", "")
            compose = getattr(rpc_signature_composer, "__compose_string_to_sign")
            text = compose(request.command, form)
            right = sha_hmac1.get_sign_string(text, secret + "&")
            late = abs(_seconds(form["Timestamp"]) - time.time() - self.offset) > 300
            if late:
                return 400, json.dumps({"Code": "InvalidTimeStamp.Expired", "Message": "late"}), {}
            if not secret or signature != right or form.get("SecurityToken", "") != token:
                reported = f"server string to sign is:{text}"
                return 400, json.dumps({"Code": "SignatureDoesNotMatch", "Message": reported}), {}
        elif form.get("OIDCToken") not in self.bearers:
            reported = f"The token {form.get('OIDCToken')} is no good"
            return (
                400,
                json.dumps({"Code": "AuthenticationFail.OIDCToken", "Message": reported}),
                {},
            )
        self.asked.append(Asked(action, form, by))
        arn = f"{form['RoleArn']}/{form['RoleSessionName']}"
        return 200, json.dumps({"Credentials": self._words(), "AssumedRoleUser": {"Arn": arn}}), {}

    def _uri(self, request: Any, _body: bytes) -> tuple[int, str, dict[str, str]]:
        self.asked.append(Asked("uri", dict(parse_qsl(urlsplit(request.path).query))))
        return 200, json.dumps({"Code": "Success", **self._words()}), {}

    def _words(self) -> dict[str, str]:
        names = ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")
        return dict(zip(names, self.next_pair(), strict=True))

    # Huawei Cloud

    def _huawei_token(self, request: Any, body: bytes) -> tuple[int, str, dict[str, str]]:
        given = json.loads(body)["auth"]["id_token"]["id"]
        if given not in self.bearers:
            error = {"code": 401, "message": f"The token {given} is bad", "title": "Unauthorized"}
            return 401, json.dumps({"error": error}), {}
        self.asked.append(Asked("id-token", {"idp": request.headers.get("x-idp-id")}))
        return 201, json.dumps({"token": {}}), {"X-Subject-Token": SUBJECT}

    def _huawei_pair(self, _request: Any, body: bytes) -> tuple[int, str, dict[str, str]]:
        identity = json.loads(body)["auth"]["identity"]
        if identity["methods"] != ["token"] or identity["token"]["id"] != SUBJECT:
            return 401, json.dumps({"error_code": "IAM.0101", "error_msg": "who are you"}), {}
        self.asked.append(Asked("securitytokens", identity["token"]))
        names = ("access", "secret", "securitytoken", "expires_at")
        return 201, json.dumps({"credential": self._huawei_words(names)}), {}

    def _huawei_agency(self, _request: Any, body: bytes) -> tuple[int, str, dict[str, str]]:
        given = json.loads(body)
        if given.pop("id_token") not in self.bearers:
            return 403, json.dumps({"error_code": "STS5.0007", "error_msg": "no"}), {}
        self.asked.append(Asked("assume-with-oidc", given))
        names = ("access_key_id", "secret_access_key", "security_token", "expiration")
        agency = {"urn": f"{given['agency_urn']}/{given['agency_session_name']}"}
        words = self._huawei_words(names)
        return 200, json.dumps({"credentials": words, "assumed_agency": agency}), {}

    def _huawei_pod(self, request: Any, _body: bytes) -> tuple[int, str, dict[str, str]]:
        if request.command != "POST" or request.headers.get("authorization") not in self.bearers:
            return 401, "no", {}
        self.asked.append(Asked("pod", {}))
        names = ("access_key_id", "secret_access_key", "security_token", "expiration")
        return 200, json.dumps({"credentials": self._huawei_words(names)}), {}

    def _huawei_words(self, names: tuple[str, ...]) -> dict[str, str]:
        key_id, secret, token, moment = self.next_pair()
        precise = moment.replace("Z", ".000000Z")
        return dict(zip(names, (key_id, secret, token, precise), strict=True))


def _aws_error(status: int, code: str, message: str) -> tuple[int, str, dict[str, str]]:
    text = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender'
        f"</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>r</RequestId></ErrorResponse>"
    )
    return status, text, {"content-type": "text/xml"}


def _access_key_id(request: Any) -> str:
    shown = str(request.headers.get("authorization", ""))
    return shown.partition("Credential=")[2].partition("/")[0]


def _seconds(moment: str) -> float:
    return time.mktime(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def in_seconds(seconds: float) -> str:
    """Write a moment from now as the services do."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
