# The operations: how one is started, followed and answered.

# switch RUN TARGET SOURCE BREAK-LOCK OWNER RUN-URL INTENT [RELINK [RESET [LOOK]]]: start the worker, and print its progress.
switch() {
    run=$1
    safe_name "$run" || return 64
    dir=$state/runs/$run
    if ! { own_directory "$state/runs" && mkdir -- "$dir" && printf '' >"$dir/progress" &&
        printf '%s\n' "$RO_SELF" >"$dir/program" && printf '%s\n' "$7" >"$dir/intent" &&
        printf '%s\n' "$2" "$3" "$4" "$5" "$6" "${8:-yes}" "${9:-yes}" "${10:-yes}" >"$dir/order"; } 2>/dev/null; then
        say result refused '' '' "cannot write to $store"
        return
    fi
    launch
    forget_oldest "$state"/runs/*/
    tell_all
}

# The worker must not depend on the session that it is started from. A unit of its own is best: systemd
# itself then finishes what a killed worker left. KillMode=process spares a service that a custom start
# command left running in the worker's control group, a start of Compose that goes on, and a daemon of pm2.
# launch [SECONDS]: after so many, it goes back by itself (arm.sh).
launch() {
    delay=${1:-} what=worker mode=control-group limit=$RO_TOTAL_LIMIT
    case $RO_MANAGER in custom | compose | pm2) mode=process ;; esac
    # Without work for it, the second program is not started.
    unless_done="[ -e $dir/done ] || exec"
    set --
    # It waits for the transaction of another run before its own.
    [ -z "$delay" ] || what=fire limit=$((2 * RO_TOTAL_LIMIT + 10))
    [ -z "$delay" ] || set -- "--on-active=$delay" --timer-property=AccuracySec=100ms
    for name in $LOGIN; do
        eval "set -- \"\$@\" \"--setenv=$name=\${$name:-}\""
    done
    if [ "$uid" = 0 ] && [ -d /run/systemd/system ] && command -v systemd-run >/dev/null &&
        systemd-run --quiet --no-block --collect --unit="rollback-ops-$run" "$@" -p "KillMode=$mode" \
            -p "RuntimeMaxSec=$limit" -p "TimeoutStopSec=$RO_TOTAL_LIMIT" -p "ExecStopPost=/bin/sh -c \"$unless_done /bin/sh $dir/program aftermath $run\"" \
            /bin/sh "$dir/program" "$what" "$run" </dev/null >/dev/null 2>&1; then
        return
    fi
    # shellcheck disable=SC2016 # the inner shell expands these
    setsid sh -c '[ -z "$4" ] || { printf "%s\n" "$$" >"${1%/*}/sleeper"; sleep "$4"; }
sh "$1" "$5" "$2"; eval "$3" sh "$1" aftermath "$2"' rollback-ops "$dir/program" "$run" "$unless_done" "$delay" "$what" \
        </dev/null >/dev/null 2>&1 &
}

# forget_oldest RUN…: remove the oldest runs, but not the own one. The time in a run's name may come from a wrong clock.
forget_oldest() {
    while [ "$#" -gt "$kept_runs" ]; do
        oldest=''
        for place; do
            if [ "$place" != "$dir/" ] && { [ -z "$oldest" ] || [ "$oldest" -nt "$place" ]; }; then oldest=$place; fi
        done
        rm -rf -- "${oldest:?}" || return 0
        for place; do
            shift
            [ "$place" = "$oldest" ] || set -- "$@" "$place"
        done
    done
}

# follow RUN: print the progress from its beginning until the result is there.
follow() {
    run=$1
    dir=$state/runs/$run
    safe_name "$run" || return 64
    # The first to take the name wins: `switch` refuses an order that arrives after this. What only asks
    # makes a file, which makes no run forgotten.
    own_directory "$state/runs" 2>/dev/null
    if (set -C && : >"$dir") 2>/dev/null || [ ! -d "$dir" ]; then
        set --
        for place in "$state"/runs/*; do [ ! -f "$place" ] || set -- "$@" "$place"; done
        forget_oldest "$@"
        say result refused '' '' "this host never began it"
        return
    fi
    tell_all
}

tell_all() {
    open_progress
    ring_now_and_then </dev/null >/dev/null 2>&1 &
    tell_progress <"$dir/progress"
    kill "$!"
}

tell_progress() {
    quiet=0 gone=''
    while :; do
        if IFS= read -r line; then
            printf '%s\n' "$line"
            case $line in "result$TAB"*) return ;; esac
            quiet=0 gone=''
            continue
        fi
        if [ -n "$gone" ]; then
            killed=unknown
            [ ! -e "$dir/begun" ] || holds_lease || killed=superseded
            say result "$killed" '' '' "the agent was killed before it finished"
            return
        fi
        quiet=$((quiet + 1))
        # The worker holds the file "alive" while it lives; between two workers there may be a moment.
        # One that has not begun yet has no "pid": a host that does too much may take a while to start it.
        [ -e "$dir/pid" ] || [ "$quiet" -ge 30 ] || { read -r _ <&4; continue; }
        if [ "$quiet" -ge 5 ] && flock -s -n "$dir/alive" true; then
            # It may have ended just now: its last words are read first.
            gone=yes
            continue
        fi
        read -r _ <&4
    done
}

# A bell (a named pipe) wakes those who follow: a poll every few milliseconds would cost a process each time.
open_progress() {
    # The worker and its first follower may come here at the same moment.
    [ -p "$dir/bell" ] || mkfifo -- "$dir/bell" 2>/dev/null || [ -p "$dir/bell" ] || mkfifo -- "$dir/bell"
    exec 3>>"$dir/progress" 4<>"$dir/bell"
}

tell() {
    say "$@" >&3
    printf '\n' >&4
}

# A killed worker does not ring.
ring_now_and_then() {
    while sleep 1 && kill -0 "$$"; do printf '\n' >&4; done
}

# converse TOKEN: several operations in one session, each in a shell of its own, so that the login shell and this program
# start once. A request is a line with its length, then so many bytes: the words, quoted, and the token. One that was cut
# on its way does not end with the token, and nothing of it is done. A short one is on one line, without a process to
# read it (the shell reads it byte by byte): its length is "line".
converse() {
    while IFS= read -r length; do
        if [ "$length" = line ]; then IFS= read -r request || return; else request=$(head -c "$length"); fi
        case $request in *" $1") ;; *) return ;; esac
        (
            eval "set -- ${request%" $1"}"
            main "$@"
        ) </dev/null
        status=$?
        say ''
        say over "$1" "$status"
    done
}

main() {
    case ${1:-} in
        converse) converse "$2" ;;
        survey | inspect | switch | follow | ask | record | mark | hold | arm | confirm | schema | compare | history | seal) operate "$@" ;;
        worker | aftermath | fire) "$@" ;;
        *) exit 64 ;;
    esac
}

# operate OPERATION [ARGUMENT]…: run one operation, as root where it has to be, and put heading and end around its answer.
operate() {
    if become_root; then
        # shellcheck disable=SC2016 # the inner shell expands these
        printf '%s\n' "$RO_SELF" | sudo -n -- sh -c 'RO_SELF=$(cat); eval "$RO_SELF"' rollback-ops "$@"
        exit
    fi
    # A login message may have left the line unfinished.
    say ''
    say rollback-ops 1 "$1"
    "$@"
    say end "$?"
}
