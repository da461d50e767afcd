"""Runs the commands for the server, with settings that are read anew each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rollback_ops.commands import dashboard
from rollback_ops.commands.context import Context, load_settings, open_context
from rollback_ops.commands.dashboard import Snapshot
from rollback_ops.commands.follow import Following, follow
from rollback_ops.commands.group import GroupContext, open_group
from rollback_ops.commands.list import list_releases
from rollback_ops.commands.preview import Preview, preview
from rollback_ops.commands.rollback import rollback
from rollback_ops.commands.schedule_stores import Stores
from rollback_ops.commands.trace import Trace, trace
from rollback_ops.config import Settings
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.changes import Commits
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import ServiceId
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.tasks import Cancellation
from rollback_ops.web.server.actions import FormAddress, FormInput, Offer, offered, work_of
from rollback_ops.web.server.forms import RollbackForm, new_key
from rollback_ops.web.server.runs import Run, RunProgress, Runs

# Variables with the request of one command. Here the page makes the request, so they are ignored.
_OF_ONE_COMMAND = (
    "ALLOW_BAD", "APPROVED", "AT", "BACKUP", "BAD", "DRY_RUN", "EMERGENCY", "ENVIRONMENT", "EXCLUDE_REGION", "FOR",
    "GROUP", "HOST", "ID", "IF_CURRENT", "IGNORE_DEPLOY_LOCK", "IGNORE_SCHEMA", "LIFT", "LOCAL", "MAX_DRILL_AGE",
    "NOT_AFTER", "NOT_BEGUN", "PLAN", "REASON", "RECORD", "RECORDS", "REGION", "REHEARSE", "RELEASE", "REVISION",
    "SERVICE", "SHARD", "SINCE", "SIZE", "TRIGGER", "WAIT", "WINDOW",
)  # fmt: skip


@frozen
class Previewed:
    """The preview of a rollback, and its form. ``form`` is None where the rollback would do nothing."""

    found: Preview
    form: RollbackForm | None


@frozen
class Scope:
    """The services and environments of the dashboard. Empty names: all in the settings file ``config``.

    ``local``: the commands work on this machine, without SSH. ``github``: only GitHub is asked, until a page of one
    service needs its hosts. ``limit``: how many records are read, the newest.
    """

    config: str | None = None
    environment: str | None = None
    service: str | None = None
    local: bool = False
    github: bool = False
    limit: int = 1000


class Operations:
    """The commands, within a scope.

    All of them raise ``RollbackOpsError``, and may take as long as the hosts need.
    """

    def __init__(self, scope: Scope, environ: Mapping[str, str], secrets: Secrets) -> None:
        self._scope = scope
        self._environ = {key: text for key, text in environ.items() if key not in IGNORED}
        self._secrets = secrets

    def settings(self) -> Settings:
        return load_settings(self._scope.config, self._environ)

    def check(self) -> None:
        """Raise ``UsageError`` where the settings lack what the scope names. Contacts no host."""
        if not self._scope.github:
            dashboard.opened(self.settings(), self._environ, self._options, self._secrets)

    def redactor(self) -> Redactor:
        """Return the redactor for the secrets of all services."""
        mask = [pattern for service in self.settings().services.values() for pattern in service.mask]
        return Redactor(self._secrets.texts(), mask)

    def snapshot(self) -> Snapshot:
        """Survey the hosts and read their journals, or read what GitHub has."""
        if self._scope.github:
            return self.of_github()
        settings = self.settings()
        return dashboard.of_hosts(
            settings, self._environ, self._options, self._secrets, self._scope.limit, Cancellation()
        )

    def of_github(self) -> Snapshot:
        """Read the rollbacks that GitHub has. Contacts no host."""
        return dashboard.of_github(self._environ, self._options, self._secrets, self._scope.limit)

    def preview(self, environment: str, service: str, *, emergency: bool) -> Previewed:
        """Return the preview of a rollback, with the form that carries out exactly that."""
        context = self._open(CommandOptions(environment, service, emergency=emergency, dry_run=True))
        context.begin()
        found = plan_alone(context) if emergency else preview(context, Cancellation())
        return Previewed(found, form_of(context.job.about, found, emergency=emergency))

    def follow(self, environment: str, service: str) -> Following:
        """Return the runs on the hosts now, whoever started them."""
        return follow(self._open(CommandOptions(environment, service, dry_run=True)), Cancellation())

    def start(self, runs: Runs, form: RollbackForm, reason: str) -> Run:
        """Begin the rollback of a form. Raises ``UsageError`` for a reason that cannot be recorded."""
        context = self._open(asked(form, reason))
        _ = context.reason
        return runs.start(form, reason, context.redact, lambda run: _carry_out(context, run))

    def offer(self, asked: FormAddress) -> Offer:
        """Return the facts for the page of another form."""
        return offered(self, asked)

    def change(self, runs: Runs, form: RollbackForm, typed: FormInput) -> Run:
        """Begin the change of another form. Raises ``UsageError`` for typed values that are not valid."""
        redact, work = work_of(self, form, typed)
        return runs.start(form, typed.reason, redact, work)

    def trace(self, record: Record) -> Trace:
        """Read the traces of a run on its hosts."""
        return trace(
            self._open(CommandOptions(record.environment, record.service, dry_run=True)), record.id, Cancellation()
        )

    def groups(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return the environment, the name and the services of each group within the scope."""
        settings, scope = self.settings(), self._scope
        places = [scope.environment] if scope.environment else list(settings.environments)
        named = [] if scope.service else settings.groups.items()
        return [(place, name, tuple(group.services)) for place in places for name, group in named]

    def context(self, options: CommandOptions) -> Context:
        return self._open(options)

    def group(self, options: CommandOptions) -> GroupContext:
        chosen = replace(options, local=self._scope.local)
        return open_group(self.settings(), self._environ, chosen, self._secrets)

    def stores(self, options: CommandOptions) -> Stores:
        """Return the stores of scheduled rollbacks: journals, or GitHub where only GitHub is asked."""
        chosen, in_journals = replace(options, local=self._scope.local), not self._scope.github
        return Stores(self.settings(), self._environ, chosen, self._secrets, in_journals=in_journals)

    @property
    def _options(self) -> CommandOptions:
        return CommandOptions(self._scope.environment, self._scope.service, local=self._scope.local)

    def _open(self, options: CommandOptions) -> Context:
        chosen = replace(options, local=self._scope.local)
        return open_context(self.settings(), self._environ, chosen, self._secrets)


IGNORED = frozenset(f"ROLLBACK_{name}" for name in _OF_ONE_COMMAND)


def plan_alone(context: Context) -> Preview:
    """Return a preview of the plan only. An emergency does not wait for commits, checks and history."""
    found = list_releases(context, Cancellation())
    plan = found.decision
    going = {host.host for host in plan.with_action("switch")} if isinstance(plan, Plan) else set()
    first = next((survey for survey in found.surveys.values() if survey.host in going), None)
    ends = (first.origin, plan.target_on(first.host)) if first and isinstance(plan, Plan) else ("", "")
    leaves, returns_to = (first.release(end) if first else None for end in ends)
    unasked = Commits(why="an emergency does not wait for them")
    return Preview(found.environment, plan, leaves, returns_to, commits=unasked, migrations=None, lost=found.lost)


def asked(form: RollbackForm, reason: str) -> CommandOptions:
    """Return the options of the rollback that a form asks for.

    An emergency goes on without hosts that became unreachable since, so it names the target instead of the plan.
    """
    return CommandOptions(
        form.environment,
        form.service,
        backup=form.target if form.emergency else None,
        reason=reason,
        emergency=form.emergency,
        if_current=form.leaves or None,
        approved=form.approved or None,
        trigger="manual",
    )


def form_of(about: ServiceId, found: Preview, *, emergency: bool) -> RollbackForm | None:
    """Return the form for the rollback that a preview shows. None where it would do nothing, or be refused."""
    plan = found.decision
    if found.refusal or not isinstance(plan, Plan) or not plan.with_action("switch"):
        return None
    left = {host.source.name for host in plan.hosts}
    one = left.pop() if len(left) == 1 and not found.lost else ""
    return RollbackForm(
        environment=about.environment,
        service=about.service,
        emergency=emergency,
        leaves=one,
        target=plan.target,
        approved="" if emergency else found.hash,
        key=new_key(),
    )


def _carry_out(context: Context, run: Run) -> Record:
    context.begin(change=True)
    return rollback(context, RunProgress(run), run.cancellation).record
