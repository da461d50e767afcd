"""Constant load on a service, from the machine of the tests."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def load(address: str, port: int, paths: tuple[str, ...]) -> Iterator[None]:
    """Request each path again and again, each from a thread of its own, one request at a time."""
    over = threading.Event()

    def request(path: str) -> None:
        while not over.is_set():
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(address, port, timeout=5)
                try:
                    connection.request("GET", path)
                    connection.getresponse().read()
                finally:
                    connection.close()
            over.wait(0.005)

    threads = [threading.Thread(target=request, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
