"""Signatures of requests to token services. Pure; compared with the vendors' SDKs in the tests."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from tagfs.store.credentials.values import Credentials


def sign_v4(
    url: str, body: bytes, by: Credentials, now: float, *, region: str, service: str
) -> dict[str, str]:
    """Return the headers of a POST of a form, signed with AWS Signature Version 4.

    `url` has no query.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    parts = urlsplit(url)
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": _authority(url),
        "x-amz-date": moment,
    }
    if by.session_token is not None:
        headers["x-amz-security-token"] = by.session_token
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    digest = hashlib.sha256(body).hexdigest()
    canonical = "\n".join(["POST", parts.path or "/", "", *lines, "", names, digest])
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = b"AWS4" + by.secret_access_key.encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={by.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _authority(url: str) -> str:
    """Return the Host header, which leaves out the scheme's own port."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return name if parts.port in {None, usual} else f"{name}:{parts.port}"


def sign_rpc(
    method: str, parameters: Mapping[str, str], by: Credentials, now: float, nonce: str
) -> dict[str, str]:
    """Return all parameters of a call of Alibaba Cloud's RPC kind, its signature among them."""
    signed = {
        **parameters,
        **rpc_time(now),
        "AccessKeyId": by.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": nonce,
    }
    if by.session_token is not None:
        signed["SecurityToken"] = by.session_token
    query = "&".join(f"{_encode(name)}={_encode(signed[name])}" for name in sorted(signed))
    text = f"{method}&%2F&{_encode(query)}"
    digest = hmac.digest(f"{by.secret_access_key}&".encode(), text.encode(), "sha1")
    return {**signed, "Signature": base64.b64encode(digest).decode()}


def rpc_time(now: float) -> dict[str, str]:
    """Return the parameter that tells when a call was made."""
    return {"Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))}


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
