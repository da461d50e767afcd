"""The ``http`` check, on a connection that answers as real servers do."""

from __future__ import annotations

import pytest

from rollback_ops.checks.http import Http
from rollback_ops.settings import HttpCheck


class Answer:
    """A connection on which the answer arrives in these pieces, one for each time that it is asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def sendall(self, data: bytes, /) -> None:
        pass

    def recv(self, size: int, /) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def settimeout(self, seconds: float | None, /) -> None:
        pass

    def close(self) -> None:
        self._pieces = []


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_a_body_that_arrives_after_its_head_is_read(version: bytes) -> None:
    head = version + b" 200 OK\r\nConnection: close\r\nContent-Length: 17\r\n\r\n"
    settings = {"kind": "http", "url": "http://localhost:8080/health", "json": {"release": "{release}"}}
    check = Http(HttpCheck.model_validate(settings), "v1")

    finding = check.probe(lambda host, port, timeout: Answer(head, b'{"release"', b': "v1"}'))

    assert (finding.verdict, finding.detail) == ("passed", 'release is "v1"')
