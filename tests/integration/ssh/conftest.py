"""SSH servers and keys for the tests of ``hosts.ssh``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rollback_ops.hosts.ssh.identity import LoginIdentity
from tests.support.sshd import Sshd, keygen, require_sshd

KINDS = {"ed25519": ("ed25519", 0), "rsa": ("rsa", 2048), "ecdsa": ("ecdsa", 256)}


@pytest.fixture(scope="session")
def client_keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Keys by type. No server accepts ``stranger``; ``locked`` has the passphrase ``open sesame``."""
    folder = tmp_path_factory.mktemp("client")
    made = {name: keygen(folder / name, *kind) for name, kind in KINDS.items()}
    made["stranger"] = keygen(folder / "stranger")
    made["locked"] = keygen(folder / "locked", passphrase="open sesame")
    return made


@pytest.fixture(scope="session")
def identity(client_keys: dict[str, Path]) -> LoginIdentity:
    return LoginIdentity.from_text(client_keys["ed25519"].read_text())


@pytest.fixture(scope="session")
def start_sshd(tmp_path_factory: pytest.TempPathFactory, client_keys: dict[str, Path]) -> Iterator[Callable[..., Sshd]]:
    require_sshd()
    started: list[Sshd] = []
    known = [key for name, key in client_keys.items() if name != "stranger"]

    def start(*settings: str, host_key_kinds: tuple[str, ...] = ("ed25519",)) -> Sshd:
        folder = tmp_path_factory.mktemp("sshd")
        host_keys = [keygen(folder / f"host_{kind}", *KINDS[kind]) for kind in host_key_kinds]
        started.append(Sshd.start(folder, host_keys, known, *settings))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def sshd(start_sshd: Callable[..., Sshd]) -> Sshd:
    """A server with one host key of each type."""
    return start_sshd(host_key_kinds=tuple(KINDS))


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Start an empty ssh-agent. Returns a function that adds a key to it."""
    address = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL) as process:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        while not address.exists():
            assert process.poll() is None

        def add(key: Path) -> None:
            subprocess.run(["ssh-add", "-q", str(key)], check=True, stdin=subprocess.DEVNULL)

        yield add
        process.terminate()
