# What a person should know before a rollback, and what stops none: holds, and migrations that the target lacks.

# note_hold LINE: add to holds_found a hold that stands. Its strings are JSON: no name in them has its quotes.
note_hold() {
    case $1 in
        '{'*'"lifted_by":""'*'"until":'* | '{'*'"until":'*'"lifted_by":""'*) ;;
        *'"lifted_by":'*) return ;;
        *)
            holds_found="${holds_found}a hold cannot be read$NL"
            return
            ;;
    esac
    until=$(hold_number until "$1")
    [ "${until:-0}" -gt "$(date +%s)" ] || return 0
    about=$(printf '%s\n' "$1" | sed 's/.*"releases":\[\([^]]*\)\].*/\1/' | grep -o '"release":"[^"]*"' | cut -d '"' -f 4 | tr '\n' ' ')
    about=$(one_line "${about% }")
    until=$(date -u -d "@$until" +%Y-%m-%dT%H:%M:%SZ)
    holds_found="$holds_found${about:-everything} is held (by $(hold_text by "$1"), until $until): $(redacted "$(hold_text reason "$1")")$NL"
}

hold_number() {
    printf '%s\n' "$2" | sed -n 's/.*"'"$1"'":\([0-9]\{1,12\}\).*/\1/p'
}

hold_text() {
    one_line "$(printf '%s\n' "$2" | sed -n 's/.*"'"$1"'":"\(\([^"\\]\|\\.\)*\)".*/\1/p' | sed 's/\\"/"/g')"
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
