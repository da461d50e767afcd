# Installs this program on the host, and removes it.

# Install this program as .rollback/rollback.
install() {
    # Drop the newline that the transfer may have added at the end.
    place=$store/rollback RO_SELF=${RO_SELF%"$NL"} how=installed
    [ -d "$RO_ROOT" ] && [ -z "$(guarded)" ] && own_directory "$store" || return 1
    ! is_anothers "$place" || return 1
    if [ -e "$place" ]; then
        how=replaced
        [ -L "$place" ] || [ "$(cat -- "$place")" != "$RO_SELF" ] || how=unchanged
    fi
    if [ "$how" = unchanged ]; then
        chmod 0700 -- "$place" || return 1
    else
        printf '%s\n' "$RO_SELF" >"$place.new" && chmod 0700 -- "$place.new" && sync -- "$place.new" &&
            mv -fT -- "$place.new" "$place" && sync -- "$store" || return 1
    fi
    say "$how" "$place"
}

# uninstall [purge]: remove the program. With purge, also remove the state of this service and environment, and the
# journal where no other service has a state here.
uninstall() {
    place=$store/rollback how=absent
    [ -d "$RO_ROOT" ] && [ -z "$(guarded)" ] || return 1
    [ -z "${1:-}" ] || purge || return 1
    if [ -e "$place" ] && ! is_anothers "$place" >/dev/null; then
        rm -f -- "$place" || return 1
        how=removed
    fi
    [ -z "${1:-}" ] || how=purged
    say "$how" "$place"
}

purge() {
    if [ -d "$state" ]; then
        find_user
        [ -z "$user" ] || { say busy "$user"; return 1; }
        rm -rf -- "$state" || return 1
    fi
    for other in "$store"/*@*; do
        [ ! -d "$other" ] || return 0
    done
    [ ! -d "$store" ] || rm -rf -- "$store"
}

# Set user: who still needs the state; empty without one. It holds the lock from then on.
find_user() {
    user=''
    exec 9>>"$state/lock"
    flock -n 9 || { user='another run changes this host'; return; }
    read_lease
    find_open
    read_armed
    read_drill
    look_at_current
    [ -z "$drill_run" ] || [ "$live_name" != "$drill_target" ] || user='a drill was interrupted, and resume finishes it'
    [ -z "$armed_run" ] || user="the host is armed by $armed_by until $armed_until"
    [ -z "$open_run" ] || user='a rollback was interrupted, and resume finishes it'
    [ "$left" = 0 ] || user="run $lease_run verifies this host"
}
