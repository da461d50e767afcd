#!/bin/sh
# The unit tests in several plain processes: unit.sh PROCESSES PYTEST [ARGUMENT...]
# Each takes one file after the other (--share in tests/conftest.py). What they print comes at their end.
share=$(mktemp -d) || exit
trap 'rm -rf "$share"' EXIT
processes=$1
shift
pids=
for number in $(seq "$processes"); do
    "$@" -q --share "$share" -o console_output_style=classic tests/unit >"$share/$number.out" 2>&1 &
    pids="$pids $!"
done
status=0
number=0
for pid in $pids; do
    wait "$pid" || status=1
    number=$((number + 1))
    cat "$share/$number.out"
done
exit "$status"
