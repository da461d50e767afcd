"""The ``logs`` check: test that the log has no critical line since this start. A log that cannot be read is unknown.

The question reads the journal, a file or a command's output on the host and prints at most a few tagged lines:
``line`` (a critical line), ``why`` (the reason why the log could not be read), ``from`` (the position of the end of
the log), ``status`` (the exit status of the command that reads the log). It never changes: a restricted key is bound to
its text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from rollback_ops.config import LogsCheck
from rollback_ops.config.log_patterns import IGNORE, PATTERNS
from rollback_ops.core.health import Finding
from rollback_ops.core.model import CommandResult, HostCommand, Unit

_TIMED_OUT = (124, 137)
_SHOWN = 3
_END = re.compile(r"(?:-|[0-9]+:[0-9]+) [0-9]+ [0-9a-f]{64} [0-9]+")


def journal_reader() -> str:
    """Return the shell function ``read_log`` that prints all lines of the units since their start. It calls ``why``."""
    return f"most=''\n{_JOURNAL}"


class Logs:
    """Notes the end of a log file at the first question, in case the agent did not note it before the start."""

    kind = "logs"

    def __init__(self, settings: LogsCheck, release: str) -> None:
        self._settings = settings
        self._command = settings.command.replace("{release}", release)
        self._critical = _critical(settings, release)
        self._what = settings.file or ("the output of its command" if self._command else "the journal")
        self._text = _BEGIN + self._critical + self._read + _MAIN
        self._since: tuple[str, ...] = ()

    @property
    def question(self) -> HostCommand | None:
        return HostCommand(self._text, self._settings.timeout, self._since)

    @property
    def _read(self) -> str:
        if self._command:
            return f"read_log() {{ (unset LC_ALL; sh -c {shlex.quote(self._command)}) 2>&1; }}\n"
        if not self._settings.file:
            return f"most='-n 10000'\n{_JOURNAL}"
        path = shlex.quote(self._settings.file)
        log = path if self._settings.file.startswith("/") else f'"$ROLLBACK_ROOT"/{path}'
        return f"log={log}\n{_FILE}"

    def judge(self, units: tuple[Unit, ...], answered: CommandResult | None) -> Finding:
        if answered is None:
            return self._unread("the host did not answer")
        if found := _tagged("line", answered.lines):
            shown = " / ".join(found[:_SHOWN])
            return Finding("failed", f"{self._what} says: {shown}", final=True, trigger="log-error")
        if answered.status == 0:
            since = "the first check" if self._since else "this start"
            return Finding("passed", f"nothing critical in {self._what} since {since}")
        if answered.status in _TIMED_OUT:
            return self._unread(f"reading it did not end within {self._settings.timeout:g} s")
        ends = _tagged("from", answered.lines)
        if ends and _END.fullmatch(ends[-1]):
            self._since = tuple(ends[-1].split(" "))
            return Finding("unknown", f"{self._what} is checked from now on: its end before the start was not noted")
        return self._unread(_reason(answered))

    def _unread(self, why: str) -> Finding:
        return Finding("unknown", f"{self._what} could not be read: {why}")


def _tagged(tag: str, lines: Iterable[str]) -> list[str]:
    return [line[len(tag) + 1 :] for line in lines if line.startswith(f"{tag} ")]


def _reason(answered: CommandResult) -> str:
    """Say why the log could not be read, with the last line that the tool printed."""
    statuses = _tagged("status", answered.lines)
    whys = _tagged("why", answered.lines) or [f"exit status {statuses[-1] if statuses else answered.status}"]
    others = [line for line in answered.lines if not line.startswith(("why ", "status ", "from "))]
    return ": ".join([*whys[-1:], *others[-1:]])


def _critical(settings: LogsCheck, release: str) -> str:
    """Return the filter that prints the first critical lines, after a test that grep accepts the patterns."""
    patterns = _options(PATTERNS if settings.patterns is None else settings.patterns, release)
    ignore = _options(IGNORE if settings.ignore is None else settings.ignore, release)
    without = f" | grep -avE {ignore}" if ignore else ""
    # BusyBox's grep reports a bad pattern only when it reads a line, and its exit status is that of "not found".
    return (
        f"wrong=$(echo | grep -aE {patterns} {ignore} 2>&1)\n"
        'case $?$wrong in 0 | 1) ;; *) why "grep does not understand the patterns: $wrong" ;; esac\n'
        f"critical() {{ grep -aE {patterns}{without} | sed -e 's/^/line /' -e 5q | cut -b 1-600; }}\n"
    )


def _options(patterns: Iterable[str], release: str) -> str:
    return " ".join(f"-e {shlex.quote(pattern.replace('{release}', release))}" for pattern in patterns)


# A question has the run, the state of the units and its SINCE among its arguments. Bytes are compared.
_BEGIN = """\
RUN=$1 STATE=$2 SINCE=$4 LC_ALL=C
export LC_ALL
why() { printf 'why %s\\n' "$1"; exit 3; }
"""

# File descriptor 4 carries the exit status of read_log past the pipe.
_MAIN = """\
exec 3>&1
status=$({ { read_log; echo "$?" >&4; } | critical >&3; } 4>&1)
[ "$status" = 0 ] || { echo "status ${status:-?}"; exit 3; }
"""

# STATE is the output of the manager about its units, with InvocationID=. Root can read the whole journal. Other users
# may see only the lines of their own processes. A user that sees systemd's own line about the start of the unit can
# read the rest too.
_JOURNAL = """\
set -f
started='' all=''
for word in $STATE; do
    case $word in
        InvocationID=*[!0-9a-f]* | InvocationID=) ;;
        InvocationID=*)
            id=${word#*=}
            started="$started${started:+ + }INVOCATION_ID=$id + USER_INVOCATION_ID=$id"
            all="$all${all:+ + }INVOCATION_ID=$id + USER_INVOCATION_ID=$id + _SYSTEMD_INVOCATION_ID=$id"
            ;;
    esac
done
[ -n "$all" ] || why 'systemd reports no start of the units'
shows() { [ -n "$($1 journalctl -q --no-pager -o cat -n 1 $2)" ]; }
sudo=''
if [ -z "$ROLLBACK_SUDO" ]; then
    shows '' "$all" || why 'it has no line of this start'
elif ! shows '' "$started" 2>/dev/null; then
    sudo=$ROLLBACK_SUDO
    shows "$sudo" "$all" || why "$(id -un) sees no line of this start (group systemd-journal, or sudo journalctl)"
fi
read_log() { $sudo journalctl -q --no-pager -o cat --all $most $all; }
"""

# `from` is the end of the log before the start: device and inode (- for no file), size, checksum of the last bytes
# (they identify a log that was rotated), and the time. The agent's log_end notes the same before a start, and SINCE has
# it, with commas, after a first question that found no such note.
_FILE = """\
user=$(id -un)
sum() {
    length=$(($2 > 256 ? 256 : $2))
    hash=$(dd if="$1" bs=1 skip="$(($2 - length))" count="$length" 2>/dev/null | sha256sum)
    echo "${hash%% *}"
}
end() {
    set -- "$1" "$(stat -L -c '%d:%i %s' -- "$1" 2>/dev/null || echo - 0)"
    echo "$2 $(sum "$1" "${2#* }") $(date +%s)"
}
if [ -e "$log" ] && { [ ! -f "$log" ] || [ ! -r "$log" ]; }; then why "it is not a file that $user may read"; fi
[ -e "$log" ] || [ ! -d "${log%/*}" ] || [ -x "${log%/*}" ] || why "$user may not look into ${log%/*}"
noted=$ROLLBACK_STATE/watched from=''
if [ -n "$RUN" ] && [ -r "$noted" ]; then
    while read -r line; do
        case $line in
            run*) run=${line#* } ;;
            *" $log") [ "${run%%.*}" != "${RUN%%.*}" ] || from=${line% "$log"} ;;
        esac
    done <"$noted"
fi
set -f
IFS=' ,'
set -- ${from:-$SINCE}
unset IFS
set +f
if [ "$#" = 0 ]; then
    echo "from $(end "$log")"
    exit 4
fi
[ -e "$log" ] || why 'there is no such file'
[ "$#" = 4 ] || why 'its end before the start was not noted'
id=$1 size=$2 sum=$3 since=$4
case $size$since in *[!0-9]*) why 'its end before the start was not noted' ;; esac
goes_on() {
    [ -f "$1" ] && [ -r "$1" ] && is=$(stat -L -c '%d:%i %s' -- "$1") && [ "${is#* }" -ge "$size" ] &&
        { [ "$size" -gt 0 ] || [ "${is% *}" = "$id" ]; } && [ "$(sum "$1" "$size")" = "$sum" ]
}
rest() { tail -c "+$((size + 1))" "$1"; }
lost() { echo "why $1" >&3; return 3; }
read_log() {
    if goes_on "$log"; then rest "$log"; return; fi
    name=${log##*/} before=''
    for file in "${log%/*}/${name%.*}"*; do
        if [ "$file" = "$log" ]; then
            continue
        elif [ -z "$before" ] && goes_on "$file"; then
            before=$file
            rest "$file"
        elif [ "$(stat -L -c %Y -- "$file" 2>/dev/null || echo 0)" -ge "$since" ]; then
            case $file in
                "$log"[._-]*.gz | "$log"[._-]*.xz | "$log"[._-]*.bz2 | "$log"[._-]*.zst)
                    lost 'it was rotated, and the rotated file is compressed'
                    return
                    ;;
                "$log"[._-]*[0-9]* | "$log.old") cat "$file" ;;
            esac
        fi
    done
    if [ -z "$before" ] && [ "$id" != - ] && [ "$id" != "$(stat -L -c '%d:%i' -- "$log")" ]; then
        lost 'it was rotated, and the rotated file is gone'
        return
    fi
    cat "$log"
}
"""
