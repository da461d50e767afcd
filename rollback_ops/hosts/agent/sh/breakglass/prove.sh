# The verification. Thresholds mean what core/watch.py says; times are in hundredths of a second.

# Set healthy (yes, no or unknown; empty when nothing was asked), down, results and verified (seconds).
prove() {
    healthy='' down='' release=$target results='' unasked='' verified=''
    [ "$outcome" = switched ] || return 0
    if [ -n "$emergency" ]; then
        warn 'verification was skipped (emergency): run --list, and look at the service'
        each_check skip
        return
    fi
    [ -z "$stopped" ] || return 0
    tell_phase verify "checking $target on $this_host"
    now
    proving=$now asked_at=$now first_identity='' final='' evident=''
    each_check begin_check
    until one_round; do
        now
        if [ "$next_due" -gt "$now" ]; then
            seconds $((next_due - now))
            sleep "$seconds"
        fi
        now
        asked_at=$now
    done
    seconds $((answered_at - proving))
    verified=$seconds
    conclude
    results=$(redacted "$results")
    lines "$results" show_result_of_check
    [ -z "$unasked" ] || warn "these checks were not asked: $unasked"
    [ -z "$stopped" ] || [ "$healthy" = yes ] || healthy=''
}

# As in core/health.py, "not healthy" is unhealthy only where a check has made it evident.
conclude() {
    each_check add_result
    [ "$healthy" != no ] || [ -n "$evident" ] || healthy=unknown
}

skip() {
    results=$results$3$TAB$2${TAB}skipped${TAB}0.00$TAB$NL
}

# Callbacks of each_check get: NUMBER KIND NAME HOW INTERVAL MIN-HEALTHY DEADLINE SUCCESSES FAILURES REASON.
# The state of a check is in variables that end with its number; a check that is not asked has no due time.
begin_check() {
    eval "due_$1=$proving every_$1=$5 passes_$1=0 failures_$1=0 since_$1='' passed_at_$1=0 first_$1=0
        verdict_$1=unknown detail_$1='no answer before the deadline'"
    [ "$4" != ask_nobody ] || not_asked "$1" "$3" "${10}"
}

not_asked() {
    detail=$3 unasked=$unasked${unasked:+; }"$2 ($3)"
    eval "due_$1='' verdict_$1=skipped detail_$1=\$detail"
}

# The clock has hundredths of a second, and a sleep may end within the one before.
is_due() {
    eval "due=\$due_$1"
    [ -n "$due" ] && [ "$due" -le $((asked_at + 1)) ]
}

# Ask all checks that are due at the same time. Whether the verification is over.
one_round() {
    answered=$(ask_after) count=0
    STATE=$(printf '%s\n' "$answered" | sed -n "s/^state$TAB//p")
    identify
    now
    answered_at=$now
    each_check judge
    together=$proving missing='' waiting='' hopeless=$final$stopped deadline=$proving next_due=''
    each_check weigh_check
    each_check weigh_goal
    healthy=no
    [ -z "$hopeless" ] || return 0
    [ -n "$missing$waiting" ] || healthy=yes
    [ "$healthy" = yes ] || [ "$answered_at" -ge "$deadline" ]
}

judge() {
    is_due "$1" || return 0
    verdict=unknown detail=''
    "$4"
    case $detail in *[[:cntrl:]]*) detail=$(one_line "$detail") ;; esac
    if [ "$verdict" = skipped ]; then
        not_asked "$1" "$3" "$detail"
        return
    fi
    eval "passes=\$passes_$1 failures=\$failures_$1 since=\$since_$1 every=\$every_$1"
    if [ "$verdict" = passed ]; then
        passes=$((passes + 1)) failures=0
        if [ "$passes" -ge "$8" ]; then
            since=${since:-$asked_at}
            eval "passed_at_$1=$asked_at; [ \"\$first_$1\" != 0 ] || first_$1=$((answered_at - proving))"
        fi
    else
        passes=0 failures=$((failures + 1))
        [ "$failures" -lt "$9" ] || since=''
        [ "$verdict,$failures" != "failed,$9" ] || evident=yes
    fi
    eval "due_$1=$((answered_at + every)) passes_$1=$passes failures_$1=$failures since_$1=$since
        verdict_$1=$verdict detail_$1=\$detail"
    # The interval grows by a third up to 0.4 s, or stays what it is.
    [ "$every" -ge 40 ] || every=$((every > 30 ? 40 : every * 13 / 10 + 1))
    eval "every_$1=$every"
}

# Since when all checks pass together, and whether one of them has failed at its deadline.
weigh_check() {
    eval "due=\$due_$1 since=\$since_$1"
    [ -n "$due" ] || return 0
    [ $((proving + $7)) -le "$deadline" ] || deadline=$((proving + $7))
    if [ -z "$since" ]; then
        missing=yes
        [ "$answered_at" -lt $((proving + $7)) ] || hopeless=yes
    elif [ "$since" -gt "$together" ]; then
        together=$since
    fi
}

# A check is asked when it is due; at its goal already, if one more pass is all that is missing.
weigh_goal() {
    passed_at=0
    eval "due=\$due_$1 failures=\$failures_$1 passed_at=\$passed_at_$1"
    [ -n "$due" ] || return 0
    goal=$((together + $6))
    if [ "$failures" != 0 ] || [ "$passed_at" -lt "$goal" ]; then
        waiting=yes
        if [ -z "$missing" ] && [ "$due" -gt "$goal" ]; then due=$goal; fi
    fi
    eval "due_$1=$due"
    if [ -z "$next_due" ] || [ "$due" -lt "$next_due" ]; then next_due=$due; fi
}

add_result() {
    eval "verdict=\$verdict_$1 detail=\$detail_$1"
    [ "$verdict" != failed ] || evident=yes
    eval "seconds \"\$first_$1\""
    results=$results$3$TAB$2$TAB$verdict$TAB$seconds$TAB$detail$NL
}

show_result_of_check() {
    fields=$1
    next
    name=$field
    next
    next
    case $field in passed) sign='✓' ;; skipped) sign='-' ;; *) sign='✗' ;; esac
    next
    printf '  %s %s  %-7s %5s s%s\n' "$sign" "$this_host" "$name" "$field" "${fields:+  $fields}" >&2
}
