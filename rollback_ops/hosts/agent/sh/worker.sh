# The worker: the detached process that carries the transaction out.

worker() {
    run=$1
    resumed=${2:-}
    dir=$state/runs/$run
    exec 8>>"$dir/alive" 9>>"$state/lock" >>"$dir/log" 2>&1 </dev/null
    open_progress
    # The child of a killed worker, or a survey, may hold it for a moment.
    flock -w 5 8 || exit 0
    printf '%s\n' "$$" >"$dir/pid"
    { IFS= read -r target && IFS= read -r source && IFS= read -r break_lock && IFS= read -r owner && IFS= read -r run_url && IFS= read -r relink && IFS= read -r reset && IFS= read -r look; } <"$dir/order"
    [ -z "$resumed" ] || break_lock=no reset=yes look=yes
    [ "$relink" = yes ] || RO_LINKS=''
    take_lock || return 0
    if [ -z "$resumed" ]; then
        look_at_current
        objection
        if [ -n "$objection" ]; then
            drop_lease
            result "$refusal" "$objection"
            return
        fi
        begin || return 0
    elif is_done; then
        # It may have been killed before it started them again. To start one that runs changes nothing.
        look_around
        start_dependents
        undrain || :
        finish switched 'finished after an interruption'
        return
    else
        prepare
        look_around
    fi
    transaction
}

# Set objection: why the transaction is refused. The lock is held, and nothing is stopped yet.
objection() {
    objection='' refusal=refused
    # A run whose lock was broken may have switched current already.
    if { [ "$live_path" != "$source" ] && [ -z "$held" ]; } || [ "$live_state" = directory ]; then
        objection="current has changed since it was looked at: it is now ${live_path:-$live_state}"
        ! follows || refusal=superseded
    elif ! safe_name "$target" || ! is_whole "$target"; then
        objection="$target is no longer a complete release"
    elif ! look_around; then
        objection="$target lacks$moving, where systemd has the service's unit"
    elif ! claim; then
        objection="cannot write to $store"
        [ -z "$rival" ] || objection="its current belongs to ${rival%@*} (${rival#*@})"
    else
        prepare || objection="cannot make a link at $link_place"
        if [ -n "$objection" ] && [ -d "$link_place" ] && [ ! -L "$link_place" ]; then objection="$objection: it is a directory"; fi
        [ -z "$objection" ] || unprepare
    fi
}

begin() {
    if ! { IFS= read -r intent <"$dir/intent" && begin_drill && end_last_line && note "$intent" && say "$run" "$target" "$source" >"$state/open" &&
        sync -- "$journal" "$state/open" && printf '' >"$dir/begun"; }; then
        unprepare
        drop_lease
        result refused "cannot write to $store"
        return 1
    fi
    forget_old_open
}

is_done() {
    downtime=''
    look_at_current
    [ "$live_state" = release ] && [ "$live_name" = "$target" ] && [ -e "$dir/started" ] && is "$RO_RUNNING"
}

# Finish what a killed worker began: forward, to the target.
aftermath() {
    dir=$state/runs/$1
    ! grep -q "^result$TAB" "$dir/progress" || return 0
    open_run=''
    { [ ! -r "$state/open" ] || IFS=$TAB read -r open_run _ <"$state/open"; }
    if [ "$open_run" = "$1" ]; then
        worker "$1" resumed
        return
    fi
    open_progress
    run=$1
    if [ -e "$dir/ended" ]; then
        tell_end
    elif [ -e "$dir/begun" ]; then
        lost_lease
    else
        drop_lease
        result refused "the agent was killed before it started"
    fi
}

# Report the result that the killed worker wrote to the journal and did not report.
tell_end() {
    holds_lease || { lost_lease; return; }
    ended=$(sed -n "s/^{\"event\":\"end\",\"id\":\"${run%.*}\",\"outcome\":\"\([a-z_]*\)\".*/\1/p" "$journal" | tail -n 1)
    renew_lease
    result "${ended:-unknown}" "the agent was killed before it reported the result"
}

step() {
    name=$1 outcome=$2 begun=$3
    now
    seconds $((now - begun))
    tell step "$name" "$outcome" "$seconds" "${4:-}"
    case ${4:-} in *[\"\\]* | *[!\ -~]*) set -- '' '' '' 'it cannot be quoted' ;; esac
    note "{\"event\":\"step\",\"id\":\"${run%.*}\",\"step\":\"$name\",\"outcome\":\"$outcome\",$ABOUT,\"seconds\":$seconds,\"detail\":\"${4:-}\"}"
}

# result OUTCOME REASON [DOWNTIME]
result() {
    find_live
    tell result "$1" "$live_name" "${3:-}" "$2"
    printf '' >"$dir/done"
}
