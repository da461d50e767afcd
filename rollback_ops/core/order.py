"""The order of releases: which of two became live later. Pure.

``natural`` reads numbers in names as numbers. ``semver`` is the precedence of Semantic Versioning 2.0 (section 11).
``deployed`` is the order in which releases became live, from what hosts know: the log of a deployment tool, our own
notes, or the creation of the directories.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, cmp_to_key
from typing import Any, Literal

from rollback_ops.core.model import Release, Survey

Order = Literal["natural", "semver", "deployed"]
# Maps a host and the label of a release to the name that the host has for it.
Spelling = Callable[[str, str], str]
SemverKey = tuple[tuple[int, ...], bool, tuple[tuple[int, int, str], ...]]

# POSIX extended regular expressions: break-glass classifies names by the same ones, with awk. Debian's has no {7,}.
VERSION = r"^v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?$"
COMMIT = f"^{'[0-9a-f]' * 7}[0-9a-f]*$"
DATE = r"^(19|20)[0-9][0-9](0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
NUMBER = r"^[^0-9]*[0-9]"

CREATED = (
    "nothing says when {} became live, so the order is that in which the directories were created: "
    "name the release with --to if it is another one"
)
MIXED = "the names are of several kinds ({}): set `order` in rollback.toml if their order is not that of deployment"


@cache
def natural(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return a sort key in which ``2 < 10`` and timestamps sort by time."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


@cache
def semver(name: str) -> SemverKey | None:
    """Return a version's precedence as a sort key, or None where the name is no version.

    A leading ``v`` is left out, and ``1.2`` counts as ``1.2.0``. Build metadata has no precedence.
    """
    if not re.match(VERSION, name) or name.endswith("\n"):
        return None
    core, _, suffix = name.partition("+")[0].removeprefix("v").partition("-")
    numbers = [int(number) for number in core.split(".")]
    identifiers = suffix.split(".") if suffix else []
    pre = tuple((0, int(i), "") if re.fullmatch("[0-9]+", i) else (1, 0, i) for i in identifiers)
    return (*numbers, 0)[:3], not pre, pre


def detect(names: Iterable[str]) -> tuple[Order, str, str]:
    """Return the order that the names have, why, and a warning where they are of several kinds."""
    kinds = {name: _kind(name) for name in names}
    lengths = {len(name) for name in kinds}
    if "commits" in kinds.values() and len(lengths) == 1 and all(re.match(COMMIT, name) for name in kinds):
        # Some commits have no letter.
        kinds = dict.fromkeys(kinds, "commits")
    found = sorted(set(kinds.values()))
    if len(found) > 1:
        shown = ", ".join(found)
        return "deployed", f"the names are of several kinds ({shown})", MIXED.format(shown)
    kind = found[0] if found else "numbers"
    if kind == "versions":
        return "semver", "the names are versions", ""
    if kind in ("commits", "words"):
        return "deployed", f"the names are {kind}, which have no order", ""
    return "natural", "the names are numbers or timestamps", ""


def _kind(name: str) -> str:
    if re.match(VERSION, name):
        return "versions"
    if re.match(COMMIT, name) and not re.match(DATE, name) and not name.isdecimal():
        return "commits"
    if found := re.match(NUMBER, name):
        prefix = found[0][:-1]
        return f"numbers after {prefix}" if prefix else "numbers"
    return "words"


class Ranking:
    """The releases of all hosts in one order. ``why`` says why it is this order; ``warning`` may be empty.

    ``spell`` returns the name that a host has for a release, where hosts name one release differently.
    """

    def __init__(self, surveys: Sequence[Survey], wanted: Order | None = None, spell: Spelling | None = None) -> None:
        found = {(s.host, r.name) for s in surveys for r in s.releases if not r.problem or r.name == s.origin}
        found |= {(s.host, s.origin) for s in surveys if s.origin and (s.live.state == "dangling" or s.interrupted)}
        names = {spell(host, name) if spell else name for host, name in found}
        self.order, self.why, self.warning = detect(names)
        if wanted is not None:
            self.order, self.why, self.warning = wanted, "rollback.toml says so", ""
        self._hosts = [{r.name: r for r in reversed(s.releases)} for s in surveys]
        # A log that lacks some of the releases says nothing of their place.
        on = {s.host: host for s, host in zip(surveys, self._hosts, strict=True)}
        unlogged = {host for host, name in found if name in on[host] and not on[host][name].logged}
        self._logs = [s.host not in unlogged for s in surveys]
        self._names = [{r.name: spell(s.host, r.name) for r in s.releases} for s in surveys] if spell else []

    def newer(self, one: str, two: str) -> bool | None:
        """Return whether release ``one`` is newer than release ``two``; None where that is unknown."""
        found = self._compare(one, two)
        return None if found == 0 else found > 0

    def latest(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the newest of these releases. Also returns those of which it is unknown whether they are older."""
        ordered = self.newest_first(names)
        if not ordered:
            return ()
        best = ordered[0]
        for name in ordered:
            best = name if self.newer(name, best) else best
        return (best, *(name for name in ordered if name != best and not self.newer(best, name)))

    def newest_first(self, names: Iterable[str]) -> list[str]:
        ordered = sorted(names, key=natural, reverse=True)
        if self.order == "natural" and not self._names:
            return ordered
        return sorted(ordered, key=cmp_to_key(self._compare), reverse=True)

    def warning_about(self, *names: str) -> str:
        """Return a warning where the place of one of these releases is known from its directory's creation only."""
        if self.order != "deployed":
            return ""
        unsure = [name for name in names if any((r := host.get(name)) and not _is_noted(r) for host in self._hosts)]
        return CREATED.format(" and ".join(unsure)) if unsure else ""

    def _compare(self, one: str, two: str) -> int:
        """Return 1 where ``one`` is newer, -1 where it is older, 0 where that is unknown."""
        if self.order != "deployed":
            spelled = {(names[one], names[two]) for names in self._names if one in names and two in names}
            return _agreed(self._by_name(*pair) for pair in spelled or {(one, two)})
        hosts = [pair for pair in zip(self._hosts, self._logs, strict=True) if one in pair[0] and two in pair[0]]
        return _agreed(_on_host(host[one], host[two], by_log) for host, by_log in hosts)

    def _by_name(self, one: str, two: str) -> int:
        if self.order == "natural":
            return _sign(natural(one), natural(two))
        a, b = semver(one), semver(two)
        return 0 if a is None or b is None else _sign(a, b)


def live_at(release: Release) -> float:
    """Return when a release became live, as far as known, in seconds since the epoch; 0 where nothing is known.

    The first note that it was live is never too early, and its directory was made before that. Where it seems to be
    otherwise, the directory was copied.
    """
    return min((moment for moment in (release.created, release.live_since or 0.0) if moment), default=0.0)


def _is_noted(release: Release) -> bool:
    return bool(release.logged or release.live_since)


def _on_host(one: Release, two: Release, by_log: bool) -> int:
    if by_log:
        # A release that is not in the log has no place in it.
        return _sign(one.logged, two.logged) if one.logged and two.logged else 0
    a, b = live_at(one), live_at(two)
    return _sign(a, b) if a and b else 0


def _agreed(found: Iterable[int]) -> int:
    """Return the comparison on which all hosts agree that can compare; 0 when they disagree, or none can."""
    signs = set(found) - {0}
    return signs.pop() if len(signs) == 1 else 0


def _sign(one: Any, two: Any) -> int:
    return int(one > two) - int(one < two)
