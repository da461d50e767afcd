# The outcome, and the events that core/journal.py composes the record from.

# Set host_outcome and exit_code, as core/outcome.py does, and write the events and the marks.
write_down() {
    judge_host
    marked=''
    case $outcome in switched | not_started)
        if [ -n "$origin" ] && [ "$origin" != "$target" ]; then marked="bad $origin"; fi
        ;;
    esac
    case $outcome,$healthy in
        not_started,* | switched,no) marked="$marked bad $target" ;;
        # What was not asked has not passed.
        switched,yes) [ -n "$unasked" ] || marked="$marked good $target" ;;
    esac
    case $outcome in refused | unknown) return ;; esac
    compose_events
    # shellcheck disable=SC2086 # marks and names of releases, which have no blanks
    record "$run" "$events" $marked || warn "$this_host: its journal lacks the end of this run"
}

judge_host() {
    case $outcome,$healthy in
        switched,no) host_outcome=verification_failed exit_code=2 ;;
        switched,unknown) host_outcome=health_unknown exit_code=2 ;;
        switched,*) host_outcome=succeeded exit_code=0 ;;
        put_back,*) host_outcome=restored exit_code=3 ;;
        refused,*) host_outcome=refused exit_code=1 ;;
        unknown,*) host_outcome=unknown exit_code=4 ;;
        *) host_outcome=failed exit_code=4 ;;
    esac
    [ "$host_outcome,$down" != verification_failed,yes ] || host_outcome=failed exit_code=4
    overall=$host_outcome
    [ "$overall" != unknown ] || overall=failed
    [ -z "$stopped" ] || overall=cancelled exit_code=$stopped
    took
    duration=$seconds
}

compose_events() {
    events=''
    case $healthy in yes) proven=ok ;; unknown) proven=warning ;; *) proven=failed ;; esac
    [ -z "$verified" ] || add_event step step verify outcome "$proven" seconds "$verified"
    lines "$results" add_check
    lines "$(redacted "$rejected" | head -n 200)" add_rejected
    lines "$(redacted "$warnings")" add_warning
    revision_of "$releases/$origin"
    origin_revision=$revision
    revision_of "$releases/$target"
    target_revision=$revision
    revision_of "$releases/$live_now"
    add_event verdict host "$this_host" host_outcome "$host_outcome" outcome "$overall" exit_code "$exit_code" live "$live_now" \
        from_revision "$origin_revision" to_revision "$target_revision" live_revision "$revision" downtime "$downtime" \
        detail "$(redacted "$why")" duration "$duration" find "$find_seconds" at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" marks "$marked"
}

add_check() {
    fields=$1
    next
    name=$field
    next
    kind=$field
    next
    verdict=$field
    next
    add_event check name "$name" kind "$kind" outcome "$verdict" seconds "$field" detail "$fields"
}

add_rejected() {
    add_event rejected release "${1%%"$TAB"*}" why "${1#*"$TAB"}"
}

add_warning() {
    add_event warning text "$1"
}

show_result() {
    case $overall in
        succeeded) headline='✓ rolled back' ;;
        verification_failed) headline='✗ rolled back, but the verification failed' ;;
        health_unknown) headline='? rolled back, and the health of the service is unknown' ;;
        restored) headline='✗ failed, and put back to where it started' ;;
        refused) headline='✗ refused: nothing was changed' ;;
        cancelled) headline='✗ stopped by a signal' ;;
        *) headline='✗ failed: a person is needed now' ;;
    esac
    show "$headline: ${origin:-nothing} → $target  ($RO_ENVIRONMENT, $duration s)"
    show "  $this_host: $(printf '%s' "$host_outcome" | tr _ ' ')${downtime:+, down for $downtime s}${why:+: $why}"
    show_details
    case $host_outcome in failed | unknown)
        printf 'What to try first:\n' >&2
        printf '%s\n' "$RO_FIRST_AID" | sed 's/^/  /' >&2
        ;;
    esac
}
