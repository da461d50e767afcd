# The transaction: program.sh carries it out, and this tells how it gets on.

carry_out() {
    run=$(date -u +%Y%m%dT%H%M%SZ)-$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
    actor=$(id -un)
    # Only root can have become root from somebody.
    [ "$uid" != 0 ] || actor=${SUDO_USER:-$actor}
    actor=$(one_line "$actor")@$this_host
    mode=standard break_lock=no
    [ -z "$backup" ] || mode=targeted
    if [ -n "$emergency" ]; then
        mode=emergency break_lock=yes
        in_a_hurry
    fi
    describe
    tell_phase switch "$this_host to $target"
    changing=yes
    answered=$(switch "$run" "$target" "$live_path" "$break_lock" "$actor" '' "{\"event\":\"intent\",$described,\"from\":$from_json,\"to\":$to_json,\"at\":\"$started_at\"}" | tell_steps)
    # A signal, or a terminal that is gone, may have ended those who were listening, and not the worker.
    case $NL$answered in *"${NL}result$TAB"*) ;; *) answered=$(follow "$run") ;; esac
    outcome=unknown why="the host's answer ends in the middle" downtime='' live_now=''
    while IFS= read -r fields; do
        next
        case $field in
            step) take_step ;;
            result) take_result ;;
        esac
    done <<END
$answered
END
}

# The limits of an emergency hold for the worker too, which is another process.
in_a_hurry() {
    hurry
    RO_SELF="RO_HURRY=yes$NL$RO_SELF"
}

# The part that the record shares with the intent in the journal.
describe() {
    described='' reason=$(masked "$reason")
    for pair in "id=$run" "service=$RO_SERVICE" "environment=$RO_ENVIRONMENT" "mode=$mode" "trigger=manual" "reason=$reason" "actor=$actor"; do
        quote "${pair#*=}"
        described="$described\"${pair%%=*}\":$quoted,"
    done
    described="$described\"run_url\":null"
    quote_or_null "$origin"
    from_json=$quoted
    quote "$target"
    to_json=$quoted
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
                printf '  %s %s  %-7s %5s s%s\n' "$sign" "$this_host" "$name" "$field" "${fields:+  $(one_line "$fields")}" >&2
                ;;
            log) printf '    %s | %s\n' "$this_host" "$(one_line "$fields")" >&2 ;;
        esac
    done
}

take_step() {
    next
    quote "$field"
    name=$quoted
    next
    outcome_of_step=$field
    next
    add_step "$name" "$field" "$outcome_of_step" "$fields"
}

# add_step QUOTED-NAME SECONDS OUTCOME [DETAIL]
add_step() {
    quote "${4:-}"
    steps="$steps${steps:+,}{\"name\":$1,\"seconds\":$2,\"outcome\":\"$3\",\"detail\":$quoted}"
}

take_result() {
    next
    outcome=$field
    next
    live_now=$field
    next
    downtime=$field why=$(one_line "$fields")
}
