"""Which user is at the other end, as the kernel's table says."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rollback_ops.web.server.peer import is_somebody_else

CLIENT, SERVER = ("127.0.0.1", 0xB0DE), ("127.0.0.1", 8642)
HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
# As proc(5) has them on a little-endian machine: the server's end first, then the client's.
ROWS = (
    "   0: 0100007F:21C2 0100007F:B0DE 01 00000000:00000000 00:00000000 00000000  1000        0 1 1\n"
    "   1: 0100007F:B0DE 0100007F:21C2 01 00000000:00000000 00:00000000 00000000 {user:>5}        0 2 1\n"
)


def table(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "tcp"
    file.write_text(text)
    return file


@pytest.mark.parametrize(("user", "other"), [(os.getuid(), False), (os.getuid() + 1, True)])
def test_the_client_end_of_the_connection_counts(tmp_path: Path, user: int, other: bool) -> None:
    assert is_somebody_else(CLIENT, SERVER, table(tmp_path, HEADING + ROWS.format(user=user))) is other


def test_where_the_system_does_not_say_nobody_is_shut_out(tmp_path: Path) -> None:
    assert not is_somebody_else(CLIENT, SERVER, tmp_path / "none")
    assert not is_somebody_else(CLIENT, SERVER, table(tmp_path, HEADING))
    assert not is_somebody_else(("testclient", 50000), SERVER, table(tmp_path, HEADING + ROWS.format(user=0)))


def test_a_real_connection_of_this_user_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        connection, _ = server.accept()
        with connection:
            ends = client.getsockname(), client.getpeername()
            assert not is_somebody_else(*ends)
            rows = Path("/proc/net/tcp").read_text()
            assert f"{ends[0][1]:04X}" in rows
