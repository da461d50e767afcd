# The verification: every check of the settings that can be asked without Python.

# Sets healthy (yes, no, or nothing where nobody asked), down, results.
prove() {
    healthy='' down='' release=$target
    [ "$outcome" = switched ] || return 0
    if [ -n "$emergency" ]; then
        warn 'verification was skipped (emergency): run --list, and look at the service'
        baked_checks skip_after
        return
    fi
    [ -z "$stopped" ] || return 0
    tell_phase verify "checking $target on $this_host"
    now
    proving=$now first_identity=''
    healthy=no since=''
    until one_round; do sleep 0.2; done
    results=$(masked "$results")
    now
    seconds $((now - proving))
    proven=failed
    [ "$healthy" != yes ] || proven=ok
    add_step '"verify"' "$seconds" "$proven"
    if [ -n "$stopped" ] && [ "$healthy" != yes ]; then healthy=''; fi
    lines "$results" show_check
}

# Ask everything once. Whether that was the last time.
one_round() {
    now
    asked_at=$now results='' failing='' final=''
    if holds_lease; then renew_lease; fi
    look_at_units
    baked_checks ask_after
    [ -z "$final$stopped" ] || return 0
    now
    [ $((now - proving)) -lt "$RO_DEADLINE" ] || return 0
    if [ -n "$failing" ]; then
        since=''
        return 1
    fi
    since=${since:-$asked_at}
    [ $((asked_at - since)) -ge "$RO_MIN_HEALTHY" ] && healthy=yes
}

# ask_after PHASE KIND NAME TIMEOUT HOW [ARGUMENT]…: sets verdict and detail, and adds them to the results.
ask_after() {
    [ "$1" = after ] || return 0
    now
    check_began=$now verdict=failed detail=''
    "$5" "$@"
    case $detail in *[[:cntrl:]]*) detail=$(one_line "$detail") ;; esac
    case $verdict in passed | skipped) ;; *) failing=yes ;; esac
    now
    seconds $((now - check_began))
    results=$results$3$TAB$2$TAB$verdict$TAB$seconds$TAB$detail$NL
}

skip_after() {
    [ "$1" != after ] || results=$results$3$TAB$2${TAB}skipped${TAB}0.00$TAB$NL
}

ask_process() {
    if is "$RO_RUNNING"; then
        verdict=passed detail='it runs'
        first_identity=${first_identity:-$identity}
        if [ "$identity" != "$first_identity" ]; then
            verdict=failed final=yes detail='it was restarted since the rollback'
        fi
    elif is "$RO_STOPPED"; then
        final=yes down=yes detail='it does not run'
    else
        detail='it is not running yet'
    fi
}

ask_command() {
    put_question "$current" "$4" "$6"
    detail=$said
    if [ "$status" = 0 ]; then verdict=passed; else detail="exit status $status${said:+: $said}"; fi
}

ask_logs() {
    put_question "$current" "$4" "$6"
    case "$NL$answer" in
        *"${NL}line "*) final=yes detail='it has critical lines' ;;
        *)
            detail="it could not be read: $said"
            [ "$status" != 0 ] || verdict=passed detail='nothing critical since this start'
            ;;
    esac
}

ask_nobody() {
    verdict=skipped detail=$6
}

# ask_http after http NAME TIMEOUT ask_http URL STATUS MAX-LATENCY TEXT HEADERS [WORDS]…: one line of each of the WORDS
# has to be in the answer, blanks aside.
ask_http() {
    url=$6 wanted=$7 latency=$8 text=$9 headers=${10}
    if command -v curl >/dev/null; then
        fetched=$(curl_settings | curl -q -sS -g --noproxy '*' -m "$4" -w "$NL%{http_code} %{time_total}" -K - 2>&1)
        status=${fetched##*"$NL"}
        fetched=${fetched%"$NL"*}
        slow=${status#* } status=${status%% *}
    elif command -v wget >/dev/null && [ "$wanted$headers$latency" = 200 ]; then
        status=000 slow=0
        if fetched=$(timeout "$4" wget -q -O - -- "$url" 2>&1 </dev/null); then status=200; fi
    else
        verdict=skipped detail='skipped: this host has no curl'
        return
    fi
    shift 10
    if [ "$status" = 000 ]; then
        detail=$(one_line "$fetched")
    elif [ "$status" != "$wanted" ]; then
        detail="status $status, expected $wanted: $(one_line "$(printf '%.200s' "$fetched")")"
    elif [ -n "$latency" ] && is_slower "$slow" "$latency"; then
        detail="the answer took $slow s, at most $latency s are allowed"
    elif [ -n "$text" ] && ! printf '%s\n' "$fetched" | grep -qF -e "$text"; then
        detail="the answer lacks $text"
    elif has_words "$@"; then
        verdict=passed detail="status $status"
    fi
}

# Headers and the address go past the command line, which everybody can read.
curl_settings() {
    printf 'url = "%s"\n' "$(escaped "$url")"
    [ -z "$headers" ] || lines "$headers" curl_header
}

curl_header() {
    printf 'header = "%s"\n' "$(escaped "$1")"
}

escaped() {
    printf '%s' "$1" | sed 's/[\\"]/\\&/g'
}

is_slower() {
    [ "$(printf '%s\n' "$1" "$2" | sort -n | tail -n 1)" != "$2" ]
}

has_words() {
    squeezed=$(printf '%s' "$fetched" | tr -d ' \t\r\n')
    for wanted; do
        printf '%s\n' "$squeezed" | grep -qF -e "$(printf '%s' "$wanted" | tr -d ' \t')" && continue
        detail="the answer lacks $(printf '%s\n' "$wanted" | head -n 1): $(one_line "$(printf '%.200s' "$fetched")")"
        return 1
    done
}

# ask_tcp after tcp NAME TIMEOUT ask_tcp HOST PORT
ask_tcp() {
    detail="$6:$7 does not accept"
    if command -v bash >/dev/null; then
        # shellcheck disable=SC2016 # bash expands these
        set -- "$4" "$6:$7" bash -c ': <"/dev/tcp/$0/$1"' "$6" "$7"
    elif command -v nc >/dev/null; then
        set -- "$4" "$6:$7" nc -z "$6" "$7"
    else
        verdict=skipped detail='skipped: this host has neither bash nor nc'
        return
    fi
    patience=$1 address=$2
    shift 2
    if timeout "$patience" "$@" >/dev/null 2>&1 </dev/null; then verdict=passed detail="$address accepts"; fi
}

show_check() {
    fields=$1
    next
    name=$field
    next
    next
    case $field in passed) sign='✓' ;; skipped) sign='-' ;; *) sign='✗' ;; esac
    next
    printf '  %s %s  %-7s %5s s%s\n' "$sign" "$this_host" "$name" "$field" "${fields:+  $fields}" >&2
}
