"""The job summary: the specification's notification template, with the details of the record. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from rollback_ops.cli.actions.markdown import bounded, code, link, table, words
from rollback_ops.cli.output import groups, waves
from rollback_ops.core.agreeing import agreeing
from rollback_ops.core.model import PERSONAL_TRIGGERS
from rollback_ops.core.record import EvidenceRecord, HostRecord, Record, ReleaseRef
from rollback_ops.core.revision import short
from rollback_ops.core.summary import (
    held,
    outcome_summary,
    services_told,
    step_durations,
    target_label,
    verification_summary,
)

# Over 1 MiB GitHub drops the whole of it.
_LONGEST = 256 * 1024
_CUT = "**The rest is left out: it is too long for a summary. The record has all of it.**"
# Rows of each kind, unhealthy ones first. A longer page is not read.
_MOST = 60
_LONGEST_REASON = 1_200
_SIGNS = {"succeeded": "✅", "nothing_to_do": "✅", "passed": "✅", "skipped": "⏭️", "unknown": "❔", "cancelled": "⚠️"}


def summary(record: Record, repository: str = "", changes: Iterable[str] = ()) -> str:
    """Render one record as a page. ``repository``: the repository's address, for links to commits; may be empty.

    ``changes``: the commits that leave the hosts, in brief.
    """
    ending = outcome_summary(record)
    parts = (
        [f"## {ending.title}: {code(record.service)}, {code(record.environment)}", ""],
        _facts(record, repository),
        ["", f"**Status:** {ending.status}", ""],
        _section("What leaves the hosts", _listed(code(line, 500) for line in changes)),
        _section("Group", _services(record)),
        _section("Waves", _waves(record)),
        _section("Hosts", _hosts(record)),
        _section("Checks", _checks(record)),
        _section("Metrics", _evidence(record) if record.evidence else ()),
        _section("Duration", _times(record)),
        _section("Warnings", _listed(code(warning, 500) for warning in record.warnings)),
        _section("Not chosen", _listed(f"{code(r.release)}: {code(r.why)}" for r in record.not_chosen)),
        _section("Next steps", [f"{number}. {words(step)}" for number, step in enumerate(ending.next_steps, 1)]),
    )
    return bounded((line for part in parts for line in part), _LONGEST, _CUT)


def notice(title: str, where: str, lines: Iterable[str]) -> str:
    """Render a page for a command without a record. ``title`` is ours; the rest is text from outside."""
    heading = f"## {title}: {code(where)}" if where else f"## {title}"
    return bounded([heading, "", *(f"- {code(line, 500)}" for line in lines if line.strip()), ""], _LONGEST, _CUT)


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return [f"### {title}", "", *found, ""] if found else []


def _listed(items: Iterable[str]) -> Iterator[str]:
    every = list(items)
    yield from (f"- {item}" for item in every[:_MOST])
    if len(every) > _MOST:
        yield f"- and {len(every) - _MOST} more"


def _facts(record: Record, repository: str) -> Iterator[str]:
    at = datetime.fromisoformat(record.started_at).astimezone(UTC)
    by = (
        code(record.actor)
        if record.trigger in PERSONAL_TRIGGERS
        else f"{code(record.actor)} (automatic: {record.trigger})"
    )
    sign, told = verification_summary(record)
    verdict, colon, which = told.partition(": ")
    yield f"- **Environment:** {code(record.environment)}{'' if record.mode == 'standard' else f' ({record.mode})'}"
    yield f"- **Time:** {at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"- **Initiated by:** {by}"
    yield f"- **Reason:** {code(record.reason, _LONGEST_REASON)}"
    yield f"- **From:** {_release(record.from_, repository)}"
    yield f"- **{target_label(record)}:** {_release(record.to, repository)}{_difference(record, repository)}"
    yield f"- **Duration:** {record.duration_seconds:.1f} seconds"
    yield f"- **Verification:** {sign} {words(verdict)}{colon}{code(which)}"
    if record.hold:
        until = datetime.fromisoformat(record.hold.until).astimezone(UTC)
        yield f"- **Held:** {code(held(record.hold))}, until {until:%Y-%m-%d %H:%M} UTC"
    if record.deployment.id is not None:
        yield f"- **Deployment:** {link(str(record.deployment.id), _page(record, repository))}"
    if record.run_url:
        yield f"- **Run:** {link(record.id, record.run_url)}"


def _page(record: Record, repository: str) -> str:
    """Return the page that shows deployments to people. The deployment's own address is for programs."""
    return f"{repository}/deployments/{record.environment}" if repository else record.deployment.url or ""


def _is_commit(revision: str | None) -> bool:
    return re.fullmatch(r"[0-9a-f]{7,64}", revision or "") is not None


def _release(ref: ReleaseRef, repository: str) -> str:
    name = code(ref.release or "none")
    if not ref.revision:
        return name
    address = f"{repository}/commit/{ref.revision}" if repository and _is_commit(ref.revision) else ""
    return f"{name}, commit {link(short(ref.revision), address)}"


def _difference(record: Record, repository: str) -> str:
    """Link to the commits that are not live any more: from the restored release to the one that was left."""
    old, new = record.to.revision, record.from_.revision
    if not (record.rolled_back and repository and _is_commit(old) and _is_commit(new)) or old == new:
        return ""
    return f" ([the commits that leave]({repository}/compare/{old}...{new}))"


def _services(record: Record) -> Iterator[str]:
    told = (*groups.order(record), *services_told(record), *groups.ending(record))
    yield from (f"- {code(line, 500)}" for line in told)


def _waves(record: Record) -> Iterator[str]:
    told = (*waves.strategy(record), *waves.waves(record), *waves.ending(record))
    yield from (f"- {code(line, 500)}" for line in told)


def _hosts(record: Record) -> Iterator[str]:
    alike = agreeing(record.hosts, lambda host: (host.service, host.outcome, host.from_, host.to, host.detail))
    hosts = sorted(map(_as_one, alike), key=lambda host: host.outcome in ("succeeded", "nothing_to_do"))
    columns = ("Host", "", "Outcome", "From → to", "Down for", "")
    yield from table(columns, map(_host, hosts[:_MOST]))
    if len(hosts) > _MOST:
        yield from ("", f"and {len(hosts) - _MOST} more hosts")


def _as_one(hosts: Sequence[HostRecord]) -> HostRecord:
    """Return hosts that agree as one, with the longest downtime among them."""
    if len(hosts) == 1:
        return hosts[0]
    longest = max((host.downtime_seconds or 0.0 for host in hosts), default=0.0)
    return hosts[0].model_copy(update={"host": f"{len(hosts)} hosts", "downtime_seconds": longest or None})


def _host(host: HostRecord) -> tuple[str, ...]:
    way = f"{code(host.from_.label or 'none')} → {code(host.to.label)}" if host.to.label else ""
    down = f"{host.downtime_seconds:.2f} s" if host.downtime_seconds is not None else ""
    return code(host.label), _sign(host.outcome), host.outcome.replace("_", " "), way, down, code(host.detail)


def _checks(record: Record) -> Iterator[str]:
    every = [(host.label, check) for host in record.hosts for check in host.checks]
    every.sort(key=lambda pair: pair[1].outcome == "passed")
    yield from table(
        ("Check", "", "Host", "Took", ""),
        (
            (
                code(check.name),
                f"{_sign(check.outcome)} {check.outcome}",
                code(host),
                f"{check.seconds:.2f} s",
                code(check.detail),
            )
            for host, check in every[:_MOST]
        ),
    )
    if len(every) > _MOST:
        yield from ("", f"and {len(every) - _MOST} more checks")


def _evidence(record: Record) -> Iterator[str]:
    """Show what each metric compared, its e-values, and what a verdict needs at this α."""
    columns = ("Metric", "Verdict", "Now", "Before", "e-value: worse", "not worse", "Needed", "α")
    yield from table(columns, map(_metric, record.evidence[:_MOST]))
    yield from (
        "",
        *(f"- {code(f'{each.check}: {each.detail}', 500)}" for each in record.evidence[:_MOST] if each.detail),
    )


def _metric(found: EvidenceRecord) -> tuple[str, ...]:
    sides = (f"{side.bad:g} of {side.total:g}" if side.total else "" for side in (found.new, found.old))
    numbers = (f"{found.e_worse:.3g}", f"{found.e_not_worse:.3g}", f"{found.needed:g}", f"{found.alpha:g}")
    return code(found.check), found.verdict.replace("_", " "), *sides, *numbers


def _times(record: Record) -> Iterator[str]:
    yield from table(
        ("Step", "Took at most", "Target", ""),
        (
            (
                words(took.name),
                f"{took.seconds:.2f} s",
                f"{took.target:.0f} s",
                "⚠️" if took.seconds > took.target else "",
            )
            for took in step_durations(record)
        ),
    )


def _sign(outcome: str) -> str:
    return _SIGNS.get(outcome, "❌")
