"""Choose the release to go back to, and say why not another: a pure function of the hosts' surveys.

The rule: the newest eligible release that is strictly older than the live one (``core.order``). The live release is
the anchor, so a second rollback never returns to the release that the first one left. Releases that are known to have
been live come first, then those that a rollback left without evidence against them, then those of which nothing is
known. Several hosts go to one release that all of them have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rollback_ops.core.model import Live, Release, Survey, Unit
from rollback_ops.core.order import Order, Ranking, Spelling
from rollback_ops.core.text import one_line, short
from rollback_ops.core.versions import Versions


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A rollback that has not reached all of its hosts. ``lacking`` are those that may not run its target."""

    run: str
    target: str
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which release a run is to go to. Empty: not asked. ``resume``: finish interrupted rollbacks, and nothing else.

    ``order``: that of the releases; None: the one that their names have. ``unfinished``: a rollback to go on with.
    ``ignore_deploy_lock``: go on even where a deployment is under way.
    ``automatic``: no person chooses, so nobody can say that a release of which nothing is known is the right one.
    """

    backup: str = ""
    if_current: str = ""
    emergency: bool = False
    resume: bool = False
    order: Order | None = None
    unfinished: Unfinished | None = None
    ignore_deploy_lock: bool = False
    automatic: bool = False

    def anew(self, if_current: str = "", *, automatic: bool = False) -> Selection:
        """Return the selection of an automatic rollback: it names no target."""
        return replace(
            Selection(order=self.order, ignore_deploy_lock=self.ignore_deploy_lock),
            if_current=if_current,
            automatic=automatic or self.automatic,
        )


@dataclass(frozen=True, slots=True)
class Rejected:
    release: str
    why: str


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What will happen on one host. ``leave``: the host runs the target already, or is not selected.

    ``forward``: the target is newer than what the host leaves.
    """

    host: str
    source: Live
    action: Literal["switch", "leave", "exclude"]
    target: str
    why: str = ""
    forward: bool = False


@dataclass(frozen=True, slots=True)
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
        return next((each.target for each in self.hosts if each.host == host), self.target)

    def with_action(self, action: str) -> tuple[HostPlan, ...]:
        return tuple(host for host in self.hosts if host.action == action)


@dataclass(frozen=True, slots=True)
class NothingToDo:
    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is changed. ``hosts`` has the reason of each host, where they differ."""

    why: str
    hint: str = ""
    rejected: tuple[Rejected, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    eligible: tuple[str, ...] = ()

    def about(self, host: str) -> str:
        """Return the reason and the hint for one host."""
        return "\n  ".join(filter(None, (self.hosts.get(host, self.why), self.hint)))


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
    meant = [s for s in surveys if not selection.if_current or selection.if_current in (_live_name(s), s.origin)]
    if not meant:
        lives = ", ".join(sorted({_live_name(s) or s.live.state for s in surveys}))
        return NothingToDo(f"{_shown(selection.if_current)} is no longer live (live: {lives})")
    unfit = {s.host: why for s in meant if (why := _unfit(s, selection))}
    fit = [s for s in meant if s.host not in unfit]
    if unfit and (not selection.emergency or not fit):
        return Refusal(_each(unfit), _hint_for(meant), hosts=unfit)
    choice = _Candidates(fit, selection, broken, spell)
    if isinstance(target := choice.target(), Refusal):
        return target
    return Plan(
        target=target,
        revision=next((r.revision for s in fit if (r := s.release(target)) and r.revision), ""),
        hosts=tuple(_host_plan(s, target, meant, unfit, choice) for s in surveys),
        rejected=tuple(r for r in choice.rejected() if r.release != target),
        warnings=(*_warnings(fit, target, selection), *choice.doubts(target)),
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
    found = ", ".join(f"{revision[:12]} on {host}" for host, revision in versions.revisions(name).items())
    return f"{_shown(name)} is not one release: it is {found}"


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


def _host_plan(
    survey: Survey, target: str, meant: Sequence[Survey], unfit: Mapping[str, str], choice: _Candidates
) -> HostPlan:
    if survey not in meant:
        return HostPlan(survey.host, survey.live, "leave", target, f"it runs {_live_name(survey) or survey.live.state}")
    if survey.host in unfit:
        return HostPlan(survey.host, survey.live, "exclude", target, unfit[survey.host])
    if survey.live.state == "release" and survey.live.name == target and survey.interrupted is None:
        return HostPlan(survey.host, survey.live, "leave", target, f"{target} is live there already")
    return HostPlan(survey.host, survey.live, "switch", target, forward=choice.is_forward(survey, target))


def _unfit(survey: Survey, selection: Selection) -> str:
    """Return why nothing may be changed on a host; empty when it may."""
    reasons = [
        f"the unit {unit.name} does not exist: correct `units` in rollback.toml, or install it"
        for unit in survey.units
        if unit.state == "missing"
    ]
    reasons += survey.blockers
    reasons += [f"the unit {unit.name} {unit.blocker}" for unit in survey.units if unit.blocker]
    reasons += [_state_unknown(unit) for unit in survey.units if unit.state == "unknown"]
    if survey.live.state == "directory":
        reasons.append("current is not a link, so it cannot be switched")
    if not selection.emergency:
        reasons += survey.warnings
        reasons += () if selection.ignore_deploy_lock else survey.deploying
        if survey.lease:
            reasons.append(_locked(survey))
        if survey.live.state in NOT_LIVE and not (selection.backup or survey.interrupted or survey.blockers):
            reasons.append(_not_live(survey.live))
    return "; ".join(reasons)


def _state_unknown(unit: Unit) -> str:
    return f"the state of the unit {unit.name} is unknown{f': {unit.detail}' if unit.detail else ''}"


def _locked(survey: Survey) -> str:
    lease = survey.lease
    if lease is None:
        return ""
    left = f", at most {lease.expires_in:.0f} s more" if lease.expires_in else ""
    url = f", {lease.run_url}" if lease.run_url else ""
    return f"locked by {lease.owner or 'another run'} since {lease.since} (run {lease.run}{url}{left})"


UNCLEAR = "it cannot be told whether it is older than the live one"
NEWER = "it is newer than the live one"
NEVER_LIVE = "nothing says that it was ever live, and {} was"
LEFT_TOO = "an earlier rollback left it, and none left {}"
LAST_RESORT = "{0} is the last resort: an earlier rollback left it{1}, and no better one is eligible"
NEVER = "nothing says that {} was ever live: run `guard` or `verify` after each deployment"
_ONE_BY_ONE = "Name the revision with --to, or roll the hosts back one by one, with --host."
_NAME_IT = "Name the release with --to; `order` in rollback.toml says how releases are ordered."
NOT_LIVE = {
    "missing": "current does not exist",
    "dangling": "current points at {0}, which does not exist",
    "elsewhere": "current points at {0}, which is none of the releases",
}


def _not_live(live: Live) -> str:
    return NOT_LIVE.get(live.state, live.state).format(live.path)


def _hint_for(surveys: Sequence[Survey]) -> str:
    if any(s.blockers for s in surveys):
        return ""
    if any(s.deploying for s in surveys) and not any(s.warnings for s in surveys):
        return "Wait until it has ended. If it ended long ago, remove what it left, or use --ignore-deploy-lock."
    if any(s.lease for s in surveys):
        return "Wait for it; an --emergency rollback takes the lock over."
    if any(s.live.state == "directory" for s in surveys):
        return "Move the directory among the releases and make current a link to it."
    if any(s.live.state != "release" for s in surveys):
        return "Name the release to go to with --backup; `list` shows them."
    return ""


@dataclass
class _Candidates:
    """The releases of all hosts, newest first, each with the reason that speaks against it."""

    surveys: Sequence[Survey]
    selection: Selection
    broken: Mapping[str, str]
    spell: Spelling | None = None
    _why: dict[str, str] = field(default_factory=dict)
    _anchors: tuple[str, ...] = ()
    # Eligible releases to which the rollback prefers the target.
    _passed: set[str] = field(default_factory=set)
    # By host and name: there may be thousands of releases, and each is looked up several times.
    _releases: dict[str, dict[str, Release]] = field(default_factory=dict)
    _ranking: Ranking = field(init=False)

    def __post_init__(self) -> None:
        self._releases = {s.host: {r.name: r for r in reversed(s.releases)} for s in self.surveys}
        names = {release.name for survey in self.surveys for release in survey.releases}
        self._ranking = Ranking(self.surveys, self.selection.order, self.spell)
        # A release that is gone is still the one that was left: what is newer must not be chosen.
        gone = {s.origin for s in self.surveys if s.live.state == "dangling" or s.interrupted} - {""}
        lives = {name for survey in self.surveys if (name := survey.origin) in names or name in gone}
        # Several, where nobody can tell which of them is the newest.
        self._anchors = self._ranking.latest(lives)
        self._why = {n: self._against(n, lives) for n in self._ranking.newest_first(names)}

    def target(self) -> str | Refusal:
        if self.selection.backup:
            return self._named()
        if (again := self.selection.unfinished) and self._may_go_on_to(again.target):
            return again.target
        best = self._best()
        newest = self._ranking.latest(best)
        if len(newest) == 1:
            self._pass_over(set(self.eligible) - set(best), newest[0])
            return newest[0]
        if newest:
            why = f"it cannot be told which of {newest[0]} and {newest[1]} is newer"
            return Refusal(why, _NAME_IT, self.rejected(), eligible=self.eligible)
        return Refusal("no eligible release", self._way_out(), self.rejected())

    @property
    def eligible(self) -> tuple[str, ...]:
        """The releases that nothing speaks against, newest first; none where one was asked for."""
        return () if self.selection.backup else tuple(n for n, why in self._why.items() if not why or n in self._passed)

    def _best(self) -> list[str]:
        """Return the eligible releases of the best kind that there is."""
        known = [name for name in self.eligible if self._was_live(name)]
        return [name for name in known if not self._left(name)] or known or list(self.eligible)

    def _way_out(self) -> str:
        """Return the advice for when no release is eligible."""
        if any(why == UNCLEAR for why in self._why.values()):
            return _NAME_IT
        if len(self._why) <= 1:
            return "A first deployment cannot be rolled back: deploy a release that works."
        newer = [n for n, why in self._why.items() if why == NEWER and not self._unusable(n) and not self._bad(n)]
        if ahead := next((name for name in reversed(newer) if self._was_live(name)), ""):
            return f"{ahead} is newer, was live, and is not known to be bad: go forward to it with --to {ahead}."
        if problem := next(filter(None, map(self._unusable, self._anchors)), ""):
            return f"The live release has a fault, too ({problem}): look at `requires` and `trusted` in rollback.toml."
        return "Name one with --backup, or deploy a release that works."

    def _pass_over(self, others: set[str], target: str) -> None:
        """Give the reason to releases that are not chosen only because the target is of a better kind."""
        for name in others:
            if self._ranking.newer(name, target) is not False:
                self._passed.add(name)
                reason = LEFT_TOO if self._was_live(name) else NEVER_LIVE
                self._why[name] = reason.format(target)

    def _was_live(self, name: str) -> bool:
        return any(release.was_live for release in self._each(name))

    def _left(self, name: str) -> Release | None:
        """Return a release that a rollback left, as the host knows it where that was last."""
        left = (release for release in self._each(name) if release.was_left)
        return max(left, key=lambda release: (release.left_by, release.left_why), default=None)

    def _bad(self, name: str) -> bool:
        return any(release.mark == "bad" for release in self._each(name))

    def _each(self, name: str) -> Iterator[Release]:
        """Yield this release as each host that has it knows it."""
        return (r for s in self.surveys if (r := self._releases[s.host].get(name)))

    def is_forward(self, survey: Survey, target: str) -> bool:
        return bool(survey.origin) and self._ranking.newer(target, survey.origin) is True

    def _may_go_on_to(self, name: str) -> bool:
        return name in self._why and not self._bad(name) and not self._unusable(name)

    def rejected(self) -> tuple[Rejected, ...]:
        return tuple(Rejected(name, why) for name, why in self._why.items() if why)

    def _named(self) -> str | Refusal:
        name = self.selection.backup
        if name not in self._why:
            return Refusal(f"{_shown(name)} is none of the releases", _did_you_mean(name, self._why), self.rejected())
        if all(_live_name(s) == name and s.interrupted is None for s in self.surveys):
            return Refusal(f"{name} is the live release already", "`list` shows the others.", self.rejected())
        why = self._unusable(name)
        if not why and self.selection.automatic and not self._was_live(name):
            known = next((n for n, against in self._why.items() if not against and self._was_live(n)), "")
            why = NEVER_LIVE.format(known) if known else ""
        return Refusal(f"{name} cannot be used: {why}", "`list` shows the others.", self.rejected()) if why else name

    def doubts(self, target: str) -> list[str]:
        """Return why the target may be the wrong one: it was perhaps never live, or the order is another one."""
        never = "" if self._was_live(target) else NEVER.format(target)
        if self.selection.backup:
            return [never] if never else []
        left = self._left(target)
        last = LAST_RESORT.format(target, f" ({left.left_why})" if left.left_why else "") if left else ""
        return list(filter(None, (never, last, self._ranking.warning, self._ranking.doubt(target, *self._anchors))))

    def _against(self, name: str, lives: set[str]) -> str:
        if {name} == lives:
            return "it is the live one"
        if name in self._anchors:
            return "it is the live one on some hosts"
        newer = [self._ranking.newer(name, anchor) for anchor in self._anchors]
        if True in newer:
            return NEWER
        if None in newer:
            return UNCLEAR
        return self._unusable(name) or self._where(name, lambda release: release.mark == "bad", "it is marked bad")

    def _unusable(self, name: str) -> str:
        if name in self.broken:
            return self.broken[name]
        for survey in self.surveys:
            release = self._releases[survey.host].get(name)
            if release is None:
                return f"{survey.host} does not have it"
            if release.problem:
                return f"{release.problem}{self._on(survey)}"
        return ""

    def _where(self, name: str, holds: Callable[[Release], bool], why: str) -> str:
        for survey in self.surveys:
            if (release := self._releases[survey.host].get(name)) and holds(release):
                return f"{why}{self._on(survey)}"
        return ""

    def _on(self, survey: Survey) -> str:
        return f" on {survey.host}" if len(self.surveys) > 1 else ""


def _shown(name: str) -> str:
    """Show a name that was typed as one bounded line."""
    return one_line(short(name, 128))


def _live_name(survey: Survey) -> str:
    return survey.live.name if survey.live.state == "release" else ""


def _did_you_mean(name: str, names: Mapping[str, str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, 1)
    return f"Did you mean {near[0]}? `list` shows them." if near else "`list` shows them."


def _warnings(surveys: Sequence[Survey], target: str, selection: Selection) -> list[str]:
    warnings = []
    lives = {_live_name(s) for s in surveys}
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
    warnings += [f"{s.host}: {note}" for s in surveys for note in s.notes]
    if selection.emergency or selection.ignore_deploy_lock:
        warnings += [f"{s.host}: {'; '.join(s.deploying)}" for s in surveys if s.deploying]
    if selection.emergency:
        warnings += [f"{s.host}: {doubt}" for s in surveys for doubt in s.warnings]
        warnings += [f"{s.host}: {_locked(s)}; the lock is taken over" for s in surveys if s.lease]
        warnings += [f"{s.host}: {_not_live(s.live)}" for s in surveys if s.live.state != "release"]
    return warnings


def _each(reasons: Mapping[str, str]) -> str:
    return "\n".join(f"{host}: {why}" for host, why in reasons.items())
