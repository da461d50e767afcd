# Blockers: why nothing can be changed on this host, and which files somebody else could have changed.

blockers() {
    for tool in flock timeout setsid mv ln mkfifo readlink sync stat; do
        command -v "$tool" >/dev/null || say blocker no-tool "$tool"
    done
    [ -d "$RO_ROOT" ] || { say blocker no-root "$RO_ROOT"; return; }
    [ -d "$releases" ] || say blocker no-releases "$releases"
    if [ "$RO_MANAGER" = custom ] && [ ! -d "$current" ]; then say blocker no-place-to-run "$current"; fi
    writable "$RO_ROOT"
    [ "${current%/*}" = "$RO_ROOT" ] || writable "${current%/*}"
    # Root may have written there, on a host where this user cannot become root.
    for place in "$store" "$state" "$state/runs" "$state/lock" "$journal"; do
        [ ! -e "$place" ] || writable "$place"
    done
    guarded
    find_rival
    [ -z "$rival" ] || say blocker claimed "${rival%@*}" "${rival#*@}"
    room
    lines "$RO_LINKS" link_has_source
    [ "$uid" = 0 ] || [ -z "$RO_NEEDS" ] || may_use_sudo
}

writable() {
    if [ -w "$1" ]; then return; fi
    case $uid,$(findmnt -n -o OPTIONS -T "$1" 2>/dev/null), in
        0,* | *,ro,*) say blocker read-only "$1" ;;
        *) say blocker not-writable "$1" "$(id -un)" ;;
    esac
}

# Report every place that we run or write (perhaps as root) and that an untrusted user could have changed.
guarded() {
    set -- "$RO_ROOT/."
    for place in "$releases" "${current%/*}"; do
        while [ "${#place}" -gt "${#RO_ROOT}" ]; do
            set -- "$@" "$place/."
            place=${place%/*}
        done
    done
    for place in "$store" "$store"/* "$state"/*; do
        # The runs of another service judge what belongs to it.
        case $place in "$state"*) ;; "$store"/*@*) continue ;; esac
        if [ -e "$place" ] || [ -L "$place" ]; then set -- "$@" "$place"; fi
    done
    root_uid=''
    while IFS=$TAB read -r owner_uid owner group mode place; do
        root_uid=${root_uid:-$owner_uid}
        distrust "$owner_uid" "$owner" "$group" "$mode"
        [ -z "$distrust" ] || say blocker untrusted "${place%/.}" "$distrust"
    done <<END
$(stat -c "$OWNED$TAB%n" -- "$@" 2>/dev/null)
END
}

# distrust UID USER GROUP MODE: set distrust, the reason why an untrusted user could have changed it; empty if none could.
# Trusted are root, who we are, the owner of the root directory, the own group (of the same name) of a file's owner,
# and RO_TRUSTED.
distrust() {
    distrust=''
    case " 0 $uid $root_uid , $RO_TRUSTED " in
        *" $1 "* | *,*" $2 "* | *,*" %$3 "*) ;;
        *) distrust="belongs to $2, who is not trusted" ;;
    esac
    case $4 in
        l*) ;;
        ????????w*) distrust='can be written to by everybody' ;;
        ?????w*)
            case " ${2#UNKNOWN} root $RO_TRUSTED " in
                *" $3 "* | *" %$3 "*) ;;
                *) distrust="can be written to by the group $3, which is not trusted" ;;
            esac
            ;;
    esac
}

room() {
    stat -f -c '%a %S %d %c' -- "$RO_ROOT" 2>/dev/null | while read -r blocks size inodes all; do
        [ "$((blocks * size))" -ge 1048576 ] || say blocker disk-full "$RO_ROOT"
        if [ "$all" -gt 0 ] && [ "$inodes" -lt 16 ]; then say blocker no-inodes "$RO_ROOT"; fi
    done
}

link_has_source() {
    [ -e "$RO_ROOT/${1#*"$TAB"}" ] || say warning no-link-source "$RO_ROOT/${1#*"$TAB"}"
}

may_use_sudo() {
    command -v sudo >/dev/null || { say blocker no-tool sudo; return; }
    lines "$RO_NEEDS" may_sudo
}

# Where only the line in sudoers is missing, sudo says nothing, or asks for a password. Its other words are passed on.
may_sudo() {
    set -f
    # shellcheck disable=SC2086 # a command line made of plain words
    said=$(sudo -n -l -- $1 2>&1 >/dev/null) || case $said in
        '' | *password*) say blocker no-sudo "$1" "$(id -un)" ;;
        *) say blocker sudo-failed "$1" "$(id -un)" "${said##*"$NL"}" ;;
    esac
    set +f
}

# Whether the agent has to run as root: the files belong to root, and this user may become root.
become_root() {
    [ "$uid" != 0 ] && [ ! -w "$RO_ROOT" ] && [ "$RO_MANAGER" != systemd-user ] && sudo -n -l -- sh -c true >/dev/null 2>&1
}
