"""The head of a request is sent as it was signed, and nothing in it can begin another one."""

import http.client

import pytest
from hypothesis import given, strategies as st

from tagfs.store.http.connections import render_head

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
VALUES = st.one_of(TEXTS, TEXTS.map(str.encode), st.text(max_size=20).map(str.encode))


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_what_a_server_reads_is_what_was_to_be_sent(headers) -> None:
    wanted = {n: v if isinstance(v, bytes) else v.encode() for n, v in headers.items()}
    if any(b"\r" in value or b"\n" in value for value in wanted.values()):
        with pytest.raises(ValueError, match="no target or header"):
            render_head("PUT", "/b/k", headers)
        return
    head = render_head("PUT", "/b/k?tagging", headers)
    first, *lines = head.split(b"\r\n")
    assert first == b"PUT /b/k?tagging HTTP/1.1"
    assert lines[-2:] == [b"", b""]
    shown = {line.split(b": ", 1)[0]: line.split(b": ", 1)[1] for line in lines[:-2]}
    assert shown == {name.encode(): value for name, value in wanted.items()}


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/b/k\r\nx: y", {}),
        ("/b/k HTTP/1.1", {}),
        ("/b/\x00", {}),
        ("/b/k\x7f", {}),
        ("/b/ü", {}),
        ("/b/k", {"x": "1\r\ny: 2"}),
        ("/b/k", {"x": b"1\ny: 2"}),
        ("/b/k", {"x": "1\ry: 2"}),
        ("/b/k", {"x\r\ny": "2"}),
        ("/b/k", {"x": "ü"}),
    ],
)
def test_what_would_end_a_header_is_not_sent(target, headers) -> None:
    with pytest.raises(ValueError):  # text that is not ASCII is one as well
        render_head("GET", target, headers)


def test_it_is_what_http_client_would_send() -> None:
    """http.client is a referee that everybody uses."""
    sent = bytearray()
    connection = http.client.HTTPConnection("host")
    connection.send = sent.extend  # type: ignore[assignment,method-assign]
    headers: dict[str, str | bytes] = {"host": "host", "x-amz-meta-a": "ü".encode(), "b": ""}
    connection.putrequest("PUT", "/b/k", skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert render_head("PUT", "/b/k", headers) == bytes(sent)
