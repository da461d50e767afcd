"""Find names of services, in groups and in environments, that no service has."""

from __future__ import annotations

from collections.abc import Iterator

from rollback_ops.config.schema import Settings
from rollback_ops.core.text import did_you_mean, listed, quoted


def unknown_services(settings: Settings) -> Iterator[str]:
    """Yield a problem for each name."""
    named = {f"groups.{name}.services": group.services for name, group in settings.groups.items()}
    named |= {f"environments.{name}.services": tuple(each.services) for name, each in settings.environments.items()}
    known = settings.services
    for key, services in named.items():
        for name in services:
            if name not in known:
                meant = did_you_mean(name, known)
                yield f"{key} names {quoted(name)}, which is no service{meant}; the settings have: {listed(known)}"
