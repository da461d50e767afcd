"""The releases that a rollback could go to, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rollback_ops.core.model import Release, Survey
from rollback_ops.core.order import Ranking, Spelling
from rollback_ops.core.plan.selection import Refusal, Rejected, Selection, shown

UNCLEAR = "it cannot be told whether it is older than the live one"
NEWER = "it is newer than the live one"
NEVER_LIVE = "nothing says that it was ever live, and {} was"
LEFT_TOO = "an earlier rollback left it, and none left {}"
LAST_RESORT = "{0} is the last resort: an earlier rollback left it{1}, and no better one is eligible"
NEVER = "nothing says that {} was ever live: run `guard` or `verify` after each deployment"
_NAME_IT = "Name the release with --to; `order` in rollback.toml says how releases are ordered."


@dataclass
class Candidates:
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
        if self._may_go_on_to(self.selection.forward):
            return self.selection.forward
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
        """Note why releases were passed over that are eligible, but of a worse kind than the target."""
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
            return Refusal(f"{shown(name)} is none of the releases", _did_you_mean(name, self._why), self.rejected())
        there = all(live_name(s) == name and s.interrupted is None for s in self.surveys)
        if there and not self.selection.again:
            return Refusal(f"{name} is the live release already", "`list` shows the others.", self.rejected())
        why = self._unusable(name)
        if not why and self.selection.automatic and not self._was_live(name):
            known = next((n for n, against in self._why.items() if not against and self._was_live(n)), "")
            why = NEVER_LIVE.format(known) if known else ""
        return Refusal(f"{name} cannot be used: {why}", "`list` shows the others.", self.rejected()) if why else name

    def warnings(self, target: str) -> list[str]:
        """Return why the target may be the wrong one: it was perhaps never live, or the order is another one."""
        never = "" if self._was_live(target) else NEVER.format(target)
        if self.selection.backup:
            return [never] if never else []
        left = self._left(target)
        last = LAST_RESORT.format(target, f" ({left.left_why})" if left.left_why else "") if left else ""
        return list(
            filter(None, (never, last, self._ranking.warning, self._ranking.warning_about(target, *self._anchors)))
        )

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


def live_name(survey: Survey) -> str:
    return survey.live.name if survey.live.state == "release" else ""


def _did_you_mean(name: str, names: Mapping[str, str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, 1)
    return f"Did you mean {near[0]}? `list` shows them." if near else "`list` shows them."
