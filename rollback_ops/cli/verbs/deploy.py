"""The commands around a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from rollback_ops.cli.opening import is_of_group, opened, options_of
from rollback_ops.cli.options import HOSTS, OF_AN_ENVIRONMENT, WHERE, TypedOptions, takes
from rollback_ops.cli.root import app
from rollback_ops.cli.session import Session

if TYPE_CHECKING:
    from rollback_ops.commands.context import Context


@app.command()
@takes("env", "revision", "to_deploy", "allow_bad", *HOSTS)
def gate(session: Session, typed: TypedOptions) -> None:
    """Say whether a release may be deployed. A hold and the mark bad forbid it. Changes nothing."""
    context = opened(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.commands.context import load_settings
    from rollback_ops.commands.gate import gate as run
    from rollback_ops.commands.gate import other_environments
    from rollback_ops.core.tasks import Cancellation

    settings = load_settings(typed.config, session.environ)
    others = other_environments(context, settings, session.environ, options_of(typed), session.secrets)
    show.gate(session, run(context, others, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "span", *HOSTS)
def arm(session: Session, typed: TypedOptions) -> None:
    """Let hosts go back by themselves, unless `confirm` comes. They go to the release that is live now."""
    context = opened(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.arm import arm as run
    from rollback_ops.core.tasks import Cancellation

    show.armed(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "service", "group", "deployed_at", "rehearse", "window", "wait", "ignore_deploy_lock", *WHERE, "json",
       "record", "config")  # fmt: skip
def guard(session: Session, typed: TypedOptions) -> None:
    """Verify a deployment, and roll it back when it is unhealthy."""
    if is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.run(session, typed, options_of(typed), "guard")
    context = opened(session, typed)
    from rollback_ops.cli import show

    if context.request.rehearse:
        _rehearse(session, typed, context)
    from rollback_ops.cli.output import text
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.guard import guard as run

    with session.listening() as cancellation:
        with TerminalProgress(session.console) as progress:
            result = run(context, progress, cancellation)
        show.run(session, result, text.guarded, file=context.request.record, as_json=typed.json)


def _rehearse(session: Session, typed: TypedOptions, context: Context) -> NoReturn:
    from rollback_ops.cli import show
    from rollback_ops.commands.rehearse import rehearse as run

    with session.listening() as cancellation:
        show.rehearsal(session, run(context, cancellation), as_json=typed.json)


@app.command()
@takes(*OF_AN_ENVIRONMENT)
def confirm(session: Session, typed: TypedOptions) -> None:
    """Keep what was deployed since `arm`. The hosts do not go back by themselves any more."""
    context = opened(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.arm import confirm as run
    from rollback_ops.core.tasks import Cancellation

    show.confirmed(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "reason", "span", "lift", *HOSTS)
def hold(session: Session, typed: TypedOptions) -> None:
    """Hold deployments for a while, lift all holds, or show them."""
    context = opened(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.hold import hold as run
    from rollback_ops.core.tasks import Cancellation

    show.holds(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "release", *HOSTS)
def seal(session: Session, typed: TypedOptions) -> None:
    """Write the integrity manifest of a release. A rollback compares it before the service is stopped."""
    context = opened(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.seal import seal as run
    from rollback_ops.core.tasks import Cancellation

    show.sealed(session, run(context, Cancellation()), as_json=typed.json)
