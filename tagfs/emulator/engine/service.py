"""A service of the family: from request to reply, by authentication and one handler."""

import base64
import logging
import secrets
from dataclasses import dataclass

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine.addressing import is_bucket_name, is_text, key_fits, split_target
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.errors import ServiceError, injected, render_error
from tagfs.emulator.engine.grants import is_public
from tagfs.emulator.engine.routes import Route, Routes
from tagfs.emulator.messages import Call, Reply, Request
from tagfs.emulator.s3.authentication import Authenticator, Caller, family_of
from tagfs.emulator.storage.engine import Storage

_log = logging.getLogger(__name__)
_READS = frozenset({"GetObject", "HeadObject"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What makes a service: its differences, its operations, and those that need no signature."""

    dialect: Dialect
    routes: Routes
    unsigned: frozenset[str] = frozenset()


class EngineService:
    """One account with its buckets."""

    def __init__(self, storage: Storage, config: EmulatorConfig, rules: Rules) -> None:
        self._storage = storage
        self._config = config
        self._rules = rules
        self._authenticator = Authenticator(config, rules.dialect)

    def identify(self, request: Request) -> Call:
        """Tell what is asked for."""
        target = split_target(request.host, request.path)
        route = self._rules.routes.find(request, target)
        return Call(
            operation=route.operation,
            method=request.method,
            bucket=target.bucket,
            key=target.key,
            subresource=route.subresource,
            copy=route.copy,
        )

    async def answer(self, request: Request, call: Call) -> Reply:
        """Do what is asked, or say why not."""
        try:
            reply = await self._dispatch(request, call)
        except ServiceError as error:
            return self._render(request, error)
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 - a bug is a 500, as it is with the service
            _log.exception("%s failed", call.operation)
            return self._render(request, ServiceError("InternalError"))
        self._sign_off(request, reply, _new_identity())
        return reply

    async def _dispatch(self, request: Request, call: Call) -> Reply:
        route = self._rules.routes.find(request, split_target(request.host, request.path))
        if route.operation in self._rules.unsigned:
            caller = Caller(anonymous=True)
        else:
            caller = self._authenticator.check(request, call)
        context = Context(
            storage=self._storage,
            config=self._config,
            dialect=self._rules.dialect,
            request=request,
            call=call,
            caller=caller,
            family=family_of(request, self._rules.dialect),
        )
        self._check_names(request, call)
        if route.operation not in self._rules.unsigned:
            self._check_access(context, route)
        return await route.handler(context)

    def _check_names(self, request: Request, call: Call) -> None:
        if call.bucket is not None and not is_bucket_name(call.bucket):
            raise ServiceError("InvalidBucketName", extra={"BucketName": call.bucket})
        if call.key is not None:
            if not key_fits(call.key, in_characters=self._rules.dialect.key_in_characters):
                raise ServiceError("KeyTooLongError")
            if not is_text(call.key):
                raise ServiceError("InvalidArgument", "The key is not UTF-8.")
        if request.query.get("versionId", "null") != "null":
            raise ServiceError("NoSuchVersion")

    def _check_access(self, context: Context, route: Route) -> None:
        """Let strangers read what is public, and nothing else."""
        if context.call.bucket is not None and route.operation != "PutBucket":
            _ = context.bucket  # or NoSuchBucket
        if not context.caller.anonymous:
            return
        if route.operation in _READS:
            record = context.find()
            acls = (context.bucket.acl, record.attributes.acl if record else "")
            if any(map(is_public, acls)):
                return
        raise ServiceError("AccessDenied")

    def refuse(self, request: Request, status: int, code: str, message: str) -> Reply:
        """Say no in the service's words."""
        if code == "SecurityTokenExpired" and self._rules.dialect.family == "x-amz-":
            status, code = 400, "ExpiredToken"
        return self._render(request, injected(status, code, message))

    def _render(self, request: Request, error: ServiceError) -> Reply:
        identity = _new_identity()
        reply = render_error(error, method=request.method, identity=identity)
        if request.method == "HEAD" and self._rules.dialect.family == "x-obs-":
            family = family_of(request, self._rules.dialect)
            reply.headers[f"{family}error-code"] = error.code
            reply.headers[f"{family}error-message"] = error.message
        self._sign_off(request, reply, identity)
        return reply

    def _sign_off(self, request: Request, reply: Reply, identity: tuple[str, str]) -> None:
        family = family_of(request, self._rules.dialect)
        reply.headers[f"{family}request-id"], reply.headers[f"{family}id-2"] = identity
        reply.headers["Server"] = self._rules.dialect.server


def _new_identity() -> tuple[str, str]:
    return secrets.token_hex(16).upper(), base64.b64encode(secrets.token_bytes(24)).decode()
