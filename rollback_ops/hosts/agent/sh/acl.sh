# Access control lists: the users and groups that may write to a file besides its owner and its group.

# read_acls FACT…: sets acls, for each place with a list: the place, and who may write to it as its group or by name
# (user or %group). A fact begins with the place and ends with its mode. Nothing is asked where no group may write: the
# group bits of a file with a list are the most that anybody in the list has.
read_acls() {
    acls='' shared=''
    for fact; do
        case ${fact##*"$TAB"} in [!l]????w*) shared=$shared${fact%%"$TAB"*}$NL ;; esac
    done
    [ -n "$shared" ] || return 0
    acl_ifs=$IFS
    IFS=$NL
    set -f
    # shellcheck disable=SC2086 # a line each
    set -- $shared
    set +f
    IFS=$acl_ifs
    if command -v getfacl >/dev/null; then
        take_acls <<END
$(getfacl -p -- "$@" 2>/dev/null)
END
    else
        take_marked <<END
$(ls -ld -- "$@" 2>/dev/null)
END
    fi
}

take_acls() {
    acl_of='' listed='' writers=''
    while IFS= read -r entry; do
        # Where they differ, what is effective stands behind what was granted.
        rights=${entry##*:}
        who=${entry#*:} who=${who%%:*}
        case $entry in
            '# file: '*) acl_of=${entry#'# file: '} ;;
            '# group: '*) group_of=${entry#'# group: '} ;;
            '') end_of_acl ;;
            '#'* | default:* | user::* | other:*) ;;
            mask:*) listed=yes ;;
            *)
                case $entry,$rights in
                    group::*,?w*) writers="$writers %$group_of" ;;
                    group:*,?w*) writers="$writers %$who" ;;
                    user:*,?w*) writers="$writers $who" ;;
                esac
                ;;
        esac
    done
    end_of_acl
}

end_of_acl() {
    [ -z "$listed" ] || acls=$acls$acl_of$TAB$writers$NL
    listed='' writers=''
}

# Without getfacl, ls says at least that there is a list (BusyBox's does not).
take_marked() {
    while IFS= read -r entry; do
        case ${entry%% *} in *+) acls="$acls${entry##* }$TAB?$NL" ;; esac
    done
}

# writers_of PLACE GROUP: sets writers.
writers_of() {
    writers=%$2
    case $NL$acls in
        *"$NL$1$TAB"*)
            writers=$NL$acls
            writers=${writers#*"$NL$1$TAB"}
            writers=${writers%%"$NL"*}
            ;;
    esac
}
