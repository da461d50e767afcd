# Starts the transaction, and shows its progress.

carry_out() {
    run=$(date -u +%Y%m%dT%H%M%SZ)-$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
    actor=$(id -un)
    # Only root can have become root from another user.
    [ "$uid" != 0 ] || actor=${SUDO_USER:-$actor}
    mode=standard break_lock=no
    [ -z "$backup" ] || mode=targeted
    if [ -n "$emergency" ]; then
        mode=emergency break_lock=yes
        in_a_hurry
    fi
    events=''
    add_event intent service "$RO_SERVICE" environment "$RO_ENVIRONMENT" mode "$mode" trigger manual reason "$(redacted "$reason")" \
        actor "$(one_line "$actor")@$this_host" from "$origin" to "$target" at "$started_at"
    tell_phase switch "$this_host to $target"
    changing=yes
    answered=$(switch "$run" "$target" "$live_path" "$break_lock" "$(one_line "$actor")@$this_host" '' "$events" | tell_steps)
    # A signal, or a closed terminal, may have ended the reader and not the worker.
    case $NL$answered in *"${NL}result$TAB"*) ;; *) answered=$(follow "$run") ;; esac
    outcome=unknown why="the host's answer ends in the middle" downtime='' live_now=''
    while IFS= read -r fields; do
        next
        [ "$field" = result ] || continue
        next
        outcome=$field
        next
        live_now=$field
        next
        downtime=$field why=$(one_line "$fields")
    done <<END
$answered
END
}

# The limits of an emergency hold for the worker too, which is another process.
in_a_hurry() {
    hurry
    RO_SELF="RO_HURRY=yes$NL$RO_SELF"
}

tell_steps() {
    while IFS= read -r line; do
        printf '%s\n' "$line"
        fields=$line
        next
        case $field in
            step)
                next
                name=$field
                next
                case $field in ok) sign='✓' ;; warning) sign='!' ;; *) sign='✗' ;; esac
                next
                show "$(printf '  %s %s  %-7s %5s s%s' "$sign" "$this_host" "$name" "$field" "${fields:+  $(one_line "$fields")}")" >&2
                ;;
            log) show "    $this_host | $(one_line "$fields")" >&2 ;;
        esac
    done
}
