# Chooses the target: plan.make_plan for this one host, then the checks before the switch.

# Sets decision (plan, nothing, refused), target, why and hint. Skips releases that differ from their manifest.
choose() {
    while :; do
        make_plan
        [ "$decision,$emergency" = plan, ] || return 0
        ask_target
        [ -n "$unsealed" ] || return 0
        broken="$broken$target$TAB$unsealed$NL"
    done
}

# Do what plan.make_plan does, for this one host.
make_plan() {
    decision=refused target='' why='' hint='' rejected='' warnings=''
    live=''
    [ "$live_state" != release ] || live=$live_name
    if [ -n "$if_current" ] && [ "$if_current" != "$live" ] && [ "$if_current" != "$origin" ]; then
        decision=nothing why="$if_current is no longer live (live: ${live:-$live_state})"
        return
    fi
    unfit
    if [ -n "$why" ]; then
        hint_for_unfit
        return
    fi
    weigh
    if [ -n "$backup" ]; then name_target; else first_eligible; fi
    lines "$against" list_others
    [ -z "$why" ] || return 0
    if [ "$live" = "$target" ] && [ -z "$interrupted_to" ]; then
        decision=nothing why="$target is live there already"
        return
    fi
    decision=plan
    doubtful
}

unfit() {
    because "$blockers_found"
    because "$units_found"
    [ "$live_state" != directory ] || because 'current is not a link, so it cannot be switched'
    [ -z "$emergency" ] || return 0
    because "$warnings_found"
    because "$lease_found"
    not_live
    [ -n "$backup$interrupted_to$blockers_found" ] || because "$words"
}

because() {
    [ -z "$1" ] || why=$why${why:+; }$1
}

not_live() {
    case $live_state in
        missing) words='current does not exist' ;;
        dangling) words="current points at $live_path, which does not exist" ;;
        elsewhere) words="current points at $live_path, which is none of the releases" ;;
        *) words='' ;;
    esac
}

hint_for_unfit() {
    if [ -n "$blockers_found" ]; then
        hint=''
    elif [ -n "$lease_found" ]; then
        hint='Wait for it; an --emergency rollback takes the lock over.'
    elif [ "$live_state" = directory ]; then
        hint='Move the directory among the releases and make current a link to it.'
    elif [ "$live_state" != release ]; then
        hint='Name the release to go to with --backup; --list shows them.'
    fi
}

# Sets against: name, why not (nothing speaks against it), why it is unusable, mark; for each release, newest first.
weigh() {
    against='' count=0 newer=''
    case $names in *"$NL$origin$NL"*) newer=yes ;; esac
    lines "$releases_found" weigh_one
}

weigh_one() {
    fields=$1 count=$((count + 1))
    next
    next
    name=$field
    next
    unusable=$field
    case $NL$broken in
        *"$NL$name$TAB"*)
            unusable=$NL$broken
            unusable=${unusable#*"$NL$name$TAB"}
            unusable=${unusable%%"$NL"*}
            ;;
    esac
    next
    next
    mark=$field speaks=$unusable
    if [ -n "$newer" ] && [ "$name" = "$origin" ]; then
        newer='' speaks='it is the live one'
    elif [ -n "$newer" ]; then
        speaks='it is newer than the live one'
    elif [ -z "$speaks" ] && [ "$mark" = bad ]; then
        speaks='it is marked bad'
    fi
    against=$against$name$TAB$speaks$TAB$unusable$TAB$mark$NL
}

first_eligible() {
    lines "$against" take_eligible
    [ -z "$target" ] || return 0
    why='no eligible release'
    if [ "$count" -le 1 ]; then
        hint='A first deployment cannot be rolled back: deploy a release that works.'
    else
        hint='Name one with --backup, or deploy a release that works.'
    fi
}

take_eligible() {
    fields=$1
    next
    name=$field
    next
    [ -n "$field$target" ] || target=$name
}

name_target() {
    known='' unusable='' mark=''
    lines "$against" find_named
    hint='--list shows the others.'
    if [ -z "$known" ]; then
        why="$backup is none of the releases" hint='--list shows them.'
    elif [ "$live" = "$backup" ] && [ -z "$interrupted_to" ]; then
        why="$backup is the live release already"
    elif [ -n "$unusable" ]; then
        why="$backup cannot be used: $unusable"
    else
        target=$backup hint=''
        [ "$mark" != bad ] || warn "$target is marked bad; it was asked for by name"
    fi
}

find_named() {
    fields=$1
    next
    name=$field
    next
    [ "$name" = "$backup" ] || return 0
    next
    known=yes unusable=$field mark=$fields
}

list_others() {
    fields=$1
    next
    name=$field
    next
    [ -z "$field" ] || [ "$name" = "$target" ] || rejected=$rejected$name$TAB$field$NL
}

doubtful() {
    [ -z "$interrupted_to" ] || warn "$this_host: an interrupted rollback to $interrupted_to is taken up"
    [ -n "$emergency" ] || return 0
    [ -z "$warnings_found" ] || warn "$this_host: $warnings_found"
    [ -z "$lease_found" ] || warn "$this_host: $lease_found; the lock is taken over"
    not_live
    [ -z "$words" ] || warn "$this_host: $words"
}

# Verify the target's manifest and run the checks of phase before. Set unsealed: how the target differs from its manifest.
ask_target() {
    unsealed='' release=$target
    [ -e "$manifests/$target" ] || [ -n "$RO_BEFORE" ] || return 0
    tell_phase inspect "asking $target before anything is stopped"
    answered=$(ask_before) count=0
    case $answered in *"manifest${TAB}failed$TAB"*)
        unsealed=${answered#*"manifest${TAB}failed$TAB"}
        unsealed=$(one_line "${unsealed%%"$NL"*}")
        unsealed="its files are not the sealed ones on $this_host: ${unsealed:-its files are not the sealed ones}"
        return
        ;;
    esac
    lines "$RO_BEFORE" judge_before
}

judge_before() {
    take_answer
    [ "$status" != 0 ] || return 0
    decision=refused why="the check $1 says that $target would not work: exit status $status${said:+: $(redacted "$said")}" hint=''
    return 1
}
