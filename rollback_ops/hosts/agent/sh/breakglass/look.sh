# Surveys this host, and reads the answer into variables.

# Set live_*, origin, interrupted_to, releases_found (newest first: key, name, problem, revision, mark, sealed), names,
# blockers_found, doubts (what an emergency ignores) and lease_found.
look() {
    found='' names=$NL blockers_found='' doubts='' lease_found='' interrupted_to=''
    surveyed=$(survey no)
    while IFS=$SEP read -r tag first second third fourth fifth; do
        case $tag in
            live) live_state=$first live_name=$second live_path=$third origin=$second ;;
            release)
                in_words problem "$second"
                add_release "$first" "$words$SEP$third$SEP$fourth$SEP$fifth"
                ;;
            odd)
                # In octal, as the name may be anything.
                name=$(printf '%b' "$(printf '%s' "$first" | sed 's/\\/\\0/g')")
                add_release "'$(one_line "$name" | head -c 128)'" "$RO_BAD_NAME$SEP$SEP$SEP"
                ;;
            blocker | warning)
                in_words "$first" "$second" "$third"
                [ "$tag" = warning ] || block "$words"
                [ "$tag" = blocker ] || doubt "$words"
                ;;
            lease)
                first=$first${third:+, $third}
                [ "${fifth%.*}" -lt 1 ] || first="$first, at most ${fifth%.*} s more"
                lease_found="locked by ${second:-another run} since $fourth (run $first)"
                ;;
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
    releases_found=$(printf '%s' "$found" | sort -r)
    lines "$(printf '%s\n' "$surveyed" | sed -n "s/^state$TAB//p" | sed -n "$RO_UNSTARTABLE")" block
    [ "$live_state" != directory ] || block 'current is not a link, so it cannot be switched'
    took
    find_seconds=$seconds
}

block() {
    blockers_found=$blockers_found${blockers_found:+; }$1
}

doubt() {
    doubts=$doubts${doubts:+; }$1
}

# add_release NAME FIELDS
add_release() {
    natural_key "$1"
    found=$found$key$SEP$1$SEP$2$NL names=$names$1$NL
}

# Set key, which sorts as plan.natural does: digits are a number behind its length, and begin with what sorts first.
natural_key() {
    key='' left_over=$1
    while [ -n "$left_over" ]; do
        part=${left_over%%[0-9]*}
        left_over=${left_over#"$part"}
        key=$key$part
        [ -n "$left_over" ] || break
        part=${left_over%%[!0-9]*}
        left_over=${left_over#"$part"}
        part=${part#"${part%%[!0]*}"}
        length=00${#part}
        key="$key ${length#"${length%???}"}$part"
    done
}
