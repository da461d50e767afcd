"""A real Prometheus that scrapes a service, and the judge that reads it."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer
from rollback_ops.core.record import EvidenceRecord
from rollback_ops.engine.analysis.series import Series
from rollback_ops.engine.deployed import Deployed
from rollback_ops.engine.meters import World
from rollback_ops.engine.metrics import watch_metrics
from rollback_ops.integrations.prometheus import samples
from tests.support.lab.ground import wait_until
from tests.support.prometheus import needs_prometheus, prometheus

pytestmark = needs_prometheus


class Service(ThreadingHTTPServer):
    """A service that counts: every scrape finds 1,000 requests more, of which ``failing`` failed."""

    daemon_threads = True

    def __init__(self) -> None:
        self.failing, self.bad, self.total, self.down = 5, 0, 0, False
        super().__init__(("127.0.0.1", 0), _Page)

    def page(self) -> bytes:
        self.bad, self.total = self.bad + self.failing, self.total + 1000
        good = self.total - self.bad
        return f'http_requests_total{{code="200"}} {good}\nhttp_requests_total{{code="500"}} {self.bad}\n'.encode()

    def begin_anew(self) -> None:
        self.bad = self.total = 0


class _Page(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        page = self.server.page()
        self.send_response(503 if self.server.down else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def fetch(check: MetricCheck, query: str, seconds: float) -> Series:
    return samples(check.url, query, seconds, None, check.timeout)


def judged(check: MetricCheck, since: float) -> EvidenceRecord:
    world = World(lambda _: {}, fetch, time.sleep)
    (found,) = watch_metrics({"errors": check}, Deployed({"h1": "b3"}, "b3", since), world)
    return found


def test_a_bad_release_is_seen_in_a_real_prometheus_and_a_healthy_one_with_trouble_is_not(tmp_path: Path) -> None:
    service = Service()
    threading.Thread(target=service.serve_forever, daemon=True).start()
    with prometheus(f"127.0.0.1:{service.server_address[1]}", tmp_path) as url:
        check = MetricCheck(
            kind="metric",
            source="prometheus",
            baseline="before",
            url=url,
            errors='http_requests_total{code=~"5.."}',
            total="http_requests_total",
            tick=1.0,
            warm_up=0.0,
            window=60.0,
        )
        wait_until(lambda: service.total >= 15_000, 60, "a quarter of a minute before the release")
        began = time.time()
        service.begin_anew()
        wait_until(lambda: service.total >= 2_000, 60, "scrapes after the counters began anew")
        service.down = True
        scraped = service.total
        wait_until(lambda: service.total >= scraped + 3_000, 60, "scrapes that fail")
        service.down = False
        assert judged(check, began).verdict == "not_worse"

        service.failing, deployed = 50, time.time()
        found = judged(check, deployed)
        assert (found.verdict, found.new.bad > 0, found.old.total > 0) == ("worse", True, True)
        assert found.seconds < 60
    with pytest.raises(BadAnswer, match="does not answer"):
        fetch(check, check.total, 10)
    service.shutdown()
    service.server_close()
