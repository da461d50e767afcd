# What a person should know before a rollback, and what stops none.

warn() {
    warnings=$warnings$1$NL
}

warn_here() {
    [ -z "$1" ] || warn "$this_host: $1"
}

# The warnings of plan.make_plan.
warn_of_target() {
    [ "$marked_bad" != bad ] || warn "$target is marked bad; it was asked for by name"
    warn_here "${interrupted_to:+an interrupted rollback to $interrupted_to is taken up}"
    warn_here "$drilled"
    [ -z "$emergency$ignore_deploy_lock" ] || warn_here "$under_way"
    if [ -n "$emergency" ]; then
        warn_here "$doubts"
        warn_here "${lease_found:+$lease_found; the lock is taken over}"
        warn_here "$absent"
    fi
    in_words order-never "$target"
    [ "$target_kind" != 0 ] || warn "$words"
    [ -z "$backup" ] || return 0
    in_words order-last "$target" "${target_left_why:+ ($target_left_why)}"
    [ "$target_kind" != 1 ] || warn "$words"
    [ -z "$mixed" ] || warn "$mixed"
    [ "$order" = deployed ] || return 0
    unsure=''
    [ -n "$target_noted" ] || unsure=$target
    [ -n "$anchor_noted" ] || unsure=$unsure${unsure:+ and }$anchor
    in_words order-created "$unsure"
    [ -z "$unsure" ] || warn "$words"
}

# What is not on this host: a rollback in waves that has it in its plan and no record yet, the other services of a group,
# and the database, which is not asked: with a rollback from here it is too late for a refusal, and the person can ask.
warn_of_others() {
    planned=$(grep '^{"event":"plan",' "$journal" 2>/dev/null | grep -F ",$ABOUT," | tail -n 1)
    waves=${planned#*'"id":"'} to=${planned#*'"target":"'}
    waves=$(one_line "${waves%%'"'*}") to=$(one_line "${to%%'"'*}")
    [ -z "$planned" ] || grep -qF "\"plan\":{\"id\":\"$waves\"" "$journal" ||
        warn_here "the rollback $waves in waves to $to has no record yet: it may still change this host"
    [ -z "$RO_GROUPS" ] ||
        warn "$RO_SERVICE belongs to the group $RO_GROUPS, and only $RO_SERVICE is changed here: look at the other services, too"
    if [ -n "$RO_SCHEMA_MIGRATIONS" ] && [ -n "$origin" ]; then
        lacking=$({ migrations "$origin"; migrations "$target"; migrations "$target"; } | sort | uniq -u | head -n 6 | tr '\n' ' ')
        warn_here "${lacking:+$target lacks migrations of $origin: $(one_line "$lacking")}"
    fi
    [ -z "$RO_SCHEMA_CURRENT" ] ||
        warn_here "the database was not compared with what $target knows${RO_SCHEMA_FILE:+ ($RO_SCHEMA_FILE)}: its version is what this prints: $(one_line "$RO_SCHEMA_CURRENT")"
}

migrations() {
    (cd -- "$releases/$1" 2>/dev/null && what_it_knows "$1") | sed -n "s/^knows${TAB}[^ ]*$TAB//p"
}

# note_hold LINE: add to holds_found a hold that stands. core/hold.py writes the line, with its keys in this order.
note_hold() {
    text='(([^"\\]|\\.)*)'
    fields=$(printf '%s\n' "$1" | sed -nE "s/^\{\"by\":\"$text\",\"reason\":\"$text\",\"since\":[0-9.]+,\"until\":([0-9]{1,12})[0-9.]*,\
\"releases\":\[([^]]*)\],\"lifted_by\":\"$text\",.*/\5$SEP\7$SEP\1$SEP\6$SEP\3/p")
    IFS=$SEP read -r until lifted by about why <<END
$fields
END
    if [ -z "$until" ]; then
        holds_found="${holds_found}a hold cannot be read$NL"
    elif [ -z "$lifted" ] && [ "$until" -gt "$(date +%s)" ]; then
        about=$(printf '%s\n' "$about" | grep -o '"release":"[^"]*"' | cut -d '"' -f 4 | tr '\n' ' ')
        until=$(date -u -d "@$until" +%Y-%m-%dT%H:%M:%SZ)
        hold="${about:-everything }is held (by $by, until $until): $why"
        holds_found=$holds_found$(redacted "$(one_line "$hold" | sed 's/\\"/"/g')")$NL
    fi
}
