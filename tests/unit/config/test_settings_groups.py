"""Groups of services, and the hosts of a service: which values are accepted, and the facts in the message otherwise."""

from __future__ import annotations

import pytest

from rollback_ops.config.request import Request
from rollback_ops.config.resolve import group_of, resolve, services_there
from rollback_ops.core.errors import UsageError
from tests.support.settings_files import complaint, holds, read

THREE = "".join(f"[services.{name}]\nroot = '/srv/{name}'\nunits = ['{name}']\n" for name in ("db", "api", "web"))
HOSTS = f"{THREE}[environments.prod]\nhosts = ['h1', 'h2', 'h3']\n"
SPREAD = f"{HOSTS}services = {{ api = ['h2', 'h1'], web = ['h3'] }}\n[groups.shop]\nservices = ['api', 'web']\n"


@pytest.mark.parametrize(
    ("group", "facts"),
    [
        ("services = ['db', 'apy']", 'groups.shop.services … "apy" … "api"'),
        ("services = ['db', 'api', 'db']", "groups.shop … db more than once"),
        ("services = ['db']", "groups.shop … two"),
        ("services = []", "groups.shop … two"),
        ("services = 'db'", 'groups.shop.services = "db" … list'),
        ("after = {}", "groups.shop.services … missing"),
        ("services = ['db', 'api']\nafter = {web = ['db']}", 'groups.shop … "web" in after'),
        ("services = ['db', 'api']\nafter = {db = ['apy']}", 'groups.shop … "apy" in after … "api"'),
        ("services = ['db', 'api']\nafter = {api = ['api']}", "groups.shop … wait for each other: api → api"),
        ("services = ['db', 'api']\nafter = {api = ['db'], db = ['api']}", "groups.shop … wait for each other"),
        ("services = ['db', 'api']\nafter = {api = 'db'}", 'groups.shop.after.api = "db" … list'),
        ("services = ['db', 'api']\non_failure = 'restore'", "groups.shop … restore … together = true"),
        ("services = ['db', 'api']\non_failure = 'older'", 'groups.shop.on_failure = "older" … stop, restore'),
        ("services = ['db', 'api']\ntogether = []", "groups.shop.together"),
        ("services = ['db', 'api']\nafer = {}", 'groups.shop.afer … "after"'),
    ],
)
def test_a_group_that_cannot_be_meant_is_named_with_what_is_wrong(group: str, facts: str) -> None:
    message = complaint(f"{THREE}[groups.shop]\n{group}")
    assert holds(message, f"rollback.toml: … {facts}"), message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("services", "facts"),
    [
        ("{ apy = ['h1'] }", 'environments.prod.services … "apy" … "api"'),
        ("{ api = ['h4'] }", 'environments.prod … "h4" in services.api'),
        ("{ api = [] }", "environments.prod … services.api"),
        ("{ api = ['h1', 'root@h1'] }", "environments.prod.services.api … more than once"),
        ("['h1']", "environments.prod.services … table"),
    ],
)
def test_hosts_of_a_service_that_cannot_be_meant_are_named(services: str, facts: str) -> None:
    message = complaint(f"{HOSTS}services = {services}")
    assert holds(message, f"rollback.toml: … {facts}"), message


def test_a_service_runs_on_its_hosts_and_one_that_is_not_named_on_all() -> None:
    settings = read(SPREAD)
    found = {name: resolve(settings, Request("prod", service=name)).hosts for name in ("db", "api", "web")}
    assert found == {"db": ("h1", "h2", "h3"), "api": ("h1", "h2"), "web": ("h3",)}


def test_a_host_that_the_service_does_not_run_on_is_refused() -> None:
    with pytest.raises(UsageError, match="h3"):
        resolve(read(SPREAD), Request("prod", service="api", hosts=("h3",)))


@pytest.mark.parametrize(
    ("hosts", "services"), [((), ("api", "web")), (("h1",), ("api",)), (("h1", "h3"), ("api", "web"))]
)
def test_only_services_that_run_on_the_chosen_hosts_are_changed(
    hosts: tuple[str, ...], services: tuple[str, ...]
) -> None:
    settings, request = read(SPREAD), Request("prod", group="shop", hosts=hosts)
    assert services_there(settings, request, group_of(settings, request).services) == services


@pytest.mark.parametrize("hosts", [("h4",), ("h2x", "h1")])
def test_a_host_that_does_not_exist_is_refused_for_a_group(hosts: tuple[str, ...]) -> None:
    settings, request = read(SPREAD), Request("prod", group="shop", hosts=hosts)
    with pytest.raises(UsageError, match=hosts[0]):
        services_there(settings, request, ("api", "web"))
