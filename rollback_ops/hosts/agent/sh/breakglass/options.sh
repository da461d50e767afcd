# The options of a person, and the reason.

usage() {
    cat <<END
Usage: $0 [OPTION]…

Puts $RO_SERVICE ($RO_ENVIRONMENT) on this host back on its last known good release, and checks that it works.
Without an option it does so now, and asks for the reason. An unhealthy target stays live and is reported.

  --list             show the releases, and what a rollback would choose
  --check            say whether a rollback could be done now; change nothing
  --dry-run          say what would happen; change nothing
  --bad              the release that is left is bad: no rollback chooses it any more
  --emergency        fewer questions, no verification, breaks a lock
  --ignore-deploy-lock  go on although a deployment is under way
  --backup NAME      go to this release (--to is the same)
  --reason TEXT      why; it goes on the record
  --if-current NAME  only where this release is live
  -h, --help         show this

Exit codes: 0 done, 1 refused, 2 not verified, 3 put back, 4 a person is needed now, 6 taken over, 64 wrong usage, 130 and 143 stopped.
$RO_STAMP
END
}

options() {
    while [ "$#" -gt 0 ]; do
        case $1 in
            --list | --check | --dry-run) doing=${1#--} ;;
            --bad) bad=yes ;;
            --emergency) emergency=yes ;;
            --ignore-deploy-lock) ignore_deploy_lock=yes ;;
            --backup=* | --to=* | --reason=* | --if-current=*) set_value "${1%%=*}" "${1#*=}" ;;
            --backup | --to | --reason | --if-current)
                [ "$#" -gt 1 ] || misused "$1 needs something behind it"
                set_value "$1" "$2"
                shift
                ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) misused "there is no option $1" ;;
        esac
        shift
    done
}

# A text that is not the name of a release matches none; it is only printed.
set_value() {
    case $1 in
        --reason) [ -z "$said_why" ] && reason=$2 said_why=yes ;;
        --if-current) [ -z "$if_current" ] && if_current=$(one_line "$2") ;;
        *) [ -z "$backup" ] && backup=$(one_line "$2") ;;
    esac || misused "$1 is given more than once"
}

misused() {
    show "error: $(one_line "$1")$NL  $0 --help lists the options." >&2
    exit 64
}

# Require a reason, except in an emergency (as reason.py does).
find_reason() {
    [ "$doing" = rollback ] || return 0
    if [ -n "$emergency" ]; then
        reason=$(one_line "$reason" | head -c 1000)
        reason=${reason:-emergency: no reason was given}
        return
    fi
    if [ -z "$said_why" ] && [ -t 0 ]; then
        printf 'Why? ' >&2
        IFS= read -r reason || :
    fi
    reason=$(printf '%s' "$reason" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//')
    length=$(printf '%s' "$reason" | tr -d '\200-\277' | wc -c)
    if [ "$length" -lt 3 ] || [ "$length" -gt 1000 ] || [ "$(one_line "$reason")" != "$reason" ]; then
        misused 'a rollback needs a reason: --reason "one line of 3 to 1,000 characters"'
    fi
}
