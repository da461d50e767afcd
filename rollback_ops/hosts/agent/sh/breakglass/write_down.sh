# The record (record.py), its JSON, and what is remembered of the releases.

# Sets host_outcome, exit_code; writes the record and the marks, as verdict.py and chronicle.marks have it.
write_down() {
    judge
    marked=''
    case $outcome in switched | not_started)
        if [ -n "$origin" ] && [ "$origin" != "$target" ]; then marked="bad $origin"; fi
        ;;
    esac
    case $outcome,$healthy in
        not_started,* | switched,no) marked="$marked bad $target" ;;
        switched,yes) marked="$marked good $target" ;;
    esac
    case $outcome in refused | unknown) return ;; esac
    compose_record
    # shellcheck disable=SC2086 # marks and names of releases, which have no blanks
    record "$run" "$line" $marked || warn "$this_host: its journal lacks this record"
}

judge() {
    case $outcome,$healthy in
        switched,no) host_outcome=verification_failed exit_code=2 ;;
        switched,*) host_outcome=succeeded exit_code=0 ;;
        put_back,*) host_outcome=restored exit_code=3 ;;
        refused,*) host_outcome=refused exit_code=1 ;;
        unknown,*) host_outcome=unknown exit_code=4 ;;
        *) host_outcome=failed exit_code=4 ;;
    esac
    [ "$host_outcome,$down" != verification_failed,yes ] || host_outcome=failed exit_code=4
    overall=$host_outcome
    [ "$overall" != unknown ] || overall=failed
    [ -z "$stopped" ] || overall=cancelled exit_code=$stopped
    took
    duration=$seconds
}

# One line of JSON (record.py). The reasons of very many releases are left out: a line of the journal is bounded.
compose_record() {
    finished_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    reference "$origin"
    from_reference=$reference
    reference "$target"
    to_reference=$reference
    reference "$live_now"
    quote "$why"
    quoted_why=$quoted
    quote "$this_host"
    host="{\"host\":$quoted,\"outcome\":\"$host_outcome\",\"from\":$from_reference,\"to\":$reference,\"downtime_seconds\":${downtime:-null}"
    list='' && [ -z "$results" ] || lines "$results" list_check
    find_step="{\"name\":\"find\",\"seconds\":$find_seconds,\"outcome\":\"ok\",\"detail\":\"\"}"
    host="$host,\"steps\":[$find_step${steps:+,}$steps],\"checks\":[$list],\"detail\":$quoted_why}"
    list='' && [ -z "$rejected" ] || lines "$rejected" list_rejected
    if [ "${#list}" -gt 20000 ]; then
        list=''
        warn 'the journal leaves out why releases were not chosen: they are too many'
    fi
    listed=$list list=''
    [ -z "$warnings" ] || lines "$warnings" list_text
    line="{\"schema_version\":1,$described,\"dry_run\":false,\"started_at\":\"$started_at\",\"finished_at\":\"$finished_at\""
    line="$line,\"duration_seconds\":$duration,\"outcome\":\"$overall\",\"exit_code\":$exit_code"
    line="$line,\"from\":$from_reference,\"to\":$to_reference,\"rejected\":[$listed],\"hosts\":[$host],\"warnings\":[$list]}"
}

# Sets reference: a release and the revision that its REVISION file names.
reference() {
    revision=''
    [ -z "$1" ] || revision_of "$releases/$1"
    quote_or_null "$revision"
    quoted_revision=$quoted
    quote_or_null "$1"
    reference="{\"release\":$quoted,\"revision\":$quoted_revision}"
}

list_check() {
    fields=$1
    listed=''
    for key in name kind outcome seconds; do
        next
        if [ "$key" = seconds ]; then quoted=$field; else quote "$field"; fi
        listed="$listed\"$key\":$quoted,"
    done
    quote "$fields"
    list="$list${list:+,}{$listed\"detail\":$quoted}"
}

list_rejected() {
    quote "${1%%"$TAB"*}"
    listed=$quoted
    quote "${1#*"$TAB"}"
    list="$list${list:+,}{\"release\":$listed,\"why\":$quoted}"
}

list_text() {
    quote "$1"
    list="$list${list:+,}$quoted"
}

quote_or_null() {
    if [ -n "$1" ]; then quote "$1"; else quoted=null; fi
}

# Sets quoted: any bytes as a JSON string in ASCII. What is not UTF-8 becomes U+FFFD.
quote() {
    case $1 in
        *[!\ -~]* | *[\"\\]*) quoted="\"$(quote_bytes "$1")\"" ;;
        *) quoted="\"$1\"" ;;
    esac
}

quote_bytes() {
    # shellcheck disable=SC2046 # numbers
    set -- $(printf '%s' "$1" | od -An -v -tu1)
    missing=0
    for byte; do
        if [ "$missing" -gt 0 ] && [ "$byte" -ge 128 ] && [ "$byte" -lt 192 ]; then
            point=$((point * 64 + byte - 128)) missing=$((missing - 1))
            [ "$missing" -gt 0 ] || print_point
            continue
        fi
        # A character that was begun and not ended.
        [ "$missing" = 0 ] || print_code 65533
        begin_point
    done
    [ "$missing" = 0 ] || print_code 65533
}

begin_point() {
    missing=0 least=0 point=$byte
    if [ "$byte" -lt 128 ]; then
        print_point
    elif [ "$byte" -ge 194 ] && [ "$byte" -lt 224 ]; then
        missing=1 least=128 point=$((byte - 192))
    elif [ "$byte" -ge 224 ] && [ "$byte" -lt 240 ]; then
        missing=2 least=2048 point=$((byte - 224))
    elif [ "$byte" -ge 240 ] && [ "$byte" -lt 245 ]; then
        missing=3 least=65536 point=$((byte - 240))
    else
        print_code 65533
    fi
}

# The character, or U+FFFD for what is none: written too long, half of a pair, or beyond the last one.
print_point() {
    if [ "$point" -lt "$least" ] || [ "$point" -gt 1114111 ] || { [ "$point" -ge 55296 ] && [ "$point" -lt 57344 ]; }; then
        print_code 65533
    elif [ "$point" -ge 65536 ]; then
        print_code $((55296 + (point - 65536) / 1024))
        print_code $((56320 + point % 1024))
    elif [ "$point" -lt 32 ] || [ "$point" -gt 126 ] || [ "$point" = 34 ] || [ "$point" = 92 ]; then
        print_code "$point"
    else
        character "$point"
    fi
}

print_code() {
    printf '\\u%04x' "$1"
}

# An ASCII character by its number; without a process.
character() {
    printf '%b' "\\0$(($1 / 64))$(($1 / 8 % 8))$(($1 % 8))"
}

show_result() {
    case $overall in
        succeeded) headline='✓ rolled back' ;;
        verification_failed) headline='✗ rolled back, but the verification failed' ;;
        restored) headline='✗ failed, and put back to where it started' ;;
        refused) headline='✗ refused: nothing was changed' ;;
        cancelled) headline='✗ stopped by a signal' ;;
        *) headline='✗ failed: a person is needed now' ;;
    esac
    printf '%s: %s → %s  (%s, %s s)\n' "$headline" "${origin:-nothing}" "$target" "$RO_ENVIRONMENT" "$duration"
    printf '  %s: %s%s%s\n' "$this_host" "$(printf '%s' "$host_outcome" | tr _ ' ')" "${downtime:+, down for $downtime s}" "${why:+: $why}"
    show_details
    case $host_outcome in failed | unknown)
        printf 'What to try first:\n' >&2
        lines "$RO_FIRST_AID" show_first_aid
        ;;
    esac
}

show_first_aid() {
    printf '  %s\n' "$1" >&2
}
