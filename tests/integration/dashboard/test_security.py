"""Access to the dashboard: other sites, other names, other users, and used links are refused."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.web.server.serving import listen, open_browser, opens_browsers
from tests.support.dashboard import FAMILIES, Answer, Client, Served, served
from tests.support.lab.toml import dump

# Pages that are there without asking a host.
PAGES = ("/runs/1", "/rollback", "/", "/history", "/record?id=x", "/running", "/runs/1/events", "/nothing")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Settings without any service: nothing is to be found behind the door."""
    file = tmp_path_factory.mktemp("settings") / "rollback.toml"
    file.write_text(dump({"services": {}, "environments": {}}))
    return str(file)


@pytest.fixture
def dashboard(config: str) -> Iterator[Served]:
    with served(config, {"HOME": "/nonexistent"}) as running:
        yield running
        assert running.defects == []


def test_the_link_works_once_and_leaves_no_token_in_the_address(dashboard: Served) -> None:
    stranger = dashboard.stranger()
    first = stranger.get(dashboard.link, sec_fetch_site="none", sec_fetch_mode="navigate", sec_fetch_dest="document")
    assert first.status == 200
    cookie = first.headers["set-cookie"]
    assert re.fullmatch(rf"rollback-ops-{dashboard.port}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict", cookie)
    assert dashboard.sessions.link_token not in first.text
    assert 'content="0;url=/"' in first.text
    thief = stranger.get(dashboard.link)
    assert (thief.status, thief.headers.get("set-cookie")) == (403, None)
    # The person who loads the first page again is not shut out.
    again = stranger.get(dashboard.link, cookie=cookie.partition(";")[0])
    assert (again.status, again.headers["location"]) == (303, "/")


def test_a_wrong_or_old_link_opens_nothing(dashboard: Served) -> None:
    stranger, token = dashboard.stranger(), dashboard.sessions.link_token
    for wrong in ("x", token[:-1], f"{token}x", token.swapcase(), "%00", "%ff", "é".encode().hex()):
        answer = stranger.get(f"/enter/{wrong}")
        assert (answer.status, answer.headers.get("set-cookie")) == (403, None)
    dashboard.clock.now += 601
    late = stranger.get(dashboard.link)
    assert (late.status, late.headers.get("set-cookie")) == (403, None)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "image", "sec_fetch_site": "cross-site"},
        {"sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe", "sec_fetch_site": "cross-site"},
        {"sec_purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
    ],
)
def test_nothing_but_a_visit_uses_the_link_up(dashboard: Served, headers: dict[str, str | None]) -> None:
    assert dashboard.stranger().get(dashboard.link, **headers).status == 403
    assert dashboard.stranger().send("HEAD", dashboard.link, None).status == 403
    assert dashboard.browser().get("/runs/1").status == 404


@pytest.mark.parametrize("path", PAGES)
def test_without_the_session_there_is_no_page(dashboard: Served, path: str) -> None:
    dashboard.browser()
    for cookie in (None, "", f"rollback-ops-{dashboard.port}=", f"rollback-ops-{dashboard.port}=x", "a;;=b", "\x7f"):
        answer = dashboard.stranger().get(path, cookie=cookie)
        assert (answer.status, "session" in answer.text) == (403, False)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "127.0.0.1:{port}.evil.example"],
)
def test_under_another_name_the_server_says_nothing(dashboard: Served, host: str) -> None:
    """DNS rebinding: the browser believes that the page of another site is ours, and sends what it has."""
    browser = dashboard.browser()
    other = host.format(port=dashboard.port)
    for path in (*PAGES, dashboard.link):
        assert browser.get(path, host=other).status == 421
    assert browser.post("/rollback", {}, host=other, origin=f"http://{other}").status == 421


def test_two_host_headers_are_refused(dashboard: Served) -> None:
    cookie = dashboard.browser().usual["cookie"]
    ours = f"Host: 127.0.0.1:{dashboard.port}\r\n"
    request = f"GET /runs/1 HTTP/1.1\r\n{ours}Host: evil.example\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", dashboard.port), timeout=60) as connection:
        connection.sendall(request.encode())
        assert re.match(rb"HTTP/1.1 4(00|21) ", connection.recv(100))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_and_another_port_get_no_page_even_with_the_cookie(dashboard: Served, site: str) -> None:
    browser = dashboard.browser()
    assert [browser.get(path, sec_fetch_site=site).status for path in PAGES] == [403] * len(PAGES)
    assert browser.get("/runs/1", sec_fetch_site="none").status == 404


def test_another_site_gets_no_form_through(dashboard: Served) -> None:
    """As its page would send it: with the person's cookie, if a browser made a mistake."""
    browser, form = dashboard.browser(), {"form": "x", "typed": "prod"}
    ours = f"http://127.0.0.1:{dashboard.port}"
    enemies: list[dict[str, str | None]] = [
        {"sec_fetch_site": "cross-site", "origin": "https://evil.example"},
        {"sec_fetch_site": "cross-site", "origin": "null"},
        {"sec_fetch_site": "same-site", "origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "none", "origin": None},
        {"sec_fetch_site": None, "origin": "https://evil.example"},
        {"sec_fetch_site": None, "origin": "null"},
        {"sec_fetch_site": None, "origin": None},
        {"sec_fetch_site": "same-origin", "origin": "https://evil.example"},
        {"sec_fetch_site": "cross-site", "origin": ours},
    ]
    assert {browser.post("/rollback", form, **enemy).status for enemy in enemies} == {403}
    refused = browser.post("/rollback", form, sec_fetch_site="cross-site", origin=None)
    # Its own forms get to the form itself, which is forged here.
    reached = [browser.post("/rollback", form), browser.post("/rollback", form, sec_fetch_site=None)]
    assert [each.status for each in reached] == [403, 403]
    assert all(each.text != refused.text for each in reached)


def test_only_short_forms_of_the_one_kind_are_read(dashboard: Served) -> None:
    browser = dashboard.browser()
    assert browser.post("/rollback", {"form": "x"}, content_type="text/plain").status == 415
    assert browser.post("/rollback", {"form": "x"}, content_type=None).status == 415
    assert browser.post("/rollback", {"form": "x" * 40_000}).status == 413
    assert browser.post("/rollback", {str(n): "x" for n in range(100)}).status == 403
    assert [browser.send(method, "/rollback", None).status for method in ("PUT", "DELETE", "OPTIONS", "TRACE")] == [
        405
    ] * 4


def test_every_answer_forbids_scripts_frames_and_caches(dashboard: Served) -> None:
    browser, stranger = dashboard.browser(), dashboard.stranger()
    answers = [
        browser.get("/runs/1"),
        browser.get("/nothing"),
        stranger.get("/"),
        stranger.get("/", host="evil.example"),
    ]
    nonces = [nonce_of(answer) for answer in answers]
    assert len(set(nonces)) == len(nonces)
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert all(each in policy for each in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"))
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
    assert f'nonce="{nonces[0]}"' in answers[0].text


def nonce_of(answer: Answer) -> str:
    found = re.search(r"script-src 'nonce-([\w-]+)'", answer.headers["content-security-policy"])
    assert found
    return found[1]


def test_a_session_ends_with_its_server(config: str) -> None:
    with served(config, {"HOME": "/nonexistent"}) as first:
        cookie, link = first.browser().usual["cookie"], first.link
    with served(config, {"HOME": "/nonexistent"}) as second:
        name = f"rollback-ops-{second.port}"
        client = Client(second.port, {"cookie": f"{name}={cookie.partition('=')[2]}"})
        assert client.get("/runs/1").status == 403
        assert client.get(link).status == 403


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_another_user_of_the_machine_gets_nothing_even_with_the_link(
    dashboard: Served, family: socket.AddressFamily, address: str
) -> None:
    os.seteuid(65534)
    try:
        theirs = socket.socket(family)
    finally:
        os.seteuid(0)
    with theirs:
        theirs.settimeout(60)
        theirs.connect((address, dashboard.port))
        host = f"127.0.0.1:{dashboard.port}"
        theirs.sendall(f"GET {dashboard.link} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert theirs.recv(100).startswith(b"HTTP/1.1 403 ")
    assert dashboard.browser().get("/runs/1").status == 404


def test_the_server_is_reached_over_loopback_only() -> None:
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_refused_and_the_usual_one_gives_way() -> None:
    with listen(0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Refused) as refused:
            listen(port)
        assert str(port) in refused.value.message
        assert "--port" in refused.value.hint
    with listen(None) as one, listen(None) as other:
        assert one.getsockname()[1] != other.getsockname()[1]


def test_no_browser_is_opened_in_a_terminal_without_a_screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not opens_browsers({})
    assert opens_browsers({"DISPLAY": ":0"})
    assert opens_browsers({"WAYLAND_DISPLAY": "wayland-0"})
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    assert not open_browser("http://127.0.0.1:9/")
