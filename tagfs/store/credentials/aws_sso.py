"""A role by single sign-on: the token that `aws sso login` has left, exchanged for a key pair."""

import hashlib
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from tagfs.errors import BadCredentials
from tagfs.store.credentials.aws_files import AwsFiles, Profile
from tagfs.store.credentials.aws_tokens import suffix, temporary
from tagfs.store.credentials.field_names import parse_json, parse_moment
from tagfs.store.credentials.private_files import read_private
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import TokenRequest
from tagfs.store.credentials.values import Credentials, NotAvailable

_NEEDED: Final = ("sso_account_id", "sso_role_name", "sso_region", "sso_start_url")


def single_sign_on(around: Surroundings, profile: Profile) -> Credentials:
    """Return the pair of a profile's role.

    Raises:
        BadCredentials: nobody has signed on, or not for this role.
    """
    files = AwsFiles(around)
    fields = _with_session(files, profile)
    missing = [name for name in _NEEDED if not fields.get(name)]
    if missing:
        raise BadCredentials(f"{profile.title} has no {missing[0]}")
    token = _token(around, profile, fields.get("sso_session") or fields["sso_start_url"])
    region = fields["sso_region"]
    base = files.endpoint("sso", profile.fields) or f"https://portal.sso.{region}.{suffix(region)}"
    query = urlencode(
        {"role_name": fields["sso_role_name"], "account_id": fields["sso_account_id"]}
    )
    request = TokenRequest(
        method="GET",
        url=f"{base.rstrip('/')}/federation/credentials?{query}",
        headers={"x-amz-sso_bearer_token": token, "accept": "application/json"},
        secrets=(token,),
    )
    try:
        answer = around.tokens.ask(profile.title, lambda _: request)
    except BadCredentials as refused:
        reason = str(refused)
        advice = f": {_advice(profile)}" if "401" in reason else ""
    else:
        inner = parse_json(answer.text, profile.title).get("roleCredentials")
        return temporary(inner if isinstance(inner, dict) else {}, profile.title)
    raise BadCredentials(reason + advice)


def _with_session(files: AwsFiles, profile: Profile) -> Mapping[str, str]:
    name = profile.fields.get("sso_session", "")
    if not name:
        return profile.fields
    session = files.session(name)
    if not session:
        raise BadCredentials(f"{profile.title}: there is no section [sso-session {name}]")
    return {**session, **profile.fields}


def _token(around: Surroundings, profile: Profile, signed_on_by: str) -> str:
    """Return the token that the aws command keeps for a session, or for a start page."""
    name = hashlib.sha1(signed_on_by.encode()).hexdigest()
    path = around.own(f".aws/sso/cache/{name}.json")
    try:
        kept = parse_json(read_private(path), str(path))
    except NotAvailable:
        kept = {}
    token, until = kept.get("accessToken"), parse_moment(kept.get("expiresAt"))
    if not isinstance(token, str) or not token or until is None:
        raise BadCredentials(f"{profile.title}: nobody has signed on: {_advice(profile)}")
    if until <= time.time():
        raise BadCredentials(f"{profile.title}: the sign-on has expired: {_advice(profile)}")
    return token


def _advice(profile: Profile) -> str:
    return f"run aws sso login --profile {profile.name}"
