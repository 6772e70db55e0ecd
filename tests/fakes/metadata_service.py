"""Stand-ins for the metadata services of three clouds, on loopback, as their documents have them.

They hand out one pair after the other, and remember what they were asked.
"""

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any, Self

TOKEN = "metadata-session"


class MetadataService:
    """One service.

    Attributes:
        pairs: the members of the answers to come; the last repeats.
        hardened: whether nothing is reported without a session's token.
        sessions: whether there are any.
        asked: method and path of each request.
    """

    def __init__(self, cloud: str, *pairs: dict[str, str], hardened: bool = True) -> None:
        self.cloud = cloud
        self.pairs = list(pairs)
        self.hardened = hardened
        self.sessions = True
        self.status = 200
        self.asked: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service._answer(self)

            do_PUT = do_GET  # noqa: N815  (the server's name for it)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: Any) -> None:
        length = int(request.headers.get("content-length") or 0)
        request.rfile.read(length)
        self.asked.append((request.command, request.path))
        status, text = CLOUDS[self.cloud](self, request)
        body = text.encode()
        request.send_response(status)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def next_pair(self) -> dict[str, str]:
        return self.pairs.pop(0) if len(self.pairs) > 1 else self.pairs[0]


def _session(service: MetadataService, request: Any, path: str, name: str) -> tuple[int, str]:
    """Answer the PUT that begins a session, and judge the header of all others."""
    ttl = request.headers.get(f"{name}-ttl-seconds")
    if request.command == "PUT":
        if not service.sessions:
            return 404, "no such thing"
        return (200, TOKEN) if request.path == path and ttl and ttl.isdigit() else (400, "bad")
    shown = request.headers.get(name)
    if shown not in ({TOKEN} if service.hardened else {TOKEN, None}):
        return 401, "no session"
    return 0, ""


def _roles(session: str, root: str, role: str) -> Callable[[MetadataService, Any], tuple[int, str]]:
    def respond(service: MetadataService, request: Any) -> tuple[int, str]:
        status, text = _session(service, request, "/latest/api/token", session)
        if status:
            return status, text
        if service.status != 200:
            return service.status, "trouble"
        if request.path == root:
            return 200, role
        if request.path == root + role:
            return 200, json.dumps({"Code": "Success", **service.next_pair()})
        return 404, "not found"

    return respond


def _huawei(service: MetadataService, request: Any) -> tuple[int, str]:
    status, text = _session(service, request, "/meta-data/latest/api/token", "x-metadata-token")
    if status:
        return status, text
    if service.status != 200:
        return service.status, "trouble"
    if request.path != "/openstack/latest/securitykey":
        return 404, "not found"
    return 200, json.dumps({"credential": service.next_pair()})


def _container(service: MetadataService, request: Any) -> tuple[int, str]:
    if request.path != "/v2/credentials/x?id=1":
        return 404, "not found"
    if service.hardened and request.headers.get("authorization") != TOKEN:
        return 401, "who are you"
    return 200, json.dumps(service.next_pair())


CLOUDS = {
    "oss": _roles(
        "x-aliyun-ecs-metadata-token", "/latest/meta-data/ram/security-credentials/", "tagfs-role"
    ),
    "s3": _roles(
        "x-aws-ec2-metadata-token", "/latest/meta-data/iam/security-credentials/", "tagfs-role"
    ),
    "obs": _huawei,
    "container": _container,
}
"""How each cloud answers, by the service whose buckets its role is for."""

WORDS = {
    "oss": ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"),
    "s3": ("AccessKeyId", "SecretAccessKey", "Token", "Expiration"),
    "container": ("AccessKeyId", "SecretAccessKey", "Token", "Expiration"),
    "obs": ("access", "secret", "securitytoken", "expires_at"),
}
"""What each calls the parts of a pair."""

ADDRESSES = {
    "oss": "TAGFS_OSS_METADATA_ENDPOINT",
    "obs": "TAGFS_OBS_METADATA_ENDPOINT",
    "s3": "AWS_EC2_METADATA_SERVICE_ENDPOINT",
}
"""The variables that lead tagfs to a stand-in."""


def pair(cloud: str, *values: str) -> dict[str, str]:
    """Write a pair in a cloud's words."""
    return dict(zip(WORDS[cloud], values, strict=True))
