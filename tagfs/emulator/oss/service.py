"""The OSS service: from a request to a reply, by way of authentication and one handler."""

import logging
import secrets
import time

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.messages import Call, Reply, Request
from tagfs.emulator.oss.addressing import is_bucket_name, is_key, split_target
from tagfs.emulator.oss.authentication import Authenticator
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError, injected, render_error
from tagfs.emulator.oss.routes import Route, find_route
from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.time_formats import MILLISECONDS

_log = logging.getLogger(__name__)
_READS = frozenset({"GetObject", "HeadObject", "GetObjectMeta"})
_PUBLIC = frozenset({"public-read", "public-read-write"})


class OssService:
    """One account with its buckets."""

    def __init__(self, storage: Storage, config: EmulatorConfig) -> None:
        self._storage = storage
        self._config = config
        self._authenticator = Authenticator(config)

    def identify(self, request: Request) -> Call:
        """Tell what is asked for."""
        bucket, key = split_target(request.host, request.path)
        route = find_route(request, bucket, key)
        return Call(
            operation=route.operation,
            method=request.method,
            bucket=bucket,
            key=key,
            subresource=route.subresource,
            copy=route.copy,
        )

    async def answer(self, request: Request, call: Call) -> Reply:
        """Do what is asked, or say why not."""
        began = time.perf_counter()
        try:
            reply = await self._dispatch(request, call)
        except ServiceError as error:
            reply = self._render(request, error)
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 - a bug is a 500, as it is with the service
            _log.exception("%s failed", call.operation)
            reply = self._render(request, ServiceError("InternalError"))
        self._sign_off(reply, (time.perf_counter() - began) * MILLISECONDS)
        return reply

    async def _dispatch(self, request: Request, call: Call) -> Reply:
        route = find_route(request, call.bucket, call.key)
        anonymous = not self._authenticator.check(request, call)
        context = Context(
            storage=self._storage,
            config=self._config,
            request=request,
            call=call,
            anonymous=anonymous,
        )
        self._check_names(call)
        if call.bucket is not None and call.operation != "PutBucket":
            _ = context.bucket  # or NoSuchBucket
        if anonymous:
            self._check_public(context, route)
        return await route.handler(context)

    def _check_names(self, call: Call) -> None:
        if call.bucket is not None and not is_bucket_name(call.bucket):
            raise ServiceError("InvalidBucketName", extra={"BucketName": call.bucket})
        if call.key is not None and not is_key(call.key):
            raise ServiceError("InvalidObjectName", extra={"ObjectName": call.key})

    def _check_public(self, context: Context, route: Route) -> None:
        """Let strangers read what is public, and nothing else."""
        if route.operation in _READS:
            record = context.find()
            own = record.attributes.acl if record else "default"
            if (context.bucket.acl if own == "default" else own) in _PUBLIC:
                return
        raise ServiceError(
            "AccessDenied", "You have no right to access this object because of bucket acl."
        )

    def refuse(self, request: Request, status: int, code: str, message: str) -> Reply:
        """Say no in the service's words."""
        reply = self._render(request, injected(status, code, message))
        self._sign_off(reply, 0.0)
        return reply

    def _render(self, request: Request, error: ServiceError) -> Reply:
        request_id = _new_request_id()
        reply = render_error(error, method=request.method, request_id=request_id, host=request.host)
        reply.headers["x-oss-request-id"] = request_id
        return reply

    def _sign_off(self, reply: Reply, milliseconds: float) -> None:
        reply.headers.setdefault("x-oss-request-id", _new_request_id())
        reply.headers["x-oss-server-time"] = str(int(milliseconds))
        reply.headers["Server"] = "AliyunOSS"


def _new_request_id() -> str:
    return secrets.token_hex(12).upper()
