# The dead man's switch: unless somebody confirms in time, a host goes back to the release that was live when it was armed.
# One of three removes $state/armed: the confirmation, the switch itself, or a transaction of another run.

# arm RUN SECONDS UNTIL OWNER RUN-URL HOST INTENT HOLD: the last two are JSON objects without their ends, which
# name the release that is left.
arm() {
    run=$1
    safe_name "$run" && [ -z "$(guarded)" ] || return 1
    read_armed
    if [ -n "$armed_run" ] && [ -z "$armed_lost" ]; then
        say armed "$armed_run" "$armed_target" "$armed_until" "$armed_by"
        return 1
    fi
    look_at_current
    [ "$live_state" = release ] || return 1
    dir=$state/runs/$run
    { own_directory "$state/runs" && mkdir -- "$dir" && printf '' >"$dir/progress" && printf '%s\n' "$RO_SELF" >"$dir/program" &&
        printf '%s\n' "$7" >"$dir/intent.head" && printf '%s\n' "$8" >"$dir/hold.head" && printf '%s\n' "$5" "$6" >"$dir/about"; } 2>/dev/null || return 1
    boot_id
    rm -f -- "$state/unconfirmed"
    (set -C && say "$run" "$boot" "$live_name" "$3" "$4" >"$state/armed") 2>/dev/null || {
        [ -n "$armed_lost" ] && say "$run" "$boot" "$live_name" "$3" "$4" >"$state/armed" || return 1
    }
    launch "$2"
    forget_oldest "$state"/runs/*/
    say armed "$run" "$live_name" "$3" "$4"
}

# Set armed_run, armed_target, armed_until, armed_by; empty without one. armed_lost: the host was booted since, and
# will not go back.
read_armed() {
    armed_run='' armed_boot='' armed_target='' armed_until='' armed_by='' armed_lost=''
    [ -r "$state/armed" ] || return 0
    IFS=$TAB read -r armed_run armed_boot armed_target armed_until armed_by <"$state/armed" || :
    boot_id
    [ "$armed_boot" = "$boot" ] || armed_lost=yes
}

# confirm [RUN]: the live release stays. With RUN, only where that run has armed the host.
confirm() {
    read_armed
    [ -n "$armed_run" ] && [ "${1:-$armed_run}" = "$armed_run" ] && disarm confirmed || return 1
    say confirmed "$armed_run" "$armed_target"
}

# disarm WORD: the process that moves the file decides.
disarm() {
    { safe_name "$armed_run" && mv -fT -- "$state/armed" "$state/runs/$armed_run/$1"; } 2>/dev/null || return 1
    if [ -r "$state/runs/$armed_run/sleeper" ]; then
        read -r sleeper <"$state/runs/$armed_run/sleeper"
        ! grep -qF -e "$armed_run" "/proc/$sleeper/cmdline" || kill -TERM "-$sleeper"
    else
        systemctl --quiet stop "rollback-ops-$armed_run.timer"
    fi >/dev/null 2>&1
    return 0
}

# disarm_after OUTCOME: a run that makes its target live decides about the host. One that changes nothing leaves it armed.
disarm_after() {
    [ -e "$state/armed" ] || return 0
    case $1 in switched | not_started | still_starting) read_armed && disarm superseded || : ;; esac
}

# fire RUN: nobody confirmed in time. A run that holds the host has it alone, and disarms it.
fire() {
    run=$1 dir=$state/runs/$1
    now
    patience=$((now + RO_TOTAL_LIMIT * 100 + 1000))
    while lock_is_held || { read_lease; [ "$left" -gt 0 ]; }; do
        now
        [ "$now" -lt "$patience" ] || break
        sleep 0.5
    done
    read_armed
    if [ "$armed_run" != "$run" ] || ! mv -fT -- "$state/armed" "$dir/fired"; then
        printf '' >"$dir/done"
        return
    fi
    look_at_current
    from=$live_name at=$(date -u +%Y-%m-%dT%H:%M:%SZ) since=$(date +%s)
    if [ "$live_state" = release ] && [ "$live_name" = "$armed_target" ]; then
        printf '' >"$dir/done"
        return
    fi
    say "$run" "$armed_target" "$at" "$from" >"$state/unconfirmed"
    revision=''
    [ -z "$from" ] || revision_of "$releases/$from"
    complete_orders
    (worker "$run")
    drop_lease
    report_fire
}

# Complete INTENT and HOLD with the release that the host leaves.
complete_orders() {
    { IFS= read -r run_url && IFS= read -r this_host; } <"$dir/about"
    printf '%s\n' "$armed_target" "$live_path" no "$armed_by" "$run_url" yes yes yes >"$dir/order"
    IFS= read -r head <"$dir/intent.head"
    from_json=null
    [ -z "$from" ] || from_json="\"$from\""
    printf '%s\n' "$head,\"from\":$from_json,\"to\":\"$armed_target\",\"at\":\"$at\"}" >"$dir/intent"
}

# The event that core/journal.py composes the record from, and the hold on what was left.
report_fire() {
    read_result
    case $outcome in
        switched | still_starting) host_outcome=health_unknown code=2 ;;
        put_back) host_outcome=restored code=3 ;;
        refused) host_outcome=refused code=1 ;;
        superseded) host_outcome=superseded code=6 ;;
        *) host_outcome=failed code=4 ;;
    esac
    # It does not wait: without a verification, the rollback is not called healthy.
    note "{\"event\":\"verdict\",\"id\":\"$run\",$ABOUT,\"host\":$this_host,\"host_outcome\":\"$host_outcome\",\"outcome\":\"$host_outcome\",\"exit_code\":$code,\"live\":\"$live_name\",\"from_revision\":\"$revision\",\"duration\":0,\"find\":0,\"downtime\":\"$downtime\",\"at\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}"
    case $outcome,$from in
        switched,?* | not_started,?* | still_starting,?*)
            IFS=$TAB read -r head lasts scope <"$dir/hold.head"
            held_json="{\"release\":\"$from\",\"revision\":\"$revision\"}"
            # A hold without releases is one on everything.
            [ "$scope" != all ] || held_json=''
            [ -z "$head" ] || set_hold "$run" "$head,\"since\":$since,\"until\":$((since + lasts)),\"releases\":[$held_json]}"
            ;;
    esac
}

# Set outcome, live_name and downtime, from the progress of the run.
read_result() {
    outcome=unknown live_name='' downtime=''
    while IFS= read -r line; do
        case $line in "result$TAB"*) ;; *) continue ;; esac
        line=${line#*"$TAB"} outcome=${line%%"$TAB"*} line=${line#*"$TAB"}
        live_name=${line%%"$TAB"*} line=${line#*"$TAB"} downtime=${line%%"$TAB"*}
    done <"$dir/progress"
}

show_armed() {
    read_armed
    if [ -n "$armed_run" ]; then
        [ -n "$armed_lost" ] || say armed "$armed_run" "$armed_target" "$armed_until" "$armed_by"
        say note "armed${armed_lost:+-lost}" "$armed_target" "$armed_until" "$armed_by"
    fi
    [ -r "$state/unconfirmed" ] || return 0
    IFS=$TAB read -r run fired_target at from <"$state/unconfirmed" || return 0
    safe_name "$run" && [ -r "$state/runs/$run/progress" ] || return 0
    dir=$state/runs/$run
    read_result
    say note unconfirmed "${from:-nothing}" "$fired_target" "$at" "$outcome"
}
