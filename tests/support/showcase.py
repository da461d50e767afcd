"""A shop with two environments and forty rollbacks, as a dashboard would find it: for screenshots and browser tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rollback_ops.commands.dashboard import ObservedService, Snapshot
from rollback_ops.commands.history import History
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.model import Armed, BadRevision, HeldRelease, Hold, Lease, Live, Release, ServiceId, Survey, Unit
from rollback_ops.core.plan import Plan, Refusal
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from tests.support.records import record

NOW = datetime(2026, 11, 27, 11, 30, tzinfo=UTC)
BUTTON = "https://github.com/acme/shop/actions/workflows/rollback.yml"
LAST = "20261127T104112Z-5e1c09ab"
_REVISIONS = {"v1.10": "6dcb09b5b57875f3", "v1.11": "7f4e21c09a3be551", "v1.12": "c0ffee12d00dfeed"}
_REASONS = ("checkout answers 500", "orders are charged twice", "the queue grows", "logins fail", "images are missing")
_WEB = tuple(f"deploy@web{number}.example.org" for number in range(1, 9))


def showcase(rollbacks: int = 40) -> Snapshot:
    """Return everything: a rollback in force, a hold, a run, an armed host, one without an answer, and the history."""
    return Snapshot((_prod(), _workers(), _test()), History(tuple(_records(rollbacks))), NOW.timestamp(), Redactor())


def _at(**ago: float) -> float:
    return (NOW - timedelta(**ago)).timestamp()


def _releases(**marks: Any) -> tuple[Release, ...]:
    return tuple(
        Release(
            name,
            created=_at(days=12 - 4 * number),
            revision=revision,
            mark=marks.get(name.replace(".", "_"), ""),
            marked_by=LAST if name.replace(".", "_") in marks else "",
            live_since=_at(days=12 - 4 * number),
        )
        for number, (name, revision) in enumerate(_REVISIONS.items())
    )


def _live(name: str) -> Live:
    return Live("release", name, f"/srv/shop/releases/{name}", _REVISIONS[name])


def _prod() -> ObservedService:
    known = _releases(v1_11="good", v1_12="bad")
    hold = Hold(LAST, "alice", "checkout answers 500 on every second order", _at(minutes=48), _at(minutes=-1392),
                (HeldRelease("v1.12", _REVISIONS["v1.12"]),))  # fmt: skip
    surveys = {
        host: Survey(host, known, _live("v1.11"), (Unit("shop-web", "running"),), holds=(hold,)) for host in _WEB
    }
    regions = {host: "eu" if number < 4 else "us" for number, host in enumerate(_WEB)}
    plan = Plan("v1.10", _REVISIONS["v1.10"], ())
    return ObservedService(ServiceId("web", "prod"), "https://shop.example.org/", surveys, {}, plan, regions)


def _workers() -> ObservedService:
    host = "deploy@jobs1.example.org"
    lease = Lease("20261127T112951Z-77aa01fe", "bob", since="2026-11-27T11:29:51Z", expires_in=9.0)
    unit = Unit("shop-jobs", "failed", detail="exit code 1")
    found = Survey(host, _releases(v1_12="good"), _live("v1.12"), (unit,), lease, bad_revisions=(BadRevision("dead"),))
    return ObservedService(
        ServiceId("jobs", "prod"), "", {host: found}, {}, Refusal("bob is rolling it back: wait for it")
    )


def _test() -> ObservedService:
    host = "deploy@test1.example.org"
    armed = Armed("20261127T112500Z-0a0a0a0a", "v1.11", "2026-11-27T11:40:00Z", "carol")
    found = Survey(host, _releases(v1_12="good"), _live("v1.12"), (Unit("shop-web", "running"),), armed=armed)
    lost = {"deploy@test2.example.org": HostUnreachable("deploy@test2.example.org: it does not answer")}
    return ObservedService(ServiceId("web", "test"), "", {host: found}, lost, Plan("v1.11", _REVISIONS["v1.11"], ()))


# --- history ---------------------------------------------------------------------------------------------


def _records(count: int) -> list[Record]:
    return [_last(), *(_older(number) for number in range(1, count))]


def _ref(name: str) -> dict[str, Any]:
    return {"release": name, "revision": _REVISIONS[name]}


def _times(began: datetime, seconds: float) -> dict[str, Any]:
    ended = began + timedelta(seconds=seconds)
    return {"started_at": began.isoformat(), "finished_at": ended.isoformat(), "duration_seconds": seconds}


def _host(host: str, seconds: float, *, failed: bool = False) -> dict[str, Any]:
    names = {"find": 0.08, "stop": 0.4, "switch": 0.02, "start": 0.9, "verify": seconds - 2}
    steps = [{"name": name, "seconds": max(0.1, took), "outcome": "ok"} for name, took in names.items()]
    detail = "status 503" if failed else "status 200"
    outcome = "failed" if failed else "passed"
    checks = [
        {"name": "health", "kind": "http", "outcome": outcome, "detail": detail, "seconds": 0.05},
        {"name": "errors", "kind": "metric", "outcome": "passed", "detail": "0 of 812 requests", "seconds": 0.2},
    ]
    ended = "verification_failed" if failed else "succeeded"
    return {"host": host, "outcome": ended, "from": _ref("v1.12"), "to": _ref("v1.11"), "steps": steps,
            "checks": checks, "downtime_seconds": 0.3 + seconds / 9}  # fmt: skip


def _last() -> Record:
    waves = [
        {"number": number, "role": role, "region": region, "hosts": hosts, "outcome": "succeeded",
         "started_at": (NOW - timedelta(minutes=49 - number)).isoformat()}
        for number, (role, region, hosts) in enumerate(
            [("canary", "eu", _WEB[:1]), ("rest", "eu", _WEB[1:4]), ("rest", "us", _WEB[4:])], 1
        )
    ]  # fmt: skip
    told = ("1 canary, then 4 at a time, region by region: eu, us", "stops after more than 0 failures")
    evidence = {"check": "errors", "source": "prometheus", "baseline": "before", "verdict": "worse", "alpha": 0.01,
                "needed": 200, "e_worse": 48_211.0, "e_not_worse": 0.0002, "new": {"bad": 214, "total": 4_180},
                "old": {"bad": 61, "total": 60_400}, "ticks": 8, "seconds": 120.0, "detail": "50 times"}  # fmt: skip
    return record(
        schema_version=2,
        id=LAST,
        service="web",
        environment="prod",
        reason="checkout answers 500 on every second order",
        trigger="metric-degraded",
        run_url="https://github.com/acme/shop/actions/runs/1234567",
        **_times(datetime(2026, 11, 27, 10, 41, 12, tzinfo=UTC), 74.2),
        **{"from": _ref("v1.12"), "to": _ref("v1.11")},
        rejected=[{"release": "v1.12", "why": "it is the live one"}, {"release": "v1.9", "why": "it is marked bad"}],
        hosts=[_host(host, 4.0 + number % 3) | {"region": "eu" if number < 4 else "us"}
               for number, host in enumerate(_WEB)],
        hold={"releases": [_ref("v1.12")], "since": "2026-11-27T10:42:26Z", "until": "2026-11-28T10:42:26Z"},
        strategy={"told": told, "hosts": 8, "max_failures": 0},
        waves=waves,
        evidence=[evidence],
        warnings=["the load balancer was slow to take deploy@web3.example.org back (9 s)"],
    )  # fmt: skip


def _older(number: int) -> Record:
    seconds = 2.0 + (number * 7 % 11) * 0.9
    failed = number in (9, 26)
    drill = number % 6 == 0
    service = "jobs" if number % 4 == 1 else "web"
    return record(
        id=f"20261101T000000Z-{number:08x}",
        service=service,
        environment="test" if number % 3 == 2 else "prod",
        reason="" if drill else _REASONS[number % len(_REASONS)],
        drill={"ways": []} if drill else None,
        trigger="drill" if drill else ("manual", "health-timeout", "deploy-failed")[number % 3],
        actor=("alice", "bob", "carol")[number % 3],
        outcome="verification_failed" if failed else "succeeded",
        exit_code=2 if failed else 0,
        **_times(NOW - timedelta(days=1.7 * number, minutes=13 * number), seconds),
        **{"from": _ref("v1.12"), "to": _ref("v1.11")},
        hosts=[_host(f"deploy@{service}1.example.org", seconds, failed=failed)],
        warnings=[],
        hold=None,
    )
