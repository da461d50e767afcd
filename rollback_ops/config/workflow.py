"""Writes the workflow that rolls environments back, and the commands that set its secrets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rollback_ops.config.schema import Environment

PLACE = ".github/workflows/rollback.yml"
_CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
_TEMPLATE = Path(__file__).with_name("workflow.yml")


def workflow(environments: Sequence[str], config: str = "") -> str:
    """Return the text of the workflow. ``config`` is the path of the settings; empty: rollback.toml."""
    chosen = f"\n          config: {_quoted(config)}" if config else ""
    text = _TEMPLATE.read_text("utf-8").replace("ENVIRONMENTS", ", ".join(map(_quoted, environments)), 1)
    return text.replace("CHECKOUT", _CHECKOUT).replace("CONFIG", chosen)


def secret_commands(environments: Mapping[str, Environment]) -> Iterator[str]:
    """Yield the command lines that set the secrets of each environment. None of them holds a secret."""
    for name, environment in environments.items():
        known = f"known_hosts.{name}"
        yield f"gh api --silent --method PUT repos/{{owner}}/{{repo}}/environments/{name}"
        yield f"{_scans(environment)} > {known}   # compare the fingerprints with those of the hosts"
        yield f"gh secret set ROLLBACK_KNOWN_HOSTS --env {name} < {known}"
        yield f"gh secret set ROLLBACK_SSH_KEY --env {name} < KEY   # a key without a passphrase, for this only"


def _scans(environment: Environment) -> str:
    """Return the commands that print the keys of all hosts. Hosts behind a gateway are scanned from it."""
    found = [_scan(address) for address in dict.fromkeys((*environment.gateways, *environment.all_hosts))]
    return found[0] if len(found) == 1 else f"{{ {'; '.join(found)}; }}"


def _scan(address: str) -> str:
    host, port = re.fullmatch(r"(?:[^@]*@)?(.*?)(?::(\d+))?", address).groups()  # type: ignore[union-attr]
    place = shlex.quote(host.strip("[]"))
    return f"ssh-keyscan -p {port} {place}" if port else f"ssh-keyscan {place}"


def _quoted(text: str) -> str:
    """Quote a text where YAML would read it as something else, like ``on`` or ``1.0``."""
    return f"'{text.replace(chr(39), chr(39) * 2)}'" if not re.fullmatch(r"[a-z]{3,}(?<!true)(?<!null)", text) else text
