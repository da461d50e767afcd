# Surveys this host, and reads the answer into variables.

# Set live_state, live_name and live_path; origin (the release that is left) and interrupted_to; blockers_found, doubts
# (what an emergency ignores), under_way, lease_found and holds_found; drilled; and the releases (add_release, sort_releases).
look() {
    found='' usable='' logged=$NL place=0 by_log=yes blockers_found='' doubts='' under_way='' lease_found=''
    interrupted_to='' holds_found='' drilled='' drill_start='' drill_target=''
    surveyed=$(survey no) || block 'the look at this host was killed before it ended'
    while IFS=$SEP read -r tag first second third fourth fifth; do
        case $tag in
            live) live_state=$first live_name=$second live_path=$third origin=$second ;;
            unfinished) note_interrupted "${second%/}" "$third" "$fourth" ;;
            drill) drill_start=$second drill_target=$third ;;
            hold) note_hold "$second" ;;
            blocker | warning)
                in_words "$first" "$second" "$third"
                if [ "$tag" = blocker ]; then block "$words"; else doubts=$doubts${doubts:+; }$words; fi
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
            logged) place=$((place + 1)) logged=$logged$first$SEP$place$NL ;;
            release)
                in_words problem "$second"
                name=$first problem=$words revision=$third mark=$fourth sealed=$fifth left='' left_why=''
                ;;
            left) left=yes left_why=$third ;;
            modified) add_release "$third" "$fourth" ;;
            odd)
                # In octal, as the name may be anything.
                name="'$(one_line "$(printf '%b' "$(printf '%s' "$first" | sed 's/\\/\\0/g')")" | head -c 128)'"
                problem=$RO_BAD_NAME revision='' mark='' sealed='' left='' left_why=''
                add_release '' ''
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

block() {
    blockers_found=$blockers_found${blockers_found:+; }$1
}

# note_interrupted SOURCE TARGET NAME: a rollback from SOURCE was interrupted. It is over if another release was made live since.
note_interrupted() {
    set -- "${3:-"${1##*/}"}" "$2"
    case $live_state,$live_name in release,"$1" | release,"$2") ;; release,*) return ;; esac
    origin=$1 interrupted_to=$2
}

# Set drilled: that a drill was interrupted; empty where none was, or another release was made live since.
see_drill() {
    [ "$drill_start" != "$drill_target" ] || return 0
    case $live_state,$live_name,$interrupted_to in "release,$drill_target,"* | "release,$drill_start,"?*) ;; *) return 0 ;; esac
    in_words open-drill "$drill_start" "$drill_target"
    drilled=$words
}

# add_release CREATED LIVE-SINCE: add a line to found: name, place in the log, time, then what choose.sh reads. The time is
# the earlier of both, in seconds since the epoch; only the second is certain. The kind is 2 for a release that is known to
# have been live, 1 for one that a rollback left without evidence against it, 0 where nothing is known.
add_release() {
    time=0 noted='' kind=0 at=''
    case $logged in *"$NL$name$SEP"*)
        at=${logged##*"$NL$name$SEP"}
        at=${at%%"$NL"*} noted=yes
        ;;
    esac
    case ${2:-x} in *[!0-9]*) ;; *) time=$2 kind=2 ;; esac
    [ "$time" = 0 ] || noted=yes
    case ${1:-x} in 0 | *[!0-9]*) ;; *) if [ "$time" = 0 ] || [ "$time" -gt "$1" ]; then time=$1; fi ;; esac
    if [ -n "$at" ] || [ "$mark" = good ]; then kind=2; fi
    [ -z "$left" ] || kind=1
    if [ -z "$problem" ] || [ "$name" = "$origin" ]; then
        usable=$usable$name$NL
        [ -n "$at" ] || by_log=''
    fi
    found=$found$name$SEP$at$SEP$time$SEP$problem$SEP$mark$SEP$kind$SEP$noted$SEP$left_why$SEP$revision$SEP$sealed$NL
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
