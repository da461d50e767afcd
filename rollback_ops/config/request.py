"""The request of one command, from ``ROLLBACK_*`` variables and from its options. Options win."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rollback_ops.config import MessageFormat, types
from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Mode, Trigger
from rollback_ops.core.text import did_you_mean, listed, one_line, quoted

if TYPE_CHECKING:
    from rollback_ops.core.run import ScheduledTime

# Only `drill` and `schedule run` have these.
_OWN = ("drill", "scheduled")
TRIGGERS: tuple[Trigger, ...] = tuple(trigger for trigger in get_args(Trigger) if trigger not in _OWN)
_FORMATS: tuple[MessageFormat, ...] = get_args(MessageFormat)
_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")


@frozen
class Options:
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
    """What one command is asked to do. An empty value was not given.

    ``group`` names several services, in the place of ``service``.
    ``release`` is the one that the command is about; ``backup`` is the one to roll back to.
    ``wait`` is how many seconds to wait for a host that another run holds; None: until a dead owner's lease is over.
    ``span`` is for how many seconds to hold or to arm. ``revision`` is what ``gate`` is asked about.
    ``at`` and ``not_after``: when a rollback is to begin, and when it is too late for it (``config.moments``).
    ``max_drill_age``: seconds since the last good drill, at most.
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
    def build(cls, environ: Mapping[str, str], options: Options | None = None) -> Request:
        """Combine variables and options; the options win. An empty variable was not given.

        ``ROLLBACK_HOST`` and those of regions may name several, with commas or spaces between. Raises ``UsageError``
        for a trigger, a format or a yes-or-no that is none, when no environment was named, and when a release or a host
        was given but is blank: without it, the command would do more than was asked.
        """
        given, asked = options or Options(), _Asked(environ)
        record = given.record or asked.text("RECORD", None)
        return cls(
            environment=_named(asked.text("ENVIRONMENT", given.environment)),
            service=asked.text("SERVICE", given.service),
            group=asked.name("GROUP", given.group),
            release=asked.name("RELEASE", given.release, typed_as="RELEASE"),
            backup=asked.name("BACKUP", given.backup),
            reason=asked.text("REASON", given.reason, as_written=True),
            emergency=asked.flag("EMERGENCY", given.emergency),
            bad=asked.flag("BAD", given.bad),
            approved=_hash(asked.name("APPROVED", given.approved)),
            dry_run=asked.flag("DRY_RUN", given.dry_run),
            if_current=asked.name("IF_CURRENT", given.if_current),
            wait=_duration("--wait (ROLLBACK_WAIT)", asked.name("WAIT", given.wait), types.within_an_hour),
            ignore_schema=asked.flag("IGNORE_SCHEMA", given.ignore_schema),
            span=_duration("--for (ROLLBACK_FOR)", asked.name("FOR", given.span), types.within_a_month),
            lift=asked.flag("LIFT", given.lift),
            at=asked.name("AT", given.at),
            not_after=asked.name("NOT_AFTER", given.not_after),
            max_drill_age=_duration(
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
            trigger=_trigger(asked.text("TRIGGER", given.trigger)) or _trigger_of(environ),
            local=asked.flag("LOCAL", given.local),
            record=Path(record) if record else None,
            actor=actor_of(environ),
            plan=Path(plan) if (plan := given.plan or asked.text("PLAN", None)) else None,
            shard=asked.count("SHARD", given.shard) or 0,
            size=asked.count("SIZE", given.size) or 100,
            records=given.records or tuple(Path(each) for each in asked.several("RECORDS", ())),
            not_begun=asked.several("NOT_BEGUN", ()),
            run_url=_run_url(environ),
            webhook_format=_format(asked.text("WEBHOOK_FORMAT", None)),
            in_actions=_in_actions(environ),
            record_deployment=asked.flag("RECORD_DEPLOYMENT", None) if asked.text("RECORD_DEPLOYMENT", None) else None,
            since=_deployed_at("--since (ROLLBACK_SINCE)", asked.name("SINCE", given.since)),
            rehearse=_duration("--rehearse", asked.name("REHEARSE", given.rehearse), types.within_a_month),
            window=_duration("--window", asked.name("WINDOW", given.window), types.within_an_hour),
        )


@frozen
class _Asked:
    environ: Mapping[str, str]

    def text(self, name: str, option: str | None, *, as_written: bool = False) -> str:
        text = self.environ.get(f"ROLLBACK_{name}", "") if option is None else option
        return text if as_written else text.strip()

    def name(self, name: str, option: str | None, *, typed_as: str = "") -> str:
        """Return a name, or "" when none was given. An empty variable was not given, but an empty option was."""
        text = self.text(name, option)
        if not text and option is not None:
            raise _blank(typed_as or f"--{name.lower().replace('_', '-')}")
        if not text and self.environ.get(f"ROLLBACK_{name}"):
            raise _blank(f"ROLLBACK_{name}")
        return text

    def several(self, name: str, options: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names that were given, each once. A variable has them with commas or spaces between them."""
        if options:
            return tuple(dict.fromkeys(self.name(name, option) for option in options))
        text = self.name(name, None)
        names = text.replace(",", " ").split()
        if text and not names:
            raise _blank(f"ROLLBACK_{name}")
        return tuple(dict.fromkeys(names))

    def count(self, name: str, option: int | None) -> int | None:
        """Return a number that is at least 1; None when none was given."""
        text = self.text(name, None if option is None else str(option))
        if text and not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 1_000_000):
            raise UsageError(f"--{name.lower()} (ROLLBACK_{name}) = {quoted(text)} should be a number from 1 on")
        return int(text) if text else None

    def flag(self, name: str, option: bool | None) -> bool:
        if option is not None:
            return option
        text = self.text(name, None)
        if text.lower() not in (*_YES, *_NO, ""):
            raise UsageError(f"ROLLBACK_{name} = {quoted(text)} should be true or false")
        return text.lower() in _YES


def _hash(text: str) -> str:
    """Return the hash of a plan, or its beginning, in lower case. Fewer characters would approve other plans, too."""
    if text and not re.fullmatch(r"[0-9a-f]{12,64}", text.lower()):
        hint = "`rollback-ops preview` prints it: 12 to 64 digits and letters from a to f."
        raise UsageError(f"--approved (ROLLBACK_APPROVED) = {quoted(text)} is not the hash of a preview", hint)
    return text.lower()


def _blank(source: str) -> UsageError:
    return UsageError(f"{source} is blank", f"Give a name with {source}, or leave {source} out.")


def _named(environment: str) -> str:
    if not environment:
        raise UsageError("no environment was named", "Give its name after the command, or in ROLLBACK_ENVIRONMENT.")
    return environment


def _duration(source: str, text: str, within: Callable[[float], float]) -> float | None:
    """Return the seconds of an option or its variable; None when neither was given."""
    try:
        return within(types.parse_duration(text)) if text else None
    except ValueError as error:
        raise UsageError(f"{source} = {quoted(text)} {error}") from None


def moment(source: str, text: str) -> datetime:
    """Return the time that an option names: a day or a time (ISO 8601, UTC without a zone), or so long ago (``30d``).

    Raises ``UsageError`` for anything else.
    """
    now = datetime.now(UTC)
    with suppress(ValueError, OverflowError):
        return now - timedelta(seconds=types.parse_duration(text.strip()))
    with suppress(ValueError):
        found = datetime.fromisoformat(text.strip())
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    hint = "Give a day (2026-11-01), a time (2026-11-01T14:05Z), or how long ago (30d, 12h)."
    raise UsageError(f"{source} = {quoted(text)} is not a time", hint)


def _deployed_at(source: str, text: str) -> float | None:
    """Return when the live release was deployed, in seconds since the epoch; None when nobody said so."""
    if not text:
        return None
    found = moment(source, text)
    if found > datetime.now(UTC):
        raise UsageError(f"{source} = {quoted(text)} is in the future", "Give a time that is over.")
    return found.timestamp()


def _trigger(text: str) -> Trigger | None:
    if not text:
        return None
    if text not in TRIGGERS:
        raise UsageError(f"trigger {quoted(text)} should be one of {listed(TRIGGERS)}{did_you_mean(text, TRIGGERS)}")
    return text


def _format(text: str) -> MessageFormat | None:
    if not text:
        return None
    if text not in _FORMATS:
        meant = did_you_mean(text, _FORMATS)
        raise UsageError(f"ROLLBACK_WEBHOOK_FORMAT = {quoted(text)} should be one of {listed(_FORMATS)}{meant}")
    return text


def _trigger_of(environ: Mapping[str, str]) -> Trigger:
    dispatched = _in_actions(environ) and environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch"
    return "workflow" if dispatched else "manual"


def _in_actions(environ: Mapping[str, str]) -> bool:
    return environ.get("GITHUB_ACTIONS") == "true"


def actor_of(environ: Mapping[str, str]) -> str:
    """Return the person who started the command: GitHub's name for them, else the user of this machine.

    A workflow run that is started again has two actors; the triggering actor started it again.
    """
    user = environ.get("USER") or environ.get("LOGNAME") or user_name(os.getuid())
    known = environ.get("GITHUB_TRIGGERING_ACTOR") or environ.get("GITHUB_ACTOR")
    return one_line(known or f"{user}@{os.uname().nodename}")


def user_name(uid: int) -> str:
    """Return a user's name in the password database, or the number of a user that has no entry there."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _run_url(environ: Mapping[str, str]) -> str:
    server, repository, run = (environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if not (server and repository and run):
        return ""
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
    return one_line(f"{server}/{repository}/actions/runs/{run}" + (f"/attempts/{attempt}" if attempt else ""))
