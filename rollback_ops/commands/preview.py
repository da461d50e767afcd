"""``preview``: show the release that a rollback leaves and the one that it returns to. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rollback_ops.commands import changes
from rollback_ops.commands.check import held_until
from rollback_ops.commands.choice import decide, going_on_selection
from rollback_ops.commands.context import Context
from rollback_ops.commands.result import Answers, sort_answers
from rollback_ops.commands.run import fleet_of, selection_of, spec_of
from rollback_ops.core.changes import Changes, Commits, unknown
from rollback_ops.core.comparison import Comparison, Files, Keys
from rollback_ops.core.dependencies import DependencyFile
from rollback_ops.core.dependencies import changes as compare_packages
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.hold import merged, standing
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import Release, Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection
from rollback_ops.core.ports import Host, Silent
from rollback_ops.core.schema import SchemaAnswer
from rollback_ops.core.statistics import statistics
from rollback_ops.core.stored_plan import plan_hash
from rollback_ops.core.tasks import Cancellation, Pending, begin
from rollback_ops.engine import preflight

Decision = Plan | NothingToDo | Refusal

# Seconds for the whole preview, and for the survey in it. It names the parts that were not ready by then.
WITHIN = 10.0
SURVEY_WITHIN = 6.0
# Seconds that are left for what follows a comparison of directories.
_MARGIN = 0.5


@frozen
class Expected:
    """Medians of earlier rollbacks, in seconds: of the downtime of a host, and of the whole. ``of``: how many."""

    downtime: float | None = None
    total: float | None = None
    of: int = 0


@frozen
class Preview:
    """The result of ``preview``. ``leaves`` and ``returns_to`` are None without a target; ``decision`` says why.

    ``migrations``: those that the target does not have; None: they are not known. ``refusal``: why the rollback would
    be refused, although there is a target. ``hash`` names the plan. ``missing``: what could not be found out, and why.
    """

    environment: str
    decision: Decision
    leaves: Release | None = None
    returns_to: Release | None = None
    deployed_by: str = ""
    commits: Commits = field(default_factory=Commits)
    files: Files = field(default_factory=Files)
    migrations: Sequence[str] | None = None
    dependencies: tuple[DependencyFile, ...] = ()
    settings: tuple[Keys, ...] = ()
    expected: Expected = Expected()
    refusal: str = ""
    holds: tuple[str, ...] = ()
    hash: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, RollbackOpsError] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        return Exit.OK if isinstance(self.decision, Plan) else Exit.REFUSED


def preview(context: Context, cancellation: Cancellation) -> Preview:
    """Survey the hosts, choose as a rollback would, and compare the target with what is live."""
    until = time.monotonic() + WITHIN
    with context.closing():
        answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        within = max(1.0, until - time.monotonic())
        selection = going_on_selection(context, selection_of(context), answers, cancellation, within)
        return look(context, answers, selection, cancellation, until)


def look(
    context: Context, answers: Answers[Survey], selection: Selection, cancellation: Cancellation, until: float
) -> Preview:
    """Choose among the surveyed hosts, and collect the parts of the preview, until ``until`` (``time.monotonic``)."""
    return _Look(context, answers, selection, cancellation, until).at(decide(selection, answers))


@dataclass
class _Look:
    """The questions of one preview, asked at the same time, until the deadline."""

    context: Context
    answers: Answers[Survey]
    selection: Selection
    cancellation: Cancellation
    until: float

    def at(self, decision: Decision, *, judged: bool = False) -> Preview:
        """Return the preview of a rollback by this decision. ``judged``: the target has been checked already."""
        found = Preview(self.context.job.environment_name, decision, holds=self._holds(), lost=self.answers.lost)
        surveys = [*self.answers.found.values()]
        going = {host.host for host in decision.with_action("switch")} if isinstance(decision, Plan) else set()
        first = next((survey for survey in surveys if survey.host in going), None)
        if first is None or not isinstance(decision, Plan):
            return found
        there = decision.target_on(first.host)
        leaves, target = first.release(first.origin), first.release(there)
        parts = _Parts(self, self._host(first.host), leaves or Release(first.origin), target or Release(there))
        told = parts.results(judged=judged)
        judgement = told.pop("refusal", decision)
        if isinstance(judgement, Plan) and judgement.target != decision.target and self.left > 1.0:
            return self.at(judgement, judged=True)
        refused = judgement.about(first.host) if isinstance(judgement, Refusal) else ""
        plan = judgement if isinstance(judgement, Plan) else decision
        about = self.context.job.about
        return replace(
            found, decision=plan, leaves=leaves, returns_to=target, refusal=refused,
            hash=plan_hash(about, plan, None), **told,
        )  # fmt: skip

    @property
    def left(self) -> float:
        return max(0.1, self.until - time.monotonic())

    def judge(self) -> Decision:
        """Choose as a rollback does: compare the target with its seal, run the ``before`` checks, ask the database."""
        spec = replace(spec_of(self.context, self.context.reason), selection=self.selection)
        fleet = fleet_of(self.context, Silent(), self.cancellation)
        return preflight.choose(spec, fleet, [*self.answers.found.values()], {})

    def _holds(self) -> tuple[str, ...]:
        return tuple(map(held_until, standing(merged(self.answers.found.values()), time.time())))

    def _host(self, name: str) -> Host:
        return next(host for host in self.context.hosts if host.name == name)


@dataclass
class _Parts:
    """The parts of a preview. Each is found out by itself; one that fails blocks no other."""

    look: _Look
    host: Host
    leaves: Release
    target: Release

    def results(self, *, judged: bool) -> dict[str, Any]:
        """Return the parts by their names in ``Preview``."""
        changed = begin(["changes"], lambda _: self._changes())
        parts: dict[str, Callable[[], Any]] = {
            "compared": lambda: self._compare(changed),
            "migrations": self._migrations,
            "expected": self._expected,
            "deployed_by": self._deployed_by,
        }
        if not judged:
            parts["refusal"] = self.look.judge
        found = begin(parts, lambda name: parts[name]()).results(self.look.left, self.look.cancellation)
        told = {name: result for name, result in found.items() if not isinstance(result, RollbackOpsError)}
        missing = {name: r.message for name, r in found.items() if isinstance(r, RollbackOpsError)}
        compared: Comparison = told.pop("compared", Comparison(Files(why=missing.pop("compared", ""))))
        commits = _of(changed, 0.1, self.look.cancellation)
        files = compared.files if compared.files.known else replace(commits.files, why=compared.files.why)
        if told.get("migrations") is None and files.known:
            told["migrations"] = files.migrations(self._patterns)
        return told | {
            "commits": commits.commits,
            "files": files,
            "dependencies": tuple(map(compare_packages, compared.locks)),
            "settings": compared.settings,
            "missing": missing,
        }

    @property
    def _patterns(self) -> Sequence[str]:
        schema = self.look.context.job.service.database
        return schema.migrations if schema else ()

    def _changes(self) -> Changes:
        return changes.between(self.look.context, self.target.revision, self.leaves.revision)

    def _compare(self, changed: Pending[str, Changes]) -> Comparison:
        """Compare the releases: files by manifests, else by commits, else by what is in their directories."""
        found = self.host.compare(self.leaves.name, self.target.name)
        if found.files.known or _of(changed, self.look.left / 2, self.look.cancellation).files.known:
            return found
        seconds = self.look.left - _MARGIN
        return replace(found, files=self.host.compare(self.leaves.name, self.target.name, seconds).files)

    def _migrations(self) -> Sequence[str] | None:
        """Return the migrations that the live release has and the target has not, in the order of the host."""
        if not self._patterns:
            return None
        left, target = self.leaves.name, self.target.name
        answer = self.host.schema([target, left], None)
        if not isinstance(answer, SchemaAnswer) or not {target, left} <= answer.known.keys():
            return None
        known, live = set(answer.known[target].lines), answer.known[left].lines
        return tuple(line for line in live if line not in known) if live else None

    def _expected(self) -> Expected:
        records, _ = read_journal(self.host.journal(), self.look.context.job.about)
        counted = statistics(records)
        downtime, duration = counted.downtime, counted.duration
        return Expected(downtime.median if downtime else None, duration.median if duration else None, counted.total)

    def _deployed_by(self) -> str:
        """Return who deployed the live release, as GitHub knows it; empty where it does not."""
        repository, environment = self.look.context.repository, self.look.context.job.environment_name
        if repository is None or len(self.leaves.revision) != 40:
            return ""
        from rollback_ops.integrations.github.api import Api

        found = Api(repository, self.look.context.redact).deployments(sha=self.leaves.revision, environment=environment)
        return next((each.creator for each in found if each.creator), "")


def _of(changed: Pending[str, Changes], within: float, cancellation: Cancellation) -> Changes:
    found = changed.results(within, cancellation)["changes"]
    return unknown(found.message) if isinstance(found, RollbackOpsError) else found
