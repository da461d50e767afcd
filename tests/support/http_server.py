"""A server on loopback that says exactly what a test wants to be said, over TCP or TLS."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

Talk = Callable[[socket.socket], object]


class Server:
    """Accepts connections and holds a ``talk`` on each. ``heard`` is what each client sent first."""

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.heard: list[bytes] = []
        self._talk = talk
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                threading.Thread(target=self._hold, args=(connection,), daemon=True).start()

    def _hold(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self.heard.append(_request(connection))
            self._talk(connection)
            connection.close()

    def close(self) -> None:
        for each in (self._socket, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _request(connection: socket.socket) -> bytes:
    """Return what a client sent first: of a POST, all of it. What is left unread resets the connection at its end."""
    heard = connection.recv(65536)
    while heard.startswith(b"POST ") and _is_cut(heard) and (more := connection.recv(65536)):
        heard += more
    return heard


def _is_cut(heard: bytes) -> bool:
    head, end, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
    return not end or (length is not None and len(body) < int(length[1]))


@contextmanager
def serving(talk: Talk | bytes, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(saying(talk) if isinstance(talk, bytes) else talk, tls)
    try:
        yield server
    finally:
        server.close()


def saying(*pieces: bytes, every: float = 0.0, until: threading.Event | None = None) -> Talk:
    """Sends the pieces one after the other, ``every`` seconds."""

    def talk(connection: socket.socket) -> None:
        for piece in pieces:
            if until is not None and until.wait(every):
                return
            connection.sendall(piece)

    return talk


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def self_made(directory: Path, *names: str) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody has signed but itself: ``directory/certificate.pem``."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    alternatives = [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "key.pem").write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "certificate.pem", directory / "key.pem")
    return context
