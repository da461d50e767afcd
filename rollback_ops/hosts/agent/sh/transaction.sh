# The transaction: stop, switch, link, start, or put back.

transaction() {
    downtime='' began_at=${live_name:+$releases/$live_name$live_place}
    [ "$reset" != yes ] || manage "$RO_RESET" 5
    drain || return
    holds_lease || { lost_lease; return; }
    if ! stop_service; then
        put_back "it could not be stopped"
        return
    fi
    holds_lease || { lost_lease; return; }
    if is_moved; then
        put_back "current was moved by somebody else in the meantime" superseded
        return
    fi
    if ! switch_current; then
        put_back "current could not be switched"
        return
    fi
    holds_lease || { lost_lease; return; }
    relink_all
    reload_units
    holds_lease || { lost_lease; return; }
    note_log_ends
    mark_moment
    if start_service && is_whole "$target"; then
        undrain || :
        finish switched ''
    elif ! is_whole "$target" && switch_back; then
        put_back "$target is no longer a complete release"
    elif [ "$slow" = yes ] && ! is "$RO_STOPPED"; then
        # A manager goes on starting a unit when the command that waits for it is killed.
        queue_dependents
        undrain slowly || :
        finish still_starting "$target is still starting after $RO_START_LIMIT s"
    else
        leave_dependents
        finish not_started "$target does not start"
    fi
}

stop_service() {
    now
    begun=$now
    down_since=$now
    if manage "$RO_STOP" "$RO_STOP_LIMIT"; then
        step stop ok "$begun"
        return
    fi
    # A service that misbehaves may make the whole host slow.
    manage "$RO_KILL" 4
    manage "$RO_RESET" 2
    if within 300 "$RO_STOPPED"; then
        step stop warning "$begun" "it did not stop by itself and was killed"
    else
        step stop failed "$begun"
        return 1
    fi
}

# Whether somebody deployed meanwhile: what they started would go on running while current names another release.
is_moved() {
    [ -n "$began_at" ] && [ -e "$current" ] && ! [ "$current" -ef "$began_at" ]
}

switch_current() {
    now
    begun=$now
    # Somebody may have removed the target since the survey.
    if is_whole "$target" && place_link "$current"; then
        step switch ok "$begun"
    else
        step switch failed "$begun"
        return 1
    fi
}

relink_all() {
    [ -n "$RO_LINKS" ] || return 0
    now
    begun=$now
    if lines "$RO_LINKS" relink; then step links ok "$begun"; else step links warning "$begun" "$link_place"; fi
}

# Go back to the source where somebody removed the target just now.
switch_back() {
    holds_lease && stop_service && make_link "$source" "$current" && place_link "$current"
}

start_service() {
    now
    begun=$now
    printf '%s %s\n' "$boot" "$now" >"$state/started"
    if bring_up && started; then
        now
        seconds $((now - down_since))
        # The switch of files (manager none) takes no time.
        [ "$RO_MANAGER" = none ] || downtime=$seconds
        step start ok "$begun"
        printf '' >"$dir/started"
        start_dependents
    else
        step start failed "$begun"
        return 1
    fi
}

# Set slow: the command did not end within the limit. BusyBox's timeout ends with the status of what it killed.
bring_up() {
    slow=no
    manage "$RO_START" "$RO_START_LIMIT" && return
    case $? in 124 | 137 | 143) slow=yes; return 1 ;; esac
    { is_limited && manage "$RO_RESET" 5 && manage "$RO_START" "$RO_START_LIMIT"; }
}

# systemd refuses a unit that was started too often; the survey could not know of that limit.
is_limited() {
    [ "$reset" != yes ] || return 1
    case $(manage "$RO_STATE" 5 2>/dev/null </dev/null) in *start-limit-hit*) ;; *) return 1 ;; esac
}

# systemctl has waited for its units, and the verification looks at them next. There is none in an emergency, and none
# when the runner is gone.
started() {
    case $RO_MANAGER in systemd*) [ "$break_lock$resumed" = no ] || comes_up ;; *) comes_up ;; esac
}

# Wait until the service runs, or until it has been stopped for two seconds.
comes_up() {
    now
    patience=$((now + 200))
    until is "$RO_RUNNING"; do
        now
        [ "$now" -lt "$((begun + RO_START_LIMIT * 100))" ] || return 1
        if ! is "$RO_STOPPED"; then
            patience=$((now + 200))
        elif [ "$now" -ge "$patience" ]; then
            return 1
        fi
        sleep 0.05
    done
}

# put_back REASON [OUTCOME]: start what is live now again.
put_back() {
    holds_lease || { lost_lease; return; }
    unprepare
    # Units that run to their end count as running and as stopped at the same time.
    if { ! is "$RO_STOPPED" && is "$RO_RUNNING"; } || { manage "$RO_START" "$RO_START_LIMIT" && comes_up; }; then
        now
        begun=$now
        start_dependents
        undrain || :
        finish "${2:-put_back}" "$1"
    else
        finish failed "$1, and what was there does not run"
    fi
}

lost_lease() {
    event lost-lease superseded
    result superseded "another run took over"
}

finish() {
    # Another run has the lease, and its own open transaction.
    holds_lease || { lost_lease; return; }
    case $1 in switched | refused | put_back | superseded) ;; *) manage "$RO_LOGS" 5 2>&1 </dev/null | tail -n 20 | prefixed log >&3 ;; esac
    disarm_after "$1"
    if [ "$1" = switched ]; then
        # While the end is written: by this shell, which whoever breaks the lock kills.
        tell_state &
        write_end switched
        wait "$!"
        # The lease is as old as it took the manager to answer.
        is_fresh || ! is_ours || write_lease
    else
        write_end "$1"
    fi
    result "$1" "$2" "$downtime"
}

# The verification's first look, without another operation. Of a custom service it is known that it runs: nothing has been
# done since `comes_up` asked, and its state says no more.
tell_state() {
    case $RO_MANAGER$RO_UNDRAIN in custom) STATE='status=0' ;; *) read_state ;; esac
    old_processes
    print_state >&3
}

write_end() {
    event "end" "$1"
    end_drill
    sync -- "${current%/*}" "$journal"
    mv -f -- "$state/open" "$dir/ended"
    # Somebody may just be breaking the lock.
    is_fresh || ! is_ours || write_lease
}
