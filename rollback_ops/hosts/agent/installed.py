"""The program as it is installed on a host: with its settings baked in, and what a person there can do with it."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollback_ops import __version__
from rollback_ops.config import Check, CommandCheck, HttpCheck, Limits, LogsCheck, Service, TcpCheck
from rollback_ops.config.types import fill
from rollback_ops.core.model import Manager, Question
from rollback_ops.hosts.agent import bundle, protocol, restricted

# Stands in questions for the release that they are about, until the host knows it.
RELEASE = "NameOfTheReleaseThatIsAskedAbout"

_STAMP = re.compile(r"# rollback-ops (\S{1,64}), program ([0-9a-f]{12}), settings ([0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Installation:
    """What is baked in. ``questions`` are those that checks put to the host, about ``RELEASE``; ``unstartable`` is
    what it means when a unit is in one of these states.
    """

    service_name: str
    environment_name: str
    service: Service
    manager: Manager
    questions: Mapping[str, Question]
    unstartable: Mapping[str, str]
    hurried: Limits


def render(installation: Installation) -> str:
    """The text of the file. It holds no secrets, and is only definitions up to its last line."""
    settings, functions = _settings(installation), bundle.installed_body()
    stamp = f"rollback-ops {__version__}, program {_digest(functions)}, settings {_digest(settings)}"
    return f"#!/bin/sh\n# {stamp}\nRO_STAMP={shlex.quote(stamp)}\n{settings}{functions}"


def difference(found: str, text: str) -> str:
    """How the file whose second line is ``found`` differs from ``text``, in words; empty where it does not."""
    there, here = _STAMP.fullmatch(found.strip()), _STAMP.fullmatch(text.split("\n", 2)[1])
    if here is None:
        raise AssertionError("every text has its stamp")
    if there is None:
        return "is damaged, or from another version" if found.strip() else ""
    if there[2] != here[2]:
        older = f"of version {there[1]}, and this is {here[1]}" if there[1] != here[1] else "older than this one"
        return f"is {older}"
    return "has other settings than rollback.toml has now" if there[3] != here[3] else ""


def _settings(wanted: Installation) -> str:
    service, policy = wanted.service, wanted.service.verify
    windows = [w for c in service.checks.values() if (w := c.min_healthy_time) is not None]
    deadlines = [d for c in service.checks.values() if (d := c.healthy_deadline) is not None]
    values = {
        "SERVICE": wanted.service_name,
        "ENVIRONMENT": wanted.environment_name,
        "MIN_HEALTHY": str(round(100 * max(policy.min_healthy_time, *windows, 0.0))),
        "DEADLINE": str(round(100 * max(policy.healthy_deadline, *deadlines, 0.0))),
        "FIRST_AID": "\n".join(wanted.manager.first_aid),
        "BAD_NAME": protocol.BAD_NAME,
        "READ_LOGS": restricted.READ_LOGS,
        "READ_STAMP": restricted.READ_STAMP,
    }
    lines = "".join(f"RO_{name}={shlex.quote(value)}\n" for name, value in values.items())
    return (
        bundle.assignments(service, wanted.manager) + lines + _hurry(wanted.hurried) + _words(wanted) + _checks(wanted)
    )


def _hurry(limits: Limits) -> str:
    named = {"STOP": limits.stop, "START": limits.start, "TOTAL": limits.total}
    return f"hurry() {{ {' '.join(f'RO_{name}_LIMIT={bundle.whole(limit)}' for name, limit in named.items())}; }}\n"


def _words(wanted: Installation) -> str:
    """What the codes of a survey mean, as a function that sets ``words``."""
    cases = [f"{code}) words={_template(text)} ;;" for code, text in protocol.BLOCKERS.items()]
    problems = [f"{code}) words={shlex.quote(text)} ;;" for code, text in protocol.PROBLEMS.items()]
    units = [f"{code}) words={shlex.quote(text)} ;;" for code, text in wanted.unstartable.items()]
    problem = ["problem) case $2 in '') words='' ;;", *problems, '*) words="it $2" ;;', "esac ;;"]
    unit = ["unit) case $2 in", *units, "*) words='' ;;", "esac ;;"]
    return "\n".join(["in_words() {", "case $1 in", *cases, *problem, *unit, "*) words=$1 ;;", "esac", "}", ""])


def _template(text: str) -> str:
    """A text with {0} and {1} in it, as a word of the shell: the code's details are behind it."""
    pieces = (
        f'"${int(piece) + 2}"' if n % 2 else shlex.quote(piece) for n, piece in enumerate(re.split(r"\{(\d)\}", text))
    )
    return "".join(piece for piece in pieces if piece != "''")


def _checks(wanted: Installation) -> str:
    """The checks as a function, which calls the one that it is given with each of them."""
    settings = {"process": None} if not any(c.kind == "process" for c in wanted.service.checks.values()) else {}
    calls = []
    for name, check in {**settings, **wanted.service.checks}.items():
        before = isinstance(check, CommandCheck) and check.phase == "before"
        how = _how(check, wanted.questions.get(name))
        words = ["before" if before else "after", check.kind if check else "process", name, _timeout(check), *how]
        calls.append(f'"$1" {" ".join(map(_word, words))}\n')
    return f"baked_checks() {{\n{''.join(calls)}}}\n"


def _how(check: Check | None, question: Question | None) -> tuple[str, ...]:
    """The function that asks (breakglass/prove.sh), and what it is told."""
    if isinstance(check, HttpCheck | TcpCheck) and check.source == "runner":
        return "ask_nobody", "skipped: it is asked from the runner"
    if isinstance(check, HttpCheck):
        return ("ask_http", *_http(check))
    if isinstance(check, LogsCheck) and question:
        return "ask_logs", question.command
    if question:
        return "ask_command", question.command
    if isinstance(check, TcpCheck):
        host, _, port = fill(check.address, {"release": RELEASE}).rpartition(":")
        return "ask_tcp", host.strip("[]"), port
    return ("ask_process",)


def _http(check: HttpCheck) -> Iterator[str]:
    about = {"release": RELEASE}
    yield fill(check.url, about)
    yield str(check.status)
    yield "" if check.max_latency is None else f"{check.max_latency:g}"
    yield fill(check.text, about)
    yield "\n".join(f"{name}: {value}" for name, value in check.headers.items())
    for path, expected in check.fields.items():
        yield "\n".join(_spellings(path.rpartition(".")[2], _filled(expected)))


def _spellings(key: str, value: Any) -> Iterator[str]:
    """How a field may stand in JSON whose blanks were taken out: in ASCII or not, and with what has to follow it."""
    as_ascii, as_written = (
        f"{json.dumps(key, ensure_ascii=a)}:{json.dumps(value, ensure_ascii=a)}" for a in (True, False)
    )
    for field in dict.fromkeys((as_ascii, as_written)):
        yield from (f"{field},", f"{field}}}")


def _filled(expected: Any) -> Any:
    text = json.dumps(expected)
    return json.loads(fill(text, {"release": RELEASE})) if "{release}" in text else expected


def _timeout(check: Check | None) -> str:
    return f"{getattr(check, 'timeout', 5.0):g}"


def _word(text: str) -> str:
    """A word of the shell, in which the release's name is filled in when it is known."""
    return '"$release"'.join(shlex.quote(piece) if piece else "" for piece in text.split(RELEASE)) or "''"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
