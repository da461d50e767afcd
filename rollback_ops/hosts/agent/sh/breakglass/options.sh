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
    exit 0
}

options() {
    while [ "$#" -gt 0 ]; do
        option=$1
        shift
        case $option in
            --list | --check | --dry-run) doing=${option#--} ;;
            --bad) bad=yes ;;
            --emergency) emergency=yes ;;
            --ignore-deploy-lock) ignore_deploy_lock=yes ;;
            -h | --help) usage ;;
            --backup=* | --to=* | --reason=* | --if-current=*) set_value "${option%%=*}" "${option#*=}" ;;
            --backup | --to | --reason | --if-current)
                [ "$#" -gt 0 ] || misused "$option needs something behind it"
                set_value "$option" "$1"
                shift
                ;;
            *) misused "there is no option $option" ;;
        esac
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
    if [ -z "$said_why$emergency" ] && [ -t 0 ]; then
        printf 'Why? ' >&2
        IFS= read -r reason || :
    fi
    reason=$(printf '%s' "$reason" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//')
    fitting=$(one_line "$reason")
    length=$(printf '%s' "$reason" | tr -d '\200-\277' | wc -c)
    if [ -n "$emergency" ]; then
        reason=$(printf '%s' "${fitting:-emergency: no reason was given}" | head -c 1000)
    elif [ "$length" -lt 3 ] || [ "$length" -gt 1000 ] || [ "$fitting" != "$reason" ]; then
        misused 'a rollback needs a reason: --reason "one line of 3 to 1,000 characters"'
    fi
}
