# What is said, to whom, and how it is made fit for a terminal.

# What hosts and people wrote, fit for one line on a terminal: no control characters (C1 and line separators neither).
one_line() {
    printf '%s' "$1" | tr '\000-\037\177' ' ' | sed "s/$(printf '\302[\200-\237]')/ /g; s/$(printf '\342\200[\250-\256]')/ /g; s/ *\$//"
}

# The most common of what masking.py knows: what is remembered shows no secret.
masked() {
    printf '%s' "$1" | sed -E "s#((pass(word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)[A-Za-z0-9_-]*[\"']? *[:=] *[\"']?)[^[:space:]\"']+#\\1***#Ig
s#(bearer +)[A-Za-z0-9._~+/=-]{6,}#\\1***#Ig
s#(://[^/[:space:]:@]*:)[^@[:space:]]+@#\\1***@#g
s#(gh[a-z]_|github_pat_|glpat-|xox[a-z]-|AKIA)[A-Za-z0-9_-]{8,}#***#g"
}

tell_phase() {
    [ "$doing" = list ] || [ "$doing" = check ] || printf '▸ %s: %s\n' "$1" "$2" >&2
}

warn() {
    warnings=$warnings$1$NL
}

took() {
    now
    seconds $((now - began))
}

# The fields of a line, one after the other: `read` would take several tabs for one.
next() {
    field=${fields%%"$TAB"*}
    case $fields in *"$TAB"*) fields=${fields#*"$TAB"} ;; *) fields='' ;; esac
}

end_with() {
    took
    printf '%s  (%s, %s s)\n' "$2" "$RO_ENVIRONMENT" "$seconds"
    show_details
    exit "$1"
}

refuse() {
    took
    if [ "$doing" = check ]; then
        printf '✗ a rollback cannot be done now\n'
    else
        printf '✗ refused: nothing was changed  (%s, %s s)\n' "$RO_ENVIRONMENT" "$seconds"
    fi
    printf '  %s: refused: %s\n' "$this_host" "$why"
    [ -z "$hint" ] || printf '  %s\n' "$hint"
    show_details
    exit 1
}

show_details() {
    [ -z "$rejected" ] || lines "$rejected" show_rejected
    [ -z "$warnings" ] || lines "$warnings" show_warning
}

show_rejected() {
    printf '  not %s: %s\n' "${1%%"$TAB"*}" "${1#*"$TAB"}"
}

show_warning() {
    printf '  ! %s\n' "$1"
}
