"""A preview as people read it. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rollback_ops.cli.output import text
from rollback_ops.cli.output.text import Line
from rollback_ops.core import schema
from rollback_ops.core.changes import NO_COMMITS, in_brief
from rollback_ops.core.dependencies import is_lock
from rollback_ops.core.order import live_at
from rollback_ops.core.plan import Plan
from rollback_ops.core.revision import short
from rollback_ops.core.text import age

if TYPE_CHECKING:
    from rollback_ops.commands.preview import Preview
    from rollback_ops.commands.preview_group import GroupPreview
    from rollback_ops.core.changes import Changes, Commit, Commits
    from rollback_ops.core.comparison import Keys
    from rollback_ops.core.dependencies import DependencyFile
    from rollback_ops.core.model import Release
    from rollback_ops.core.record import Record

# Lines of each part. All of it is in the JSON document.
_MOST = 20
_NOT_LINEAR = "  ! not linear: the target has commits that the live release does not have"
_PARTS = {
    "migrations": "migrations",
    "expected": "the time to expect",
    "deployed_by": "who deployed it",
    "refusal": "whether it would be refused",
}


def lines(found: Preview) -> Iterator[Line]:
    """Show what a rollback would leave, where it would return to, and what goes with it."""
    yield from _what(found)
    if found.hash:
        yield approval(found.hash)


def of_group(found: GroupPreview) -> Iterator[Line]:
    """Show the services of a group in the order in which they would be changed, and what each leaves and returns to."""
    yield Line(f"{found.group}: {', then '.join(' and '.join(step) for step in found.steps)}", "strong")
    if found.verified_set:
        yield Line(f"  these releases were verified together (run {found.verified_set})")
    yield from (Line(f"  ! {warning}", "warning") for warning in found.warnings)
    if found.refusal:
        yield Line(f"  ✗ no service would be changed: {found.refusal}", "bad")
    for name in (name for step in found.steps for name in step):
        yield Line("")
        yield Line(name, "strong")
        yield from _what(found.services[name])


def _what(found: Preview) -> Iterator[Line]:
    plan = found.decision
    if not isinstance(plan, Plan) or found.returns_to is None:
        yield from text.decision(plan)
        yield from _holds(found)
        return
    now = time.time()
    yield Line(
        f"leaves {_release(found.leaves, now, found.deployed_by)} → returns to {_release(found.returns_to, now)}",
        "strong",
    )
    if found.refusal:
        yield Line(f"  ✗ it would be refused: {found.refusal}", "bad")
    yield from _commits(found.commits)
    if found.migrations:
        yield Line(f"  ! migrations that the target does not have: {len(found.migrations)}", "warning")
        yield from _some([f"    {path}" for path in found.migrations])
    yield from _dependencies(found.dependencies)
    yield from _files(found)
    yield from _settings(found.settings)
    yield from _some([f"  {h.host}: {_action(h.action, h.why)}" for h in plan.hosts])
    yield from _expected(found)
    yield from _holds(found)
    yield from (Line(f"  ! {warning}", "warning") for warning in plan.warnings)
    yield from (Line(f"  {_PARTS.get(name, name)}: not known: {why}", "faint") for name, why in found.missing.items())


def brief(record: Record, changes: Changes | None) -> Iterator[Line]:
    """Show in a few lines what a rollback takes away, or would: after its result, and on the page of a workflow."""
    if changes is None:
        return
    commits, files = changes.commits, changes.files
    if commits.why:
        if commits.why != NO_COMMITS:
            yield Line(f"  commits: not known: {commits.why}", "faint")
    else:
        yield Line(f"  leaves the hosts: {in_brief(commits)}")
    if not commits.linear:
        yield Line(_NOT_LINEAR, "warning")
    if migrations := files.migrations():
        yield Line(f"  ! migrations among them: {schema.named(migrations)}", "warning")
    if locks := [name for name in (*files.added, *files.removed, *files.changed) if is_lock(name)]:
        yield Line(f"  dependencies change: {schema.named(locks)}")
    if record.dry_run and record.plan and not record.strategy:
        yield approval(record.plan.hash)


def approval(plan_hash: str) -> Line:
    short = plan_hash[:16]
    return Line(f"  plan {short}: `rollback --approved {short}` does this, and refuses any other plan")


def _some(rows: Sequence[str]) -> Iterator[Line]:
    yield from map(Line, rows[:_MOST])
    if len(rows) > _MOST:
        yield Line(f"    and {len(rows) - _MOST} more")


def _release(release: Release | None, now: float = 0.0, by: str = "") -> str:
    if release is None:
        return "nothing"
    at = live_at(release)
    facts = (short(release.revision), f"{age(now - at)} old" if at else "", release.mark, by and f"deployed by {by}")
    told = ", ".join(filter(None, facts))
    return f"{release.name} ({told})" if told else release.name


def _commits(commits: Commits) -> Iterator[Line]:
    if commits.why:
        yield Line(f"  commits: not known: {commits.why}", "faint")
        return
    yield Line(f"  commits that leave the hosts: {commits.count}")
    yield from (Line(f"    {_commit(each)}") for each in commits.first)
    if commits.count > len(commits.first):
        yield Line(f"    and {commits.count - len(commits.first)} more")
    if not commits.linear:
        yield Line(_NOT_LINEAR, "warning")


def _commit(commit: Commit) -> str:
    known = f"(#{commit.pull_request})"
    request = "" if commit.pull_request is None or known in commit.title else f" {known}"
    return f"{commit.sha}  {commit.author}  {commit.title}{request}"


def _dependencies(files: Sequence[DependencyFile]) -> Iterator[Line]:
    for file in files:
        if not file.readable:
            yield Line(f"  dependencies: {file.path} changes")
        elif file.packages:
            yield Line(f"  dependencies that change in {file.path}: {len(file.packages)}")
            yield from _some([f"    {p.name} {p.left or '(none)'} → {p.target or '(none)'}" for p in file.packages])


def _files(found: Preview) -> Iterator[Line]:
    files = found.files
    if not files.known:
        yield Line(f"  files: not known: {files.why or 'nothing could be compared'}", "faint")
        return
    more = " (and more, which are not listed)" if files.cut else ""
    counts = f"+{len(files.added)} −{len(files.removed)} ~{len(files.changed)}"
    yield Line(f"  files, by their {files.source}: {counts}{more}")
    yield from _some([f"    {d.directory}  +{d.added} −{d.removed} ~{d.changed}" for d in files.by_directory()])
    if files.why:
        yield Line(f"    {files.why}", "faint")


def _settings(settings: Sequence[Keys]) -> Iterator[Line]:
    rows = []
    for keys in settings:
        signs = (("+", keys.added), ("−", keys.removed), ("~", keys.changed))
        named = [f"{sign}{name}" for sign, names in signs for name in names]
        told = ", ".join(named[:_MOST]) + (f" and {len(named) - _MOST} more" if len(named) > _MOST else "")
        if named or not keys.readable:
            rows.append(f"    {keys.path}: {told if keys.readable else 'changes; its keys could not be read'}")
    if rows:
        yield Line("  settings (+ comes back, − leaves, ~ has another value):")
        yield from _some(rows)


def _action(action: str, why: str) -> str:
    return "would be switched" if action == "switch" else f"stays as it is: {why}"


def _expected(found: Preview) -> Iterator[Line]:
    expected = found.expected
    if expected.total is None:
        return
    down = "" if expected.downtime is None else f"down for {expected.downtime:.1f} s on each host, "
    yield Line(f"  to expect: {down}{expected.total:.1f} s in all (medians of {expected.of} on record)")


def _holds(found: Preview) -> Iterator[Line]:
    yield from (Line(f"  ! {held}", "warning") for held in found.holds)
