# Chooses the target: plan.make_plan for this one host, then the checks before the switch.

# Set decision (plan, nothing, refused), target, why and hint. Skips releases that differ from their manifest.
choose() {
    while :; do
        make_plan
        [ "$decision,$emergency" = plan, ] || return 0
        ask_target
        [ -n "$unsealed" ] || return 0
        broken=$broken$target$SEP$unsealed$NL
    done
}

# Do what plan.make_plan does, for this one host.
make_plan() {
    decision=refused target='' why='' rejected='' warnings='' hint='--list shows the releases, --backup NAME goes to one.'
    live=''
    [ "$live_state" != release ] || live=$live_name
    weigh
    [ -n "$backup$onward" ] || choose_best
    reject_others
    unfit
    if [ -n "$if_current" ] && [ "$if_current" != "$live" ] && [ "$if_current" != "$origin" ]; then
        decision=nothing rejected='' why="$if_current is no longer live (live: ${live:-$live_state})"
    elif [ -n "$unfit" ]; then
        rejected='' why=$unfit
    elif [ -n "$equal" ]; then
        why="it cannot be told which of $target and $equal is newer"
    elif [ -n "$target" ]; then
        decision=plan
        warn_of_target
    elif [ -z "$backup" ]; then
        why='no eligible release'
    elif [ -z "$known" ]; then
        why="$backup is none of the releases"
    elif [ "$backup,$interrupted_to" = "$live," ]; then
        why="$backup is the live release already"
    else
        why="$backup cannot be used: $unusable"
    fi
}

# Set weighed: the releases, newest first, each with its kind, what speaks against it, and its key. Take the release that was
# asked for (known, unusable and marked_bad are about it), or, in an emergency (onward), the one where a drill started.
weigh() {
    weighed=$NL equal='' forward='' known='' unusable='' marked_bad='' newer=$anchor anchor_noted=yes onward='' target_kind=0
    in_words order-unclear
    while IFS=$SEP read -r key name problem mark kind noted left_why revision sealed; do
        # The live release is gone.
        [ -n "$kind" ] || { newer='' && continue; }
        case $NL$broken in *"$NL$name$SEP"*)
            problem=$NL$broken
            problem=${problem#*"$NL$name$SEP"}
            problem=${problem%%"$NL"*}
            ;;
        esac
        against=$problem ahead=''
        if [ "$name" = "$anchor" ]; then
            newer='' anchor_noted=$noted against='it is the live one'
        elif [ -n "$anchor" ] && { [ -z "$key" ] || [ "$key" = "${anchor_key:-$key}" ]; }; then
            against=$words
        elif [ -n "$newer" ]; then
            ahead=yes against='it is newer than the live one'
        elif [ -z "$problem" ] && [ "$mark" = bad ]; then
            against='it is marked bad'
        fi
        if [ "$name" = "$backup" ]; then
            known=yes unusable=$problem marked_bad=$mark
            [ -n "$problem" ] || { [ "$name" = "$live" ] && [ -z "$interrupted_to" ]; } || set_target
        elif [ -n "$drilled" ] && [ "$name" = "$drill_start" ] && [ -z "$backup$problem" ] && [ "$mark" != bad ]; then
            onward=yes
            set_target
        fi
        weighed=$weighed$kind$SEP$against$SEP$key$SEP$name$SEP$noted$SEP$left_why$SEP$revision$SEP
        weighed=$weighed${mark:+$mark }${sealed:+sealed }${problem:+incomplete}$NL
    done <<END
$releases_found
END
}

# Take a release for the target. forward: it is newer than what is left.
set_target() {
    target=$name forward=$ahead target_noted=$noted target_kind=$kind target_left_why=$left_why
}

# Set target: the newest eligible release of the best kind that there is; and equal, where nobody can tell which of both is
# newer.
choose_best() {
    for kind in 2 1 0; do
        case $weighed in *"$NL$kind$SEP$SEP"*) break ;; esac
    done
    rest=${weighed#*"$NL$kind$SEP$SEP"}
    [ "$rest" != "$weighed" ] || return 0
    IFS=$SEP read -r key name noted left_why _ <<END
$rest
END
    ahead=''
    set_target
    target_key=$key
    rest=$NL${rest#*"$NL"}
    case $rest in
        *"$NL$kind$SEP$SEP$key$SEP"*) equal=${rest#*"$NL$kind$SEP$SEP$key$SEP"} ;;
        *"$NL$kind$SEP$SEP$SEP"*) equal=${rest#*"$NL$kind$SEP$SEP$SEP"} ;;
    esac
    equal=${equal%%"$SEP"*}
}

# Set rejected (name, why), also for eligible releases to which the target is preferred though they may be newer.
reject_others() {
    older='' table=''
    while IFS=$SEP read -r kind against key name _ _ revision notes; do
        [ -n "$kind" ] || continue
        if [ "$name" = "$target" ]; then
            older=yes against=''
        elif [ -z "$against$backup$onward$equal" ] && [ "$kind" -lt "$target_kind" ] &&
            { [ -z "$older" ] || [ "$target_key" = "${key:-$target_key}" ]; }; then
            in_words "order-passed-$kind" "$target"
            against=$words
        fi
        [ -z "$against" ] || rejected=$rejected$name$SEP$against$NL
        [ "$doing" != list ] || add_row
    done <<END
$weighed
END
}

# Set unfit, why nothing may be changed here, and its hint. An emergency ignores all but the blockers.
unfit() {
    absent='' unfit=$blockers_found hinted=$blockers_found
    if [ "$live_state" != release ]; then
        in_words "live-$live_state" "$live_path"
        absent=$words
    fi
    [ -z "$blockers_found" ] || hint=''
    [ -z "$emergency" ] || return 0
    [ -z "$backup$interrupted_to$blockers_found" ] || absent=''
    because "$doubts"
    [ -n "$ignore_deploy_lock" ] || because "$under_way" 'Wait until it has ended. If it ended long ago, remove what it left, or use --ignore-deploy-lock.'
    because "$lease_found" 'Wait for it; an --emergency rollback takes the lock over.'
    [ -n "$backup" ] || because "$drilled" "--to $drill_start goes forward to it, --to NAME to another release."
    because "$absent"
}

# because REASON [HINT]: the first hint counts.
because() {
    [ -n "$1" ] || return 0
    unfit=$unfit${unfit:+; }$1
    [ -n "$hinted" ] || [ "$#" = 1 ] || hint=$2 hinted=yes
}

# Verify the target's manifest and run the checks of phase before. Set unsealed: how the target differs from its manifest.
ask_target() {
    unsealed='' release=$target
    identify "$target"
    manifest_of "$target"
    [ -n "$manifest$RO_BEFORE" ] || return 0
    tell_phase inspect "asking $target before anything is stopped"
    answered=$(ask_before) count=0
    case $answered in *"manifest${TAB}failed"*)
        unsealed=$(one_line "$(printf '%s\n' "$answered" | sed -n "s/^manifest${TAB}failed$TAB*//p")")
        unsealed="its files are not the sealed ones on $this_host${unsealed:+: $unsealed}"
        return
        ;;
    esac
    lines "$RO_BEFORE" judge_before
}

judge_before() {
    take_answer
    [ "$status" != 0 ] || return 0
    decision=refused why="the check $1 says that $target would not work: exit status $status${said:+: $said}" hint=''
    return 1
}
