"""Any content of a file or a variable is accepted, or refused with a usage error; there is no other exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rollback_ops.config import (
    CommandCheck,
    CustomCommands,
    Environment,
    HttpCheck,
    Limits,
    Service,
    Settings,
    TcpCheck,
    Verify,
)
from rollback_ops.config.reason import reason_for
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.config.resolve import Job, resolve
from rollback_ops.core.errors import UsageError
from tests.support.settings_files import as_toml, read

T = TypeVar("T")

# A slow machine is not a failure.
patiently = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SECTIONS = (Settings, Service, HttpCheck, TcpCheck, CommandCheck, CustomCommands, Verify, Limits, Environment)
KEYS = sorted({field.alias or name for section in SECTIONS for name, field in section.model_fields.items()})
WORDS = ["http", "tcp", "command", "process", "/s", "20s", "a", "http://a", "a:1", "{environment}", "{x}", "custom"]
REQUESTED = ["HOST", "TRIGGER", "EMERGENCY", "REASON", "RECORD", "BACKUP"]

ANSWERS = st.sampled_from(["true", "no", "log-error", "workflow", "why not", "a b"])

keys = st.sampled_from([*KEYS, "http", "[key]", "ssh_key"]) | st.text(max_size=5)
scalars = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(WORDS)
values = st.recursive(
    scalars | st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
)


def tables_of(section: type, **known: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Tables in which any key of a section may stand, with any value."""
    names = [field.alias or name for name, field in section.model_fields.items()]  # type: ignore[attr-defined]
    return st.fixed_dictionaries({}, optional={name: known.get(name, values) for name in names})


checks = st.dictionaries(
    st.just("c"), tables_of(HttpCheck, kind=st.just("http"), url=st.just("http://a")) | tables_of(CommandCheck) | values
)
services = tables_of(Service, root=st.just("/s"), checks=checks, verify=tables_of(Verify) | values)
likely = st.fixed_dictionaries(
    {"root": st.just("/{environment}"), "manager": st.sampled_from(["systemd", "compose"])},
    optional={
        "layout": st.sampled_from(["backups", "releases"]),
        "releases": st.sampled_from(["a/{environment}", "a"]),
        "project": st.sampled_from(["{environment}", "a-{environment}", "a"]),
        "units": st.lists(st.sampled_from(["{environment}", "prod", "a"]), unique=True),
        "links": st.just({"a": "{environment}"}),
        "checks": st.just({"c": {"kind": "http", "url": "http://a", "from": "runner", "json": {"a": "{environment}"}}}),
    },
)
hosts = st.lists(st.sampled_from(["a", "u@b", "c:22"]), unique=True)
environments = tables_of(Environment, hosts=hosts | values)


def tried(action: Callable[[], T]) -> T | None:
    """Return the result of an action, or None when it refuses with a message that a terminal can show."""
    message = ""
    try:
        return action()
    except UsageError as error:
        message = str(error)
    assert message
    assert all(line.isprintable() for line in message.split("\n"))
    return None


@patiently
@given(st.text() | st.binary())
@example("a = 1979-13-45")
@example("a = 0x" + "f" * 10_000)
def test_any_text_is_read_or_refused(content: str | bytes) -> None:
    tried(lambda: read(content if isinstance(content, bytes) else content.encode()))


@patiently
@given(services | values, environments | values)
@example({"root": "/s", "limits": {"stop": 10**400}}, {})
@example({"root": "/s", "checks": {"c": {"kind": "http", "url": "http://a", "status": 10**400}}}, {})
@example({"root": "/s", "checks": {"c": {"kind": ["http"]}}}, {"[key]": "x"})
@example("[key]", {"hosts": [[[]]]})
def test_any_tables_in_a_file_are_read_or_refused(service: object, environment: object) -> None:
    tried(lambda: read(f"services.s = {as_toml(service)}\nenvironments.e = {as_toml(environment)}"))


@patiently
@given(st.dictionaries(keys, services | likely | values), st.dictionaries(keys, environments | values), keys, st.text())
def test_any_tables_in_variables_are_read_or_refused(
    services: dict[str, object], environments: dict[str, object], name: str, root: str
) -> None:
    environ = {
        "ROLLBACK_SERVICES": json.dumps(services),
        "ROLLBACK_ENVIRONMENTS": json.dumps(environments),
        f"ROLLBACK_SERVICES__{name}__ROOT": root,
    }
    tried(lambda: read("", environ))


@patiently
@given(likely, st.fixed_dictionaries({}, optional={"hosts": hosts}), st.sampled_from(["prod", "Prod", "a.b"]))
def test_any_settings_that_can_be_read_make_a_job_or_are_refused(
    service: object, environment: object, name: str
) -> None:
    toml = f"services.s = {as_toml(service)}\n[environments]\n{as_toml(name)} = {as_toml(environment)}"
    found = tried(lambda: read(toml))
    if found is not None:
        job = tried(lambda: resolve(found, Request(name)))
        assert job is None or isinstance(job, Job)


@patiently
@given(st.dictionaries(st.sampled_from([f"ROLLBACK_{name}" for name in REQUESTED]), ANSWERS | st.text()))
def test_any_variables_make_a_request_or_are_refused(environ: dict[str, str]) -> None:
    reason = tried(lambda: reason_for(Request.build(environ, CommandOptions(environment="prod"))))
    assert reason is None or 0 < len(reason.text) <= 1000
