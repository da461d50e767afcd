"""The verdict of break-glass is the one that core/watch.py comes to, from the same answers at the same times."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rollback_ops.checks.process import ProcessChecker
from rollback_ops.config import Service
from rollback_ops.core.health import CheckResult, Finding, Thresholds, Verdict, Verification
from rollback_ops.core.watch import Watch
from rollback_ops.hosts import managers
from tests.support.agent_sandbox import Sandbox
from tests.support.breakglass_sandbox import text_of
from tests.support.toolbox import service, tool
from tests.unit.managers.test_compose import container

_STATUS: dict[Verdict, int] = {"passed": 0, "failed": 1, "unknown": 127}
_WORDS = {"healthy": "yes", "unhealthy": "no", "unknown": "unknown"}
# Times are in hundredths of a second, on both sides.
thresholds = st.builds(
    Thresholds,
    interval=st.sampled_from((10, 30, 100)),
    min_healthy_time=st.sampled_from((0, 50, 300)),
    healthy_deadline=st.sampled_from((400, 600)),
    success_threshold=st.integers(1, 3),
    failure_threshold=st.integers(1, 3),
    fail_fast=st.booleans(),
)
answers: st.SearchStrategy[list[Verdict]] = st.lists(
    st.sampled_from(("passed", "passed", "passed", "failed", "unknown")), min_size=1, max_size=12
)


@dataclass(frozen=True)
class Case:
    checks: tuple[tuple[Thresholds, list[Verdict]], ...]

    def script(self) -> str:
        table = "\n".join(
            f"check\tskipped\t0\tcommand\tc{n}\t0\t{n}\task_command\t{t.interval}\t{t.min_healthy_time}\t{t.healthy_deadline}\t"
            f"{t.success_threshold}\t{t.failure_threshold}\t{'yes' if t.fail_fast else 'no'}\t0\t0\t0\t-\t0\t"
            for n, (t, _) in enumerate(self.checks)
        )
        numbers = range(len(self.checks))
        says = "".join(
            f"says_{n}='{' '.join(str(_STATUS[v]) for v in said)} '\n" for n, (_, said) in enumerate(self.checks)
        )
        return f"{says}table='round\tgoing\t0\t0.00\t {' '.join(map(str, numbers))} \n{table}'\ntry\n"


class Prover:
    def __init__(self, directory: Path, shell: str) -> None:
        self._sandbox = Sandbox(directory, shell)
        if shell == "busybox":
            (self._sandbox.tools / "awk").symlink_to(tool(shell))
        self._file = directory / "prove.sh"
        self._definitions = text_of(self._sandbox).removesuffix('break_glass "$@"\n') + (
            # The clock stands still but while it sleeps, and what it slept has two digits behind the point.
            "now() { now=$clock_says; }\n"
            'sleep() { slept=${1%.*}${1#*.}; clock_says=$((clock_says + ${slept#"${slept%%[!0]*}"})); }\n'
            "keep_lease() { exec sleep 60; }\n"
            "ask_round() {\nanswered='' count=0\nfor n in $asked; do\n"
            'eval "said=\\$says_$n"\nrest=${said#* }\neval "says_$n=\\${rest:-\\$said}"\n'
            'answered="$answered${NL}answered$TAB$count$TAB${said%% *}" count=$((count + 1))\n'
            'log="$log $asked_at:$n"\ndone\n}\n'
            "try() {\nclock_says=500 stopped='' log=''\nverify\necho \"$healthy$log\"\n}\n"
        )

    def prove(self, cases: list[Case]) -> list[tuple[str, list[str]]]:
        lines = (line.split() for line in self.run("".join(case.script() for case in cases)).splitlines())
        return [(verdict, log) for verdict, *log in lines]

    def run(self, script: str) -> str:
        self._file.write_text(self._definitions + script)
        words = [str(self._sandbox.tools / "sh"), str(self._file)]
        done = subprocess.run(
            words, env={"PATH": self._sandbox.path}, capture_output=True, text=True, timeout=120, check=True
        )
        assert done.stderr == ""
        return done.stdout


def expected(case: Case, log: list[str]) -> str:
    """The verdict of ``Watch``, told the answers at the times at which the shell asked."""
    watch = Watch.of({f"c{n}": t for n, (t, _) in enumerate(case.checks)}, 0)
    left = [list(said) for _, said in case.checks]
    asked = [tuple(map(int, entry.split(":"))) for entry in log]
    for time in sorted({time for time, _ in asked}):
        for n in (n for at, n in asked if at == time):
            said = left[n].pop(0) if len(left[n]) > 1 else left[n][0]
            watch.note({f"c{n}": Finding(said)}, time, time)
        if watch.healthy or watch.hopeless(time) or time >= watch.deadline:
            return _WORDS[_verification(watch).verdict]
    return "undecided"


def _verification(watch: Watch) -> Verification:
    last = {name: (state.last, state.setbacks) for name, state in watch.states.items() if state.last}
    results = [CheckResult(name, "command", finding, 0.0, setbacks) for name, (finding, setbacks) in last.items()]
    return Verification(watch.healthy, 0.0, tuple(results))


@pytest.fixture(scope="module", params=["dash", pytest.param("busybox", marks=pytest.mark.long)])
def prover(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prover:
    return Prover(tmp_path_factory.mktemp("prover"), str(request.param))


cases = st.lists(st.tuples(thresholds, answers), min_size=1, max_size=3).map(lambda checks: Case(tuple(checks)))


@settings(max_examples=6, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=st.lists(cases, min_size=5, max_size=20))
def test_the_verdict_is_the_one_that_the_command_comes_to(prover: Prover, asked: list[Case]) -> None:
    for case, (verdict, log) in zip(asked, prover.prove(asked), strict=True):
        assert verdict == expected(case, log), (case, log)


def unit(pid: int, restarts: int, state: str = "active") -> str:
    state = f"Id=web.service\nLoadState=loaded\nActiveState={state}\n"
    return f"{state}MainPID={pid}\nNRestarts={restarts}\nInvocationID=i{pid}\n"


def process(pid: int, restarts: int, status: str = "online") -> str:
    return f"app|web|0|{pid}|{status}|{restarts}|{pid}|\nlisted\n"


def crashed(restarts: int, state: str = "running") -> str:
    return container(state).replace("|0|then", f"|{restarts}|then{restarts}") + "\nservices|web\n"


SAMPLES = {
    "it goes on running": ("systemd", unit(7, 0), unit(7, 0)),
    "it crashed once, before": ("systemd", unit(7, 1), unit(7, 1)),
    "it crashed": ("systemd", unit(7, 0), unit(8, 1)),
    "it crashed again": ("systemd", unit(8, 9), unit(9, 10)),
    "it crashed, and starts": ("systemd", unit(7, 0), unit(0, 1, "activating")),
    "a person restarted it": ("systemd", unit(7, 1), unit(8, 0), unit(8, 0)),
    "it starts": ("systemd", unit(7, 0, "activating"), unit(7, 0, "activating")),
    "it failed": ("systemd", unit(7, 0), unit(0, 0, "failed")),
    "a container crashed": ("compose", crashed(0), crashed(1)),
    "a container goes on": ("compose", crashed(2), crashed(2)),
    "a process of pm2 crashed": ("pm2", process(7, 3), process(8, 4)),
    "a process of pm2 goes on": ("pm2", process(7, 3), process(7, 3)),
}


def looks(prover: Prover, about: Service, seen: list[tuple[str, bool]]) -> str:
    """What the process check comes to: each look has what the manager shows, and whether the service runs just then."""
    reader = managers.reader(about)
    script = (
        f"RO_IDENTITY={quote(reader.identity)} RO_DOWN={quote(reader.down)} RO_RESTARTS={quote(reader.restarts)}\n"
        "run=none first_identity='' last_identity='' first_crashes=''\n"
        'is() { [ "$1,$runs" = "$RO_RUNNING,yes" ]; }\n'
    )
    for text, runs in seen:
        script += (
            f"runs={'yes' if runs else 'no'} STATE={quote(text)}\nverdict=unknown final='' detail='' unread=''\n"
            'identity=$(printf \'%s\\n\' "$STATE" | grep -oE -e "$RO_IDENTITY") || :\nask_process\n'
        )
    return prover.run(script + 'echo "$verdict,$final,$down"\n').strip()


@pytest.mark.parametrize("what", SAMPLES)
def test_a_service_is_down_where_the_command_says_so(prover: Prover, what: str) -> None:
    manager, *texts = SAMPLES[what]
    about, check, seen = service(manager, *([] if manager == "compose" else ["web"])), ProcessChecker(), []
    for text in texts:
        units = managers.parse(about, "web", text)
        finding = check.judge(units)
        seen.append((text, all(each.state == "running" for each in units)))
    yes = {True: "yes", False: ""}
    assert looks(prover, about, seen) == f"{finding.verdict},{yes[finding.final]},{yes[finding.down]}"


def test_a_crash_that_is_seen_before_systemd_has_counted_it_is_no_restart_by_a_person(prover: Prover) -> None:
    seen = [(unit(7, 0), True), (unit(0, 0, "activating"), True)]
    assert looks(prover, service("systemd", "web"), seen) == "failed,,"
    assert looks(prover, service("systemd", "web"), [*seen, (unit(8, 1), True)]) == "failed,yes,yes"
