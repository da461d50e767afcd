# The side effects of a stop and a start of systemd's units: other units that stop with them, units that start ours by
# themselves, and unit files in the release. Other managers have no such effects.

# Sets own (names of our units), and, from STATE, what belongs to them: related, triggers, files.
read_units() {
    ids='' active='' related='' triggers='' files=''
    case $RO_MANAGER in systemd*) lines "$STATE" read_property ;; esac
    own=" $ids "
}

read_property() {
    case $1 in
        Id=*) id=${1#*=} ids="$ids ${1#*=}" ;;
        Names=*) ids="$ids ${1#*=}" ;;
        ActiveState=*) unit_state=${1#*=} ;;
        RequiredBy=?* | RequisiteOf=?* | BoundBy=?* | ConsistsOf=?* | PropagatesStopTo=?*) related="$related ${1#*=}" ;;
        TriggeredBy=?*) triggers="$triggers ${1#*=}" ;;
        FragmentPath=?* | DropInPaths=?*) files="$files ${1#*=}" ;;
    esac
    # Both come once for each unit, in any order.
    case ${id:-},${unit_state:-} in
        ,* | *,) return 0 ;;
        *,active | *,reloading | *,activating) active="$active $id" ;;
    esac
    id='' unit_state=''
}

# Sets active: those of these units that are. Adds to related.
look_up() {
    active=''
    [ "$#" = 0 ] || lines "$(manage "$RO_RELATED" 5 "$@" 2>/dev/null </dev/null)" read_property
}

# without LIST NAME…: sets names to those that are not in the list.
without() {
    listed=$1 names=''
    shift
    for name; do
        case " $listed $names " in *" $name "*) ;; *) names="$names $name" ;; esac
    done
}

# Sets dependents: the active units that a stop of ours stops, too, in the order in which they can start again.
find_dependents() {
    dependents='' seen=$own
    set -f
    while [ -n "$related" ]; do
        # shellcheck disable=SC2086 # names
        without "$seen" $related
        seen="$seen $names" related=''
        # shellcheck disable=SC2086
        look_up $names
        dependents="$dependents$active"
    done
    set +f
}

# Sets unit_files: where each file of our units, and each linked directory for such files, really is.
find_unit_files() {
    unit_files=''
    set -f
    for name in $own; do
        for place in /etc/systemd/system /run/systemd/system "${HOME:-/root}/.config/systemd/user"; do
            [ ! -L "$place/$name.d" ] || files="$files $place/$name.d/."
        done
    done
    for name in $files; do
        really "${name%/*}"
        real=$real/${name##*/}
        [ ! -L "$real" ] || real=$(readlink -f -- "$real")
        unit_files="$unit_files $real"
    done
    set +f
}

# Sets moving: the paths, below the live release, of the unit files that are in it.
find_moving() {
    moving=''
    really "$current"
    for name in ${real:+$unit_files}; do
        case $name in "$real"/*) moving="$moving ${name#"$real"/}" ;; esac
    done
}

# Whether the target has the unit files that are in the live release. Drop-ins may come and go.
has_unit_files() {
    for wanted in $moving; do
        case $wanted in *.conf | */.) continue ;; esac
        [ -e "$releases/$target/$wanted" ] || return 1
    done
}

# The survey's part: the side effects of a rollback, and the rights that it needs for them.
show_related() {
    case $RO_MANAGER in systemd*) ;; *) return ;; esac
    read_units
    find_dependents
    for dependent in $dependents; do
        say reaches "$dependent"
        needs_right "$RO_REVIVE $dependent"
    done
    find_unit_files
    find_moving
    if [ -n "$moving" ]; then
        say reaches "${moving# }"
        needs_right "$RO_RELOAD"
    fi
    # shellcheck disable=SC2086 # names
    without "$own $dependents" $triggers
    # shellcheck disable=SC2086
    look_up $names
    for trigger in $active; do say note triggered-by "$trigger"; done
    if [ "$RO_MANAGER" = systemd-user ] && [ ! -e "/var/lib/systemd/linger/$(id -un)" ]; then say note no-linger "$(id -un)"; fi
}

needs_right() {
    # shellcheck disable=SC2016 # a command line
    case $uid,$1 in 0,*) ;; *,'$ROLLBACK_SUDO '*) may_sudo "${1#* }" ;; esac
}

# --- the transaction's part ---------------------------------------------------------------------------

# Before the stop. A resumed run uses the stored list, because these units may be down by now.
look_around() {
    dependents='' unit_files='' moving=''
    [ "$look" = yes ] || return 0
    read_state
    read_units
    if [ -r "$dir/around" ]; then
        { IFS= read -r dependents && IFS= read -r unit_files && IFS= read -r moving; } <"$dir/around"
        return
    fi
    find_dependents
    find_unit_files
    find_moving
    has_unit_files && printf '%s\n' "$dependents" "$unit_files" "$moving" >"$dir/around"
}

# systemd keeps what it read: the target's unit files count only when it reads them again. It shows some files by the
# link that leads to them, and others by where they are.
reload_units() {
    [ -n "$unit_files" ] || return 0
    before=$unit_files
    if [ -z "$moving" ]; then
        read_units
        find_unit_files
    fi
    [ "$before" != "$unit_files" ] || [ -n "$moving" ] || return 0
    now
    begun=$now
    if manage "$RO_RELOAD" 10; then step reload ok "$begun"; else step reload warning "$begun" "systemd has not read the unit files of $target"; fi
}

start_dependents() {
    [ -n "$dependents" ] || return 0
    now
    begun=$now down=''
    for dependent in $dependents; do
        manage "$RO_REVIVE" "$RO_START_LIMIT" "$dependent" || down="$down${down:+, }$dependent"
    done
    if [ -z "$down" ]; then
        step dependents ok "$begun" "started again:$dependents"
    else
        step dependents warning "$begun" "$down was stopped with the service and did not start again"
    fi
}

# systemd starts them after a service that is still starting, whether or not somebody waits for it.
queue_dependents() {
    [ -n "$dependents" ] || return 0
    now
    begun=$now
    for dependent in $dependents; do manage "$RO_REVIVE" 1 "$dependent" || :; done
    step dependents ok "$begun" "they start after it:$dependents"
}

# A unit that needs a service that does not start cannot start either, and would only start that service again.
leave_dependents() {
    [ -n "$dependents" ] || return 0
    now
    step dependents warning "$now" "stopped with the service, and still down:$dependents"
}
