"""A service: from request to reply, by way of authentication and one handler."""

import base64
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine.addressing import Target, is_bucket_name, is_text, split_target
from tagfs.emulator.engine.context import Caller, Context
from tagfs.emulator.engine.demands import Demands
from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.errors import Failure, ServiceError, complete, injected
from tagfs.emulator.engine.grants import is_public
from tagfs.emulator.engine.routes import Route, Routes
from tagfs.emulator.messages import Call, Reply, Request
from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.time_formats import MILLISECONDS

_log = logging.getLogger(__name__)
_LISTS = frozenset({"ListObjects", "ListObjectsV2"})
_READS = frozenset({"GetObject", "HeadObject", "GetObjectMeta"})


class Authenticator(Protocol):
    """Knows who may sign requests."""

    def check(self, request: Request, call: Call) -> Caller:
        """Tell who sends a request.

        Raises:
            ServiceError: it is signed, but not well.
        """
        ...


async def _handle(route: Route, context: Context) -> Reply:
    return await route.handler(context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What makes a service: its differences, its operations, and those that need no signature.

    `demands` are the bucket owner's; `handle` carries out an operation.
    """

    dialect: Dialect
    routes: Routes
    authenticator: Authenticator
    unsigned: frozenset[str] = frozenset()
    demands: Demands = field(default_factory=Demands)
    handle: Callable[[Route, Context], Awaitable[Reply]] = _handle


class EngineService:
    """One account with its buckets."""

    def __init__(self, storage: Storage, config: EmulatorConfig, rules: Rules) -> None:
        self._storage = storage
        self._config = config
        self._rules = rules
        self._dialect = rules.dialect

    def identify(self, request: Request) -> Call:
        """Tell what is asked for."""
        target, route = self._find(request)
        return Call(
            operation=route.operation,
            method=request.method,
            bucket=target.bucket,
            key=target.key,
            subresource=route.subresource,
            copy=route.copy,
        )

    def _find(self, request: Request) -> tuple[Target, Route]:
        """Return what a request is for, and which operation it is."""
        target = split_target(request.host, request.path, self._dialect.host_labels)
        return target, self._rules.routes.find(request, target)

    async def answer(self, request: Request, call: Call) -> Reply:
        """Do what is asked, or say why not."""
        began = time.perf_counter()
        try:
            reply = await self._dispatch(request, call)
        except ServiceError as error:
            return self._report(request, complete(error, self._dialect.errors), began)
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 - a bug is a 500, as it is with the service
            _log.exception("%s failed", call.operation)
            bug = complete(ServiceError("InternalError"), self._dialect.errors)
            return self._report(request, bug, began)
        self._sign_off(request, reply, self._new_identity(), began)
        return reply

    async def _dispatch(self, request: Request, call: Call) -> Reply:
        _, route = self._find(request)
        if self._dialect.bucket_first:
            self._check_bucket(call)
        is_unsigned = route.operation in self._rules.unsigned
        if is_unsigned:
            caller = Caller(anonymous=True)
        else:
            caller = self._rules.authenticator.check(request, call)
        context = Context(
            storage=self._storage,
            config=self._config,
            dialect=self._dialect,
            request=request,
            call=call,
            caller=caller,
            family=self._dialect.family_of(request),
        )
        self._check_names(request, call)
        if not is_unsigned:
            self._check_bucket(call)
            self._check_access(context, route)
        self._rules.demands.check(context, route.operation)
        reply = await self._rules.handle(route, context)
        self._rules.demands.mark(context, reply)
        return reply

    def _check_names(self, request: Request, call: Call) -> None:
        dots = self._dialect.dotted_buckets
        if call.bucket is not None and not is_bucket_name(call.bucket, dots=dots):
            raise ServiceError("InvalidBucketName", extra={"BucketName": call.bucket})
        if call.key is not None:
            self._dialect.check_key(call.key)
        if not all(map(is_text, request.query.values())):
            raise ServiceError("InvalidArgument", "A parameter is not UTF-8.")
        bucket = self._storage.buckets.get(call.bucket or "")
        keeps = bucket is not None and bool(bucket.versioning)
        asked = request.query.get("versionId", "null") != "null"
        if self._dialect.versions and asked and not keeps:
            raise ServiceError("NoSuchVersion")

    def _check_bucket(self, call: Call) -> None:
        is_new = call.bucket is None or call.operation == "PutBucket"
        if not is_new and self._storage.buckets.get(call.bucket or "") is None:
            if not is_bucket_name(call.bucket or "", dots=self._dialect.dotted_buckets):
                raise ServiceError("InvalidBucketName", extra={"BucketName": call.bucket or ""})
            raise ServiceError("NoSuchBucket", extra={"BucketName": call.bucket or ""})

    def _check_access(self, context: Context, route: Route) -> None:
        """Let strangers read what is public, and nothing else."""
        if not context.caller.anonymous:
            return
        if route.operation in _READS and self._is_public(context):
            return
        lists = self._dialect.public_lists and route.operation in _LISTS
        if lists and is_public(context.bucket.acl):
            return
        if route.operation == "PutObject" and is_public(context.bucket.acl, "WRITE"):
            return
        raise ServiceError("AccessDenied")

    def _is_public(self, context: Context) -> bool:
        record, of_bucket = context.find(), is_public(context.bucket.acl)
        own = record.attributes.acl if record else self._dialect.default_acl
        if self._dialect.default_shows_bucket:
            return of_bucket if own == "default" else is_public(own)
        return of_bucket or is_public(own)

    def refuse(self, request: Request, status: int, code: str, message: str) -> Reply:
        """Say no in the service's words."""
        errors = self._dialect.errors
        if code == "SecurityTokenExpired":
            code = self._dialect.expired_token
            status = errors[code].status
        return self._report(request, injected(status, code, message, errors), time.perf_counter())

    def _report(self, request: Request, failure: Failure, began: float) -> Reply:
        identity = self._new_identity()
        reply = self._dialect.render_error(failure, request, identity)
        if request.method == "HEAD" and self._dialect.heads_errors:
            family = self._dialect.family_of(request)
            reply.headers[f"{family}error-code"] = failure.code
            reply.headers[f"{family}error-message"] = failure.message
        self._sign_off(request, reply, identity, began)
        return reply

    def _sign_off(
        self, request: Request, reply: Reply, identity: tuple[str, str], began: float
    ) -> None:
        family = self._dialect.family_of(request)
        reply.headers[f"{family}request-id"] = identity[0]
        if self._dialect.names_hosts:
            reply.headers[f"{family}id-2"] = identity[1]
        if self._dialect.reports_server_time:
            spent = (time.perf_counter() - began) * MILLISECONDS
            reply.headers[f"{family}server-time"] = str(int(spent))
        reply.headers["Server"] = self._dialect.server

    def _new_identity(self) -> tuple[str, str]:
        request_id = secrets.token_hex(self._dialect.request_id_bytes).upper()
        return request_id, base64.b64encode(secrets.token_bytes(24)).decode()
