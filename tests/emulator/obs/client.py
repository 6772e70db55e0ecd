"""The vendor's SDK on an emulator, and raw requests for what it does not know."""

import base64
import hashlib
import hmac
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import requests
from obs import ObsClient

from tests.emulator.emulation import KEY_ID, SECRET, Emulator
from tests.emulator.names import DOMAIN

_SIGNED = {"append", "metadata", "name", "partNumber", "position", "rename"}
_SIGNED |= {"symlink", "tagging", "uploadId", "uploads"}


class Refused(Exception):
    """The service said no."""

    def __init__(self, answer: Any) -> None:
        super().__init__(answer.status, answer.errorCode)
        self.status = answer.status
        self.code = answer.errorCode


class Sdk:
    """The SDK's client, whose refusals are exceptions."""

    def __init__(self, url: str, signature: str = "v2") -> None:
        virtual = signature == "obs"
        server = url.replace("127.0.0.1", f"obs.{DOMAIN}") if virtual else url
        self.client = ObsClient(
            KEY_ID, SECRET, server=server, signature=signature, max_retry_count=0
        )

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            answer = method(*arguments, **options)
            if answer.status >= 300:
                raise Refused(answer)
            return answer

        return call

    def tags(self, bucket: str) -> dict[str, str]:
        found = self.getBucketTagging(bucket).body.tagSet
        return {tag.key: tag.value or "" for tag in found}

    def object_tags(self, bucket: str, key: str) -> dict[str, str]:
        found = self.getObjectTagging(bucket, key).body.tags
        return {tag.key: tag.value or "" for tag in found}

    def content(self, bucket: str, key: str, **options: Any) -> bytes:
        answer = self.getObject(bucket, key, loadStreamInMemory=True, **options)
        content: bytes = answer.body.buffer
        return content


class Raw:
    """Requests signed in the OBS form, written down anew from the reference."""

    def __init__(self, emulator: Emulator, bucket: str) -> None:
        self.emulator = emulator
        self.bucket = bucket

    def __call__(
        self,
        method: str,
        key: str = "",
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> requests.Response:
        path = quote(f"/{self.bucket}/{key}", safe="/~")
        sent = {"Date": formatdate(usegmt=True), "Content-Type": "", **(headers or {})}
        own = sorted(
            (name.lower(), value)
            for name, value in sent.items()
            if name.lower().startswith("x-obs-")
        )
        lines = [method, sent.get("Content-MD5", ""), sent["Content-Type"], sent["Date"]]
        lines += [f"{name}:{value}" for name, value in own]
        signed = "&".join(word for word in query.split("&") if word.partition("=")[0] in _SIGNED)
        lines.append(path + (f"?{signed}" if signed else ""))
        digest = hmac.digest(SECRET.encode(), "\n".join(lines).encode(), "sha1")
        sent["Authorization"] = f"OBS {KEY_ID}:{base64.b64encode(digest).decode()}"
        url = self.emulator.url + path + (f"?{quote(query, safe='=&/')}" if query else "")
        return requests.request(method, url, headers=sent, data=body, timeout=60)


def md5_header(body: bytes) -> dict[str, str]:
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
