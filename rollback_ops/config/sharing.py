"""Find services and environments that would share one ``current`` on one host."""

from __future__ import annotations

from collections.abc import Iterator

from rollback_ops.config.addresses import machine_of
from rollback_ops.config.schema import Settings
from rollback_ops.config.types import fill


def shared_links(settings: Settings) -> list[str]:
    """Return one problem for each pair that would roll back the same link, also where several hosts are concerned."""
    owners: dict[tuple[object, str], str] = {}
    found: dict[tuple[str, str, str], str] = {}
    for host, link, owner in _links(settings):
        other = owners.setdefault((machine_of(host), link), owner)
        if other != owner:
            found.setdefault((other, owner, link), host)
    return [
        f"{one} and {two} share {link} on {host}: rolling one back would undo the other; "
        'give each its own root or current, like current = "current-{environment}"'
        for (one, two, link), host in found.items()
    ]


def _links(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield each host with the path of a ``current`` on it and the owner of that, as the settings name both."""
    for environment_name, environment in settings.environments.items():
        for service_name, service in settings.services.items():
            link = fill(f"{service.root}/{service.current}", {"environment": environment_name})
            for host in environment.all_hosts:
                yield host, link, f"services.{service_name} in environments.{environment_name}"
