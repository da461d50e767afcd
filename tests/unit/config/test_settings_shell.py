"""Settings that could reach a shell are refused when they are read, before any host is contacted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rollback_ops.config.request import Request
from rollback_ops.config.resolve import Job, resolve
from rollback_ops.core.errors import Exit, UsageError
from tests.support.lab.toml import dump
from tests.support.settings_files import read

HOSTILE = (
    "$(touch canary)",
    "`touch canary`",
    ";touch canary;",
    "x\ntouch canary\n",
    "'; touch canary; '",
    '"; touch canary; "',
    "-x$(touch canary)",
    "a\t$(touch canary)\\",
    "|touch canary&",
    "${x:-$(touch canary)}",
)
FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "root": lambda text: {"root": f"/srv/{text}"},
    "releases": lambda text: {"releases": text},
    "pattern": lambda text: {"pattern": text},
    "current": lambda text: {"current": text},
    "units": lambda text: {"units": [text]},
    "links (place)": lambda text: {"links": {text: "config-prod.json"}},
    "links (source)": lambda text: {"links": {"config.json": text}},
    "requires": lambda text: {"requires": [text]},
    "trusted": lambda text: {"trusted": [text]},
    "project": lambda text: {"manager": "compose", "project": text},
    "manager": lambda text: {"manager": text},
    "log file": lambda text: {"checks": {"c": {"kind": "logs", "file": text}}},
    "address": lambda text: {"checks": {"c": {"kind": "tcp", "address": f"{text}:80"}}},
    "socket": lambda text: {"checks": {"c": {"kind": "tcp", "address": f"/run/{text}"}}},
    "url": lambda text: {"checks": {"c": {"kind": "http", "url": f"http://{text}/"}}},
    "name of a check": lambda text: {"checks": {text: {"kind": "process"}}},
    "limit": lambda text: {"limits": {"stop": text}},
    "hosts": lambda text: {"hosts": [text]},
    "user of a host": lambda text: {"hosts": [f"{text}@127.0.0.1"]},
    "gateways": lambda text: {"environment": {"gateways": [text]}},
}


HARMLESS = {"limit": "5s", "manager": "systemd", "pattern": "x*"}


def job_with(field: str, text: str) -> Job:
    changes = FIELDS[field](text)
    environment = changes.pop("environment", {})
    prod = {"hosts": changes.pop("hosts", ["deploy@bot1"]), **environment}
    service = {"root": "/srv/bot", "units": ["bot"], **changes}
    return resolve(read(dump({"services": {"bot": service}, "environments": {"prod": prod}})), Request("prod"))


@pytest.mark.parametrize("field", FIELDS)
def test_a_plain_word_in_such_a_field_is_accepted(field: str) -> None:
    assert job_with(field, HARMLESS.get(field, "x"))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", FIELDS)
def test_a_command_in_a_field_that_reaches_a_host_is_refused(field: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        job_with(field, text)
    assert caught.value.exit_code == Exit.USAGE
