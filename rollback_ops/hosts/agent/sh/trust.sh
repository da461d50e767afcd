# Blockers: why nothing can be changed on this host, and which files somebody else could have changed.

blockers() {
    for tool in flock timeout setsid mv ln mkfifo readlink sync stat; do
        command -v "$tool" >/dev/null || say blocker no-tool "$tool"
    done
    [ -d "$RO_ROOT" ] || { say blocker no-root "$RO_ROOT"; return; }
    [ -d "$releases" ] || say blocker no-releases "$releases"
    if [ "$RO_MANAGER" = custom ] && [ ! -e "$current" ]; then say blocker no-place-to-run "$current"; fi
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

# each_fact COMMAND FORMAT PATH…: call the command with the fields that stat prints for each path, one process for all.
# The format begins with the path and ends with $OWNED, for the access control lists.
each_fact() {
    for_each=$1 format=$2
    shift 2
    facts=$(stat -c "$format" -- "$@" 2>/dev/null)
    ifs=$IFS
    IFS=$NL
    set -f
    # shellcheck disable=SC2086 # a line each
    set -- $facts
    set +f
    read_acls "$@"
    for fact; do
        IFS=$TAB
        # shellcheck disable=SC2086 # a field each, without wildcards
        "$for_each" $fact
    done
    IFS=$ifs
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
    each_fact show_untrusted "%n$TAB$OWNED" "$@"
}

# show_untrusted PLACE UID USER GID GROUP MODE: the first is the root.
show_untrusted() {
    [ -n "$root_uid" ] || root_uid=$2 root_user=$3
    distrust "$@"
    [ -z "$distrust" ] || say blocker untrusted "${1%/.}" "$distrust"
}

# distrust PLACE UID USER GID GROUP MODE: sets distrust, why somebody else may have put it there; empty when nobody
# could. Trusted are root, this user, the owner of the root directory, the own group (of the same name) of a file's
# owner, and RO_TRUSTED. A user or group without a name is shown as a number.
distrust() {
    distrust='' owner=$3 group=$5
    [ "$owner" != UNKNOWN ] || owner=$2
    [ "$group" != UNKNOWN ] || group=$4
    case " 0 $uid $root_uid , $RO_TRUSTED " in
        *" $2 "* | *,*" $owner "* | *,*" %$group "* | *,*" %$4 "*) ;;
        *) distrust="belongs to $owner, who is not trusted" ;;
    esac
    case $6 in
        l*) ;;
        ????????w*) distrust='can be written to by everybody' ;;
        ?????w*)
            writers_of "$1" "$group"
            distrust_writers "$3" "$4"
            ;;
    esac
}

# distrust_writers OWNER GID: set distrust if one of writers is not trusted.
distrust_writers() {
    trusted=" ${1#UNKNOWN} root $RO_TRUSTED "
    while [ -n "${writers# }" ]; do
        writers=${writers# }
        writer=${writers%% *}
        writers=${writers#"$writer"}
        case $writer,$trusted in
            '?',*) distrust='has an access control list, which only getfacl could read' ;;
            %"$group",*" $group "* | %"$group",*" %$group "* | %"$group",*" %$2 "*) ;;
            %*,*" ${writer#%} "* | %*,*" $writer "*) ;;
            %*) distrust="can be written to by the group ${writer#%}, which is not trusted" ;;
            *" $writer "*) ;;
            *) [ "$writer" = "$root_user" ] || [ "$writer" = "$(id -un)" ] || distrust="can be written to by $writer, who is not trusted" ;;
        esac
    done
}

# A rollback writes a few KiB: it needs 1 MiB and 16 inodes.
room() {
    read -r blocks size inodes all <<END
$(stat -f -c '%a %S %d %c' -- "$RO_ROOT" 2>/dev/null)
END
    [ -n "$all" ] || return 0
    [ "$((blocks * size))" -ge 1048576 ] || say blocker disk-full "$RO_ROOT"
    if [ "$all" -gt 0 ] && [ "$inodes" -lt 16 ]; then say blocker no-inodes "$RO_ROOT"; fi
}

link_has_source() {
    [ -e "$RO_ROOT/${1#*"$TAB"}" ] || say warning no-link-source "$RO_ROOT/${1#*"$TAB"}"
}

may_use_sudo() {
    command -v sudo >/dev/null || { say blocker no-tool sudo; return; }
    lines "$RO_NEEDS" may_sudo
}

# If only the line in sudoers is missing, sudo prints nothing or asks for a password. Its other errors are shown.
may_sudo() {
    set -f
    # shellcheck disable=SC2086 # a command line made of plain words
    said=$(sudo -n -l -- $1 2>&1 >/dev/null) || case $said in
        '' | *password*) say blocker no-sudo "$(for_sudoers "$1")" "$(id -un | sed 's/\\/&&/g')" ;;
        *) say blocker sudo-failed "$1" "$(id -un)" "${said##*"$NL"}" ;;
    esac
    set +f
}

# for_sudoers COMMAND-LINE: print it as sudoers has it, with the path of the program. That of the system comes first: the user
# could change one of their own. Arguments are a pattern there: web:* would allow every program, and \x2d would match x2d.
for_sudoers() {
    program=$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH && command -v "${1%% *}") || program=${1%% *}
    arguments=$(printf '%s' "${1#"${1%% *}"}" | sed 's/\\/&&/g; s/[][*?\\,:=#]/\\&/g')
    printf '%s' "$program$arguments"
}

# Whether the agent has to run as root: the files belong to root, and this user may become root.
become_root() {
    [ "$uid" != 0 ] && [ ! -w "$RO_ROOT" ] && case $RO_MANAGER in systemd-user | pm2) false ;; esac && sudo -n -l -- sh -c true >/dev/null 2>&1
}
