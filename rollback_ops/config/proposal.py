"""Proposes settings for the service that was found on a host: a rollback.toml, and the reason for each line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import PurePosixPath

from rollback_ops.core.discovery import Discovery, Program, Tree, words_in
from rollback_ops.core.errors import Refused
from rollback_ops.core.frozen import frozen
from rollback_ops.core.text import listed

# Files that a deployment tool leaves in the root, and the tool's name; the first file that exists counts.
_TOOLS = (
    ("revisions.log", "Capistrano"),
    (".dep/releases_log", "Deployer"),
    (".dep", "Deployer"),
    ("repo", "Capistrano or Ansistrano"),
)
_COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@frozen
class HealthCheck:
    """A port that answered. ``path``: the path of HTTP; empty for a port that only accepts connections.

    ``release_field`` is the field of the JSON answer that holds the name of the live release; empty: there is none.
    """

    port: int
    path: str = ""
    release_field: str = ""


@frozen
class HostAddress:
    """The host as the settings name it. ``alias_of``: what it stands for in the user's SSH configuration."""

    text: str
    alias_of: str = ""


@frozen
class ReleaseTree:
    """One tree of releases with the programs that run from it, all under one manager."""

    tree: Tree
    programs: tuple[Program, ...] = ()
    ports: tuple[int, ...] = ()

    @property
    def manager(self) -> str:
        return self.programs[0].manager if self.programs else "compose"

    @property
    def release(self) -> str:
        """The name of the live release."""
        return _placed(self.tree)[1]


@frozen
class Proposal:
    """The settings as text, and the reasons, one a line."""

    service: str
    environment: str
    toml: str
    reasons: tuple[str, ...] = field(default=())


def choose(found: Discovery, host: str, root: str = "") -> ReleaseTree:
    """Return the one site for which to write settings.

    Raises ``Refused`` where there is none, or where there are several and ``root`` names none of them.
    """
    sites = [_site(found, tree) for tree in found.trees]
    running = [each for each in sites if each.programs or _has_compose(each.tree)]
    if len(running) == 1:
        return running[0]
    if running:
        roots = listed(each.tree.root for each in running)
        raise Refused(f"{host} has {len(running)} services: {roots}", "Name one with --root.")
    if sites:
        where = listed(each.tree.root for each in sites)
        raise Refused(
            f"{host}: nothing runs from {where}: no unit of systemd, no program of supervisord or pm2, no compose file",
            "Deploy the service first, or write the settings by hand: docs/settings.md.",
        )
    raise Refused(
        f"{host}: no link leads from a root to the live release" + (f" in {root}" if root else ""),
        "Name the directory that holds the link and the releases with --root. Has the service been deployed yet?",
    )


def propose(
    site: ReleaseTree, host: HostAddress, checks: Sequence[HealthCheck], *, service: str = "", environment: str = ""
) -> Proposal:
    """Propose the settings of a site. ``checks``: the ports that answered.

    Raises ``Refused`` where ``environment`` is not the one whose releases the site holds.
    """
    found_environment = _environment_of(site.tree)
    name, chosen = service or _name(site), environment or found_environment or "prod"
    if found_environment and environment and environment != found_environment:
        raise Refused(
            f"{site.tree.root} holds the releases of the environment {found_environment}, not of {environment}",
            f"Leave --env out, or give --env {found_environment}.",
        )
    return Proposal(
        name,
        chosen,
        "\n".join(_toml(site, host, checks, name, chosen)),
        (*_reasons(site, checks, chosen, guessed=not (environment or found_environment)), *_reasons_for_host(host)),
    )


def _site(found: Discovery, tree: Tree) -> ReleaseTree:
    programs = found.programs_of(tree)
    # Of two managers, one starts the other's units; systemd's come first.
    ours = tuple(each for each in programs if each.manager == programs[0].manager)
    ports = [port for each in ours for port in found.ports_of(each, tree)]
    return ReleaseTree(tree, ours, tuple(dict.fromkeys(ports)))


def _placed(tree: Tree) -> tuple[str, str]:
    """Return the directory of the releases, relative to the root, and the name of the live one.

    The live directory may lie inside of a release (``releases/3/public``).
    """
    parts = PurePosixPath(tree.live).parts
    depth = {"releases": 1, "backups": 2}.get(parts[0], len(parts) - 1)
    depth = min(depth, len(parts) - 1)
    return "/".join(parts[:depth]), parts[depth]


def _environment_of(tree: Tree) -> str:
    directory = _placed(tree)[0].split("/")
    return directory[1] if directory[0] == "backups" and len(directory) == 2 else ""


def _has_compose(tree: Tree) -> bool:
    return not tree.entries.isdisjoint(_COMPOSE_FILES)


def _name(site: ReleaseTree) -> str:
    names = [each.name for each in site.programs]
    name = names[0] if len(names) == 1 else PurePosixPath(site.tree.root).name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.partition("@")[0]).strip("-._") or "service"


def _requires(site: ReleaseTree) -> list[str]:
    """Return the files that a complete release has: those that the programs are started with."""
    tree = site.tree
    files = {word for each in site.programs for word in words_in(tree, each)}
    files |= {name for name in _COMPOSE_FILES if not site.programs and name in tree.entries}
    return sorted(files)


def _toml(
    site: ReleaseTree, host: HostAddress, checks: Sequence[HealthCheck], name: str, environment: str
) -> Iterator[str]:
    tree, directory = site.tree, _placed(site.tree)[0]
    yield "#:schema ./rollback.schema.json"
    yield f"[services.{_key(name)}]"
    yield f"root = {_text(tree.root)}"
    if directory == f"backups/{environment}":
        yield 'layout = "backups"'
        if not site.release.startswith("backup_"):
            yield 'pattern = "*"'
    elif directory != "releases":
        yield f"releases = {_text(directory)}"
    if tree.current != "current":
        yield f"current = {_text(tree.current)}"
    if site.manager != "systemd":
        yield f"manager = {_text(site.manager)}"
    if site.programs:
        yield f"units = {_list(sorted(each.name for each in site.programs))}"
    if files := _requires(site):
        yield f"requires = {_list(files)}"
    for check in checks:
        yield ""
        yield from _check(name, check, first=check is checks[0])
    yield ""
    yield f"[environments.{_key(environment)}]"
    alias = f"  # an alias in ~/.ssh/config for {host.alias_of}; a workflow needs that address" if host.alias_of else ""
    yield f"hosts = {_list([host.text])}{alias}"
    yield ""


def _check(service: str, check: HealthCheck, *, first: bool) -> Iterator[str]:
    yield f"[services.{_key(service)}.checks.{'health' if first else f'port-{check.port}'}]"
    if not check.path:
        yield 'kind = "tcp"'
        yield f'address = "localhost:{check.port}"'
        return
    yield 'kind = "http"'
    yield f"url = {_text(f'http://localhost:{check.port}{check.path}')}"
    if check.release_field:
        yield f'json = {{ {_key(check.release_field)} = "{{release}}" }}'


def _reasons(site: ReleaseTree, checks: Sequence[HealthCheck], environment: str, *, guessed: bool) -> Iterator[str]:
    tree = site.tree
    tool = next((f", as {name} leaves it ({mark})" for mark, name in _TOOLS if mark in tree.marks), "")
    yield f"root: {tree.root}, whose link {tree.current} leads to {tree.live}{tool}"
    if site.programs:
        names = listed(each.name for each in site.programs)
        yield f"units: {names}, which {site.manager} starts from there"
    else:
        yield "manager: compose, because the live release has a compose file"
    if files := _requires(site):
        yield f"requires: {listed(files)}, with which it is started; a release without it is incomplete"
    else:
        yield "requires: nothing was found; name a file that the deployment writes last"
    yield from _reasons_for_checks(site, checks)
    if guessed:
        yield f"environment: {environment} is a guess; --env names another"
    if outside := sorted(name for name, target in tree.linked.items() if tree.holds(target)):
        yield f"links: the release brings its own ({listed(outside)}), so none are set"


def _reasons_for_checks(site: ReleaseTree, checks: Sequence[HealthCheck]) -> Iterator[str]:
    for check in checks:
        answer = f"check: {check.path} on port {check.port} answers with 200"
        if not check.path:
            yield f"check: port {check.port} accepts connections, but no usual path answers over HTTP with 200"
        elif check.release_field:
            yield f"{answer} and names the live release ({check.release_field})"
        else:
            yield answer
    if not checks:
        what = (
            f"none of its ports ({listed(map(str, site.ports))}) answers" if site.ports else "no port of it was found"
        )
        yield f"check: {what}, so only the process is checked; add a check of your own"


def _reasons_for_host(host: HostAddress) -> Iterator[str]:
    if host.alias_of:
        yield (
            f"hosts: {host.text} is an alias in ~/.ssh/config for {host.alias_of}, with a key or other settings of its"
            " own; for a workflow, write that address (and gateways for its ProxyJump)"
        )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
