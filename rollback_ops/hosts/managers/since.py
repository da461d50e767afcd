"""Limits a service's log to the lines since the last rollback started it."""

from __future__ import annotations

# A shell text that sets SINCE, in seconds since the epoch; empty where no start is known. The agent writes the boot
# and its uptime (hundredths of a second) into the file "started" of its state before a start: that takes no process
# while the service is down.
SET_SINCE = """\
SINCE=
read -r id </proc/sys/kernel/random/boot_id
if read -r boot started 2>/dev/null <"$ROLLBACK_STATE/started" && [ "$id" = "$boot" ]; then
    at=$(date +%s.%N)
    read -r up _ </proc/uptime
    part=${at#*.}
    case $part in *[!0-9]*) part=00 ;; esac
    at=$((${at%.*} * 100 + 1${part%"${part#??}"} - 100 - (${up%.*}${up#*.} - started)))
    SINCE=$((at / 100)).$((at / 10 % 10))$((at % 10))
fi
"""
