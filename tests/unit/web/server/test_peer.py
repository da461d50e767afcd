"""Which user is at the other end, as the kernel's tables say."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rollback_ops.web.server.peer import is_somebody_else
from tests.support.dashboard import FAMILIES

CLIENT, SERVER = ("127.0.0.1", 0xB0DE), ("127.0.0.1", 8642)
OWN, OTHER = os.getuid(), os.getuid() + 1
HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000"
MAPPED = "0000000000000000FFFF0000"


def tables(tmp_path: Path, user: int, *, state: str = "01", prefix: str = "") -> Path:
    """As proc(5) has them on a little-endian machine: the server's end first, which belongs to the server's user."""
    server, client = "0100007F:21C2", "0100007F:B0DE"
    rows = f"   0: {server} {client} 01 {REST}  {OWN} 0 1 1\n" if not prefix else ""
    rows += f"   1: {prefix}{client} {prefix}{server} {state} {REST} {user:>5} 0 2 1\n"
    (tmp_path / "tcp").write_text(HEADING + ("" if prefix else rows))
    (tmp_path / "tcp6").write_text(HEADING + (rows if prefix else ""))
    return tmp_path


@pytest.mark.parametrize("prefix", ["", MAPPED], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(("user", "other"), [(OWN, False), (OTHER, True), (0, False)])
def test_the_client_end_of_the_connection_counts(tmp_path: Path, user: int, other: bool, prefix: str) -> None:
    assert is_somebody_else(CLIENT, SERVER, tables(tmp_path, user, prefix=prefix)) is other


def test_a_connection_that_the_system_does_not_know_is_somebody_elses(tmp_path: Path) -> None:
    here = tables(tmp_path, OWN)
    assert is_somebody_else(("127.0.0.1", 1), SERVER, here)
    assert is_somebody_else(None, SERVER, here)
    # The system gives a connection that was closed already to root.
    assert is_somebody_else(CLIENT, SERVER, tables(tmp_path, 0, state="06"))


def test_a_machine_without_ipv6_says_it_too(tmp_path: Path) -> None:
    here = tables(tmp_path, OTHER)
    (here / "tcp6").unlink()
    assert is_somebody_else(CLIENT, SERVER, here)


def test_where_the_system_has_no_tables_nobody_is_shut_out(tmp_path: Path) -> None:
    assert not is_somebody_else(CLIENT, SERVER, tmp_path / "none")


@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_a_real_connection_of_this_user_is_known(family: socket.AddressFamily, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(family) as client:
        client.connect((address, server.getsockname()[1]))
        connection, came_from = server.accept()
        with connection:
            assert not is_somebody_else(came_from, server.getsockname())
            assert is_somebody_else((came_from[0], came_from[1] ^ 1), server.getsockname())
