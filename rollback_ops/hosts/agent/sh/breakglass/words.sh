# Text for terminals and for the journal.

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
    line="{\"event\":\"$1\",\"id\":\"$run\""
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

warn() {
    warnings=$warnings$1$NL
}

took() {
    now
    seconds $((now - began))
}

# Set field to the next field of fields. `read` would take several tabs for one.
next() {
    field=${fields%%"$TAB"*}
    case $fields in *"$TAB"*) fields=${fields#*"$TAB"} ;; *) fields='' ;; esac
}

end_with() {
    took
    show "$2  ($RO_ENVIRONMENT, $seconds s)"
    show_details
    exit "$1"
}

refuse() {
    took
    headline="refused: nothing was changed  ($RO_ENVIRONMENT, $seconds s)"
    [ "$doing" != check ] || headline='a rollback cannot be done now'
    show "✗ $headline$NL  $this_host: refused: $why${hint:+$NL  $hint}"
    show_details
    exit 1
}

show_details() {
    details=$(lines "$rejected" show_rejected && lines "$warnings" show_warning)
    [ -z "$details" ] || show "$details"
}

show_rejected() {
    printf '  not %s: %s\n' "${1%%"$TAB"*}" "${1#*"$TAB"}"
}

show_warning() {
    printf '  ! %s\n' "$1"
}
