"""The service that tests roll back: the release it is started from tells it how to behave.

Run as ``service.py PORT`` with a release as working directory: ``behaviour`` there holds words of
BEHAVIOURS. It answers ``/health`` with its release's name and the ``config.json`` it was started with.
Run as ``service.py config`` or ``service.py database`` it says whether all is well with that. It is copied
to hosts as it is, and imports next to nothing so that it listens in milliseconds.
"""

import _socket
import os
import signal
import sys
import time
from types import FrameType

BEHAVIOURS = (
    "healthy",
    "unhealthy",
    "unhealthy_after_3s",
    "crash_at_once",
    "crash_after_2s",
    "slow_start_6s",
    "ignores_sigterm",
    "wrong_release_name",
    "slow_answers",
    "answers_in_300ms",
    "never_answers",
    "logs_critical",
    "bad_config",
    "database_gone",
)
CRITICAL = "CRITICAL the database does not answer"


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def say(text: str) -> None:
    os.write(2, f"{text}\n".encode())


def crash(_signal: int, _frame: FrameType | None) -> None:
    say("ERROR crashing, as this release does")
    os._exit(1)


def complain(_signal: int, _frame: FrameType | None) -> None:
    say(f"<2>{CRITICAL}")


def ask(question: str, behaviour: list[str]) -> None:
    """As ``nginx -t``, ``manage.py check --database`` and their like do it."""
    if question == "config" and "bad_config" in behaviour:
        sys.exit("ERROR config.json: the token is missing")
    if question == "database" and "database_gone" in behaviour:
        sys.exit("ERROR the database does not answer")


def prepare(behaviour: list[str]) -> None:
    """Do what this behaviour does before, or besides, answering."""
    if "crash_at_once" in behaviour:
        crash(0, None)
    if "crash_after_2s" in behaviour:
        signal.signal(signal.SIGALRM, crash)
        signal.setitimer(signal.ITIMER_REAL, 2)
    if "logs_critical" in behaviour:
        signal.signal(signal.SIGALRM, complain)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.5)
    if "ignores_sigterm" in behaviour:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "slow_start_6s" in behaviour:
        time.sleep(6)


def tell_systemd() -> None:
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with_abstract = "\0" + path[1:] if path.startswith("@") else path
        _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM).sendto(b"READY=1", with_abstract)


def listen(port: int) -> _socket.socket:
    server = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    server.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", port))
    server.listen(64)
    return server


def health(behaviour: list[str], release: str, config: str, age: float) -> tuple[str, str]:
    """The status line's end and the JSON text of an answer."""
    sick = "unhealthy" in behaviour or ("unhealthy_after_3s" in behaviour and age > 3)
    name = "somebody-else" if "wrong_release_name" in behaviour else release
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    status = "503 Service Unavailable" if sick else "200 OK"
    word = "unhealthy" if sick else "ok"
    return status, f'{{"status": "{word}", "release": "{quoted}", "config": {config or "null"}}}'


def answer(client: _socket.socket, status: str, body: str) -> None:
    """Read one request and answer it. A client that hangs up or says nothing is not our trouble."""
    try:
        client.settimeout(0.5)
        request = b""
        while b"\r\n\r\n" not in request:
            received = client.recv(4096)
            if not received:
                return
            request += received
        if not request.split(b" ")[1].startswith(b"/health"):
            status, body = "404 Not Found", "{}"
        payload = body.encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
        client.sendall(head.encode() + b"Connection: close\r\n\r\n" + payload)
    except OSError:
        pass
    finally:
        client.close()


def main() -> None:
    release, behaviour, config = os.path.basename(os.getcwd()), read("behaviour").split(), read("config.json")
    if not sys.argv[1].isdigit():
        ask(sys.argv[1], behaviour)
        return
    prepare(behaviour)
    server = listen(int(sys.argv[1]))
    started = time.monotonic()
    tell_systemd()
    say(f"INFO {release} listens on {sys.argv[1]}")
    held = []
    while True:
        descriptor, _ = server._accept()  # type: ignore[attr-defined]  # the public one needs the slow socket module
        client = _socket.socket(fileno=descriptor)
        if "never_answers" in behaviour:
            held.append(client)
            continue
        if "slow_answers" in behaviour:
            time.sleep(1)
        if "answers_in_300ms" in behaviour:
            time.sleep(0.3)
        answer(client, *health(behaviour, release, config, time.monotonic() - started))


if __name__ == "__main__":
    main()
