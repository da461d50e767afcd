# When releases became live: from our own notes, and from the logs of deployment tools.

# Bytes at the end of a log: more than a thousand deployments.
log_read=200000

# The releases in the log of Capistrano or Deployer, oldest first.
show_deployment_log() {
    if [ -f "$RO_ROOT/revisions.log" ] && [ -r "$RO_ROOT/revisions.log" ]; then
        tail -c "$log_read" -- "$RO_ROOT/revisions.log" | sed -n "s/^.* deployed as release \([^ $TAB]*\) by .*/logged$TAB\1/p"
    elif [ -f "$RO_ROOT/.dep/releases_log" ] && [ -r "$RO_ROOT/.dep/releases_log" ]; then
        tail -c "$log_read" -- "$RO_ROOT/.dep/releases_log" |
            sed -n "s/^.*\"release_name\": *\"\{0,1\}\([^\",} $TAB]*\)[\",}].*/logged$TAB\1/p"
    fi
    # sed does not end a line that the log does not end.
    say ''
}

# Set live_since: when we first noted that a release was live, in seconds since the epoch. 0: at an unknown time.
live_since_of() {
    live_since='' noted_of=''
    [ -e "$lives/$1" ] || return 0
    { IFS= read -r live_since && IFS= read -r noted_of; } 2>/dev/null <"$lives/$1"
    is_of "$noted_of" || live_since=''
}

# Note the first time that a release, which was identified, was live. A rollback does not depend on it.
note_live() {
    live_since_of "$1"
    [ -n "$live_since" ] || { own_directory "$lives" && printf '%s\n' "${first_live:-0}" "$identity" >"$lives/$1"; }
}
