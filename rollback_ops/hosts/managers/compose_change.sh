# Stops and starts a Compose project, and shows its logs, with the functions of compose.sh, which stand before it.

# An `up` that goes on would start again the containers that a stop has stopped.
interrupt() {
    is_starting || return 0
    kill "$pid"
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 40 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -KILL "$pid" 2>/dev/null || :
}

# First as the live release says (order, hooks), and then the containers that it does not know.
stop() {
    interrupt
    : >"$said"
    # shellcheck disable=SC2086 # names
    (cd "$ROLLBACK_CURRENT" && compose stop --timeout "$patience" -- $units)
    end stop -t "$patience"
}

end() {
    # shellcheck disable=SC2086 # ids
    list && { [ -z "$ids" ] || docker "$@" $ids; }
}

# Relative paths in a compose file mean what they meant at the deployment: in current, or in the release itself.
enter() {
    list -a
    real=$(cd -P "$releases" && pwd)
    case $places in *"|$releases/"* | *"|${real:-/}/"*) cd -P "$ROLLBACK_CURRENT" || return ;; *) cd "$ROLLBACK_CURRENT" || return ;; esac
}

# --force-recreate: no file of the other release stays mounted. --pull missing: an image is fetched only where the
# start would fail without it. No --wait: it fails for a container that ends when its work is done.
start() {
    enter || return
    services='' gone=''
    set -- --detach --no-build --pull missing --force-recreate
    if [ -z "$units" ]; then
        set -- "$@" --remove-orphans
    else
        read_file && [ -n "$services" ] || { last_line "$text" | tee "$said"; return 1; }
        for name in $units; do case " $services " in *" $name "*) ;; *) gone="$gone $name" ;; esac done
    fi
    # In a session of its own: Compose waits for dependencies, and goes on where the limit of the start is over.
    # shellcheck disable=SC2086 # words
    setsid $tool -p "$project" up "$@" -- $services >"$said" 2>&1 </dev/null &
    printf '%s\n' "$!" >"$said.pid"
    wait "$!"
    set -- "$?"
    : >"$said.pid"
    if [ "$1" = 0 ]; then
        : >"$said"
        [ -z "$gone" ] || remove
    else
        cat "$said"
        return "$1"
    fi
}

# The containers of the chosen services that this release does not have: docker would start them when it starts.
remove() {
    units=$gone
    # shellcheck disable=SC2086 # ids
    if list -a && [ -n "$ids" ]; then docker rm -f $ids; fi
    return 0
}

# logs SINCE: why the last start failed, and what the containers said since.
logs() {
    [ ! -s "$said" ] || grep -v '^ ' "$said" | tail -n 5
    # shellcheck disable=SC2086 # names
    cd "$ROLLBACK_CURRENT" && compose logs --no-color --tail 30 ${1:+"--since=$1"} -- $units
}
