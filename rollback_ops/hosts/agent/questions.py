"""Checks of HTTP, TCP and logs as shell commands, for break-glass. An exit status of 69 says that the host has no tool
for the check, 126 that the service was not asked (its name does not resolve, its log cannot be read), and 70 that
waiting longer would not change the answer.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from rollback_ops.config import HttpCheck, TcpCheck
from rollback_ops.config.types import fill

_SAY = "printf '%s\\n'"
# A program that was killed, or is not there, has found nothing.
_UNCOMPARED = "echo 'the answer could not be compared'; exit 126"


def logs(command: str) -> str:
    """Return a command that says whether the log that ``command`` reads has critical lines: they begin with "line "."""
    return "\n".join(
        [
            f"said=$({command}",
            "); code=$?",
            'case "\n$said" in *"\nline "*) echo \'it has critical lines\'; exit 70 ;; esac',
            "if [ \"$code\" = 0 ]; then echo 'nothing critical since this start'; exit; fi",
            f'{_SAY} "it could not be read: $said"; exit 126',
        ]
    )


def tcp(check: TcpCheck, release: str) -> str:
    """Return a command that says whether the address accepts connections."""
    address = fill(check.address, {"release": release})
    host, _, port = address.rpartition(":")
    where = shlex.join([host.strip("[]"), port])
    name, unresolved = shlex.quote(host.strip("[]")), shlex.quote(f"{address} does not resolve")
    accepts, refuses = (shlex.quote(f"{address} {how}") for how in ("accepts", "does not accept"))
    return "\n".join(
        [
            'quiet() { "$@" >/dev/null 2>&1 </dev/null; }',
            f"if quiet command -v getent && ! quiet getent ahosts {name}; then echo {unresolved}; exit 126; fi",
            f"if quiet command -v bash; then quiet bash -c ': <\"/dev/tcp/$0/$1\"' {where}",
            f"elif quiet command -v nc; then quiet nc -z {where}",
            "else echo 'this host has neither bash nor nc'; exit 69; fi",
            f"if [ $? = 0 ]; then echo {accepts}; else echo {refuses}; exit 1; fi",
        ]
    )


def http(check: HttpCheck, release: str) -> str:
    """Return a command that asks with curl, and compares status, text and fields of the answer."""
    about = {"release": release}
    limit = min(check.timeout, check.max_latency or check.timeout)
    # The address and the headers go past the command line, which every user of the host can read.
    options = [("url", fill(check.url, about)), *(("header", f"{k}: {v}") for k, v in check.headers.items())]
    config = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in options)
    return "\n".join(
        [
            "command -v curl >/dev/null || { echo 'this host has no curl'; exit 69; }",
            f"config={shlex.quote(config)}",
            "body=$(printf '%s' \"$config\" |",
            f"curl -q -sS -g --noproxy '*' -m {limit:g} -w '\\n%{{http_code}}' -K - 2>&1)",
            # Six: the name could not be resolved (curl(1), EXIT CODES). Three digits: curl was killed.
            f'case $? in 6 | ???) {_SAY} "$body"; exit 126 ;; esac',
            'code=${body##*"\n"}; body=${body%"\n"*}',
            f'[ "$code" != 000 ] || {{ {_SAY} "$body"; exit 1; }}',
            *(_final(status) for status in check.final),
            f'[ "$code" = {check.status} ] || {{ {_SAY} "status $code, expected {check.status}: $body"; exit 1; }}',
            *_contains(fill(check.text, about), (fill(check.text, about),), "body"),
            "squeezed=$(printf '%s' \"$body\" | tr -d ' \\t\\r\\n') || { " + _UNCOMPARED + "; }",
            *(line for path, expected in check.fields.items() for line in _field(path, _filled(expected, release))),
            'echo "status $code"',
        ]
    )


def _final(status: int) -> str:
    return f'[ "$code" != {status} ] || {{ {_SAY} "status {status}: $body"; exit 70; }}'


def _field(path: str, expected: Any) -> Iterator[str]:
    spellings = tuple(_spellings(path.rpartition(".")[2], expected))
    return _contains(spellings[0][:-1], tuple("".join(s.split(" ")) for s in spellings), "squeezed")


def _contains(what: str, spellings: tuple[str, ...], where: str) -> Iterator[str]:
    if what:
        any_of = " ".join(f"-e {shlex.quote(spelling)}" for spelling in spellings)
        lacks = shlex.quote(f"the answer lacks {what}: ")
        yield f"printf '%s\\n' \"${where}\" | grep -qF {any_of}"
        yield f'case $? in 0) ;; 1) {_SAY} {lacks}"$body"; exit 1 ;; *) {_UNCOMPARED} ;; esac'


def _spellings(key: str, value: Any) -> Iterator[str]:
    """Yield how a field may stand in JSON without blanks: in ASCII or not, and with what has to follow it."""
    texts = (f"{json.dumps(key, ensure_ascii=a)}:{json.dumps(value, ensure_ascii=a)}" for a in (True, False))
    for text in dict.fromkeys(texts):
        yield from (f"{text},", f"{text}}}")


def _filled(expected: Any, release: str) -> Any:
    text = json.dumps(expected)
    return json.loads(fill(text, {"release": release})) if "{release}" in text else expected
