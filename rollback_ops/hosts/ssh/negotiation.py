"""Messages of a host before the login, which paramiko does not pass on: its algorithms, and its greeting."""

from __future__ import annotations

from typing import Any

import paramiko
from paramiko import Message

from rollback_ops.core.text import listed, one_line

# For each kind of algorithm: the host's list, our list (both are paramiko's names), and its keyword in sshd_config.
_KINDS = {
    "key exchange": ("kex_algo_list", "preferred_kex", "KexAlgorithms"),
    "host key algorithm": ("server_key_algo_list", "preferred_keys", "HostKeyAlgorithms"),
    "cipher": ("server_encrypt_algo_list", "preferred_ciphers", "Ciphers"),
    "MAC": ("server_mac_algo_list", "preferred_macs", "MACs"),
    "compression": ("server_compress_algo_list", "preferred_compression", "Compression"),
}
# Parts of the names of algorithms that nobody should be told to allow.
_WEAK = ("cbc", "md5", "sha1")
_LONGEST_LIST = 400
_LONGEST_LINE = 200


class NegotiatingTransport(paramiko.Transport):
    """Remembers what the host offered. ``greeting`` is the last line that it sent before its version, if any."""

    def __init__(self, sock: Any, **options: Any) -> None:
        super().__init__(sock, **options)
        self.greeting = ""
        self._offered: dict[str, Any] = {}

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The host key algorithms, the likeliest first; certificates only where an authority is known."""
        return tuple(self._preferred_keys)  # type: ignore[attr-defined]

    def mismatch(self) -> tuple[str, str]:
        """Return the kind of algorithm that both sides lack in common, and a hint; empty when they lack none."""
        for kind, (theirs, ours, keyword) in _KINDS.items():
            offered, known = self._offered.get(theirs, ()), getattr(self, ours)
            if not set(offered) & set(known):
                safe = listed(name for name in known if not any(weak in name for weak in _WEAK))
                hint = f"Allow one of these in its sshd_config ({keyword}): {one_line(safe, _LONGEST_LIST)}"
                return f"it offers no {kind} that is known here: {one_line(listed(offered), _LONGEST_LIST)}", hint
        return "", ""

    def _parse_kex_init(self, message: Message) -> None:
        self._offered = self._really_parse_kex_init(message)  # type: ignore[attr-defined]
        message.rewind()
        super()._parse_kex_init(message)  # type: ignore[misc]

    def _log(self, level: int, text: Any, *arguments: Any) -> None:
        # Lines before the version (RFC 4253, 4.2) are only logged: sshd says there why it closes a connection.
        if isinstance(text, str) and text.startswith("Banner: "):
            self.greeting = one_line(text.removeprefix("Banner: "), _LONGEST_LINE).strip()
        super()._log(level, text, *arguments)  # type: ignore[misc]
