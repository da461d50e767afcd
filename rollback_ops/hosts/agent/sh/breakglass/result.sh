# The outcome, and the events that core/journal.py composes the record from.

# Set exit_code, headline and result, as core/outcome.py does, and write the events and the marks.
record_result() {
    is_still_ours
    judge_host
    set --
    case $outcome in switched | not_started | still_starting)
        note_of_left
        [ -z "$note" ] || set -- "$note=$(redacted "$reason" | head -c 200)" "$origin"
        ;;
    esac
    case $outcome,$healthy in
        not_started,* | switched,no) set -- "$@" "bad=$(printf '%s' "$why" | head -c 200)" "$target" ;;
        # A check that was not run has not passed.
        switched,yes) [ -n "$unasked" ] || set -- "$@" good "$target" ;;
    esac
    case $outcome in refused | unknown) return ;; esac
    add_events
    record "$run" "$events" "$@" || warn "$this_host: its journal lacks the end of this run"
}

# Set note, as core/notes.py does: bad where a person says so or the service did not run when it was left, else left; empty
# where the target is newer, which says nothing of the other one.
note_of_left() {
    note=''
    if [ -z "$origin" ] || [ "$origin" = "$target" ]; then return; fi
    [ -n "$forward" ] || note='left'
    [ -z "$bad$was_down" ] || note=bad
}

# If somebody took the host over since the switch, leave it alone: the verification was of their release.
is_still_ours() {
    [ "$outcome" = switched ] || return 0
    find_live
    if [ "$live_name" = "$target" ] && holds_lease; then return; fi
    outcome=superseded live_now=$live_name why="${live_name:-another release} was made live meanwhile, and was left alone"
}

judge_host() {
    if grep -q "^step${TAB}undrain${TAB}failed" "$state/runs/$run/progress" 2>/dev/null; then
        outcome=drained why="it is given no traffic${why:+: $why}"
    fi
    headline='✗ failed: a person is needed now'
    case $outcome,$healthy,$down in
        switched,no,yes) ends='failed 4' ;;
        switched,no,*) ends='verification_failed 2' headline='✗ rolled back, but the verification failed' ;;
        switched,unknown,* | still_starting,*) ends='health_unknown 2' headline='? rolled back, and the health of the service is unknown' ;;
        switched,*) ends='succeeded 0' headline='✓ rolled back' ;;
        put_back,*) ends='restored 3' headline='✗ failed, and put back to where it started' ;;
        superseded,*) ends='superseded 6' headline='✗ taken over by somebody else: nothing of theirs was undone' ;;
        refused,*) ends='refused 1' headline='✗ refused: nothing was changed' ;;
        unknown,*) ends='unknown 4' ;;
        *) ends='failed 4' ;;
    esac
    host_outcome=${ends% *} overall=${ends% *} exit_code=${ends#* }
    result="$this_host: $(printf '%s' "$host_outcome" | tr _ ' ')${downtime:+, down for $downtime s}${why:+: $why}"
    if [ "$exit_code" = 4 ]; then
        overall=failed
        printf 'What to try first:\n%s\n' "$RO_FIRST_AID" | sed '1!s/^/  /' >&2
    fi
    [ -z "$stopped" ] || overall=cancelled exit_code=$stopped headline='✗ stopped by a signal'
}

# Add all events but those of the checks, which the verification has added.
add_events() {
    case $healthy in yes) proven=ok ;; unknown) proven=warning ;; *) proven=failed ;; esac
    [ -z "$verified" ] || add_event step step verify outcome "$proven" seconds "$verified"
    lines "$(redacted "$(of rejected | head -n 200)")" add_rejected
    lines "$(redacted "$warnings")" add_event warning text
    took
    add_event verdict host "$this_host" host_outcome "$host_outcome" outcome "$overall" exit_code "$exit_code" live "$live_now" \
        from_revision "$(revision_in "$origin")" to_revision "$(revision_in "$target")" live_revision "$(revision_in "$live_now")" \
        downtime "$downtime" detail "$why" duration "$seconds" find "$find_seconds" at "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
}

add_rejected() {
    add_event rejected release "${1%%"$TAB"*}" why "${1#*"$TAB"}"
}

# Print the revision of a release.
revision_in() {
    revision_of "$releases/$1"
    printf '%s' "$revision"
}
