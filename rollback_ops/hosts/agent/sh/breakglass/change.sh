# Starts the transaction, and shows its progress.

# Set outcome, live_now, downtime and why.
carry_out() {
    run=$(date -u +%Y%m%dT%H%M%SZ)-$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
    # Only root can have become root from another user.
    actor=$(id -un)
    [ "$uid" != 0 ] || actor=${SUDO_USER:-$actor}
    actor=$(one_line "$actor")@$this_host
    mode=standard break_lock=no events=''
    [ -z "$backup" ] || mode=targeted
    if [ -n "$emergency" ]; then
        mode=emergency break_lock=yes
        in_a_hurry
    fi
    add_event intent mode "$mode" trigger manual reason "$(redacted "$reason")" \
        actor "$actor" from "$origin" to "$target" at "$started_at"
    tell_phase switch "$this_host to $target"
    changing=yes
    switch "$run" "$target" "$live_path" "$break_lock" "$actor" '' "$events" | tell_steps
    # A signal, or a closed terminal, may have ended the reader and not the worker.
    IFS=$SEP read -r outcome live_now downtime why <<END
$(follow "$run" | sed -n "s/^result$TAB//p" | tr '\001\t' '?\001')
END
    [ -n "$outcome" ] || outcome=unknown why="the host's answer ends in the middle"
    why=$(redacted "$(one_line "$why")")
}

# The limits of an emergency hold for the worker too, which is another process.
in_a_hurry() {
    hurry
    RO_SELF="RO_HURRY=yes$NL$RO_SELF"
}

tell_steps() {
    while IFS=$TAB read -r tag name ended took detail; do
        case $tag in
            step) tell_one "$name" "$ended" "$took" "$(one_line "$detail")" ;;
            log) show "    $this_host | $(one_line "$name $ended $took $detail")" >&2 ;;
        esac
    done
}

# tell_one NAME OUTCOME SECONDS DETAIL: show one step, or one check.
tell_one() {
    case $2 in ok | passed) sign='✓' ;; warning) sign='!' ;; skipped) sign='-' ;; *) sign='✗' ;; esac
    show "$(printf '  %s %s  %-7s %5s s%s' "$sign" "$this_host" "$1" "$3" "${4:+  $4}")" >&2
}
