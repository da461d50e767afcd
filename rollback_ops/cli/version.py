"""``--version``: the version of this program; with ``--json``, of Python and the libraries, too."""

from __future__ import annotations

import json
import sys

import click

from rollback_ops import __version__

_LIBRARIES = ("click", "fabric", "paramiko", "cryptography", "pydantic", "pydantic-settings", "PyGithub", "requests")


def version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print the version, and end. ``--json`` may stand on either side of it."""
    if not asked or context.resilient_parsing:
        return
    click.echo(json.dumps(_document(), indent=2) if context.params.get("as_json") else f"rollback-ops {__version__}")
    context.exit()


def _document() -> dict[str, object]:
    import platform
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    libraries: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = installed(name)
        except PackageNotFoundError:
            libraries[name] = None
    return {
        "version": __version__,
        "python": platform.python_version(),
        "platform": sys.platform,
        "machine": platform.machine(),
        "libraries": libraries,
    }
