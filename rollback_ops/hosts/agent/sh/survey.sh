# The survey: read everything, change nothing.

survey() {
    sizes=${1:-no}
    look_at_current
    revision=''
    [ "$live_state" != release ] || revision_of "$releases/$live_name"
    say about "$RO_SERVICE" "$RO_ENVIRONMENT"
    say live "$live_state" "$live_name" "$live_path" "$revision"
    show_way
    # Everything else is looked at while the manager is asked. Only one of both prints, so that no line gets into another.
    look_at_files &
    read_state
    # Whoever asked must not take half of a survey for the whole: one that was killed has no end.
    wait "$!" || exit 1
    print_state
    show_related
    :
}

look_at_files() {
    blockers
    show_deploying
    show_lease
    show_unfinished
    show_drill
    show_holds
    show_armed
    list_releases
    show_bad_revisions
    show_pin
    :
}

list_releases() {
    cd -- "$releases" 2>/dev/null || return 0
    # shellcheck disable=SC2086 # the pattern is a glob
    set -- $RO_PATTERN
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then return 0; fi
    odd=''
    for name; do safe_name "$name" || odd=yes; done
    for name in ${odd:+"$@"}; do
        shift
        if safe_name "$name"; then set -- "$@" "$name"; else say odd "$(printf '%s' "$name" | od -An -v -to1 | tr -d '\n' | sed 's/ /\\/g')"; fi
    done
    [ "$#" -gt 0 ] || return 0
    [ "$sizes" != yes ] || du -sk -- "$@" 2>/dev/null | prefixed size
    show_deployment_log
    each_fact show_release "%n$TAB%Y$TAB%.6W$TAB%i$TAB$OWNED" "$@"
}

# show_release NAME MODIFIED CREATED INODE UID USER GID GROUP MODE
show_release() {
    problem_of "$1"
    distrust "$1" "$5" "$6" "$7" "$8" "$9"
    [ -n "$problem" ] || problem=$distrust
    identify "$1" "$3" "$4"
    mark_of "$1"
    manifest_of "$1"
    say release "$1" "$problem" "$revision" "$mark" "${manifest:+yes}"
    show_mark "$1"
    live_since_of "$1"
    say modified "$1" "$2" "${3%.*}" "$live_since"
    show_unpinnable "$1" "$5"
}

# Set problem: why the host would not run this release, as a word that protocol/words.py explains; empty if it would.
problem_of() {
    problem=''
    if [ -L "$1" ]; then
        problem='link'
    elif ! is_release "$1"; then
        if [ "$live_kind$live_place" = file ]; then problem=not-a-file; else problem=not-a-directory; fi
    elif [ ! -r "$1" ] || { [ -d "$1" ] && [ ! -x "$1" ]; }; then
        problem=unreadable
    elif is_empty "$1"; then
        problem=empty
    elif [ "$1" = "$deploying" ]; then
        problem=being-deployed
    else
        is_complete "$1" || problem="lacks $wanted"
    fi
}

# Whether a release could still be run. Without a process, because the service is down.
is_whole() {
    [ ! -L "$releases/$1" ] && is_release "$releases/$1" && ! is_empty "$releases/$1" && is_complete "$releases/$1"
}

# revision_of PATH: set revision; empty for a release that was changed by hand, which is not what its commit has.
revision_of() {
    read_revision "$1"
    [ ! -e "$1/DIRTY_RELEASE" ] || revision=''
}

read_revision() {
    revision=''
    for wanted in REVISION .mina_git_revision; do
        if [ -f "$1/$wanted" ] && [ -r "$1/$wanted" ]; then
            IFS=" $TAB" read -r revision _ <"$1/$wanted" || :
            # Editors of other systems write a byte order mark, and a carriage return.
            case $revision in *[!A-Za-z0-9._/+-]*) revision=$(printf '%s' "$revision" | tr -d '\357\273\277\r') ;; esac
            case $revision in *[!A-Za-z0-9._/+-]*) revision='' ;; esac
            return
        fi
    done
}

show_lease() {
    read_lease
    if [ "$left" -gt 0 ] || lock_is_held; then
        seconds "$left"
        say lease "$lease_run" "$lease_owner" "$lease_url" "$lease_since" "$seconds" "$lease_until"
    fi
}

show_unfinished() {
    find_open
    [ -z "$open_run" ] || lock_is_held ||
        say unfinished "$open_run" "$open_source" "$open_target" "$(release_behind "$open_source")"
}

# Set STATE.
read_state() {
    # The command limits what systemctl prints, and of a custom one only the status is shown. The output of other managers is cut.
    case $RO_MANAGER in
        systemd* | custom) STATE=$(manage "$RO_STATE" 5 2>&1 </dev/null) ;;
        *) STATE=$(manage "$RO_STATE" 5 2>&1 </dev/null | head -c 60000) ;;
    esac
}

show_state() {
    read_state
    print_state
}

print_state() {
    tagged state "$STATE"
}
