"""The reserved path `/-/faults`: changes the faults of a running emulator.

    GET      the faults in force, with how often each matched and struck
    POST     a JSON list of specifications takes their place
    DELETE   no more faults

Only on the address itself (in virtual-host style `-/faults` may be an object's key), and only
from loopback.
"""

import ipaddress
import json

from aiohttp import hdrs, web

from tagfs.emulator.faults import FaultBoard

ADMIN_PREFIX = "/-/"


async def administer(http: web.BaseRequest, faults: FaultBoard) -> web.Response | None:
    """Answer a request for a reserved path; None: it is an ordinary one after all."""
    if not _is_service_itself(http.headers.get(hdrs.HOST, "")):
        return None
    if not _is_loopback(http.remote):
        return _json({"error": "only from loopback"}, 403)
    if http.raw_path != ADMIN_PREFIX + "faults" or http.method not in {"GET", "POST", "DELETE"}:
        return _json({"error": "only GET, POST and DELETE of /-/faults are here"}, 404)
    try:
        if http.method == "POST":
            faults.replace(_specifications(await http.read()))
        elif http.method == "DELETE":
            faults.replace(())
    except ValueError as error:
        return _json({"error": str(error)}, 400)
    return _json(faults.report())


def _specifications(body: bytes) -> list[str]:
    value = json.loads(body)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("not a JSON list of specifications")
    return value


def _json(value: object, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


def _is_service_itself(host: str) -> bool:
    name = host.rpartition("]")[0].lstrip("[") or host.partition(":")[0]
    return name == "localhost" or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(remote: str | None) -> bool:
    return remote is not None and _is_address(remote) and ipaddress.ip_address(remote).is_loopback
