"""What the action costs beside the rollback itself, as act runs it: starting, telling everyone, closing up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from tests.bench.measures import in_turn, newest_again, prepared, roll_back, table, timed
from tests.support.act.act import OURS, Workflows, copy_action
from tests.support.act.callers import CALLER, REASON
from tests.support.command import RollbackOps
from tests.support.github_api.server import github_api
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.lab.plan import revision
from tests.support.receiver import receiver

# Seconds.
_LATENCY = 0.3
_MOST, _MOST_FOR_TELLING = 4.0, 2.0


def action(lab: Lab, host: LabHost, here: Path, rounds: int) -> str:
    """The seconds of all steps of the action, with libraries that are there already, against the command alone."""
    service, run = prepared(lab, host, here, "action")
    again = lambda: newest_again(service)  # noqa: E731
    with _workflow(lab, service, run) as step:
        step("false")  # installs the libraries, where that was not done before
        alone, silent, telling = in_turn(
            rounds,
            [
                lambda: timed(lambda: roll_back(run), before=again),
                lambda: step("false"),
                lambda: step("true"),
            ],
        )
    command, quiet, whole = median(alone), median(silent), median(telling)
    rows = [
        ["everything that is not the rollback", f"{whole - command:.3f}", f"{_MOST:g}"],
        ["of it: telling GitHub and the team", f"{whole - quiet:.3f}", f"{_MOST_FOR_TELLING:g}"],
    ]
    title = f"The action, {whole:.3f} s in all, where GitHub and the webhook take {_LATENCY:g} s for an answer"
    return table(title, ["", "seconds", "limit"], rows)


@contextmanager
def _workflow(lab: Lab, service: Deployed, run: RollbackOps) -> Iterator[Callable[[str], float]]:
    """A rollback by a workflow, recorded on GitHub and told to the team or neither; the seconds of its step."""
    with ExitStack() as open_, github_api() as api, receiver() as team:
        api.latency = team.latency = _LATENCY
        api.repository.knows(*(revision(number) for number in range(1, 5)))
        secrets = {"SSH_KEY": lab.private_key, "KNOWN_HOSTS": lab.known_hosts}
        source = copy_action(run.directory / "action")
        workflows = Workflows(run.directory / "user", api.url, api.token, actions={OURS: source})
        open_.callback(workflows.close)
        workflows.write("rollback.toml", (run.directory / "rollback.toml").read_text())
        workflows.workflow(CALLER)

        def step(record: str) -> float:
            newest_again(service)
            workflows.run_id += 1
            workflows.secrets = secrets | ({"WEBHOOK_URL": team.url} if record == "true" else {})
            ran = workflows(reason=REASON, record=record)
            if ran.code or ran.record["warnings"]:
                raise RuntimeError(ran.journal.text)
            return ran.journal.seconds("rollback")

        yield step
