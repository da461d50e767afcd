# Traffic: a load balancer sends none to the host while its service is down.

# Nothing is stopped yet, so a drain that fails refuses the rollback. An emergency does not wait for one, and a run that
# goes on has no service to take traffic from.
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

# The service has started, or runs on. It is given traffic again when it listens.
undrain() {
    [ -n "$RO_UNDRAIN" ] || return 0
    now
    begun=$now
    if ! comes_to_listen; then
        step undrain failed "$begun" "nothing listens on port $port: it is given no traffic"
    elif manage "$RO_UNDRAIN" "$RO_TRAFFIC_LIMIT"; then
        step undrain ok "$begun"
        return
    else
        step undrain failed "$begun" "it runs, and is given no traffic"
    fi
    return 1
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
