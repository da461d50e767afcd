"""Finds the hosts that somebody else took over from a run, and who did. The run no longer changes anything there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import Survey
from rollback_ops.core.record import Superseder
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import without_own_lease


def note_superseded(fleet: Fleet, state: RunState, names: Iterable[str]) -> None:
    """Note hosts that were taken over, and find out by whom. A host that does not answer is noted without that."""
    gone = [name for name in names if name not in state.superseded]
    if not gone:
        return
    surveys = fleet.survey_again(gone)
    found = {name: survey for name, survey in surveys.items() if isinstance(survey, Survey)}
    state.superseded |= dict.fromkeys(gone, Superseder()) | _superseders(fleet, state, found)


def still_own(fleet: Fleet, state: RunState, attempt: Attempt) -> list[Survey]:
    """Survey the hosts that this attempt switched again. Returns those where its target is live and nobody else works.

    Where this run goes on with an earlier one, the hosts that the earlier one switched count, too. The other ones
    are noted as superseded. A host that was not switched, or does not answer, is neither returned nor noted.
    """
    switched = {name for name, result in attempt.switched.items() if result.target_is_live}
    unknown = {name for name, result in attempt.switched.items() if result.outcome == "unknown"}
    mine = switched | unknown | set(state.earlier)
    surveys = fleet.survey_again([name for name in fleet.names if name in mine and name not in state.superseded])
    found = {n: without_own_lease(s, state.info.id) for n, s in surveys.items() if isinstance(s, Survey)}
    own = [s for s in found.values() if s.live.name == attempt.plan.target_on(s.host) and s.lease is None]
    there = {survey.host for survey in own}
    # Where the end of a transaction is unknown, current may be as it was.
    gone = {n: s for n, s in found.items() if n not in there and n not in unknown}
    state.superseded |= _superseders(fleet, state, gone)
    return own


def _superseders(fleet: Fleet, state: RunState, surveys: Mapping[str, Survey]) -> dict[str, Superseder]:
    if not surveys:
        return {}
    journals = fleet.journals(surveys)
    return {name: _superseder(state.info.id, survey, journals.get(name, ())) for name, survey in surveys.items()}


def _superseder(run: str, survey: Survey, journal: Sequence[str]) -> Superseder:
    """Return who took the host over: the run that works there now, or the last one that went to what is live."""
    release = survey.live.name or None
    lease = without_own_lease(survey, run).lease
    if lease:
        return Superseder(release=release, run=lease.run, actor=lease.owner or None, run_url=lease.run_url or None)
    since = next((n for n, line in enumerate(journal) if f'"id":"{run}"' in line), len(journal))
    records, _ = read_journal(journal[since:])
    theirs = next((r for r in records if r.id != run and release and r.to.release == release), None)
    return Superseder(
        release=release,
        run=theirs.id if theirs else None,
        actor=theirs.actor if theirs else None,
        run_url=theirs.run_url if theirs else None,
    )
