# How each kind of check is judged: from the state of the units in STATE, or from its answer in answered. Each function
# sets verdict and detail as checks/*.py do, and final where nothing can change the verdict any more.

ask_nobody() {
    verdict=skipped detail=$not_asked
}

ask_process() {
    down=''
    find_down "$STATE"
    # The count goes on while the host is up, so more crashes than at first are crashes of the target.
    crashes=$(($(printf '%s\n' "$STATE" | sed -nE "$RO_RESTARTS" | tr '\n' '+')0))
    first_crashes=${first_crashes:-$crashes}
    if [ "$crashes" -gt "$first_crashes" ]; then
        verdict=failed final=yes down=yes detail='it crashed and was restarted'
    elif is "$RO_RUNNING"; then
        verdict=passed detail='it runs'
        [ "$RO_MANAGER" != none ] || detail='it has no process'
        first_identity=${first_identity:-$identity}
        if [ "$identity" != "$first_identity" ]; then
            verdict=failed detail='it was restarted since the rollback'
            # A look between a crash and its count sees no process. The next one tells both apart.
            [ "$identity" != "$last_identity" ] || final=yes
        fi
        last_identity=$identity
        [ "$verdict" = failed ] || [ ! -s "$state/runs/$run/old" ] || verdict=unknown detail='a process that began before may still answer'
    elif case $downs in *stopped*) ;; *) is "$RO_STOPPED" ;; esac; then
        verdict=failed final=yes down=yes detail='it does not run'
    elif [ -z "$STATE" ]; then
        detail='the manager did not report the state of the units'
    else
        verdict=failed down=yes detail='it is not running yet'
    fi
}

ask_command() {
    take_answer
    detail=$said
    case $status in
        0) verdict=passed ;;
        '') detail='the host did not report the exit status' ;;
        126 | 127) detail="it could not be run (exit status $status)${said:+: $said}" ;;
        *) verdict=failed detail="exit status $status${said:+: $said}" ;;
    esac
}

# A question of our own about an address (sockets.py): exit status 69 says that this host has no tool for it, 70 that the
# answer is final, 126 that the name does not resolve.
ask_socket() {
    ask_command
    detail=$said
    case $status in 69) verdict=skipped ;; 70) final=yes ;; esac
}

ask_logs() {
    take_answer
    case "$status,$NL$answer" in
        *"${NL}line "*) verdict=failed final=yes detail='it has critical lines' ;;
        0,*) verdict=passed detail='nothing critical since this start' ;;
        *) detail="it could not be read: $said" ;;
    esac
}

# Set status, answer and said (its last lines) from the answer to the next question in answered.
take_answer() {
    status=$(printf '%s\n' "$answered" | sed -n "s/^answered$TAB$count$TAB\([0-9]*\)$TAB.*/\1/p")
    answer=$(printf '%s\n' "$answered" | sed -n "s/^said$TAB$count$TAB//p")
    said=$(one_line "$(printf '%s\n' "$answer" | tail -n 3 | tr '\n' ' ')" | cut -c 1-300)
    count=$((count + 1))
}
