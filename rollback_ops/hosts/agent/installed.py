"""The break-glass program: the agent as it is installed on a host, with the settings in it."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from typing import assert_never

from rollback_ops import __version__
from rollback_ops.config import (
    Check,
    CommandCheck,
    HttpCheck,
    LogsCheck,
    MetricCheck,
    ProcessCheck,
    Service,
    TcpCheck,
    mask_pattern,
)
from rollback_ops.core import plan, redaction, watch
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Thresholds
from rollback_ops.core.model import HostCommand, Manager, ServiceId, StateReader
from rollback_ops.core.order import COMMIT, CREATED, DATE, MIXED, VERSION
from rollback_ops.core.text import one_line
from rollback_ops.hosts.agent import bundle, protocol, questions, restricted

_FOREWORD = """\
# Puts a service on this host back on its last known good release, without Python or a network. Run it with --help.
# First come the settings (RO_…), then the commands of a person (begin at "person"), then the requests of a restricted
# key, and last the operations of the program that `rollback-ops` sends.
"""
# A placeholder in questions, for the name of the release, which the host fills in.
RELEASE = "NameOfTheReleaseThatIsAskedAbout"

_STAMP = re.compile(r"# rollback-ops (\S{1,64}), program ([0-9a-f]{12}), settings ([0-9a-f]{12})")

# In the table of checks (sh/breakglass/judge.sh): when a check is asked that is never asked.
_NEVER = "999999999"


@frozen
class InstalledProgram:
    """The settings in the program. ``questions``: the commands of checks on the host, about ``RELEASE``.

    ``thresholds``: those of every check, ``process`` among them. ``groups``: those that the service is in.
    """

    about: ServiceId
    service: Service
    manager: Manager
    reader: StateReader
    questions: Mapping[str, HostCommand]
    thresholds: Mapping[str, Thresholds]
    hurried: Service
    groups: tuple[str, ...] = ()


def render(installation: InstalledProgram) -> str:
    """Return the text of the file. It holds no secrets, and only definitions up to its last line."""
    settings, functions = _settings(installation), bundle.installed_body()
    # The rules of redaction and the words stand among the settings, but belong to the program.
    program = _digest(_FOREWORD + functions + redaction.sed_script(()) + _words())
    stamp = f"rollback-ops {__version__}, program {program}, settings {_digest(settings)}"
    return f"#!/bin/sh\n# {stamp}\n{_FOREWORD}RO_STAMP={shlex.quote(stamp)}\n{settings}{functions}"


def difference(found: str, text: str) -> str:
    """Say how the file whose second line is ``found`` differs from ``text``; empty where it does not."""
    there, here = _STAMP.fullmatch(found.strip()), _STAMP.fullmatch(text.split("\n", 2)[1])
    if here is None:
        raise AssertionError("every text has its stamp")
    if there is None:
        return "is damaged, or from another version" if found.strip() else ""
    if there[2] != here[2]:
        other = f"of version {there[1]}" if there[1] != here[1] else "another build"
        return f"is {other}, and this is {here[1]}"
    return "has other settings than rollback.toml has now" if there[3] != here[3] else ""


def _settings(wanted: InstalledProgram) -> str:
    service = wanted.service
    values = {
        "REDACT": redaction.sed_script(map(mask_pattern.as_ere, service.mask)),
        "FIRST_AID": "\n".join(wanted.manager.first_aid),
        "IDENTITY": wanted.reader.identity,
        "UNSTARTABLE": wanted.reader.unstartable,
        "DOWN": wanted.reader.down,
        "RESTARTS": wanted.reader.restarts,
        "ORDER": service.order or "",
        "IGNORE_DEPLOY_LOCK": "yes" if service.ignore_deploy_lock else "",
        "WORDS": _words(wanted),
        "READ_LOGS": restricted.READ_LOGS,
        "READ_STAMP": restricted.READ_STAMP,
    }
    settings = bundle.assignments(wanted.about, service, wanted.manager) + _assignments(values)
    return settings + _hurry(wanted.hurried) + _checks(wanted)


def _hurry(service: Service) -> str:
    limits = service.limits
    named = {"STOP": limits.stop, "START": limits.start, "TOTAL": limits.total + service.traffic_time}
    if service.traffic:
        named["TRAFFIC"] = service.traffic.timeout
    return f"hurry() {{ {' '.join(f'RO_{name}_LIMIT={bundle.whole(limit)}' for name, limit in named.items())}; }}\n"


def _words(wanted: InstalledProgram | None = None) -> str:
    """Return the words of the awk program (breakglass/decide.sh): what codes mean, and the kinds of names."""
    words = {**protocol.BLOCKERS, **{f"problem-{code}": text for code, text in protocol.PROBLEMS.items()}}
    words |= {f"live-{state}": text for state, text in plan.NOT_LIVE.items()}
    words |= {"open-drill": plan.OPEN_DRILL, "bad-name": protocol.BAD_NAME}
    words |= {"order-mixed": MIXED, "order-created": CREATED, "order-unclear": plan.UNCLEAR, "order-never": plan.NEVER}
    words |= {"order-passed-0": plan.NEVER_LIVE, "order-passed-1": plan.LEFT_TOO, "order-last": plan.LAST_RESORT}
    words |= {"VERSION": VERSION, "COMMIT": COMMIT, "DATE": DATE}
    words = {code: text.replace("{}", "{0}") for code, text in words.items()}
    if wanted:
        words |= _notices(wanted)
    return "\n".join(f"word\t{code}\t{text}" for code, text in words.items())


def _notices(wanted: InstalledProgram) -> dict[str, str]:
    """Return what a person is told of a target, which is ``{0}``, whatever this host is like."""
    service, schema, notices = wanted.about.service, wanted.service.database, {}
    if wanted.groups:
        of = ", ".join(wanted.groups)
        notices["group"] = (
            f"{service} belongs to the group {of}, and only {service} is changed here: look at the other services, too"
        )
    if schema and schema.current:
        knows = f" ({schema.understands})" if schema.understands else ""
        notices["schema"] = (
            f"the database was not compared with what {{0}} knows{knows}: its version is what this prints: {{1}}"
        )
        notices["schema-command"] = one_line(schema.current)
    return notices


def _checks(wanted: InstalledProgram) -> str:
    """Return the tables of the checks (breakglass/judge.sh has their columns), and functions that ask them."""
    settings: dict[str, Check | None] = dict(wanted.service.checks)
    if not any(check.kind == "process" for check in wanted.service.checks.values()):
        settings = {"process": None, **settings}
    tables: dict[str, dict[int, str]] = {"CHECKS": {}, "BEFORE": {}}
    lines: dict[str, dict[int, str]] = {"CHECKS": {}, "BEFORE": {}}
    for number, (name, check) in enumerate(settings.items()):
        how, command = _how(name, check, wanted.questions)
        phase = "BEFORE" if isinstance(check, CommandCheck) and check.phase == "before" else "CHECKS"
        kind, reason = check.kind if check else "process", command if how == "ask_nobody" else ""
        due = _NEVER if reason else "0"
        cells = ("check", "skipped", "0", kind, name, due, str(number), how, _pace(wanted.thresholds[name]))
        tables[phase][number] = "\t".join((*cells, "0\t0\t0\t-\t0", reason))
        if command and not reason:
            lines[phase][number] = f"{getattr(check, 'timeout', 5.0):g} {_word(command)}"
    asks = [f"""case $asked in *' {n} '*) set -- "$@" {each} ;; esac""" for n, each in lines["CHECKS"].items()]
    commands = dict.fromkeys(_word(question.command) for question in wanted.questions.values())
    own = "|".join([*commands, '"$RO_READ_LOGS"', '"$RO_READ_STAMP"'])
    functions = {
        "ask_checks": ["set --", *asks, 'ask "$run" "$@"'],
        "ask_before": [f'inspect "$release" {" ".join(lines["BEFORE"].values())}'],
        "is_own_question": [f"case $1 in {own}) ;;", "*) return 1 ;;", "esac"],
    }
    texts = (f"{name}() {{\n{chr(10).join(body)}\n}}\n" for name, body in functions.items())
    return "".join(texts) + _assignments({name: _table(rows) for name, rows in tables.items()})


def _table(rows: Mapping[int, str]) -> str:
    """Return rows as a table of which nothing was asked yet; empty without any."""
    asked = "".join(f" {number}" for number in rows)
    return "\n".join((f"round\tgoing\t0\t0.00\t{asked} ", *rows.values())) if rows else ""


def _assignments(values: Mapping[str, str]) -> str:
    return "".join(f"RO_{name}={shlex.quote(value)}\n" for name, value in values.items())


def _pace(thresholds: Thresholds) -> str:
    """Return the columns of the thresholds, with times in hundredths of a second."""
    times = (watch.first_interval(thresholds), thresholds.min_healthy_time, thresholds.healthy_deadline)
    counts = (thresholds.success_threshold, thresholds.failure_threshold)
    fast = "yes" if thresholds.fail_fast else "no"
    return "\t".join(map(str, (*(round(100 * time) for time in times), *counts, fast)))


def _how(name: str, check: Check | None, asked: Mapping[str, HostCommand]) -> tuple[str, str]:
    """Return the function that judges a check, and the command (or, for ``ask_nobody``, the reason).

    mypy reports a kind of ``config.Check`` that has no case here.
    """
    if isinstance(check, MetricCheck) or (isinstance(check, HttpCheck | TcpCheck) and check.source == "runner"):
        return "ask_nobody", f"it is {'watched for minutes' if check.kind == 'metric' else 'asked'} from the runner"
    match check:
        case None | ProcessCheck():
            return "ask_process", ""
        case LogsCheck():
            return "ask_own", questions.logs(asked[name].command)
        case HttpCheck():
            return "ask_own", questions.http(check, RELEASE)
        case TcpCheck() if name not in asked:
            return "ask_own", questions.tcp(check, RELEASE)
        case CommandCheck() | TcpCheck():
            return "ask_command", asked[name].command
        case _:
            assert_never(check)


def _word(text: str) -> str:
    """Return a word of the shell. The host fills in the release's name when it knows it."""
    return '"$release"'.join(shlex.quote(piece) if piece else "" for piece in text.split(RELEASE)) or "''"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
