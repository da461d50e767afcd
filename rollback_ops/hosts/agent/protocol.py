"""Parse the agent's answers into objects. Answers are untrusted: each field is validated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import get_args

from rollback_ops.core.errors import BadAnswer, Refused
from rollback_ops.core.hold import parse
from rollback_ops.core.model import (
    Armed,
    BadRevision,
    CommandResult,
    HeldRelease,
    Hold,
    Inspection,
    InstallOutcome,
    Lease,
    Live,
    LiveState,
    Mark,
    OpenDrill,
    OpenTransaction,
    Release,
    ServiceId,
    StepOutcome,
    StepReport,
    Survey,
    SwitchOutcome,
    SwitchResult,
    UninstallOutcome,
    Unit,
)
from rollback_ops.core.schema import KnownSchema, SchemaAnswer

# The words that a host may use where a noun allows only some.
_LIVE_STATES: dict[str, LiveState] = {word: word for word in get_args(LiveState)}
_MARKS: dict[str, Mark] = {word: word for word in get_args(Mark)}
_STEP_OUTCOMES: dict[str, StepOutcome] = {word: word for word in get_args(StepOutcome)}
_HELD = {"yes": True, "no": False}
_INSTALLED: dict[str, InstallOutcome] = {word: word for word in get_args(InstallOutcome)}
_UNINSTALLED: dict[str, UninstallOutcome] = {word: word for word in get_args(UninstallOutcome)}
_SWITCH_OUTCOMES: dict[str, SwitchOutcome] = {word: word for word in get_args(SwitchOutcome)}

# To choose among so many takes a second.
_MOST_RELEASES = 20_000

# When nothing is known: modified, created, live since.
_TIMELESS: tuple[float, float, float | None] = (0.0, 0.0, None)

SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+:@~=,-]{0,127}")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

BLOCKERS = {
    "no-tool": "the command {0} is missing",
    "no-root": "there is no directory {0}: correct `root` in rollback.toml, or deploy first",
    "no-releases": "there is no releases directory {0}: correct `layout` in rollback.toml, or deploy first",
    "no-place-to-run": "{0} leads to no release, where the custom commands run: make it a link to what runs now",
    "not-writable": "the user {1} may not write to {0}",
    "read-only": "the file system of {0} is read-only",
    "disk-full": "the disk of {0} is full",
    "no-inodes": "the disk of {0} has no free inodes",
    "untrusted": "{0} {1}",
    "claimed": "its current belongs to {0} ({1}): two that share one would undo each other",
    "deploying": "a deployment is under way: {0} has been there since {1}",
    "no-link-source": "{0} is missing, and the release is to be linked to it",
    "no-sudo": "the user {1} may not run `sudo {0}` without a password (allow that in sudoers)",
    "sudo-failed": "the user {1} cannot run `sudo {0}`: {2}",
}

# Warnings: facts that a person should know, and that do not prevent a rollback.
NOTES = {
    "triggered-by": "{0} may start the service at any moment: name it in `units`, so that it is stopped, too",
    "armed": "it goes back to {0} by itself at {1}, unless `confirm` or a healthy `guard` comes before (armed by {2})",
    "armed-lost": "it was armed by {2} to go back to {0} at {1}, and was booted since: it stays as it is now",
    "unconfirmed": "nobody confirmed {0}, so it went back to {1} by itself at {2} ({3}): nobody has verified it",
    "over-a-link": "current leads over the link {0}, and after a rollback no more: let deployments change current",
    "pin-by-name": "`pin` has no effect on the clean-up of {0}, which ignores times: let it keep more releases instead",
    "pin-not-owner": "`pin` has no effect: only the owner of {0}, or root, may set its time",
    "no-linger": "the user {0} does not linger, so the service ends with the last session: loginctl enable-linger {0}",
}

PROBLEMS = {
    "link": "it is a link, not a directory of its own",
    "not-a-directory": "it is not a directory",
    "not-a-file": "it is not a file, as the live release is",
    "unreadable": "its directory cannot be read",
    "empty": "it is empty",
    "being-deployed": "it is still being deployed",
}

BAD_NAME = "a release's name has at most 128 letters, digits and ._+:@~=,- and begins with a letter, a digit or _"


def clean(text: str, longest: int = 400) -> str:
    """Return text from a host as one bounded line, without control and direction characters."""
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"


@dataclass
class Answer:
    """The lines of one operation, from its heading to its end.

    Lines before the heading (a login message) are no part of it; ``before`` keeps the last of them.
    """

    operation: str
    lines: list[list[str]] = field(default_factory=list)
    begun: bool = False
    status: int | None = None
    before: str = ""

    def feed(self, line: str) -> list[str] | None:
        """Return the fields of a line; None: it carries nothing."""
        fields = line.split("\t")
        if not self.begun:
            self.begun = fields == ["rollback-ops", "1", self.operation]
            self.before = line if line.strip() else self.before
            return None
        if self.status is not None:
            return None
        if fields[0] == "end":
            self.status = _status(fields[1]) if len(fields) > 1 else -1
            return None
        self.lines.append(fields)
        return fields

    def whole(self) -> Answer:
        """Return this answer. Raises ``BadAnswer`` if it is not complete, from its heading to its end."""
        if not self.begun:
            raise BadAnswer("the host did not run the agent: its answer has no heading")
        if self.status is None:
            raise BadAnswer("the host's answer ends in the middle")
        return self

    def of(self, tag: str, least: int) -> Iterator[list[str]]:
        """Yield the fields behind a tag, for each line that has at least that many (missing ones are filled)."""
        for tagged, *fields in self.lines:
            if tagged == tag and len(fields) >= least:
                yield [*fields, "", "", "", "", ""]


def survey(host: str, answer: Answer, units: tuple[Unit, ...], seconds: float = 0.0) -> Survey:
    """Return a host's survey. The manager has read the units."""
    return Survey(
        host=host,
        releases=tuple(_releases(answer)),
        live=_live(answer),
        units=units,
        seconds=seconds,
        lease=next(_leases(answer), None),
        unfinished=next((OpenTransaction(*map(clean, f[:4])) for f in answer.of("unfinished", 3)), None),
        blockers=tuple(_blockers(answer)),
        warnings=tuple(_explained(f) for f in answer.of("warning", 1)),
        deploying=tuple(_explained(["deploying", *f]) for f in answer.of("deploying", 1)),
        bad_revisions=tuple(BadRevision(*map(clean, f[:4])) for f in answer.of("bad-revision", 1)),
        notes=tuple(_explained(f) for f in answer.of("note", 2)),
        reaches=tuple(clean(f[0]) for f in answer.of("reaches", 1)),
        armed=armed(answer),
        drill=next((OpenDrill(*map(clean, f[:3])) for f in answer.of("drill", 3)), None),
        holds=tuple(_hold(f) for f in answer.of("hold", 2) if SAFE_NAME.fullmatch(f[0])),
    )


def check_service(host: str, answer: Answer, about: ServiceId) -> None:
    """Raise ``Refused`` where an installed program answers that serves another service or environment."""
    for found in answer.of("about", 2):
        if (installed_for := ServiceId(*map(clean, found[:2]))) != about:
            raise _serves_another(host, installed_for)


def not_installed(host: str, answer: Answer) -> Refused:
    """Return why the program was not installed."""
    if another := next(answer.of("anothers", 2), None):
        return _serves_another(host, ServiceId(*map(clean, another[:2])))
    return Refused(
        f"{host}: the agent could not be installed", "Is the service's root there, and may this user write to it?"
    )


def _serves_another(host: str, installed_for: ServiceId) -> Refused:
    return Refused(
        f"{host}: the break-glass program there serves {installed_for.service} ({installed_for.environment})",
        "Give each service and environment a root of its own, or remove the program if it is no longer needed.",
    )


def text_of(answer: Answer, tag: str) -> str:
    """Return the raw text behind a tag, line by line."""
    return "\n".join("\t".join(fields) for tagged, *fields in answer.lines if tagged == tag)


def switched(fields: Iterable[list[str]], units: tuple[Unit, ...] = ()) -> SwitchResult:
    """Return how a transaction ended, from its progress lines. Without a result, its end is unknown."""
    steps: list[StepReport] = []
    log: list[str] = []
    old: dict[str, str] = {}
    locked = False
    outcome, live, downtime, reason = "unknown", "", "", "the host's answer ends in the middle"
    for tag, *rest in fields:
        if tag == "step" and (step := step_report(rest)):
            steps.append(step)
        elif tag == "log":
            log.append(clean("\t".join(rest)))
        elif tag == "old" and len(rest) >= 3:
            old.setdefault(rest[0], f"process {clean(rest[1], 20)} ({clean(rest[2], 40)})")
        elif tag == "locked":
            locked = True
        elif tag == "result" and len(rest) >= 4 and rest[0] in _SWITCH_OUTCOMES:
            outcome, live, downtime, reason = rest[:4]
    return SwitchResult(
        outcome=_SWITCH_OUTCOMES.get(outcome, "unknown"),
        reason=clean(reason),
        live=live if SAFE_NAME.fullmatch(live) else "",
        steps=tuple(steps),
        downtime=_number(downtime),
        log_tail=tuple(log),
        units=tuple(replace(unit, old=old.get(unit.name, "")) for unit in units),
        locked=locked,
    )


def inspected(answer: Answer) -> Inspection:
    """Return the findings of a host about a release, before the service was stopped."""
    manifest = next((f for f in answer.of("manifest", 1)), None)
    broken = (
        "" if manifest is None or manifest[0] == "ok" else clean(manifest[1]) or "its files are not the sealed ones"
    )
    return Inspection(sealed=manifest is not None, broken=broken, answers=answers(answer))


def sealed(answer: Answer) -> int | None:
    """Return the number of files in the manifest that was written; None: none was."""
    return next((_count(fields[1]) for fields in answer.of("sealed", 2)), None)


def installed(answer: Answer) -> InstallOutcome | None:
    """Return the result for the file that was to be installed; None: it was not installed."""
    return next((word for tag, *_ in answer.lines if (word := _INSTALLED.get(tag))), None)


def uninstalled(host: str, answer: Answer) -> UninstallOutcome:
    """Return what became of the program. Raises ``Refused`` where nothing was removed."""
    if found := next((word for tag, *_ in answer.lines if (word := _UNINSTALLED.get(tag))), None):
        return found
    why = next((clean(f[0]) for f in answer.of("busy", 1)), "")
    hint = "Try again when that is over." if why else "Is the service's root there, and may this user write to it?"
    raise Refused(f"{host}: nothing was removed{f': {why}' if why else ''}", hint)


def answers(answer: Answer) -> dict[int, CommandResult]:
    """Return the answer to each question, by its number."""
    said: dict[int, list[str]] = {}
    for number, *words in answer.of("said", 2):
        said.setdefault(_status(number), []).append(clean("\t".join(words)))
    return {
        _status(number): CommandResult(
            _status(status), _number(seconds) or 0.0, tuple(filter(None, said.get(_status(number), [])))
        )
        for number, status, seconds, *_ in answer.of("answered", 3)
    }


def standing(answer: Answer) -> tuple[str | None, bool | None]:
    """Return what is live (empty: no release), and whether the run that asked has the lease; None: it does not say."""
    for live, held, *_ in answer.of("standing", 2):
        return (live if SAFE_NAME.fullmatch(live) else ""), _HELD.get(held)
    return None, None


def step_report(fields: list[str]) -> StepReport | None:
    """Return one step of a transaction; None: the line is none."""
    if len(fields) < 3 or fields[1] not in _STEP_OUTCOMES or not SAFE_NAME.fullmatch(fields[0]):
        return None
    detail = clean(fields[3]) if len(fields) > 3 else ""
    return StepReport(fields[0], _STEP_OUTCOMES[fields[1]], _number(fields[2]) or 0.0, detail)


def _releases(answer: Answer) -> Iterator[Release]:
    times = {f[0]: (_number(f[1]) or 0.0, _number(f[2]) or 0.0, _number(f[3])) for f in answer.of("modified", 2)}
    marked = {f[0]: (clean(f[1], 64), clean(f[2])) for f in answer.of("marked", 2)}
    left = {f[0]: (clean(f[1], 64), clean(f[2])) for f in answer.of("left", 2)}
    logged = {f[0]: place for place, f in enumerate(answer.of("logged", 1), start=1)}
    sizes = {f[1]: _count(f[0]) for f in answer.of("size", 2)}
    if sum(line[0] == "release" for line in answer.lines) > _MOST_RELEASES:
        raise BadAnswer(f"the host lists more than {_MOST_RELEASES:,} releases")
    for name, problem, revision, mark, sealed, *_ in answer.of("release", 1):
        if SAFE_NAME.fullmatch(name):
            yield Release(
                name=name,
                modified=times.get(name, _TIMELESS)[0],
                revision=clean(revision, 64),
                problem=PROBLEMS.get(problem, f"it {clean(problem)}" if problem else ""),
                mark=_MARKS.get(mark, ""),
                sealed=sealed == "yes",
                size_kib=sizes.get(name),
                created=times.get(name, _TIMELESS)[1],
                live_since=times.get(name, _TIMELESS)[2],
                logged=logged.get(name, 0),
                marked_by=marked.get(name, ("", ""))[0],
                marked_why=marked.get(name, ("", ""))[1],
                left_by=left.get(name, ("", ""))[0],
                left_why=left.get(name, ("", ""))[1],
            )
    for digits, *_ in answer.of("odd", 1):
        yield Release(name=_readable(digits), problem=BAD_NAME)


def _readable(digits: str) -> str:
    """Return the name whose bytes stand in ``digits`` as \\ and three octal digits each."""
    try:
        name = bytes(int(byte, 8) for byte in digits.split("\\")[1:]).decode("utf-8", "replace")
    except ValueError:
        name = "?"
    return repr(name[:128])


def _live(answer: Answer) -> Live:
    for state, name, path, revision, *_ in answer.of("live", 3):
        if known := _LIVE_STATES.get(state):
            return Live(known, name if SAFE_NAME.fullmatch(name) else "", clean(path), clean(revision, 64))
    raise BadAnswer("the host's answer does not say what is live")


def _leases(answer: Answer) -> Iterator[Lease]:
    for run, owner, url, since, left, until, *_ in answer.of("lease", 5):
        yield Lease(clean(run), clean(owner), clean(url), clean(since), _number(left) or 0.0, clean(until))


def armed(answer: Answer) -> Armed | None:
    """Return whether a host goes back by itself unless somebody confirms, and to what."""
    return next((Armed(*map(clean, fields[:4])) for fields in answer.of("armed", 3)), None)


def schema(answer: Answer) -> SchemaAnswer:
    """Return the answer of a host about the schema of its database.

    A command that prints nothing counts as no answer: a pipe succeeds even when its first command failed.
    """
    *said, status = ["", *(clean(fields[0], 200) for fields in answer.of("version", 1) if fields[0].strip())]
    complaints = [clean(fields[0]) for fields in answer.of("complaint", 1) if fields[0].strip()]
    versions, why = tuple(filter(None, said)), ""
    if status != "0":
        how = "it took too long" if status == "124" else f"it ended with {status or 'nothing'}"
        why = f"the command of schema.current failed: {how}"
    elif not versions:
        why = "the command of schema.current printed nothing"
    why += f": {complaints[-1]}" if why and complaints else ""
    lines: dict[str, list[str]] = {name: [] for name, *_ in answer.of("schema", 1)}
    for name, line, *_ in answer.of("knows", 2):
        lines.setdefault(name, []).append(clean(line))
    known = {name: KnownSchema(tuple(found)) for name, found in lines.items()}
    return SchemaAnswer(None if why else versions, known, why)


def _hold(fields: list[str]) -> Hold:
    found = parse(*fields[:2])
    return replace(
        found,
        by=clean(found.by),
        reason=clean(found.reason, 1_000),
        lifted_by=clean(found.lifted_by),
        lifted_because=clean(found.lifted_because, 1_000),
        releases=tuple(HeldRelease(clean(r.release, 128), clean(r.revision, 64)) for r in found.releases[:100]),
    )


def _blockers(answer: Answer) -> Iterator[str]:
    """Explain what prevents a change. The commands that sudo refuses to a user are one blocker: one edit ends it."""
    refused: dict[str, list[str]] = {}
    for fields in answer.of("blocker", 1):
        code, command, user = fields[:3]
        if code == "no-sudo":
            refused.setdefault(clean(user), []).append(clean(command))
        else:
            yield _explained(fields)
    for user, commands in refused.items():
        yield BLOCKERS["no-sudo"].format("`, `sudo ".join(commands), user)


def _explained(fields: list[str]) -> str:
    code, *details = fields
    words = {**BLOCKERS, **NOTES}.get(code)
    return words.format(*map(clean, details)) if words else clean(code)


def _status(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,3}", text) else -1


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text) else None
