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
    [ -z "$equal" ] || target_kind=0
    reject_others
    unfit
    if [ -n "$if_current" ] && [ "$if_current" != "$live" ] && [ "$if_current" != "$origin" ]; then
        decision=nothing rejected='' why="$if_current is no longer live (live: ${live:-$live_state})"
    elif [ -n "$unfit" ]; then
        rejected='' why=$unfit
        [ -z "$blockers_found" ] || hint=''
        [ -z "$lease_found" ] || hint='Wait for it; an --emergency rollback takes the lock over.'
        [ -z "$undecided" ] || hint="--to $drill_start goes forward to it, --to NAME to another release."
        [ -z "$locked" ] || hint='Wait until it has ended. If it ended long ago, remove what it left, or use --ignore-deploy-lock.'
    elif [ -n "$equal" ]; then
        why="it cannot be told which of $target and $equal is newer" target=''
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

# Set target, and equal where nobody can tell which of both is newer; weighed (newest first: name, what speaks against
# it, key, revision, marks); known, unusable and marked_bad of the release that was asked for.
weigh() {
    weighed='' target='' equal='' forward='' known='' unusable='' marked_bad='' newer=$anchor target_kind=0 onward=''
    while IFS=$SEP read -r key name problem revision mark sealed; do
        [ -n "$name" ] || continue
        case $NL$broken in *"$NL$name$SEP"*)
            problem=$NL$broken
            problem=${problem#*"$NL$name$SEP"}
            problem=${problem%%"$NL"*}
            ;;
        esac
        against=$problem
        if [ "$name" = "$anchor" ]; then
            newer='' against='it is the live one'
            # It is gone.
            case $names in *"$NL$name$NL"*) ;; *) continue ;; esac
        elif [ -n "$anchor" ] && { [ -z "$key" ] || [ "$key" = "${anchor_key:-$key}" ]; }; then
            in_words order-unclear
            against=$words
        elif [ -n "$newer" ]; then
            against='it is newer than the live one'
        elif [ -z "$problem" ] && [ "$mark" = bad ]; then
            against='it is marked bad'
        fi
        if [ "$name" = "$backup" ]; then
            known=yes unusable=$problem marked_bad=$mark
            [ "$against" != 'it is newer than the live one' ] || forward=yes
            [ -n "$problem" ] || { [ "$name" = "$live" ] && [ -z "$interrupted_to" ]; } || target=$name
        elif [ -n "$drilled" ] && [ "$name" = "$drill_start" ] && [ -z "$backup$problem" ] && [ "$mark" != bad ]; then
            # An emergency goes forward to where the drill started.
            onward=$name
            [ "$against" != 'it is newer than the live one' ] || forward=yes
        elif [ -z "$backup$against" ]; then
            take_eligible
        fi
        weighed=$weighed$name$SEP$against$SEP$key$SEP$revision$SEP${mark:+$mark }${sealed:+sealed }${problem:+incomplete}$NL
    done <<END
$releases_found
END
    [ -z "$onward" ] || target=$onward equal=''
}

# The first one of its kind is the newest.
take_eligible() {
    kind_of "$name"
    if [ -z "$target" ] || [ "$kind" -gt "$target_kind" ]; then
        target=$name target_key=$key target_kind=$kind equal=''
    elif [ "$kind" = "$target_kind" ] && [ -z "$equal" ] && [ "$target_key" = "${key:-$target_key}" ]; then
        equal=$name
    fi
}

# kind_of NAME: set kind: 2 for a release that is known to have been live, 1 for one that a rollback left without evidence
# against it, 0 where nothing is known. A higher one is preferred. No name has a slash.
kind_of() {
    case $left_before/$was_live in
        *"$NL$1$SEP"*/*) kind=1 ;;
        */*"$NL$1$NL"*) kind=2 ;;
        *) kind=0 ;;
    esac
}

# Set rejected (name, why), and put the reason into weighed for those to which the target is preferred.
reject_others() {
    rejected='' older='' before=$weighed weighed=''
    while IFS=$SEP read -r name against key fields; do
        if [ "$name" = "$target" ]; then
            older=yes
        elif [ -z "$backup$onward$against" ] && { [ -z "$older" ] || [ "$target_key" = "${key:-$target_key}" ]; }; then
            kind_of "$name"
            if [ "$kind" -lt "$target_kind" ]; then
                in_words "order-passed-$kind" "$target"
                against=$words
            fi
        fi
        [ -z "$against" ] || [ "$name" = "$target" ] || rejected=$rejected$name$SEP$against$NL
        weighed=$weighed$name$SEP$against$SEP$key$SEP$fields$NL
    done <<END
${before%"$NL"}
END
}

# Set unfit: why nothing may be changed here. An emergency ignores all but the blockers. Set locked where a deployment is
# under way, and is not ignored.
unfit() {
    absent='' locked='' undecided=''
    if [ "$live_state" != release ]; then
        in_words "live-$live_state" "$live_path"
        absent=$words
    fi
    unfit=$blockers_found
    [ -z "$emergency" ] || return 0
    [ -z "$backup$interrupted_to$blockers_found" ] || absent=''
    [ -n "$ignore_deploy_lock" ] || locked=$under_way
    [ -n "$backup" ] || undecided=$drilled
    for words in "$doubts" "$locked" "$lease_found" "$undecided" "$absent"; do
        [ -z "$words" ] || unfit=$unfit${unfit:+; }$words
    done
}

warn() {
    warnings=$warnings$1$NL
}

warn_of_target() {
    [ "$marked_bad" != bad ] || warn "$target is marked bad; it was asked for by name"
    [ -z "$interrupted_to" ] || warn "$this_host: an interrupted rollback to $interrupted_to is taken up"
    [ -z "$drilled" ] || warn "$this_host: $drilled"
    [ -z "$emergency$ignore_deploy_lock" ] || [ -z "$under_way" ] || warn "$this_host: $under_way"
    for words in "$doubts" "${lease_found:+$lease_found; the lock is taken over}" "$absent"; do
        [ -z "$emergency" ] || [ -z "$words" ] || warn "$this_host: $words"
    done
    in_words order-never "$target"
    case $was_live in *"$NL$target$NL"*) ;; *) warn "$words" ;; esac
    [ -z "$backup" ] || return 0
    case $left_before in *"$NL$target$SEP"*)
        left_why=${left_before#*"$NL$target$SEP"}
        left_why=${left_why%%"$NL"*}
        in_words order-last "$target" "${left_why:+ ($left_why)}"
        warn "$words"
        ;;
    esac
    warn_of_order
}

warn_of_order() {
    [ -z "$mixed" ] || warn "$mixed"
    [ "$order" = deployed ] || return 0
    unsure=''
    for name in "$target" "$anchor"; do
        case $noted/$names in *"$NL$name$NL"*/*) ;; */*"$NL$name$NL"*) unsure=$unsure${unsure:+ and }$name ;; esac
    done
    in_words order-created "$unsure"
    [ -z "$unsure" ] || warn "$words"
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
