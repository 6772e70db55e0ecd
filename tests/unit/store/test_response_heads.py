"""Whatever comes for a head is an answer or an error of HTTP: nothing that looks like a bug."""

import http.client
import io
import socket
from typing import cast

import pytest
from hypothesis import example, given, strategies as st

from tagfs.store.http.response_parser import FastHTTPResponse

PIECES = st.sampled_from(
    [
        *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"HTTP/", b"200", b"204", b"100 Continue", b"\xb2\xb3\xb9"),
        *(b"\r\n", b"\n", b"\r", b" ", b":", b": ", b"", b"\0", b"\xff", b"7" * 5000, b"-1", b"+5"),
        *(b"Content-Length", b"content-length: ", b"Transfer-Encoding: chunked", b"Connection"),
        *(b"close", b"ETag", b'"0"', b"x" * 300_000),
    ]
)
HEADS = st.lists(PIECES | st.binary(max_size=8), max_size=14).map(b"".join)
VALID = b"HTTP/1.1 200 OK\r\n"


class Socket:
    """Only read from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def parse(data: bytes, method: str = "GET") -> FastHTTPResponse:
    response = FastHTTPResponse(cast("socket.socket", Socket(data)), method=method)
    response.begin()
    return response


@given(st.sampled_from([b"", VALID]), HEADS, st.sampled_from(["GET", "HEAD"]))
@example(VALID, b"content-length: " + b"7" * 5000 + b"\r\n\r\n", "GET")
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_any_head_is_an_answer_or_an_error_of_http(
    end: bytes, begin: bytes, head: bytes, method: str
) -> None:
    try:
        response = parse(begin + head + end, method)
    except http.client.HTTPException:
        return
    assert 100 <= response.status <= 999
    assert response.length is None or response.length >= 0


def test_a_length_that_no_object_has_is_no_length() -> None:
    with pytest.raises(http.client.HTTPException, match="length"):
        parse(VALID + b"Content-Length: " + b"7" * 5000 + b"\r\n\r\n")
