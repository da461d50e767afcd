# Traffic: the load balancer sends no requests to the host while its service is down.

# The service is not stopped yet, so the rollback is refused when drain fails. An emergency skips drain, and a resumed run
# needs none: its service is down already.
drain() {
    [ -n "$RO_DRAIN" ] && [ "$break_lock$resumed" = no ] || return 0
    now
    begun=$now
    if manage "$RO_DRAIN" "$RO_TRAFFIC_LIMIT"; then
        step drain ok "$begun"
        return
    fi
    step drain failed "$begun"
    unprepare
    reason="its traffic could not be drained"
    undrain || reason="$reason, nor given back"
    finish refused "$reason"
    return 1
}

# undrain [slowly]: the service was started, or still runs, or is starting slowly. It gets traffic again when it listens. Where
# no port is known, one that starts slowly gets traffic when it runs.
undrain() {
    [ -n "$RO_UNDRAIN" ] || return 0
    now
    begun=$now
    if [ -n "${1:-}" ] && [ -z "$RO_PORTS" ] && ! within $((RO_TRAFFIC_LIMIT * 100)) "$RO_RUNNING"; then
        step undrain failed "$begun" "it is still starting: it is given no traffic"
    elif ! comes_to_listen; then
        step undrain failed "$begun" "nothing listens on port $port: it is given no traffic"
    elif find_remaining && manage "$RO_UNDRAIN" "$remaining"; then
        step undrain ok "$begun"
        return
    else
        step undrain failed "$begun" "it runs, and is given no traffic"
    fi
    return 1
}

# Set remaining: the seconds that undrain may still take. Waiting for the service and the command share one limit.
find_remaining() {
    now
    remaining=$(((begun + RO_TRAFFIC_LIMIT * 100 - now + 99) / 100))
    remaining=$((remaining > 1 ? remaining : 1))
}

comes_to_listen() {
    until_then=$((begun + RO_TRAFFIC_LIMIT * 100))
    for port in $RO_PORTS; do
        # proc(5): the port in hexadecimal, and 0A for a socket that listens.
        until grep -q "$(printf ': [0-9A-F]*:%04X [0-9A-F]*:0000 0A ' "$port")" /proc/net/tcp /proc/net/tcp6 2>/dev/null; do
            now
            [ "$now" -lt "$until_then" ] || return 1
            sleep 0.05
        done
    done
}
