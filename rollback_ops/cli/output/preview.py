"""A preview as people read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rollback_ops.cli.output import text
from rollback_ops.cli.output.text import Line
from rollback_ops.core.plan import Plan

if TYPE_CHECKING:
    from rollback_ops.commands.preview import Preview
    from rollback_ops.core.model import Release

_MOST = 20


def lines(found: Preview) -> Iterator[Line]:
    """Show what a rollback would leave, where it would return to, and what goes with it."""
    if not isinstance(found.decision, Plan) or found.returns_to is None:
        yield from text.decision(found.decision)
        return
    yield Line(f"leaves {_release(found.leaves)} → returns to {_release(found.returns_to)}", "strong")
    commits = found.commits
    if commits.why:
        yield Line(f"  commits: not known: {commits.why}", "faint")
    else:
        yield Line(f"  commits that leave the hosts: {commits.count}")
        yield from (Line(f"    {each.sha}  {each.author}  {each.title}") for each in commits.first)
        if commits.count > len(commits.first):
            yield Line(f"    and {commits.count - len(commits.first)} more")
    if not commits.linear:
        yield Line("  ! not linear: the target has commits that the live release does not have", "warning")
    if found.migrations:
        yield Line(f"  ! migrations that the target does not have: {len(found.migrations)}", "warning")
        yield from (Line(f"    {path}") for path in found.migrations[:_MOST])
    for host in found.decision.hosts:
        action = "would be switched" if host.action == "switch" else f"stays as it is: {host.why}"
        yield Line(f"  {host.host}: {action}")
    yield from (Line(f"  ! {warning}", "warning") for warning in found.decision.warnings)
    yield Line(
        f"  plan {found.hash[:16]}: `rollback --approved {found.hash[:16]}` does this, and refuses any other plan"
    )


def _release(release: Release | None) -> str:
    if release is None:
        return "nothing"
    facts = ", ".join(filter(None, (release.revision[:12], release.mark)))
    return f"{release.name} ({facts})" if facts else release.name
