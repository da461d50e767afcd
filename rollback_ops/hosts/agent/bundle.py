"""Joins the sections of the agent into the text that runs on a host, and makes the command line that runs it there."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from rollback_ops.config import Check, HttpCheck, LogsCheck, Service, TcpCheck
from rollback_ops.core.errors import Refused
from rollback_ops.core.model import Manager, ServiceId

# The sections under sh/, in the order in which they are joined. Only ``env`` runs something; it changes nothing.
_SECTIONS = (
    "env",
    "lib",
    "survey",
    "current",
    "deployed",
    "tools",
    "state",
    "identity",
    "trust",
    "acl",
    "inspect",
    "lock",
    "links",
    "units",
    "processes",
    "traffic",
    "transaction",
    "worker",
    "journal",
    "marks",
    "pin",
    "holds",
    "arm",
    "drill",
    "schema",
    "serve",
)
# Only a preview needs these. A rollback does not send them.
_COMPARING = ("keys", "nested_keys", "compare")
# Only the installed agent has these, in the order in which a person reads them: the beginning, the rollback, and the
# requests of a restricted key.
_INSTALLED = (
    "breakglass/entry",
    "breakglass/person",
    "breakglass/options",
    "breakglass/look",
    "breakglass/decide",
    "breakglass/order",
    "breakglass/read",
    "breakglass/change",
    "breakglass/verify",
    "breakglass/judge",
    "breakglass/result",
    "breakglass/words",
    "breakglass/install",
    "restricted/requests",
    "restricted/rules",
)
# The first line of every answer begins like this.
HEADING = "rollback-ops\t1\t"
# Only the last line acts, so a text that was cut on its way does nothing.
_MAIN = 'main "$@"\n'
_BREAK_GLASS_MAIN = 'break_glass "$@"\n'

# Linux takes at most 128 KiB in one argument, and quoting makes a program longer.
_LONGEST_COMMAND = 120_000
_THIS_HOST = ("localhost", "127.0.0.1", "::1")

# Bytes that a shell reads one by one in less time than a process takes to start.
_SHORT = 2_000

# The program is given to the shell whole, as an argument: on standard input a cut connection would run half of it.
_BOOTSTRAP = """sh -c 'RO_SELF=$1; shift; eval "$RO_SELF"' rollback-ops"""
# A program that is packed (gzip, base64) has a third of its length. One that was damaged on its way is not unpacked.
_UNPACKING = """sh -c 'RO_SELF=$(printf %s "$1" | base64 -d | gzip -dc) || exit; shift; eval "$RO_SELF"' rollback-ops"""


def render(about: ServiceId, service: Service, manager: Manager) -> str:
    """Return the program with this service's settings in front of it."""
    return assignments(about, service, manager) + _body()


def comparing(program: str) -> str:
    """Return the program with the operation ``compare``."""
    return program.removesuffix(_MAIN) + _bare(_COMPARING) + _MAIN


def assignments(about: ServiceId, service: Service, manager: Manager) -> str:
    """Return the shell assignments of this service's settings, which precede the agent."""
    values = {
        "SERVICE": about.service,
        "ENVIRONMENT": about.environment,
        "ROOT": service.root,
        "RELEASES": service.releases,
        "PATTERN": service.pattern,
        "CURRENT": service.current,
        "LINKS": "\n".join(f"{place}\t{source}" for place, source in service.links.items()),
        "REQUIRES": "\n".join(service.requires),
        "WATCHED": "\n".join(_watched(service)),
        "TRUSTED": " ".join(service.trusted),
        "PIN": str(service.pin),
        "MANAGER": manager.kind,
        "FUNCTIONS": manager.functions,
        "STOP": manager.stop,
        "KILL": manager.kill,
        "RESET": manager.reset,
        "START": manager.start,
        "RUNNING": manager.running,
        "STOPPED": manager.stopped,
        "STATE": manager.state,
        "LOGS": manager.logs or ":",
        "RELATED": manager.related,
        "REVIVE": manager.revive,
        "RELOAD": manager.reload,
        "NEEDS": "\n".join(manager.needs),
        "STOP_LIMIT": whole(service.limits.stop),
        "START_LIMIT": whole(service.limits.start),
        "TOTAL_LIMIT": whole(service.limits.total + service.traffic_time),
        **_traffic(service),
    }
    if schema := service.database:
        values |= {
            "SCHEMA_CURRENT": schema.current,
            "SCHEMA_FILE": schema.understands,
            "SCHEMA_MIGRATIONS": "\n".join(schema.migrations),
        }
    return "".join(f"RO_{name}={shlex.quote(value)}\n" for name, value in values.items())


def command(program: str, operation: str, *arguments: str, packed: bool = False) -> str:
    """Return a shell command line that runs one operation of the agent. Raises ``Refused`` if it is too long.

    ``packed`` is for a long program, and needs gzip on the host.
    """
    start = f"{_UNPACKING} {_packed(program)}" if packed else f"{_BOOTSTRAP} {shlex.quote(program)}"
    line = f"{start} {shlex.join([operation, *arguments])}"
    if len(line.encode()) > _LONGEST_COMMAND:
        hint = "Are there very long commands in the settings? Put them into scripts on the host."
        raise Refused(
            f"the remote command is too long ({len(line):,} characters; the limit is {_LONGEST_COMMAND:,})", hint
        )
    return line


def _packed(program: str) -> str:
    import gzip
    from base64 import b64encode

    return b64encode(gzip.compress(program.encode(), mtime=0)).decode()


def request(token: str, operation: str, *arguments: str) -> bytes:
    """Return one operation as ``converse TOKEN``, an operation itself, reads it from its standard input."""
    words = f"{shlex.join([operation, *arguments])} {token}".encode()
    if len(words) <= _SHORT and b"\n" not in words:
        return b"line\n%b\n" % words
    return b"%d\n%b" % (len(words), words)


def _watched(service: Service) -> Iterator[str]:
    """Yield the log files that checks read. The worker notes their ends before a start."""
    files = dict.fromkeys(
        check.file for check in service.checks.values() if isinstance(check, LogsCheck) and check.file
    )
    yield from (file if file.startswith("/") else f"{service.root}/{file}" for file in files)


def _traffic(service: Service) -> dict[str, str]:
    if service.traffic is None:
        return {}
    ports = sorted({port for check in service.checks.values() if (port := _own_port(check))})
    return {
        "DRAIN": service.traffic.drain,
        "UNDRAIN": service.traffic.undrain,
        "TRAFFIC_LIMIT": whole(service.traffic.timeout),
        "PORTS": " ".join(map(str, ports)),
    }


def _own_port(check: Check) -> int | None:
    """Return the port of the host itself that a check asks on the host."""
    match check:
        case HttpCheck(source="host"):
            url = urlsplit(check.url)
            host, port = url.hostname, url.port or (443 if url.scheme == "https" else 80)
        case TcpCheck(source="host") if not check.address.startswith("/"):
            host, _, digits = check.address.rpartition(":")
            port = int(digits)
        case _:
            return None
    return port if (host or "").strip("[]") in _THIS_HOST else None


def whole(seconds: float) -> str:
    return str(max(1, round(seconds)))


@cache
def _body() -> str:
    return _bare(_SECTIONS) + _MAIN


def _bare(sections: Iterable[str]) -> str:
    """Return sections without comments and indentation. They are half of it, and the host does not need them."""
    lines = (line.lstrip(" ") for line in _joined(sections).splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


@cache
def installed_body() -> str:
    """Return the agent with break-glass, with all comments: it stays on the host, and a person may read it."""
    first, *others = _SECTIONS
    return _joined((first, *_INSTALLED, *others, *_COMPARING)) + _BREAK_GLASS_MAIN


def _joined(names: Iterable[str]) -> str:
    directory = Path(__file__).parent / "sh"
    return "\n".join((directory / f"{name}.sh").read_text(encoding="utf-8") for name in names)
