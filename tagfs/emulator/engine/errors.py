"""Errors in a service's words: raised by code, and completed from the service's own table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tagfs.emulator.messages import Reply, Request
from tagfs.emulator.xml_text import element, render

_NOT_MODIFIED = 304


class ErrorEntry(NamedTuple):
    """What a service says when an error has this code; `ec` is the finer code that OSS has."""

    status: int
    message: str
    ec: str = ""


ErrorTable = Mapping[str, ErrorEntry]


class ServiceError(Exception):
    """A failure by its code; what is given beside it takes the place of what the table says."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        ec: str | None = None,
        extra: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.ec = ec
        self.extra = extra or {}
        self.headers = headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as a service reports it."""

    status: int
    code: str
    message: str
    ec: str
    extra: Mapping[str, str]
    headers: Mapping[str, str]


def complete(error: ServiceError, table: ErrorTable) -> Failure:
    """Return an error with what the table says of its code.

    Raises:
        KeyError: the service knows no such code.
    """
    entry = table[error.code]
    return Failure(
        status=entry.status,
        code=error.code,
        message=error.message or entry.message,
        ec=error.ec or entry.ec,
        extra=error.extra,
        headers=error.headers,
    )


def injected(status: int, code: str, message: str, table: ErrorTable) -> Failure:
    """Return a failure that a fault asks for, whatever the table says of its code."""
    ec = table.get(code, table["InternalError"]).ec
    return Failure(status=status, code=code, message=message, ec=ec, extra={}, headers={})


Render = Callable[[Failure, Request, tuple[str, str]], Reply]
"""How a service reports a failure of a request whose id, and whose host's, are given."""


def error_document(fields: Mapping[str, str]) -> bytes:
    """Return the XML of an error."""
    return render("Error", *(element(name, text) for name, text in fields.items()))


def error_reply(failure: Failure, request: Request, body: bytes) -> Reply:
    """Return the answer with this body; those to HEAD, and 304, have none."""
    headers = dict(failure.headers)
    if failure.status == _NOT_MODIFIED:
        return Reply(status=failure.status, headers=headers)
    if request.method == "HEAD":
        headers.setdefault("Content-Length", "0")
        return Reply(status=failure.status, headers=headers)
    headers["Content-Type"] = "application/xml"
    return Reply(status=failure.status, headers=headers, body=body)
