# Holds: what must not be deployed for a while. core/hold.py reads and writes their lines; each has a file, named after
# the run that set it.

show_holds() {
    for place in "$state"/holds/*; do
        [ -f "$place" ] || continue
        hold=''
        { IFS= read -r hold <"$place" || :; } 2>/dev/null
        say hold "${place##*/}" "$hold"
    done
}

# hold [RUN LINE]…
hold() {
    [ -z "$(guarded)" ] || return 1
    while [ "$#" -ge 2 ]; do
        set_hold "$1" "$2" || return 1
        shift 2
    done
}

# set_hold RUN LINE: an empty LINE removes it.
set_hold() {
    safe_name "$1" && own_directory "$state/holds" || return 1
    if [ -n "$2" ]; then printf '%s\n' "$2" >"$state/holds/$1"; else rm -f -- "$state/holds/$1"; fi
}
