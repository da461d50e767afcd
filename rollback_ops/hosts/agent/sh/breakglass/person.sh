# What an installed program can do besides (hosts/installed.py): a rollback by a person on the server, with no Python,
# no network and nobody else. It stands behind the agent and uses its functions. The choice of the target is that of
# plan.py, the words are those of report.py, and the record is that of record.py.

doing=rollback backup='' if_current='' reason='' emergency='' said_why='' stopped='' changing=''
release='' target='' warnings='' rejected='' broken='' results=''

usage() {
    cat <<END
Usage: $0 [OPTION]…

Puts $RO_SERVICE ($RO_ENVIRONMENT) on this host back on its last known good release, and checks that it works.
Without an option it does so now, and asks for the reason.

  --list             show the releases, and what a rollback would choose
  --check            say whether a rollback could be done now; change nothing
  --dry-run          say what would happen; change nothing
  --emergency        fewer questions, no verification, breaks a lock
  --backup NAME      go to this release (--to is the same)
  --reason TEXT      why; it goes on the record
  --if-current NAME  only where this release is live
  -h, --help         show this

Exit codes: 0 done, 1 refused, 2 not verified, 3 put back, 4 a person is needed now, 64 wrong usage, 130 and 143 stopped.
$RO_STAMP
END
}

# person OPTION…: the whole story.
person() {
    options "$@"
    find_reason
    this_host=$(uname -n)
    trap give_back EXIT
    trap 'stop 130' INT
    trap 'stop 143' TERM
    # Where nobody listens any more the story is still told to its end, for the record.
    trap : HUP PIPE
    started_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    now
    began=$now
    tell_phase survey "looking at $this_host"
    look
    if [ "$doing" = list ]; then
        show_list
        exit 0
    fi
    choose
    case $decision in
        nothing) end_with 0 "✓ nothing to do: $why" ;;
        refused) refuse ;;
    esac
    tell_phase plan "${origin:-nothing} → $target"
    case $doing in
        check) end_with 0 "✓ a rollback can be done: ${origin:-nothing} → $target" ;;
        dry-run) end_with 0 "DRY RUN, nothing was changed. A rollback would go: ${origin:-nothing} → $target" ;;
    esac
    carry_out
    prove
    write_down
    show_result
    exit "$exit_code"
}

options() {
    while [ "$#" -gt 0 ]; do
        case $1 in
            --*=*)
                option=${1%%=*} value=${1#*=}
                shift
                set -- "$option" "$value" "$@"
                ;;
        esac
        case $1 in
            --list | --check | --dry-run) doing=${1#--} ;;
            --emergency) emergency=yes ;;
            --backup | --to | --reason | --if-current)
                [ "$#" -gt 1 ] || misused "$1 needs something behind it"
                case $1 in
                    --reason) reason=$2 said_why=yes ;;
                    --if-current) if_current=$2 ;;
                    *) backup=$2 ;;
                esac
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
    # What is no name of a release is among none of them, and nothing is done with it but to say so.
    backup=$(one_line "$backup") if_current=$(one_line "$if_current")
}

misused() {
    printf 'error: %s\n  %s\n' "$(one_line "$1")" "$0 --help shows what there is." >&2
    exit 64
}

# As reason.py has it: nothing that is urgent waits for a reason, and everything else needs one.
find_reason() {
    case $doing,$emergency in
        rollback,) ;;
        rollback,yes)
            reason=$(one_line "$reason" | head -c 1000)
            reason=${reason:-emergency: no reason was given}
            return
            ;;
        *) return ;;
    esac
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

# What root leaves in .rollback is its owner's, who goes on with it next time.
give_back() {
    [ "$uid,$changing" = 0,yes ] || return 0
    its_owner=$(stat -c %u:%g -- "$store")
    [ "$its_owner" = 0:0 ] || chown -hR -- "$its_owner" "$store"
}

# Until something is changed a signal ends it at once. After that the host goes on by itself, and this says how it ended.
stop() {
    [ -n "$changing" ] || exit "$1"
    stopped=$1
}
