"""Faults: what goes wrong on purpose, how it is written down, and which requests it strikes.

A specification is an action, then options, separated by `:` or `,`; values are percent-decoded:

    ACTION[=VALUE][:OPTION=VALUE]...        status=503:code=ServiceUnavailable:op=PutObject:times=2

Which requests (all that are given must hold; names are shell patterns):
    op=PutObject  method=PUT  sub=tagging (`none`: no subresource)  bucket=b*  key=logs/*
    header=x-amz-tagging*  (a header of such a name, in lower case, comes with it)
    after=N   let the first N matching requests pass
    times=N   strike N times, then never again
    rate=0.1  strike a matching request with this probability

Instead of an answer; `when=before` (default) spares the work, `when=after` loses its reply:
    status=503[:code=C][:message=M][:retry_after=S]   an error in the service's words
    token_expired, skew, deny     403 SecurityTokenExpired, RequestTimeTooSkewed, AccessDenied
    reset                         drop the connection (RST)
    hang[=SECONDS]                say nothing for that long (default: for ever), then drop it
    empty                         200, and no body

The answer, damaged (op, sub and so on choose which):
    delay=SECONDS     extra latency
    hold              the work is not begun before other faults take the place of these
    cut[=BYTES]       close the connection after so many bytes of the body (default: half of it)
    short[=BYTES]     a complete answer that lacks so many bytes at the end (default 1)
    corrupt[=OFFSET]  one byte of the body differs (default: the middle one)
    drip[=BYTES][:pause=S]  the body in pieces of so many bytes (default 1024), S (0.05) apart
    crc, etag         the checksum or the ETag in the header is wrong
    garbage           200, and a body that is not XML
    error200[=CODE]   200, and a body that is an error (default InternalError); the work is done

Lasting states of the service:
    clock=SECONDS       its clock is ahead by so much (signatures are judged by it)
    stale_list=SECONDS  objects younger than this are not listed
    deny_tags           tags may not be read: GetObjectTagging is 403, no tagging count is shown
    deny_put_tags       tags may not be set: PutObjectTagging and what brings tags along are 403
    demand_tags         a policy denies what makes an object and brings no tags: 403
    deny_annotations    annotations may be neither read, set, nor copied: 403
    deny_delete[=KEYS]  objects (of such keys) may not be deleted: DeleteObject is 403, and
                        DeleteMultipleObjects 200 with an error for each key (OSS: 403)
    deny_versions       versions may not be deleted for ever: DELETE ?versionId is 403
    busy_delete[=KEYS]  DeleteMultipleObjects is 200 with InternalError for each of such keys
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import unquote

from tagfs.emulator.messages import Call

_NUMBER, _COUNT, _TEXT, _NOTHING = "seconds", "count", "text", "nothing"
_ACTIONS = {
    "status": _COUNT,
    "token_expired": _NOTHING,
    "skew": _NOTHING,
    "deny": _NOTHING,
    "reset": _NOTHING,
    "hang": _NUMBER,
    "empty": _NOTHING,
    "delay": _NUMBER,
    "hold": _NOTHING,
    "cut": _COUNT,
    "short": _COUNT,
    "corrupt": _COUNT,
    "drip": _COUNT,
    "crc": _NOTHING,
    "etag": _NOTHING,
    "garbage": _NOTHING,
    "error200": _TEXT,
    "clock": _NUMBER,
    "stale_list": _NUMBER,
    "deny_tags": _NOTHING,
    "deny_put_tags": _NOTHING,
    "demand_tags": _NOTHING,
    "deny_annotations": _NOTHING,
    "deny_delete": _TEXT,
    "deny_versions": _NOTHING,
    "busy_delete": _TEXT,
}
_DEMANDING = frozenset({"status", "delay", "clock", "stale_list"})
MODES = frozenset(
    {
        "clock",
        "stale_list",
        "deny_tags",
        "deny_put_tags",
        "demand_tags",
        "deny_annotations",
        "deny_delete",
        "deny_versions",
        "busy_delete",
    }
)
REFUSALS = frozenset({"status", "token_expired", "skew", "deny", "reset", "hang", "empty"})
_MATCHERS = ("op", "method", "sub", "bucket", "key")
_OPTIONS = frozenset(
    {
        *_MATCHERS,
        "header",
        "after",
        "times",
        "rate",
        "when",
        "code",
        "message",
        "retry_after",
        "pause",
    }
)


@dataclass(slots=True)
class Fault:
    """One specification and how often it struck.

    Attributes:
        seen: requests that it is about, so far.
        hits: those that it has struck, or is going to.
        done: of these, with `when=after`, those of which the work is done.
        lifted: it is in force no more.
    """

    specification: str
    action: str
    value: str
    options: dict[str, str]
    seen: int = 0
    hits: int = 0
    done: int = 0
    lifted: bool = False

    @property
    def when(self) -> str:
        """Return whether the work is done first: `before` or `after`."""
        return self.options.get("when", "before")

    def number(self, default: float) -> float:
        """Return the action's value as a number."""
        return float(self.value) if self.value else default

    def matches(self, call: Call, headers: Iterable[str] = ()) -> bool:
        """Tell whether a call, with headers of these names, is what this fault is about."""
        named = self.options.get("header")
        if named is not None and not any(fnmatchcase(name.lower(), named) for name in headers):
            return False
        facts = {
            "op": call.operation,
            "method": call.method,
            "sub": call.subresource or "none",
            "bucket": call.bucket or "",
            "key": call.key or "",
        }
        return all(
            fnmatchcase(facts[name], self.options[name])
            for name in _MATCHERS
            if name in self.options
        )

    def strikes(self, chance: Callable[[], float]) -> bool:
        """Count a matching call and tell whether the fault strikes it."""
        self.seen += 1
        if self.seen <= int(self.options.get("after", 0)):
            return False
        if "times" in self.options and self.hits >= int(self.options["times"]):
            return False
        if "rate" in self.options and chance() >= float(self.options["rate"]):
            return False
        self.hits += 1
        return True


def parse_fault(specification: str) -> Fault:
    """Read one specification.

    Raises:
        ValueError: it breaks the grammar.
    """
    words = specification.replace(",", ":").split(":")
    action, value = _assignment(words[0])
    options = dict(_assignment(word) for word in words[1:])
    kind = _ACTIONS.get(action)
    if kind is None:
        raise ValueError(f"unknown fault {action!r}; known: {', '.join(sorted(_ACTIONS))}")
    if unknown := options.keys() - _OPTIONS:
        raise ValueError(f"unknown option {min(unknown)!r} in fault {specification!r}")
    if options.get("when", "before") not in {"before", "after"}:
        raise ValueError(f"when is neither before nor after in fault {specification!r}")
    if kind == _NOTHING and value:
        raise ValueError(f"fault {action!r} takes no value")
    if action in _DEMANDING and not value:
        raise ValueError(f"fault {action!r} needs a value")
    _check_numbers(specification, kind, value, options)
    return Fault(specification, action, value, options)


def _assignment(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name.strip(), unquote(value)


def _check_numbers(specification: str, kind: str, value: str, options: dict[str, str]) -> None:
    try:
        for name in ("after", "times"):
            int(options.get(name, 0))
        for name in ("rate", "pause", "retry_after"):
            float(options.get(name, 0))
        if value and kind in {_NUMBER, _COUNT}:
            float(value) if kind == _NUMBER else int(value)
    except ValueError:
        raise ValueError(f"not a number in fault {specification!r}") from None


class FaultBoard:
    """The faults in force."""

    def __init__(self, specifications: Iterable[str] = ()) -> None:
        self._faults = [parse_fault(text) for text in specifications]
        self._chance = random.Random(0).random  # the same run fails the same way

    def replace(self, specifications: Iterable[str]) -> None:
        """Put other faults in force; none of them if one is malformed."""
        faults = [parse_fault(text) for text in specifications]
        for fault in self._faults:
            fault.lifted = True
        self._faults = faults

    def strike(self, call: Call, headers: Iterable[str] = ()) -> list[Fault]:
        """Return the faults that strike a call, in the order they were given."""
        if not self._faults:
            return []
        return [
            fault
            for fault in self._faults
            if fault.matches(call, headers) and fault.strikes(self._chance)
        ]

    def report(self) -> list[dict[str, object]]:
        """Return every fault with its counts: a hit after the work counts when that is done."""
        return [
            {
                "fault": fault.specification,
                "seen": fault.seen,
                "hits": fault.done if fault.when == "after" else fault.hits,
            }
            for fault in self._faults
        ]
