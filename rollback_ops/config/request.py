"""The request of one command, from ``ROLLBACK_*`` variables and from its options. Options win."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_ops.config import MessageFormat, types
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Mode, Trigger

if TYPE_CHECKING:
    from rollback_ops.core.run import ScheduledTime
from rollback_ops.config.asked import (
    CommandVariables,
    deployed_at,
    environment_name,
    format_named,
    plan_hash,
    seconds_of,
    trigger_named,
)
from rollback_ops.config.starter import actor_of, run_url_of, runs_in_actions, trigger_of


@frozen
class CommandOptions:
    """The options of one command. None: not given, so the ``ROLLBACK_*`` variable applies."""

    environment: str | None = None
    service: str | None = None
    group: str | None = None
    release: str | None = None
    backup: str | None = None
    reason: str | None = None
    emergency: bool | None = None
    bad: bool | None = None
    approved: str | None = None
    dry_run: bool | None = None
    if_current: str | None = None
    wait: str | None = None
    ignore_schema: bool | None = None
    span: str | None = None
    lift: bool | None = None
    at: str | None = None
    not_after: str | None = None
    number: str | None = None
    max_drill_age: str | None = None
    revision: str | None = None
    allow_bad: bool | None = None
    ignore_deploy_lock: bool | None = None
    resume: bool = False
    hosts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    exclude_regions: tuple[str, ...] = ()
    trigger: str | None = None
    local: bool | None = None
    since: str | None = None
    record: Path | None = None
    rehearse: str | None = None
    window: str | None = None
    plan: Path | None = None
    shard: int | None = None
    size: int | None = None
    records: tuple[Path, ...] = ()


@frozen
class Request:
    """The request of one command. An empty value was not given.

    ``group`` names several services, in the place of ``service``.
    ``release`` is the one that the command is about; ``backup`` is the one to roll back to.
    ``wait`` is how many seconds to wait for a host that another run holds; None: until a dead owner's lease is over.
    ``span``: for how many seconds to hold or to arm. ``revision``: that of the release that ``gate`` checks.
    ``at`` and ``not_after``: when a rollback is to begin, and when it is too late for it (``config.moments``).
    ``number``: the id of a scheduled rollback. ``max_drill_age``: seconds since the last good drill, at most.
    ``ignore_deploy_lock``: change hosts even where a deployment is under way.
    ``since``: when the live release was deployed, in seconds since the epoch. ``rehearse``: over how many seconds of
    the past; ``window``: seconds that replace those of each metric then.
    ``bad``: a person says that the release that is left is bad.
    ``approved``: the hash of a preview, or its beginning; another plan is refused.
    ``hosts`` limits the command to some hosts of the environment, ``regions`` to some of its regions, and
    ``exclude_regions`` leaves some out. ``record`` is the file to write the record to.
    ``plan`` is the file of a plan in shards of ``size`` hosts, ``shard`` the number of one of them (0: none),
    ``records`` the files and directories with the records of others, ``not_begun`` the stages without a job.
    ``webhook_format`` overrides the format in the settings. ``in_actions``: the command runs in a GitHub workflow.
    """

    environment: str
    service: str = ""
    group: str = ""
    release: str = ""
    backup: str = ""
    reason: str = ""
    emergency: bool = False
    bad: bool = False
    approved: str = ""
    dry_run: bool = False
    if_current: str = ""
    wait: float | None = None
    ignore_schema: bool = False
    span: float | None = None
    lift: bool = False
    at: str = ""
    not_after: str = ""
    number: str = ""
    max_drill_age: float | None = None
    revision: str = ""
    allow_bad: bool = False
    ignore_deploy_lock: bool = False
    resume: bool = False
    hosts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    exclude_regions: tuple[str, ...] = ()
    trigger: Trigger = "manual"
    local: bool = False
    record: Path | None = None
    plan: Path | None = None
    shard: int = 0
    size: int = 100
    records: tuple[Path, ...] = ()
    not_begun: tuple[str, ...] = ()
    actor: str = ""
    run_url: str = ""
    webhook_format: MessageFormat | None = None
    in_actions: bool = False
    record_deployment: bool | None = None
    since: float | None = None
    rehearse: float | None = None
    window: float | None = None
    scheduled: ScheduledTime | None = None

    @property
    def whole(self) -> bool:
        """Whether the command is about all hosts of its environment."""
        return not (self.hosts or self.regions or self.exclude_regions)

    @property
    def mode(self) -> Mode:
        if self.emergency:
            return "emergency"
        return "targeted" if self.backup else "standard"

    @classmethod
    def build(cls, environ: Mapping[str, str], options: CommandOptions | None = None) -> Request:
        """Combine variables and options; the options win. An empty variable was not given.

        ``ROLLBACK_HOST`` and those of regions may name several, with commas or spaces between. Raises ``UsageError``
        for an unknown trigger or format, a flag that is neither true nor false, a missing environment, and a release or
        host that was given but is blank: without it, the command would do more than was asked.
        """
        given, asked = options or CommandOptions(), CommandVariables(environ)
        record = given.record or asked.text("RECORD", None)
        return cls(
            environment=environment_name(asked.text("ENVIRONMENT", given.environment)),
            service=asked.text("SERVICE", given.service),
            group=asked.name("GROUP", given.group),
            release=asked.name("RELEASE", given.release, typed_as="RELEASE"),
            backup=asked.name("BACKUP", given.backup),
            reason=asked.text("REASON", given.reason, as_written=True),
            emergency=asked.flag("EMERGENCY", given.emergency),
            bad=asked.flag("BAD", given.bad),
            approved=plan_hash(asked.name("APPROVED", given.approved)),
            dry_run=asked.flag("DRY_RUN", given.dry_run),
            if_current=asked.name("IF_CURRENT", given.if_current),
            wait=seconds_of("--wait (ROLLBACK_WAIT)", asked.name("WAIT", given.wait), types.within_an_hour),
            ignore_schema=asked.flag("IGNORE_SCHEMA", given.ignore_schema),
            span=seconds_of("--for (ROLLBACK_FOR)", asked.name("FOR", given.span), types.within_a_month),
            lift=asked.flag("LIFT", given.lift),
            at=asked.name("AT", given.at),
            not_after=asked.name("NOT_AFTER", given.not_after),
            number=asked.name("ID", given.number, typed_as="ID"),
            max_drill_age=seconds_of(
                "--max-drill-age (ROLLBACK_MAX_DRILL_AGE)",
                asked.name("MAX_DRILL_AGE", given.max_drill_age),
                types.within_a_year,
            ),
            revision=asked.name("REVISION", given.revision),
            allow_bad=asked.flag("ALLOW_BAD", given.allow_bad),
            ignore_deploy_lock=asked.flag("IGNORE_DEPLOY_LOCK", given.ignore_deploy_lock),
            resume=given.resume,
            hosts=asked.several("HOST", given.hosts),
            regions=asked.several("REGION", given.regions),
            exclude_regions=asked.several("EXCLUDE_REGION", given.exclude_regions),
            trigger=trigger_named(asked.text("TRIGGER", given.trigger)) or trigger_of(environ),
            local=asked.flag("LOCAL", given.local),
            record=Path(record) if record else None,
            actor=actor_of(environ),
            plan=Path(plan) if (plan := given.plan or asked.text("PLAN", None)) else None,
            shard=asked.count("SHARD", given.shard) or 0,
            size=asked.count("SIZE", given.size) or 100,
            records=given.records or tuple(Path(each) for each in asked.several("RECORDS", ())),
            not_begun=asked.several("NOT_BEGUN", ()),
            run_url=run_url_of(environ),
            webhook_format=format_named(asked.text("WEBHOOK_FORMAT", None)),
            in_actions=runs_in_actions(environ),
            record_deployment=asked.flag("RECORD_DEPLOYMENT", None) if asked.text("RECORD_DEPLOYMENT", None) else None,
            since=deployed_at("--since (ROLLBACK_SINCE)", asked.name("SINCE", given.since)),
            rehearse=seconds_of("--rehearse", asked.name("REHEARSE", given.rehearse), types.within_a_month),
            window=seconds_of("--window", asked.name("WINDOW", given.window), types.within_an_hour),
        )
