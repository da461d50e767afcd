# Break-glass (installed.py): a person on the server rolls back without Python or a network. It uses the agent's
# functions, chooses the target as plan.py does, and writes events that core/journal.py composes into a record.

doing=rollback backup='' if_current='' reason='' bad='' was_down='' emergency='' said_why='' stopped='' changing=''
ignore_deploy_lock=$RO_IGNORE_DEPLOY_LOCK
release='' warnings='' was_left='' process='' asked_at=0

# person OPTION…: run one command of a person.
person() {
    options "$@"
    find_reason
    this_host=$(uname -n)
    trap give_back EXIT
    trap 'stop 130' INT
    trap 'stop 143' TERM
    # Continue after the terminal closes, so that the record is complete.
    trap : HUP PIPE
    started_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    now
    began=$now
    tell_phase survey "looking at $this_host"
    [ "$doing,$emergency" != rollback, ] || await_lease
    choose
    if [ "$doing" = list ] && [ -n "$decided" ]; then
        show "$(of shown)"
        exit 0
    fi
    case $doing,$decision in
        *,nothing) end_with 0 "✓ nothing to do: $why" ;;
        check,refused) end_with 1 '✗ a rollback cannot be done now' "$this_host: $why${hint:+$NL  $hint}" ;;
        *,refused) end_with 1 '✗ refused: nothing was changed' "$this_host: $why${hint:+$NL  $hint}" ;;
        check,plan) end_with 0 "✓ a rollback can be done: ${origin:-nothing} → $target" ;;
    esac
    tell_phase plan "${origin:-nothing} → $target"
    [ "$doing" = rollback ] || end_with 0 "DRY RUN, nothing was changed. A rollback would go: ${origin:-nothing} → $target"
    see_whether_down
    carry_out
    verify_target
    record_result
    [ "$live_now" = "$origin" ] || was_left=$origin
    end_with "$exit_code" "$headline: ${origin:-nothing} → $target" "$result"
}

# Set was_down. A status command that could not be run does not show that the service was down, nor does a stop of ours.
see_whether_down() {
    [ -z "$interrupted_to" ] || return 0
    case $NL$STATE in *"${NL}status=12"[67]*) return ;; esac
    find_down
    if [ -n "$downs" ] || is "$RO_STOPPED"; then was_down=yes; fi
}

# Give files that root created in .rollback to the owner of .rollback, whose next run needs them.
give_back() {
    [ "$uid,$changing" = 0,yes ] || return 0
    its_owner=$(stat -c %u:%g -- "$store")
    [ "$its_owner" = 0:0 ] || chown -hR -- "$its_owner" "$store"
}

# A signal stops the program at once until the switch starts. After that the worker finishes, and its result is shown.
stop() {
    [ -n "$changing" ] || exit "$1"
    stopped=$1
}
