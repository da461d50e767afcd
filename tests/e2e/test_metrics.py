"""``guard`` on real hosts with real counts: Debian's Prometheus, systemd's journal, and constant load."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.command import RollbackOps
from tests.support.lab import deploy as lab_deploy
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.load import load
from tests.support.prometheus import needs_prometheus, prometheus
from tests.support.scene import Twins, journal, logins, quick, released
from tests.support.waiting import Running, hear

Deploy = Callable[..., Deployed]

WATCH = {"tick": "1s", "warm_up": "2s", "window": "75s"}
PROGRAM = Path(lab_deploy.__file__).with_name("counting.py").read_bytes()


def with_counters(service: Deployed, **behaviours: str) -> None:
    """Let the releases of a service count, and start the live one again."""
    there = service.releases_directory
    service.host.run(f"cat >/tmp/counting.py; for each in {there}/*; do cp /tmp/counting.py $each/service.py; done",
                     stdin=PROGRAM)  # fmt: skip
    for release, behaviour in behaviours.items():
        service.host.run(f"echo {behaviour} >{there}/{release}/behaviour")
    service.host.run(f"systemctl restart {service.name}")
    wait_until(service.listens, 60, "the service listening")


def make_live(service: Deployed, release: str) -> str:
    """Deploy a release. Returns when, as ``--since`` takes it."""
    began = datetime.now(UTC).isoformat(timespec="seconds")
    service.host.run(
        f"ln -sfn {service.releases_directory}/{release} {service.root}/current; systemctl restart {service.name}"
    )
    wait_until(lambda: released(service) == release, 60, f"{release} answering")
    return began


def scraped(url: str) -> float:
    """The number of times that Prometheus has scraped the service."""
    query = urlencode({"query": 'count_over_time(http_requests_total{code="200"}[1h])'})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def metrics(url: str, **words: Any) -> dict[str, Any]:
    common = {"kind": "metric", "source": "prometheus", "baseline": "before", "url": url, **WATCH, **words}
    errors = {**common, "errors": 'http_requests_total{code="500"}', "total": "http_requests_total", "floor": 0.005}
    return {"errors": errors, "slow": {**common, "latency": "http_seconds_bucket", "floor": 0.02}}


@needs_prometheus
@pytest.mark.long
def test_prometheus_shows_guard_what_is_worse_and_what_is_only_trouble(
    rollback_ops: RollbackOps, deploy: Deploy, tmp_path: Path
) -> None:
    service = deploy(releases=dict.fromkeys(("b1", "b2", "b3", "b4"), "healthy"), live="b1")
    with_counters(service, b3="fails", b4="slow")
    login = service.host.address, service.port
    with ExitStack() as running:
        running.enter_context(load(*login, ("/work", "/work", "/slow", "/slow")))
        with prometheus(f"{login[0]}:{login[1]}", tmp_path) as url:
            rollback_ops.settings(quick(service, pattern="b*", checks=metrics(url)))
            wait_until(lambda: _answers(url) and scraped(url) >= 16, 120, "a while before the deployment")

            # A healthy release, with restarts (its counters begin anew) and scrapes that fail for a while.
            since = make_live(service, "b2")
            blind = f"{service.releases_directory}/b2/blind"
            service.host.run(f"touch {blind}")
            watching = Running(rollback_ops.start("guard", "prod", "--json", "--since", since))
            hear(watching, "metrics")
            service.host.run(f"sleep 3; rm {blind}; systemctl restart {service.name}")
            healthy = watching.end(within=120)
            assert (healthy.code, service.live()) == (0, "b2"), [
                each["detail"] for each in healthy.document["evidence"]
            ]
            assert {each["check"]: each["verdict"] for each in healthy.document["evidence"]} == {
                "errors": "not_worse",
                "slow": "not_worse",
            }

            for release, worse in (("b3", "errors"), ("b4", "slow")):
                since = make_live(service, release)
                bad = rollback_ops("guard", "prod", "--json", "--since", since)
                assert (bad.code, bad.document["trigger"]) == (2, "metric-degraded"), bad.err
                assert service.live() == "b2"
                wait_until(lambda: released(service) == "b2", 60, "b2 answering again")
                assert worse in [each["check"] for each in bad.document["evidence"] if each["verdict"] == "worse"]
                assert bad.document["evidence"] == journal(service)[-1]["evidence"]

        rollback_ops.settings(quick(service, pattern="b*", checks=metrics(url, window="4s")))
        down = rollback_ops("guard", "prod", "--json")
        assert (down.code, service.live()) == (1, "b2"), down.err
        assert {each["verdict"] for each in down.document["evidence"]} == {"undecided"}


def _answers(url: str) -> bool:
    try:
        scraped(url)
    except OSError:
        return False
    return True


@pytest.mark.long
def test_the_journal_of_a_canary_is_counted_on_the_host(rollback_ops: RollbackOps, twins: Twins) -> None:
    three = dict.fromkeys(("b1", "b2", "b3"), "healthy")
    canary, control = twins({"releases": three, "live": "b3"}, {"releases": three, "live": "b2"})
    with_counters(canary, b3="fails")
    with_counters(control)
    metric = {"kind": "metric", "source": "journal", "errors": "GET /work 500", "total": "GET /work", **WATCH}
    rollback_ops.settings(quick(canary, hosts=logins(canary, control), pattern="b*", checks={"errors": metric}))
    with ExitStack() as running:
        for each in (canary, control):
            running.enter_context(load(each.host.address, each.port, ("/work", "/work")))
        ended = rollback_ops("guard", "prod", "--json")
    assert (ended.code, ended.document["trigger"]) == (2, "metric-degraded"), ended.err
    assert [canary.live(), control.live()] == ["b2", "b2"]
    (evidence,) = ended.document["evidence"]
    assert (evidence["source"], evidence["verdict"], evidence["new"]["bad"] > 0) == ("journal", "worse", True)
