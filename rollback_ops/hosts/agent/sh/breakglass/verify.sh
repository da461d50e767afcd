# The verification.

# Set healthy (yes, no or unknown; empty when nothing was asked), down, events and verified (seconds).
verify_target() {
    healthy='' down='' verified='' unasked='' events='' table=$RO_CHECKS release=$target
    [ "$outcome" = switched ] || return 0
    if [ -n "$emergency" ]; then
        warn 'verification was skipped (emergency): run --list, and look at the service'
    elif [ -z "$stopped" ]; then
        tell_phase verify "checking $target on $this_host"
        verify
        table=$(redacted "$table")
        seconds "$clock"
        verified=$seconds
    fi
    while read_row; do
        [ "$tag" = check ] || continue
        seconds "$first"
        add_event check name "$name" kind "$kind" outcome "$verdict" seconds "$seconds" detail "$detail"
        [ -z "$verified" ] || tell_one "$name" "$verdict" "$seconds" "$detail"
        [ "$verdict" != skipped ] || unasked=$unasked${unasked:+; }"$name ($detail)"
    done <<END
$table
END
    if [ -n "$verified" ] && [ -n "$unasked" ]; then warn "these checks were not asked: $unasked"; fi
}

# Read a line of a table (judge.sh). The detail is the last field, and may be empty.
read_row() {
    IFS= read -r row || return 1
    detail=${row##*"$TAB"}
    IFS=$TAB read -r tag verdict first kind name _ <<END
$row
END
}

# Ask until healthy is certain.
verify() {
    keep_lease &
    keeper=$!
    now
    verify_began=$now first_identity='' last_identity='' first_crashes=''
    while read_round && [ "$healthy" = going ]; do
        [ "$pause" = 0.00 ] || sleep "$pause"
        tick
        asked_at=$clock
        ask_round
        tick
        judge "$table" "$clock"
    done
    kill "$keeper"
    healthy=${healthy:-unknown}
    [ -z "$stopped" ] || [ "$healthy" = yes ] || healthy=''
}

read_round() {
    IFS=$TAB read -r _ healthy _ pause asked <<END
$table
END
}

# Set clock.
tick() {
    now
    clock=$((now - verify_began))
}

# Renew the lease while checks take long, or are asked seldom.
keep_lease() {
    while sleep 3 && kill -0 "$$"; do renew_lease; done
} </dev/null >/dev/null 2>&1

# Ask all checks that are due at the same time.
ask_round() {
    answered=$(ask_checks | plain)
    STATE=$(printf '%s\n' "$answered" | sed -n "s/^state$TAB//p")
    verdict=unknown final='' detail='' unread=''
    # 1: there is none. A grep that was killed says nothing of a restart.
    identity=$(printf '%s\n' "$STATE" | grep -oE -e "$RO_IDENTITY") || [ "$?" = 1 ] || unread=yes
    ask_process
    process="process$TAB$verdict$TAB$final$TAB$detail"
}

# Judge the state of the units as checks/process.py does. final: nothing can change the verdict any more.
ask_process() {
    down=''
    find_down
    # The count goes on while the host is up, so more crashes than at first are crashes of the target.
    crashes=$(($(printf '%s\n' "$STATE" | sed -nE "$RO_RESTARTS" | tr '\n' '+')0))
    first_crashes=${first_crashes:-$crashes}
    if [ "$crashes" -gt "$first_crashes" ]; then
        verdict=failed final=yes down=yes detail='it crashed and was restarted'
    elif is "$RO_RUNNING"; then
        find_restart
    elif case $downs in *stopped*) ;; *) is "$RO_STOPPED" ;; esac; then
        verdict=failed final=yes down=yes detail='it does not run'
    elif [ -z "$STATE" ]; then
        detail='the manager did not report the state of the units'
    else
        verdict=failed down=yes detail='it is not running yet'
    fi
}

# Judge units that run: whether they are still the same ones.
find_restart() {
    [ -z "$unread" ] || { detail='whether it was restarted could not be read'; return; }
    verdict=passed detail='it runs'
    [ "$RO_MANAGER" != none ] || detail='it has no process'
    first_identity=${first_identity:-$identity}
    if [ "$identity" != "$first_identity" ]; then
        verdict=failed detail='it was restarted since the rollback'
        # A look between a crash and its count sees no process. The next one tells both apart.
        [ "$identity" != "$last_identity" ] || final=yes
    elif [ -s "$state/runs/$run/old" ]; then
        verdict=unknown detail='a process that began before may still answer'
    fi
    last_identity=$identity
}

# Set downs: "stopped" or "crashed" for each unit that does not run. One is enough.
find_down() {
    downs=$(printf '%s\n' "$STATE" | sed -nE "$RO_DOWN")
}
