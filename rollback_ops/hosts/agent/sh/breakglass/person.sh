# Break-glass (installed.py): a person on the server rolls back without Python or a network. It uses the agent's
# functions, chooses the target as plan.py does, and writes events that core/journal.py composes into a record.

doing=rollback backup='' if_current='' reason='' bad='' was_down='' emergency='' said_why='' stopped='' changing=''
ignore_deploy_lock=$RO_IGNORE_DEPLOY_LOCK
release='' target='' warnings='' rejected='' was_left='' broken=''

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

# person OPTION…: run one command of a person.
person() {
    options "$@"
    find_reason
    this_host=$(uname -n)
    trap give_back EXIT
    trap 'stop 130' INT
    trap 'stop 143' TERM
    # Continue after the terminal closes, so that the record is complete.
    trap : HUP PIPE
    started_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    now
    began=$now
    tell_phase survey "looking at $this_host"
    look
    [ "$doing,$emergency" != rollback, ] || [ -z "$lease_found" ] || await_lease
    if [ "$doing" = list ]; then
        show_list
        exit 0
    fi
    choose
    if [ "$decision" = plan ]; then
        warn_of_waves
        warn_of_group
        warn_of_schema
    fi
    [ "$doing" = rollback ] || lines "$holds_found" warn
    case $doing,$decision in
        *,nothing) end_with 0 "✓ nothing to do: $why" ;;
        check,refused) end_with 1 '✗ a rollback cannot be done now' "$this_host: $why${hint:+$NL  $hint}" ;;
        *,refused) end_with 1 '✗ refused: nothing was changed' "$this_host: $why${hint:+$NL  $hint}" ;;
        check,plan) end_with 0 "✓ a rollback can be done: ${origin:-nothing} → $target" ;;
    esac
    tell_phase plan "${origin:-nothing} → $target"
    [ "$doing" = rollback ] || end_with 0 "DRY RUN, nothing was changed. A rollback would go: ${origin:-nothing} → $target"
    see_whether_down
    carry_out
    prove
    write_down
    [ "$live_now" = "$origin" ] || was_left=$origin
    end_with "$exit_code" "$headline: ${origin:-nothing} → $target" "$result"
}

# Set was_down. A status command that could not be run does not show that the service was down, nor does a stop of ours.
see_whether_down() {
    [ -z "$interrupted_to" ] || return 0
    case $surveyed in *"state${TAB}status=12"[67]*) return ;; esac
    find_down "$(printf '%s\n' "$surveyed" | sed -n "s/^state$TAB//p")"
    if [ -n "$downs" ] || is "$RO_STOPPED"; then was_down=yes; fi
}

# find_down STATE: set downs: "stopped" or "crashed" for each unit that does not run. One is enough.
find_down() {
    downs=$(printf '%s\n' "$1" | sed -nE "$RO_DOWN")
}

options() {
    while [ "$#" -gt 0 ]; do
        case $1 in --*=*)
            option=${1%%=*} value=${1#*=}
            shift
            set -- "$option" "$value" "$@"
            ;;
        esac
        case $1 in
            --list | --check | --dry-run) doing=${1#--} ;;
            --bad) bad=yes ;;
            --emergency) emergency=yes ;;
            --ignore-deploy-lock) ignore_deploy_lock=yes ;;
            --backup | --to | --reason | --if-current)
                [ "$#" -gt 1 ] || misused "$1 needs something behind it"
                take_value "$1" "$2"
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
take_value() {
    case $1 in
        --reason) once "$1" "$said_why" && reason=$2 said_why=yes ;;
        --if-current) once "$1" "$if_current" && if_current=$(one_line "$2") ;;
        *) once "$1" "$backup" && backup=$(one_line "$2") ;;
    esac
}

once() {
    [ -z "$2" ] || misused "$1 is given more than once"
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

# Give files that root created in .rollback to the owner of .rollback, whose next run needs them.
give_back() {
    [ "$uid,$changing" = 0,yes ] || return 0
    its_owner=$(stat -c %u:%g -- "$store")
    [ "$its_owner" = 0:0 ] || chown -hR -- "$its_owner" "$store"
}

# A signal stops the program at once until the switch starts. After that the worker finishes, and its result is shown.
stop() {
    [ -n "$changing" ] || exit "$1"
    stopped=$1
}
