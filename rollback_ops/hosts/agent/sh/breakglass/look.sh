# Surveys this host, and reads the answer into variables.

# Set live_*, origin, interrupted_to, releases_found (newest first: key, name, problem, revision, mark, sealed),
# anchor and its anchor_key, blockers_found, doubts (what an emergency ignores), under_way and lease_found.
look() {
    found='' names=$NL usable='' blockers_found='' doubts='' under_way='' lease_found='' interrupted_to=''
    holds_found='' drill_start='' drill_target=''
    logged=$NL times=$NL noted=$NL was_live=$NL left_before=$NL place=0
    surveyed=$(survey no)
    while IFS=$SEP read -r tag first second third fourth fifth; do
        case $tag in
            live) live_state=$first live_name=$second live_path=$third origin=$second ;;
            release)
                in_words problem "$second"
                found=$found$first$SEP$words$SEP$third$SEP$fourth$SEP$fifth$NL names=$names$first$NL
                [ "$fourth" != good ] || was_live=$was_live$first$NL
                if [ -z "$words" ] || [ "$first" = "$origin" ]; then usable=$usable$first$NL; fi
                ;;
            odd)
                # In octal, as the name may be anything.
                decoded=$(printf '%b' "$(printf '%s' "$first" | sed 's/\\/\\0/g')")
                found="$found'$(one_line "$decoded" | head -c 128)'"$SEP$RO_BAD_NAME$SEP$SEP$SEP$NL
                ;;
            logged) place=$((place + 1)) logged=$logged$first$SEP$place$NL noted=$noted$first$NL was_live=$was_live$first$NL ;;
            left) left_before=$left_before$first$SEP$third$NL was_live=$was_live$first$NL ;;
            modified) note_times "$first" "$third" "$fourth" ;;
            blocker | warning)
                in_words "$first" "$second" "$third"
                [ "$tag" = warning ] || block "$words"
                [ "$tag" = blocker ] || doubts=$doubts${doubts:+; }$words
                ;;
            deploying)
                in_words deploying "$first" "$second"
                under_way=$under_way${under_way:+; }$words
                ;;
            lease)
                first=$first${third:+, $third}
                [ "${fifth%.*}" -lt 1 ] || first="$first, at most ${fifth%.*} s more"
                lease_found="locked by ${second:-another run} since $fourth (run $first)"
                ;;
            drill) drill_start=$second drill_target=$third ;;
            hold) note_hold "$second" ;;
            unfinished)
                second=${second%/}
                fourth=${fourth:-${second##*/}}
                # It is over if another release was made live since.
                case $live_state,$live_name in release,"$fourth" | release,"$third") ;; release,*) continue ;; esac
                origin=$fourth interrupted_to=$third
                ;;
        esac
    done <<END
$(printf '%s\n' "$surveyed" | tr '\001\t' '?\001')
END
    see_drill
    sort_releases
    lines "$(printf '%s\n' "$surveyed" | sed -n "s/^state$TAB//p" | sed -n "$RO_UNSTARTABLE")" block
    [ "$live_state" != directory ] || block 'current is not a link, so it cannot be switched'
    took
    find_seconds=$seconds
}

# Set drilled: that a drill was interrupted; empty where none was, or another release was made live since.
see_drill() {
    drilled=''
    case $live_state,$live_name,$interrupted_to in
        "release,$drill_target,"* | "release,$drill_start,"?*) ;;
        *) return 0 ;;
    esac
    [ "$drill_start" != "$drill_target" ] || return 0
    in_words open-drill "$drill_start" "$drill_target"
    drilled=$words
}

# note_times NAME CREATED LIVE-SINCE: the earlier of both, in seconds since the epoch. Only the second is certain.
note_times() {
    case ${3:-x} in *[!0-9]*) since=0 ;; *) since=$3 was_live=$was_live$1$NL ;; esac
    [ "$since" = 0 ] || noted=$noted$1$NL
    case ${2:-x} in 0 | *[!0-9]*) ;; *) if [ "$since" = 0 ] || [ "$since" -gt "$2" ]; then since=$2; fi ;; esac
    times=$times$1$SEP$since$NL
}

sort_releases() {
    anchor=$origin
    case $names in *"$NL$origin$NL"*) ;; *)
        # A release that is gone is still the one that was left: what is newer must not be chosen.
        [ "$live_state" = dangling ] || [ -n "$interrupted_to" ] || anchor=''
        [ -z "$anchor" ] || usable=$usable$anchor$NL found=$found$anchor$SEP$NL
        ;;
    esac
    detect_order "$usable"
    see_log "$usable"
    versions=$NL$(printf '%s' "$names$anchor$NL" | grep -E -e "$RO_VERSION")$NL
    releases_found=$(
        printf '%s' "$found" | while IFS=$SEP read -r name fields; do
            key_of "$name"
            printf '%s\n' "$key$SEP$name$SEP$fields"
        done | sort -r
    )
    key_of "$anchor"
    anchor_key=$key
}

block() {
    blockers_found=$blockers_found${blockers_found:+; }$1
}

# Wait for a lease that its owner does not renew: it is over in ten seconds at most. Then look again.
await_lease() {
    ! lock_is_held || return 0
    read_lease
    seconds "$left"
    tell_phase wait "$lease_found; it is over in $seconds s, if its owner does not renew it"
    first=$lease_until
    while [ "$left" -gt 0 ] && [ "$lease_until" = "$first" ]; do
        sleep 0.2
        read_lease
    done
    look
}

warn_of_group() {
    [ -z "$RO_GROUPS" ] ||
        warn "$RO_SERVICE belongs to the group $RO_GROUPS, and only $RO_SERVICE is changed here: look at the other services, too"
}

# Warn of a rollback in waves that has this host in its plan, and no record yet.
warn_of_waves() {
    planned=$(grep '^{"event":"plan",' "$journal" 2>/dev/null | grep -F ",$ABOUT," | tail -n 1)
    [ -n "$planned" ] || return 0
    waves=${planned#*'"id":"'} to=${planned#*'"target":"'}
    waves=$(one_line "${waves%%'"'*}") to=$(one_line "${to%%'"'*}")
    grep -qF "\"plan\":{\"id\":\"$waves\"" "$journal" ||
        warn "$this_host: the rollback $waves in waves to $to has no record yet: it may still change this host"
}
