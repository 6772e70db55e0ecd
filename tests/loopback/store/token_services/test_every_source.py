"""Who a token service says we are: every source that asks one, against a stand-in."""

import re

import pytest

from tagfs.errors import BadCredentials
from tagfs.store.credentials import token_requests
from tagfs.store.http.connections import Timeouts
from tests.fakes.token_services import SILENT, SUBJECT
from tests.loopback.store.token_services.kit import FIRST, JWT, LATER, SECOND, is_of, pairs
from tests.loopback.store.token_services.sources import IRSA, SOURCES


@pytest.mark.parametrize("name", SOURCES)
def test_each_source_is_asked_and_asked_again(name, host, machine):
    kind, environment, files, actions = SOURCES[name]
    host.prepare(files)
    found = host.find(kind, environment)
    first, second = pairs(found)
    assert is_of(first, FIRST)
    assert is_of(second, SECOND)
    assert found.get() == second
    assert host.service.actions() == actions * 2
    assert machine[kind].asked == []
    signed = {"AssumeRole": "long"}
    assert [one.by for one in host.service.asked] == [signed.get(a, "") for a in actions * 2]
    assert "S3CRET" not in found.origin + repr(first)
    assumed = any(word.startswith("Assume") for word in actions)
    assert bool(re.search("role/|acs:x", first.identity)) == assumed or kind == "obs"


TOKENS = [
    name
    for name, (_, environment, files, actions) in SOURCES.items()
    if "/token" in f"{environment}{files}" and actions != ["AssumeRole"]
]
"""Those that begin with a token in a file."""


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_a_cluster_renews_is_read_anew(name, host):
    kind, environment, files, _ = SOURCES[name]
    host.prepare(files)
    found = host.find(kind, environment)
    assert is_of(found.get(), FIRST)
    host.service.bearers = {"rotated"}
    host.write("new", "rotated", 0o644).replace(host.home / "token")
    assert is_of(found.refresh(), SECOND)


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda token: token.unlink(), "is not there"),
        (lambda token: token.write_text("\n"), "is empty"),
        (lambda token: token.write_text("two words"), "holds no token"),
        (lambda token: token.chmod(0o666), "can be changed by others"),
        (lambda token: (token.unlink(), token.mkdir()), "is not a file|cannot be read"),
    ],
)
def test_a_token_that_cannot_be_used_is_an_error(name, damage, said, host, machine):
    """Kinds: missing, empty, garbage, not to be trusted. No other source is asked instead."""
    kind, environment, files, _ = SOURCES[name]
    host.prepare(files)
    damage(host.home / "token")
    with pytest.raises(BadCredentials, match=said):
        host.find(kind, environment).get()
    assert (machine[kind].asked, host.service.requests) == ([], 0)


ASKING = [name for name in SOURCES if SOURCES[name][3] != ["pod"]]
GARBAGE = "<html>no</html>", "", "{}", '{"Credentials": 1}', "<AssumeRoleResponse/>", "[1]"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_service_in_trouble_is_asked_again(name, status, host):
    kind, environment, files, actions = SOURCES[name]
    host.prepare(files)
    host.service.script = [(status, "trouble")] * 2
    assert is_of(host.find(kind, environment).get(), FIRST)
    assert host.service.requests == 2 + len(actions)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize(
    ("step", "requests", "said"),
    [
        ((503, "trouble"), 3, "answered 503"),
        (b"", 3, "no answer from 127"),
        (b"rubbish\r\n\r\n", 3, "no answer from 127"),
        ((403, '{"Code": "NoPermission", "Message": "you may not"}'), 1, "answered 403: NoPerm"),
        ((302, "elsewhere"), 1, "answered 302"),
        *(((200, text), 1, "") for text in GARBAGE),
    ],
)
def test_a_service_that_fails_is_an_error(name, step, requests, said, host, machine):
    kind, environment, files, _ = SOURCES[name]
    host.prepare(files)
    host.service.script = [step] * 5
    with pytest.raises(BadCredentials) as raised:
        host.find(kind, environment).get()
    assert said in str(raised.value)
    assert host.service.requests == requests
    assert machine[kind].asked == []


def test_a_service_that_is_silent_holds_no_call_up_for_long(host, monkeypatch):
    monkeypatch.setattr(token_requests, "TIMEOUTS", Timeouts(connect=1, read=0.2))
    host.service.script = [SILENT] * 5
    with pytest.raises(BadCredentials, match="no answer from"):
        host.find("s3", IRSA).get()


def test_a_service_that_is_not_there(host):
    with pytest.raises(BadCredentials, match=r"no answer from 127\.0\.0\.1:1"):
        host.find("s3", {**IRSA, "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}).get()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ASKING)
def test_a_refusal_is_reported_without_secrets(name, host):
    """... though the services repeat the token, or all that a signature covers."""
    kind, environment, files, _ = SOURCES[name]
    if SOURCES[name][3] == ["uri"]:
        return  # takes no secret
    host.prepare(files)
    host.service.bearers, host.service.keys = set(), {"long": ("other", "")}
    with pytest.raises(BadCredentials, match="answered 40") as raised:
        host.find(kind, environment).get()
    chain = [raised.value, raised.value.__context__, raised.value.__cause__]
    for secret in (JWT[:20], "L0NG", SUBJECT, "string to sign", "Signature="):
        assert secret not in "".join(map(str, chain))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ASKING)
def test_no_pair_is_taken_that_does_not_say_how_long_it_lasts(name, host):
    kind, environment, files, _ = SOURCES[name]
    host.prepare(files)
    host.service.pairs = [("id", "S3CRET", "", LATER)]
    with pytest.raises(BadCredentials, match=r"session token|access_key_id"):
        host.find(kind, environment).get()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", [n for n in ASKING if SOURCES[n][3] == ["AssumeRole"]])
@pytest.mark.parametrize("offset", [-4000.0, 4000.0])
def test_a_clock_that_is_wrong_is_corrected(name, offset, host):
    kind, environment, files, _ = SOURCES[name]
    host.prepare(files)
    host.service.offset = offset
    assert is_of(host.find(kind, environment).get(), FIRST)
    assert host.service.requests == 2
