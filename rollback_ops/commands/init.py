"""``init``: look at a host, and write settings for the service there. Nothing is changed on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from rollback_ops.checks.http import Http
from rollback_ops.checks.tcp import Tcp
from rollback_ops.commands.context import credentials
from rollback_ops.config import HttpCheck, TcpCheck
from rollback_ops.config.load import load, settings_path
from rollback_ops.config.proposal import HealthCheck, HostAddress, Proposal, ReleaseTree, choose, propose
from rollback_ops.config.secrets import Secrets
from rollback_ops.config.workflow import PLACE, secret_commands, workflow
from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.ports import Stream
from rollback_ops.hosts import machine, plain_address
from rollback_ops.hosts.discovery import discover

# The usual paths of health checks, in the order in which they are tried.
_HEALTH_PATHS = ("/health", "/healthz", "/up", "/status", "/")
_RELEASE_FIELDS = ("release", "version")
_ANSWERS_WITHIN = 2.0
_MOST_PORTS = 5


@frozen
class InitOptions:
    """The options of ``init``. An empty one is found out on the host."""

    host: str
    root: str = ""
    service: str = ""
    environment: str = ""
    config: str | None = None
    workflow: bool = False


@frozen
class WrittenWorkflow:
    """The workflow that was written, and the command lines that set its secrets."""

    file: Path
    secrets: tuple[str, ...]


@frozen
class Written:
    """The result of ``init``: the file that was written, and the facts that it is based on."""

    file: Path
    proposal: Proposal


def init(options: InitOptions, environ: Mapping[str, str], secrets: Secrets) -> Written:
    """Look at a host and write the settings.

    Raises ``UsageError`` where the file exists already, before the host is contacted; ``HostUnreachable``; and
    ``Refused`` where nothing, or more than one service, was found.
    """
    file = settings_path(environ, Path(options.config) if options.config else None)
    if file.exists():
        raise UsageError(f"{file} exists already; it is not overwritten", "Name another file with --config.")
    if options.workflow:
        _place_of_workflow(file)
    login = credentials(secrets, environ)
    with closing(machine(options.host, login)) as transport:
        site = choose(discover(transport, options.root), options.host, options.root)
        answering = list(_answering(site, transport.dial))
    # A workflow's runner does not have the user's SSH configuration.
    address, replaces = plain_address(options.host, login)
    host = HostAddress(address) if replaces else HostAddress(options.host, alias_of=address)
    proposal = propose(site, host, answering, service=options.service, environment=options.environment)
    _write(file, proposal.toml)
    return Written(file, proposal)


def write_workflow(config: str | None, environ: Mapping[str, str]) -> WrittenWorkflow:
    """Write the workflow for the environments of the settings, beside the settings.

    Raises ``UsageError`` where it exists already, or the settings cannot be read or have no environment.
    """
    file = settings_path(environ, Path(config) if config else None)
    place = _place_of_workflow(file)
    environments = load(file, environ).environments
    if not environments:
        raise UsageError(f"{file} has no environment", "Add [environments.NAME] with hosts.")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the directory {place.parent} cannot be made: {error.strerror}") from None
    _write(place, workflow(tuple(environments), "" if file.name == "rollback.toml" else file.name))
    return WrittenWorkflow(place, tuple(secret_commands(environments)))


def _place_of_workflow(settings: Path) -> Path:
    place = settings.parent / PLACE
    if place.exists():
        raise UsageError(f"{place} exists already; it is not overwritten", "Move it away, or leave out --workflow.")
    return place


def _answering(site: ReleaseTree, dial: Callable[[str, int, float], Stream]) -> Iterator[HealthCheck]:
    for port in site.ports[:_MOST_PORTS]:
        if _passes(TcpCheck(kind="tcp", address=f"localhost:{port}", timeout=_ANSWERS_WITHIN), dial):
            yield _over_http(port, site.release, dial) or HealthCheck(port)


def _over_http(port: int, release: str, dial: Callable[[str, int, float], Stream]) -> HealthCheck | None:
    for path in _HEALTH_PATHS:
        question = {"kind": "http", "url": f"http://localhost:{port}{path}", "timeout": _ANSWERS_WITHIN}
        if not _passes(HttpCheck.model_validate(question), dial):
            continue
        for name in _RELEASE_FIELDS:
            if _passes(HttpCheck.model_validate(question | {"json": {name: release}}), dial):
                return HealthCheck(port, path, name)
        return HealthCheck(port, path)
    return None


def _passes(check: HttpCheck | TcpCheck, dial: Callable[[str, int, float], Stream]) -> bool:
    probe = Http(check, "") if isinstance(check, HttpCheck) else Tcp(check, "")
    return probe.probe(dial).verdict == "passed"


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x") as new:
            new.write(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
