# Text for terminals and for the journal.

# Between the fields of a line: unlike a tab, it may stand twice in a row for `read`.
SEP=$(printf '\001')

# Replace control characters but tabs and line breaks (C1 and line separators included) in standard input.
plain() {
    tr '\000-\010\013-\037\177' ' ' | sed "s/$(printf '\302[\200-\237]')/ /g; s/$(printf '\342\200[\250-\256]')/ /g"
}

# one_line TEXT: print TEXT as one line without control characters.
one_line() {
    printf '%s' "$1" | tr '\t\n' '  ' | plain | sed 's/ *$//'
}

# redacted TEXT: print TEXT without its secrets. core/redaction.py has the rules.
redacted() {
    printf '%s' "$1" | sed -E "$(printf '%b' "$RO_REDACT")"
}

# show TEXT: print TEXT for a person, without its secrets.
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

warn() {
    warnings=$warnings${warnings:+$NL}$1
}

tell_phase() {
    case $doing in list | check) ;; *) show "▸ $1: $2" >&2 ;; esac
}

took() {
    now
    seconds $((now - began))
}

# end_with CODE HEADLINE [LINE]: show a result, why not another release, and the warnings. What was left is not live any more,
# and of a rollback that was done, three rejected releases are enough.
end_with() {
    took
    show "$2  ($RO_ENVIRONMENT, $seconds s)${3:+$NL  $3}"
    [ "$doing" = rollback ] && most=4 || most=100000
    details=$(
        of rejected | sed "/^$was_left$TAB/d; s/^/  not /; s/$TAB/: /" | sed "$most { s/.*/  and others: --list says why/; q; }"
        printf '%s' "${warnings:+$warnings$NL}" | sed 's/^/  ! /'
    )
    [ -z "$details" ] || show "$details"
    exit "$1"
}
