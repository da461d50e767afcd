"""The ``http`` check: send one GET request, and judge the latency, status, text and JSON fields of the answer."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from rollback_ops.checks.connecting import not_connected
from rollback_ops.config import HttpCheck
from rollback_ops.config.types import fill
from rollback_ops.core.health import Finding
from rollback_ops.core.ports import Stream
from rollback_ops.core.text import one_line

_LONGEST_BODY = 1_000_000


class Http:
    kind = "http"

    def __init__(self, settings: HttpCheck, release: str) -> None:
        self.source: str = settings.source
        self._settings = settings
        self._text = fill(settings.text, {"release": release})
        self._fields = {path: _filled(expected, release) for path, expected in settings.fields.items()}
        self._url = urlsplit(fill(settings.url, {"release": release}))

    def probe(self, dial: Callable[[str, int, float], Stream]) -> Finding:
        """Send one request. All of it ends within the check's ``timeout``."""
        began, timeout = time.monotonic(), self._settings.timeout
        host, port = self._url.hostname or "", self._url.port or (443 if self._secure else 80)
        try:
            stream = dial(host, port, timeout)
        except (OSError, UnicodeError) as error:
            return not_connected(self._url.netloc, error, timeout, "health-timeout")
        try:
            status, body = self._get(stream, host, port, began + timeout)
        except TimeoutError:
            return Finding("failed", f"no answer within {timeout:g} s", trigger="health-timeout", silent=True)
        except OSError as error:
            return Finding("failed", f"{self._url.netloc}: {error.strerror or error}", trigger="health-timeout")
        except http.client.IncompleteRead:
            return Finding("failed", "the connection was closed before the answer was complete")
        except http.client.HTTPException as error:
            return Finding("failed", f"the answer is not HTTP: {type(error).__name__}")
        finally:
            stream.close()
        return self.judge(status, body, time.monotonic() - began)

    def judge(self, status: int, body: bytes, seconds: float) -> Finding:
        settings = self._settings
        if settings.max_latency is not None and seconds > settings.max_latency:
            detail = f"the answer took {seconds:.2f} s, at most {settings.max_latency:g} s are allowed"
            return Finding("failed", detail, trigger="health-timeout", silent=True)
        if status != settings.status:
            detail = f"status {status}, expected {settings.status}: {_excerpt(body)}"
            return Finding("failed", detail, final=status in settings.final)
        if self._text.encode() not in body:
            return Finding("failed", f"the answer lacks {self._text!r}: {_excerpt(body)}")
        return self._judge_fields(body) if self._fields else Finding("passed", f"status {status}")

    def _judge_fields(self, body: bytes) -> Finding:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return Finding("failed", f"the answer is not JSON: {_excerpt(body)}")
        for path, wanted in self._fields.items():
            found = _field(answer, path)
            if not _same(found, wanted):
                return Finding(
                    "failed", f"{path} is {_excerpt(json.dumps(found).encode())}, expected {json.dumps(wanted)}"
                )
        return Finding("passed", ", ".join(f"{path} is {json.dumps(_field(answer, path))}" for path in self._fields))

    @property
    def _secure(self) -> bool:
        return self._url.scheme == "https"

    def _get(self, stream: Stream, host: str, port: int, deadline: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(host, port)
        timed = _Timed(stream, deadline)
        connection.sock = _Timed(_encrypted(timed, host), deadline) if self._secure else timed
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        connection.request("GET", path, headers={**self._settings.headers, "Connection": "close"})
        response = connection.getresponse()
        body = response.read(_LONGEST_BODY)
        if response.length and len(body) < _LONGEST_BODY:
            raise http.client.IncompleteRead(body, response.length)
        return response.status, body


def _field(answer: Any, path: str) -> Any:
    """Return the value at a dotted path, or None where there is none."""
    for part in path.split("."):
        answer = answer.get(part) if isinstance(answer, dict) else None
    return answer


def _filled(expected: Any, release: str) -> Any:
    if isinstance(expected, dict):
        return {key: _filled(each, release) for key, each in expected.items()}
    if isinstance(expected, list):
        return [_filled(each, release) for each in expected]
    return fill(expected, {"release": release}) if isinstance(expected, str) else expected


def _same(found: Any, wanted: Any) -> bool:
    """Compare two values as JSON does: true is not 1."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def _excerpt(body: bytes) -> str:
    return one_line(" ".join(body[:200].decode("utf-8", "replace").split()))


def _encrypted(stream: Stream, host: str) -> Stream:
    import ssl

    from urllib3.util.ssltransport import SSLTransport

    return SSLTransport(stream, ssl.create_default_context(), server_hostname=host)  # type: ignore[arg-type,return-value]


class _Timed(io.RawIOBase):
    """A stream in the shape of the socket that http.client needs. Every wait ends at one deadline."""

    def __init__(self, stream: Stream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def _arm(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._stream.settimeout(left)

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: the streams inside and outside TLS have the same deadline."""

    def sendall(self, data: bytes) -> None:
        self._arm()
        self._stream.sendall(data)

    def readable(self) -> bool:
        return True

    def recv(self, size: int) -> bytes:
        self._arm()
        return self._stream.recv(size)

    def readinto(self, buffer: Any) -> int:
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """Do nothing: http.client closes its socket after it has read the head, before the body is read."""
