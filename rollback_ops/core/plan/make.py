"""Choose the release to go back to, and say why not another: a pure function of the hosts' surveys.

The rule: the newest eligible release that is strictly older than the live one (``core.order``). The live release is
the anchor, so a second rollback never returns to the release that the first one left. Releases that are known to have
been live come first, then those that a rollback left without evidence against them, then those of which nothing is
known. Several hosts go to one release that all of them have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Live, Survey
from rollback_ops.core.order import Spelling
from rollback_ops.core.plan.blockers import blockers, drilled, hint_for, locked, not_live
from rollback_ops.core.plan.candidates import Candidates, live_name
from rollback_ops.core.plan.selection import NothingToDo, Refusal, Rejected, Selection, Unfinished, shown
from rollback_ops.core.revision import short
from rollback_ops.core.versions import Versions


@frozen
class HostPlan:
    """The plan for one host. ``leave``: the host runs the target already, or is not selected.

    ``forward``: the target is newer than what the host leaves.
    """

    host: str
    source: Live
    action: Literal["switch", "leave", "exclude"]
    target: str
    why: str = ""
    forward: bool = False


@dataclass(frozen=True)
class Plan:
    """``eligible``: the target, and what could be chosen in its place; empty where a release was asked for."""

    target: str
    revision: str
    hosts: tuple[HostPlan, ...]
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[str, ...] = ()
    eligible: tuple[str, ...] = ()

    @property
    def release(self) -> str:
        """The name of the target; empty where the hosts have several names for it."""
        changed = [host for host in self.hosts if host.action != "exclude"]
        return self.target if all(host.target == self.target for host in changed) else ""

    def target_on(self, host: str) -> str:
        """Return the name that the target has on a host."""
        found = self.on(host)
        return found.target if found else self.target

    def on(self, host: str) -> HostPlan | None:
        """Return what will happen on a host. There may be thousands, and each is looked up several times."""
        return self._by_name.get(host)

    @cached_property
    def _by_name(self) -> dict[str, HostPlan]:
        return {each.host: each for each in reversed(self.hosts)}

    def with_action(self, action: str) -> tuple[HostPlan, ...]:
        return tuple(host for host in self.hosts if host.action == action)


_ONE_BY_ONE = "Name the revision with --to, or roll the hosts back one by one, with --host."


def make_plan(
    surveys: Sequence[Survey], selection: Selection, broken: Mapping[str, str] | None = None
) -> Plan | NothingToDo | Refusal:
    """Plan for the hosts that could be surveyed.

    ``broken`` maps releases that were found unfit since the survey (they differ from their manifest) to the reason.
    """
    versions = Versions(surveys)
    asked = {name: versions.find(name) for name in (selection.backup, selection.if_current) if name}
    for name, labels in asked.items():
        if len(labels) > 1:
            return Refusal(_several(name, versions), _ONE_BY_ONE)
    meant = {name: labels[0] for name, labels in asked.items() if labels}
    asked_for = replace(
        selection,
        backup=meant.get(selection.backup, selection.backup),
        if_current=meant.get(selection.if_current, selection.if_current),
        unfinished=_labelled(selection.unfinished, versions),
    )
    unfit = {label: why for name, why in (broken or {}).items() for label in versions.find(name) or [name]}
    plan = _plan(versions.labelled(), asked_for, unfit, None if versions.are_names else versions.name)
    return _spelled(plan, surveys, versions) if isinstance(plan, Plan) else plan


def _plan(
    surveys: Sequence[Survey], selection: Selection, broken: Mapping[str, str], spell: Spelling | None
) -> Plan | NothingToDo | Refusal:
    meant = [s for s in surveys if not selection.if_current or selection.if_current in (live_name(s), s.origin)]
    if not meant:
        lives = ", ".join(sorted({live_name(s) or s.live.state for s in surveys}))
        return NothingToDo(f"{shown(selection.if_current)} is no longer live (live: {lives})")
    unfit = {s.host: why for s in meant if (why := blockers(s, selection))}
    fit = [s for s in meant if s.host not in unfit]
    if unfit and (not selection.emergency or not fit):
        return Refusal(_each(unfit), hint_for(meant), hosts=unfit)
    choice = Candidates(fit, replace(selection, forward=_forward(fit)), broken, spell)
    if isinstance(target := choice.target(), Refusal):
        return target
    names = {survey.host for survey in meant}
    return Plan(
        target=target,
        revision=next((r.revision for s in fit if (r := s.release(target)) and r.revision), ""),
        hosts=tuple(_host_plan(s, target, names, unfit, choice) for s in surveys),
        rejected=tuple(r for r in choice.rejected() if r.release != target),
        warnings=(*_warnings(fit, target, selection), *choice.warnings(target)),
        eligible=choice.eligible,
    )


def _spelled(plan: Plan, surveys: Sequence[Survey], versions: Versions) -> Plan:
    """Return the plan with the names that each host has for its releases."""
    lives = {survey.host: survey.live for survey in surveys}
    hosts = (replace(h, source=lives[h.host], target=versions.name(h.host, h.target)) for h in plan.hosts)
    return replace(plan, hosts=tuple(hosts))


def _labelled(unfinished: Unfinished | None, versions: Versions) -> Unfinished | None:
    found = versions.find(unfinished.target) if unfinished else []
    return replace(unfinished, target=found[0]) if unfinished and len(found) == 1 else unfinished


def _several(name: str, versions: Versions) -> str:
    """Say that a name means several versions."""
    found = ", ".join(f"{short(revision)} on {host}" for host, revision in versions.revisions(name).items())
    return f"{shown(name)} is not one release: it is {found}"


def resume_plan(
    surveys: Sequence[Survey], selection: Selection, broken: Mapping[str, str] | None = None
) -> Plan | NothingToDo | Refusal:
    """Plan to finish interrupted rollbacks, each to its own target. Hosts without one are left alone."""
    begun = {survey.host: survey.interrupted.target for survey in Versions(surveys).labelled() if survey.interrupted}
    targets = list(dict.fromkeys(begun.values()))
    if not targets:
        return NothingToDo("no rollback was interrupted")
    if len(targets) > 1:
        going = {host: f"its interrupted rollback goes to {target}" for host, target in begun.items()}
        hint = "Resume the hosts one by one, with --host."
        return Refusal("the interrupted rollbacks of the hosts go to different releases", hint, hosts=going)
    named = replace(selection, resume=False, backup=targets[0], automatic=False)
    plan = make_plan([s for s in surveys if s.host in begun], named, broken)
    if not isinstance(plan, Plan):
        return plan
    others = [HostPlan(s.host, s.live, "leave", plan.target, "no rollback was interrupted there") for s in surveys]
    return replace(plan, hosts=(*plan.hosts, *(host for host in others if host.host not in begun)))


def way_back(surveys: Sequence[Survey], origins: Mapping[str, str], why: str) -> Plan:
    """Plan to put each of these hosts back on the release that it started from."""
    hosts = tuple(HostPlan(s.host, s.live, "switch", origins[s.host], why) for s in surveys if origins.get(s.host))
    targets = [host.target for host in hosts]
    return Plan(target=max(targets, key=targets.count, default=""), revision="", hosts=hosts)


def _forward(surveys: Sequence[Survey]) -> str:
    """Return the release to which an emergency goes forward: there a drill started that was interrupted on all hosts.

    It was healthy then, and what is live was made live by the drill.
    """
    starts = {survey.open_drill.start if survey.open_drill else "" for survey in surveys}
    return starts.pop() if len(starts) == 1 else ""


def _host_plan(
    survey: Survey, target: str, meant: Collection[str], unfit: Mapping[str, str], choice: Candidates
) -> HostPlan:
    if survey.host not in meant:
        return HostPlan(survey.host, survey.live, "leave", target, f"it runs {live_name(survey) or survey.live.state}")
    if survey.host in unfit:
        return HostPlan(survey.host, survey.live, "exclude", target, unfit[survey.host])
    if survey.live.state == "release" and survey.live.name == target and survey.interrupted is None:
        return HostPlan(survey.host, survey.live, "leave", target, f"{target} is live there already")
    return HostPlan(survey.host, survey.live, "switch", target, forward=choice.is_forward(survey, target))


def _warnings(surveys: Sequence[Survey], target: str, selection: Selection) -> list[str]:
    warnings = []
    lives = {live_name(s) for s in surveys}
    if len(lives) > 1:
        warnings.append(f"the hosts ran different releases: {', '.join(sorted(filter(None, lives)))}")
    if (again := selection.unfinished) and again.target == target:
        begun = f"the rollback {again.run} to {target} has not reached {', '.join(again.lacking)}"
        warnings.append(f"{begun}, and this one goes on with it: name another release with --to")
    if any((r := s.release(target)) and r.mark == "bad" for s in surveys):
        warnings.append(f"{target} is marked bad; it was asked for by name")
    warnings += [
        f"{s.host}: an interrupted rollback to {s.interrupted.target} is taken up" for s in surveys if s.interrupted
    ]
    warnings += [f"{s.host}: {why}" for s in surveys if (why := drilled(s))]
    warnings += [f"{s.host}: {note}" for s in surveys for note in s.notes]
    if selection.emergency or selection.ignore_deploy_lock:
        warnings += [f"{s.host}: {'; '.join(s.deploying)}" for s in surveys if s.deploying]
    if selection.emergency:
        warnings += [f"{s.host}: {warning}" for s in surveys for warning in s.warnings]
        warnings += [f"{s.host}: {locked(s)}; the lock is taken over" for s in surveys if s.lease]
        warnings += [f"{s.host}: {not_live(s.live)}" for s in surveys if s.live.state != "release"]
    return warnings


def _each(reasons: Mapping[str, str]) -> str:
    return "\n".join(f"{host}: {why}" for host, why in reasons.items())
