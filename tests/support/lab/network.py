"""The lab's own network: a switch in its own namespace, one cable to the machine, one to each host."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.lab.ground import Ground, command

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


class Network:
    """The switch. It has a namespace of its own so that no firewall of the machine sees its frames."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._switch = f"{ground.name}-sw"
        name = ground.name
        command("ip", "netns", "add", self._switch)
        # With an address given, udev does not replace it while hosts are learning it.
        mac = f"02:00:c6:12:{ground.number:02x}:01"
        cable = ("type", "veth", "peer", "name", "uplink", "netns", self._switch)
        command("ip", "link", "add", name, "address", mac, *cable)
        command("ip", "address", "add", f"{ground.subnet}.1/24", "dev", name)
        command("ip", "link", "set", name, "up")
        self._in_switch("link", "add", "switch", "type", "bridge")
        self._in_switch("link", "set", "switch", "up")
        self._in_switch("link", "set", "uplink", "master", "switch", "up")

    def _in_switch(self, *words: str) -> None:
        command("ip", "-n", self._switch, *words)

    def plug(self, index: int) -> Cable:
        """Give host number ``index`` (2 to 254) a namespace, an address and a cable to the switch."""
        namespace, address = f"{self._ground.name}-{index}", f"{self._ground.subnet}.{index}"
        mac, port = f"02:00:c6:12:{self._ground.number:02x}:{index:02x}", f"port{index}"
        command("ip", "netns", "add", namespace)
        self._in_switch("link", "add", port, "type", "veth", "peer", "name", "host0", "netns", namespace)
        self._in_switch("link", "set", port, "master", "switch", "up")
        command("ip", "-n", namespace, "link", "set", "host0", "address", mac, "up")
        command("ip", "-n", namespace, "link", "set", "lo", "up")
        command("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", "host0")
        # Known for good: a host that is cut off is then silence, as behind a router, not "no route".
        command("ip", "neighbour", "replace", address, "lladdr", mac, "dev", self._ground.name, "nud", "permanent")
        return Cable(address, namespace, self._switch, port)


class Cable:
    """One host's way to the others. ``path`` is its namespace's file."""

    def __init__(self, address: str, namespace: str, switch: str, port: str) -> None:
        self.address = address
        self.path = f"/run/netns/{namespace}"
        self._namespace, self._switch, self._port = namespace, switch, port

    def down(self) -> None:
        command("ip", "-n", self._switch, "link", "set", self._port, "down")

    def up(self) -> None:
        command("ip", "-n", self._switch, "link", "set", self._port, "up")

    def remove(self) -> None:
        command("ip", "-n", self._switch, "link", "delete", self._port)
        command("ip", "netns", "delete", self._namespace)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile are the host's own: its ``localhost`` is theirs."""
        with open("/proc/thread-self/ns/net") as outside, open(self.path) as inside:
            _enter(inside.fileno())
            try:
                yield
            finally:
                _enter(outside.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
