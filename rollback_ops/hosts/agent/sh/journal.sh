# The journal.

# A shell writes a long text in pieces, and another service may write between two of them.
note() {
    if [ "${#1}" -lt 4000 ]; then
        printf '%s\n' "$1" >>"$journal"
    else
        # What is left of it is emptied: to remove it takes a process.
        printf '%s\n' "$1" >"$state/line" && dd if="$state/line" bs=65536 2>/dev/null >>"$journal" && printf '' >"$state/line"
    fi
}

event() {
    note "{\"event\":\"$1\",\"id\":\"${run%.*}\",\"outcome\":\"$2\",$ABOUT,\"at\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}"
}

# After a crash the journal may end in the middle of a line, or in zeros.
end_last_line() {
    [ -s "$journal" ] || return 0
    last=$(tail -c 1 -- "$journal" && printf .)
    [ "$last" = "$NL." ] || printf '\n' >>"$journal"
}

# record RUN LINE [MARK[=WHY] RELEASE]…: write the record of a run and its marks, and drop its lease. The mark "hold" is
# a hold of this run, and its line stands in the place of the release.
record() {
    # A release that was verified without a rollback was deployed lately; one that a rollback left or restored was live before.
    run=$1 last_word=$2 first_live='' found_out=''
    [ -n "$last_word" ] || first_live=$(date +%s)
    shift 2
    # A run that changed something here has checked the places already.
    [ -d "$state/runs/$run" ] || [ -z "$(guarded)" ] || return 1
    own_directory "$marks" || return 1
    [ "$#" = 0 ] || forget_gone "$2"
    # A run that is recorded has told it.
    if [ "${last_word#'{"schema_version"'}" != "$last_word" ] && [ -e "$state/unconfirmed" ]; then rm -f -- "$state/unconfirmed"; fi
    written=0
    while [ "$#" -ge 2 ]; do
        if [ "$1" = hold ]; then
            set_hold "${run%.*}" "$2" || written=1
        elif safe_name "$2" && [ -e "$releases/$2" ]; then
            identify "$2"
            set_mark "$1" "$2" || written=1
            note_live "$2"
            found_out=yes
        fi
        shift 2
    done
    [ -z "$found_out" ] || pin
    {
        at_work=''
        flock -w 2 9 || at_work=yes
        # A deployment since has ended the drill. A worker may just be noting one.
        [ -n "$at_work" ] || [ -e "$state/open" ] || end_drill
        [ -z "$last_word" ] || { { [ -e "$state/runs/$run/ended" ] || end_last_line; } && note "$last_word" && sync -- "$journal"; } || written=1
        # A worker that is still at work needs the lease: without it, it would leave the service as it is, stopped perhaps.
        [ -n "$at_work" ] || drop_lease || :
    } 9>>"$state/lock" || written=1
    return "$written"
}

# Print the lines of the journal. After a crash some are damaged: cut ends a half line, and zeros and lines that are too
# long to read are left out.
history() {
    [ -r "$journal" ] || return 0
    tail -c 8000000 -- "$journal" | tr -d '\000' | cut -b 1-60000 | sed -n "/./s/^/journal$TAB/p"
}
