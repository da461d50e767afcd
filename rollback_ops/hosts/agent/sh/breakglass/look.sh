# Surveys this host, and parses the answer into variables.

# Sets live_*, origin, releases_found (newest first: key, name, problem, revision, mark, sealed), blockers_found,
# warnings_found, lease_found, interrupted_to, units_found.
look() {
    look_at_current
    found='' names=$NL blockers_found='' warnings_found='' lease_found='' interrupted_to='' origin=$live_name
    surveyed=$(survey no)
    while IFS= read -r fields; do
        next
        case $field in
            release) take_release ;;
            odd) take_odd ;;
            blocker | warning) take_trouble "$field" ;;
            lease) take_lease ;;
            unfinished) take_unfinished ;;
        esac
    done <<END
$surveyed
END
    releases_found=$(printf '%s' "$found" | sort -r)
    look_at_units
    took
    find_seconds=$seconds
}

take_release() {
    next
    natural_key "$field"
    name=$field names=$names$field$NL
    next
    in_words problem "$field"
    found=$found$key$TAB$name$TAB$words$TAB$fields$NL
}

# The name comes as digits: it may be anything.
take_odd() {
    name=''
    while [ -n "$fields" ] && [ "${#name}" -lt 128 ]; do
        byte=${fields%"${fields#??}"}
        fields=${fields#??}
        case $byte in
            2[0-9a-f] | [3-6][0-9a-f] | 7[0-9a-e]) name=$name$(printf '%b' "\\0$((0x$byte / 64))$((0x$byte / 8 % 8))$((0x$byte % 8))") ;;
            *) name=$name'?' ;;
        esac
    done
    names=$names"'$name'"$NL
    natural_key "'$name'"
    found=$found$key$TAB"'$name'"$TAB$RO_BAD_NAME$TAB$TAB$TAB$NL
}

take_trouble() {
    kind=$1
    next
    code=$field
    next
    in_words "$code" "$field" "$fields"
    case $kind in
        blocker) blockers_found=$blockers_found${blockers_found:+; }$words ;;
        warning) warnings_found=$warnings_found${warnings_found:+; }$words ;;
    esac
}

take_lease() {
    next
    holder=$field
    next
    owner=$field
    next
    next
    since=$field
    left=''
    [ "${fields%.*}" -lt 1 ] || left=", at most ${fields%.*} s more"
    lease_found="locked by ${owner:-another run} since $since (run $holder$left)"
}

take_unfinished() {
    next
    next
    source=${field%/}
    next
    fields=${fields:-${source##*/}}
    # It is over if another release was made live since.
    case $live_state,$live_name in release,"$fields" | release,"$field") ;; release,*) return ;; esac
    origin=$fields interrupted_to=$field
}

# Sets key, which sorts as plan.natural does: digits are a number behind its length, and begin with what sorts first.
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

# Set identity, which changes when a unit is started again, from STATE.
identify() {
    case $RO_MANAGER in
        systemd*) identity=$(printf '%s\n' "$STATE" | grep -E '^(MainPID|NRestarts|InvocationID)=') ;;
        supervisor) identity=$(printf '%s\n' "$STATE" | grep -oE ' pid [0-9]+') ;;
        compose) identity=$(printf '%s\n' "$STATE" | grep -oE '"ID":"[^"]*"') ;;
        *) identity='' ;;
    esac
}

# Set units_found: why units could not be started.
look_at_units() {
    units_found='' unit='' load='' active=''
    STATE=$(printf '%s\n' "$surveyed" | sed -n "s/^state$TAB//p")
    case $RO_MANAGER in
        systemd*)
            while IFS= read -r property; do
                case $property in
                    Id=*) unit=${property#*=} ;;
                    LoadState=*) load=${property#*=} ;;
                    ActiveState=*) active=${property#*=} ;;
                    '') unstartable ;;
                esac
            done <<END
$STATE

END
            ;;
        supervisor)
            units_found=$(printf '%s\n' "$STATE" | sed -n 's/^\(.*\): ERROR (no such .*)$/the unit \1 does not exist/p' | head -n 1)
            ;;
    esac
}

unstartable() {
    case $load,$active in
        not-found,inactive) words='does not exist' ;;
        *) in_words unit "$load" ;;
    esac
    [ -z "$words" ] || units_found=$units_found${units_found:+; }"the unit $unit $words"
    unit='' load='' active=''
}
