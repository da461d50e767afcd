# Text for terminals and for the journal.

# Between the fields of a line: unlike a tab, it may stand twice in a row for `read`.
SEP=$(printf '\001')

# one_line TEXT: print TEXT without control characters (C1 and line separators included).
one_line() {
    printf '%s' "$1" | tr '\000-\037\177' ' ' | sed "s/$(printf '\302[\200-\237]')/ /g; s/$(printf '\342\200[\250-\256]')/ /g; s/ *\$//"
}

# redacted TEXT: print TEXT without its secrets. core/redaction.py has the rules.
redacted() {
    printf '%s' "$1" | sed -E "$(printf '%b' "$RO_REDACT")"
}

# show TEXT: print TEXT as a line for a person, without its secrets.
show() {
    printf '%s\n' "$(redacted "$1")"
}

# add_event NAME [KEY TEXT]…: append one JSON line to events. TEXT has no control characters.
add_event() {
    line="{\"event\":\"$1\",\"id\":\"$run\",$ABOUT"
    shift
    while [ "$#" -gt 1 ]; do
        case $2 in
            *[\"\\]*) line="$line,\"$1\":\"$(printf '%s' "$2" | sed 's/[\\"]/\\&/g')\"" ;;
            *) line="$line,\"$1\":\"$2\"" ;;
        esac
        shift 2
    done
    events="$events${events:+$NL}$line}"
}

tell_phase() {
    case $doing in list | check) ;; *) show "▸ $1: $2" >&2 ;; esac
}

took() {
    now
    seconds $((now - began))
}

# end_with CODE HEADLINE [LINE]: show a result, why not another release, and the warnings.
end_with() {
    took
    show "$2  ($RO_ENVIRONMENT, $seconds s)${3:+$NL  $3}"
    details=$(lines "$rejected" show_rejected | few && printf '%s' "$warnings" | sed 's/^/  ! /')
    [ -z "$details" ] || show "$details"
    exit "$1"
}

# few: of the lines of a rollback that was done, the first three.
few() {
    if [ "$doing" = rollback ]; then sed '4 { s/.*/  and others: --list says why/; q; }'; else cat; fi
}

# What was left is not live any more.
show_rejected() {
    [ "${1%%"$SEP"*}" = "$was_left" ] || printf '  not %s: %s\n' "${1%%"$SEP"*}" "${1#*"$SEP"}"
}
