"""Reads a survey."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

from rollback_ops.core.errors import BadAnswer
from rollback_ops.core.hold import parse
from rollback_ops.core.model import (
    Armed,
    BadRevision,
    HeldRelease,
    Hold,
    Lease,
    Live,
    LiveState,
    Mark,
    OpenDrill,
    OpenTransaction,
    Release,
    Survey,
    Unit,
)
from rollback_ops.hosts.agent.protocol.answer import Answer
from rollback_ops.hosts.agent.protocol.fields import SAFE_NAME, clean, count_of, number_of
from rollback_ops.hosts.agent.protocol.words import BAD_NAME, BLOCKERS, PROBLEMS, explained

# The words that a host may use where a noun allows only some.
_LIVE_STATES: dict[str, LiveState] = {word: word for word in get_args(LiveState)}
_MARKS: dict[str, Mark] = {word: word for word in get_args(Mark)}
# To choose among so many takes a second.
_MOST_RELEASES = 20_000
# The times of a release of which none is known: modified, created, live since.
_TIMELESS: tuple[float, float, float | None] = (0.0, 0.0, None)


def survey(host: str, answer: Answer, units: tuple[Unit, ...], seconds: float = 0.0) -> Survey:
    """Return a host's survey, which took so many ``seconds``. The manager has read the units.

    Raises ``BadAnswer`` where the answer does not say what is live, or lists too many releases.
    """
    return Survey(
        host=host,
        releases=tuple(_releases(answer)),
        live=_live(answer),
        units=units,
        seconds=seconds,
        lease=next(_leases(answer), None),
        unfinished=next((OpenTransaction(*map(clean, f[:4])) for f in answer.of("unfinished", 3)), None),
        blockers=tuple(_blockers(answer)),
        warnings=tuple(explained(f) for f in answer.of("warning", 1)),
        deploying=tuple(explained(["deploying", *f]) for f in answer.of("deploying", 1)),
        bad_revisions=tuple(BadRevision(*map(clean, f[:4])) for f in answer.of("bad-revision", 1)),
        notes=tuple(explained(f) for f in answer.of("note", 2)),
        reaches=tuple(clean(f[0]) for f in answer.of("reaches", 1)),
        armed=armed(answer),
        drill=next((OpenDrill(*map(clean, f[:3])) for f in answer.of("drill", 3)), None),
        holds=tuple(_hold(f) for f in answer.of("hold", 2) if SAFE_NAME.fullmatch(f[0])),
    )


def _releases(answer: Answer) -> Iterator[Release]:
    times = {f[0]: (number_of(f[1]) or 0.0, number_of(f[2]) or 0.0, number_of(f[3])) for f in answer.of("modified", 2)}
    marked = {f[0]: (clean(f[1], 64), clean(f[2])) for f in answer.of("marked", 2)}
    left = {f[0]: (clean(f[1], 64), clean(f[2])) for f in answer.of("left", 2)}
    logged = {f[0]: place for place, f in enumerate(answer.of("logged", 1), start=1)}
    sizes = {f[1]: count_of(f[0]) for f in answer.of("size", 2)}
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
        yield Lease(clean(run), clean(owner), clean(url), clean(since), number_of(left) or 0.0, clean(until))


def armed(answer: Answer) -> Armed | None:
    """Return whether a host goes back by itself unless somebody confirms, and to what."""
    return next((Armed(*map(clean, fields[:4])) for fields in answer.of("armed", 3)), None)


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
    """Explain what prevents a change. What sudo refuses to a user is one blocker: one line in sudoers ends it."""
    refused: dict[str, list[str]] = {}
    for fields in answer.of("blocker", 1):
        code, command, user = fields[:3]
        if code == "no-sudo":
            refused.setdefault(clean(user), []).append(clean(command))
        else:
            yield explained(fields)
    for user, commands in refused.items():
        yield BLOCKERS["no-sudo"].format(", ".join(commands), user)
