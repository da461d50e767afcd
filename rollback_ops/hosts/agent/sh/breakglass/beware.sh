# What a person should know before a rollback, and what stops none: holds, and migrations that the target lacks.

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

# Warn of migrations that the live release has and the target has not. The database itself is not asked: with a
# rollback from here it is too late for a refusal, and the person can ask.
warn_of_schema() {
    if [ -n "$RO_SCHEMA_MIGRATIONS" ] && [ -n "$origin" ]; then
        lacking=$({ migrations "$origin"; migrations "$target"; migrations "$target"; } | sort | uniq -u | head -n 6)
        lacking=$(printf '%s' "$lacking" | tr '\n' ' ')
        [ -z "$lacking" ] || warn "$this_host: $target lacks migrations of $origin: $(one_line "$lacking")"
    fi
    [ -z "$RO_SCHEMA_CURRENT" ] ||
        warn "$this_host: the database was not compared with what $target knows${RO_SCHEMA_FILE:+ ($RO_SCHEMA_FILE)}: its version is what this prints: $(one_line "$RO_SCHEMA_CURRENT")"
}

migrations() {
    (cd -- "$releases/$1" 2>/dev/null && what_it_knows "$1") | sed -n "s/^knows${TAB}[^ ]*$TAB//p"
}
