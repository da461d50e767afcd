# The verification. Thresholds mean what core/watch.py says. Times are in hundredths of a second since it began.

# A line of `checks` (RO_CHECKS to begin with) has these fields. `since` is - while the check does not count as passing;
# `passed_at` is when it was asked last with success, `first` when it had passed first.
read_check() {
    IFS=$TAB read -r due number kind name how every window limit successes allowed fast \
        passes failures failed since passed_at first verdict detail
}

# Set healthy (yes, no or unknown; empty when nothing was asked), down, results and verified (seconds).
verify_target() {
    healthy='' down='' verified='' unasked='' events='' checks=$RO_CHECKS release=$target
    [ "$outcome" = switched ] || return 0
    if [ -n "$emergency" ]; then
        warn 'verification was skipped (emergency): run --list, and look at the service'
    elif [ -z "$stopped" ]; then
        tell_phase verify "checking $target on $this_host"
        verify
        checks=$(redacted "$checks")
        seconds "$clock"
        verified=$seconds
    fi
    while read_check; do
        seconds "$first"
        add_event check name "$name" kind "$kind" outcome "$verdict" seconds "$seconds" detail "$detail"
        [ -z "$verified" ] || tell_one "$name" "$verdict" "$seconds" "$detail"
        [ "$verdict" != skipped ] || unasked=$unasked${unasked:+; }"$name ($detail)"
    done <<END
$checks
END
    if [ -n "$verified" ] && [ -n "$unasked" ]; then warn "these checks were not asked: $unasked"; fi
}

# Ask until healthy is certain. It is only "no" where a check has made it evident, as in core/health.py.
verify() {
    keep_lease &
    keeper=$!
    now
    verify_began=$now goal=$NEVER healthy=no evident='' final='' first_identity='' last_identity='' first_crashes=''
    tick
    until one_round; do
        [ "$next_due" -le "$clock" ] || { seconds $((next_due - clock)) && sleep "$seconds"; }
        tick
    done
    kill "$keeper"
    [ "$healthy,$evident$failing" != no, ] || healthy=unknown
    [ -z "$stopped" ] || [ "$healthy" = yes ] || healthy=''
}

# Renew the lease while checks take long, or are asked seldom.
keep_lease() {
    while sleep 3 && kill -0 "$$"; do renew_lease; done
} </dev/null >/dev/null 2>&1

NEVER=999999999

# Set clock.
tick() {
    now
    clock=$((now - verify_began))
}

# Ask all checks that are due at the same time. Whether the verification is over.
one_round() {
    asked_at=$clock asked=' ' before=$checks
    # A sleep may end within the hundredth before the one that it was for.
    while IFS=$TAB read -r due number _; do
        if [ "$due" -le $((clock + 1)) ] || { [ "$due" != "$NEVER" ] && [ "$goal" -le $((clock + 1)) ]; }; then
            asked="$asked$number "
        fi
    done <<END
$checks
END
    answered=$(ask_checks) count=0
    STATE=$(printf '%s\n' "$answered" | sed -n "s/^state$TAB//p")
    identity=$(printf '%s\n' "$STATE" | grep -oE -e "$RO_IDENTITY")
    tick
    checks='' missing='' failing='' hopeless='' together=0 passed_until=$NEVER widest=0 deadline=0 next_due=$NEVER
    while read_check; do
        case $asked in *" $number "*) judge ;; esac
        [ "$verdict" = skipped ] || weigh_check
        checks=$checks$due$TAB$number$TAB$kind$TAB$name$TAB$how$TAB$every$TAB$window$TAB$limit$TAB$successes$TAB$allowed$TAB$fast
        checks=$checks$TAB$passes$TAB$failures$TAB$failed$TAB$since$TAB$passed_at$TAB$first$TAB$verdict$TAB$detail$NL
    done <<END
$before
END
    checks=${checks%"$NL"} goal=$NEVER
    # When only one more pass is missing, ask as soon as it counts.
    [ -n "$missing" ] || goal=$((together + widest))
    [ "$goal" -ge "$next_due" ] || next_due=$goal
    if [ -z "$missing$final" ] && [ "$passed_until" -ge "$together" ]; then healthy=yes; fi
    [ "$healthy" = yes ] || [ -n "$hopeless$final$stopped" ] || [ "$clock" -ge "$deadline" ]
}

# Ask one check (see answers.sh), and count its answer.
judge() {
    verdict=unknown not_asked=$detail detail=''
    "$how" </dev/null
    if [ "$verdict" = failed ]; then failed=$((failed + 1)); else failed=0; fi
    [ "$fast" != yes ] || [ "$failed" -lt "$allowed" ] || final=yes
    case $detail in *[[:cntrl:]]*) detail=$(one_line "$detail") ;; esac
    due=$((clock + every))
    [ "$every" -ge 40 ] || every=$((every > 30 ? 40 : every * 13 / 10 + 1))
    if [ "$verdict" = passed ]; then
        passes=$((passes + 1)) failures=0
        [ "$passes" -ge "$successes" ] || return 0
        passed_at=$asked_at
        [ "$since" != - ] || since=$asked_at
        [ "$first" != 0 ] || first=$clock
    elif [ "$verdict" = skipped ]; then
        due=$NEVER
    else
        passes=0 failures=$((failures + 1))
        [ "$failures" -lt "$allowed" ] || since=-
        [ "$verdict,$failures" != "failed,$allowed" ] || evident=yes
    fi
}

# What the check means for all of them together: since when all pass, and whether one has failed at its deadline.
weigh_check() {
    [ "$limit" -le "$deadline" ] || deadline=$limit
    [ "$window" -le "$widest" ] || widest=$window
    [ "$due" -ge "$next_due" ] || next_due=$due
    [ "$verdict" != failed ] || failing=yes
    if [ "$since" = - ]; then
        missing=yes
        [ "$clock" -lt "$limit" ] || hopeless=yes
        return
    fi
    [ "$failures" = 0 ] || missing=yes
    [ "$since" -le "$together" ] || together=$since
    [ $((passed_at - window)) -ge "$passed_until" ] || passed_until=$((passed_at - window))
}
