"""The command: its link, its port, its browser, and its end while a rollback is running."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dashboard.conftest import RELEASES
from tests.support.dashboard import Client
from tests.support.lab.ground import wait_until
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OwnService]:
    with OwnService(tmp_path / "shop", RELEASES) as service:
        (tmp_path / "rollback.toml").write_text(service.toml(verify=QUICK))
        yield service


@pytest.fixture
def start(tmp_path: Path, service: OwnService) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(*options: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "rollback_ops", "dashboard", "--local", *options],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def link(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The port and the path of the link: the first line on standard output."""
    assert process.stdout
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/enter/[\w-]{43})\n", process.stdout.readline())
    assert found, process.communicate()
    return int(found[1]), found[2]


def browser(port: int, path: str) -> Client:
    cookie = Client(port).get(path).headers["set-cookie"].partition(";")[0]
    return Client(port, {"cookie": cookie})


def begin_rollback(client: Client) -> None:
    page = client.get("/rollback?environment=prod&service=shop")
    form = {"form": page.hidden("form"), "reason": "logins fail", "typed": "prod"}
    assert client.post("/rollback", form).status == 303


def test_ctrl_c_ends_it_and_nothing_was_logged(start: Start) -> None:
    process = start("--no-browser", "--port", str(free_port()))
    port, path = link(process)
    client = browser(port, path)
    assert client.get("/").status == 200
    assert Client(port).get("/", host="evil.example").status == 421
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert not any(secret in err for secret in (path, client.usual["cookie"], "GET", "Traceback"))
    with pytest.raises(ConnectionRefusedError):
        client.get("/")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_ctrl_c_during_a_rollback_names_it_and_the_host_finishes_it(
    start: Start, service: OwnService, tmp_path: Path
) -> None:
    commands = {
        **service.commands,
        "start": f"touch {tmp_path}/began; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; {service.start}",
    }
    (tmp_path / "rollback.toml").write_text(service.toml(verify=QUICK, commands=commands))
    process = start("--no-browser", "--port", str(free_port()))
    client = browser(*link(process))
    begin_rollback(client)
    wait_until((tmp_path / "began").exists, 60, "the start of the target")
    watching = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
    watching.request("GET", "/runs/1/events", headers=client.usual)
    with closing(watching), watching.getresponse() as events:
        assert events.readline().startswith(b"id: ")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "rollback of shop in prod to b2" in err
    (tmp_path / "go").touch()
    wait_until(lambda: service.health() == ("ok", "b2"), 60, "the release that the host went to by itself")


def test_a_rollback_goes_on_when_the_browser_is_closed(start: Start, service: OwnService) -> None:
    process = start("--no-browser", "--port", str(free_port()))
    port, path = link(process)
    client = browser(port, path)
    begin_rollback(client)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/runs/1/events", headers=client.usual)
    connection.getresponse()
    connection.close()
    wait_until(lambda: service.health() == ("ok", "b2"), 60, "the target running")


def test_a_port_that_is_taken_is_refused_with_the_way_out(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = start("--no-browser", "--port", port)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert port in err
    assert "--port" in err


def test_where_no_browser_can_be_opened_the_link_is_still_there(start: Start) -> None:
    process = start("--port", str(free_port()))
    assert browser(*link(process)).get("/history").status == 200
    process.send_signal(signal.SIGTERM)
    assert "open" in process.communicate(timeout=60)[1].lower()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "settings"),
    [(("nowhere",), None), (("--service", "nothing"), None), (("--config", "none.toml"), None), ((), "services = 1")],
)
def test_settings_that_are_wrong_end_it_before_there_is_a_link(
    start: Start, tmp_path: Path, options: tuple[str, ...], settings: str | None
) -> None:
    if settings:
        (tmp_path / "rollback.toml").write_text(settings)
    process = start("--no-browser", *options)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (64, "")
    assert err


def test_without_the_libraries_it_says_how_to_install_them(tmp_path: Path) -> None:
    code = "import sys; sys.modules['starlette'] = None; from rollback_ops.__main__ import main; main()"
    done: Any = subprocess.run(
        [sys.executable, "-c", code, "dashboard"], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (64, "")
    assert "pip install '.[dashboard]'" in done.stderr
