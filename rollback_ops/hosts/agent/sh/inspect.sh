# Runs the commands of checks in a release or beside the running service, and compares a release with its manifest.

# inspect NAME [TIMEOUT COMMAND]…
inspect() {
    name=$1
    shift
    if ! safe_name "$name" || [ ! -e "$releases/$name" ]; then
        say manifest failed "it is gone"
        return
    fi
    identify "$name"
    manifest_of "$name"
    [ -z "$manifest" ] || compare_manifest "$name"
    cd -- "$releases/$name" 2>/dev/null || cd -- "$RO_ROOT" || return
    questions "$@"
}

# BusyBox's sha256sum has neither --quiet nor --strict.
compare_manifest() {
    leave_links_out
    wrong=$(enter "$1" && tree | sha256sum -c "$manifest" 2>/dev/null) && compared=ok || compared=failed
    is_manifest "$manifest" || compared=failed
    [ "$compared" = failed ] || wrong=''
    wrong=$(printf '%s\n' "$wrong" | grep -v ': OK$' | while IFS= read -r line; do
        case $line in -:*) enter "$1" && added ;; *) printf '%s\n' "$line" ;; esac
    done | head -n 3 | tr '\t\n' '  ')
    say manifest "$compared" "$wrong"
}

# enter NAME: go into a release, or beside one that is a file. Set whole: what find begins with.
enter() {
    whole=.
    if [ -f "$releases/$1" ]; then
        whole=./$1
        cd -- "$releases" || return
    else
        cd -- "$releases/$1" || return
    fi
}

# The names and modes of the files, and where the links lead. It is the "-" of a manifest, which sha256sum reads from its
# standard input.
tree() {
    # shellcheck disable=SC2086 # words without blanks or wildcards
    {
        find "$whole" -type f $linked -print0 | xargs -0 -r stat -c '%a %n'
        find "$whole" -type l $linked -print0 | xargs -0 -r stat -c %N
    } | sort
}

# Name the files that are not in the manifest: its names stand there twice. Without any, links or modes were changed.
added() {
    # shellcheck disable=SC2086 # words without blanks or wildcards
    extra=$({ cut -c 67- "$manifest" "$manifest" && find "$whole" -type f $linked; } | sort | uniq -u | head -n 3)
    if [ -n "$extra" ]; then printf '%s\n' "$extra" | sed 's/$/: added/'; else echo 'its links or modes: changed'; fi
}

# BusyBox's sha256sum does not escape the line breaks in a file's name.
is_manifest() {
    [ -s "$1" ] && ! grep -qvE '^\\?[0-9a-f]{64} [ *].' "$1"
}

# ask RUN [TIMEOUT COMMAND]…: print the state of the service, what is live, and whether RUN has its lease; renew it.
ask() {
    run=$1
    shift
    held=no
    if [ -n "$run" ] && holds_lease; then
        held=yes
        is_fresh || renew_lease
    fi
    find_live
    say standing "$live_name" "$held"
    show_state
    enter_live
    questions "$@"
}

# questions [TIMEOUT[,SINCE]… COMMAND]…: ask all at the same time; print the exit status and the end of the output of each.
questions() {
    number=0 shown=''
    case $RO_MANAGER in systemd*) shown=${STATE:-} ;; esac
    while [ "$#" -gt 3 ]; do
        question "$number" "$1" "$2" &
        number=$((number + 1))
        shift 2
    done
    # The last one needs no process of its own.
    [ "$#" -lt 2 ] || question "$number" "$1" "$2"
    wait
}

question() {
    case $2 in *,*) SINCE=${2#*,} ;; *) SINCE='' ;; esac
    set -- "$1" "${2%%,*}" "$3"
    now
    asked=$now
    answer=$(answer_to "$2" "$3" | tail -c 4000)
    now
    status=${answer##*"$NL"}
    # BusyBox's timeout ends with the status of what it killed.
    if [ "$status" = 143 ] && [ $((now - asked)) -ge $((${2%.*} * 100)) ]; then status=124; fi
    tagged "said$TAB$1" "${answer%"$NL"*}"
    seconds $((now - asked))
    say answered "$1" "$status" "$seconds"
}

# A question has as arguments: the run, what systemctl shows of the units, the manager's command for logs, and SINCE.
# Kill what the command left in the background: the answer would end only when that does.
answer_to() {
    # BusyBox's timeout makes no process group, and takes less than a second for no limit.
    case $1 in 0.*) set -- 1 "$2" ;; esac
    setsid timeout -k 1 "$1" sh -c "$prelude$NL$2" rollback-ops "${run:-}" "$shown" "$RO_LOGS" "$SINCE" 2>&1 </dev/null &
    status=0
    wait "$!" || status=$?
    kill -KILL "-$!" 2>/dev/null
    printf '\n%s' "$status"
}

# seal NAME: write a manifest of every file and of the tree, which inspect compares.
seal() {
    safe_name "$1" && [ -z "$(guarded)" ] && enter "$1" || return 1
    own_directory "$manifests" || return 1
    leave_links_out
    new=$state/manifest-of-$1
    # shellcheck disable=SC2086 # words without blanks or wildcards
    if find "$whole" -type f $linked -print0 | sort -z | xargs -0 -r sha256sum -b >"$new" && is_manifest "$new" &&
        files=$(wc -l <"$new") && tree | sha256sum -b >>"$new"; then
        identify "$1"
        find_born "$1"
        printf '%s\n' "$identity" "$born" >"$manifests/.$1"
        mv -f -- "$new" "$manifests/$1"
        say sealed "$1" "$files"
    else
        rm -f -- "$new"
        return 1
    fi
}

# The links of the settings, which a rollback makes, and Deployer's mark are no part of the release: leave them out.
leave_links_out() {
    linked='! -path ./BAD_RELEASE'
    lines "$RO_LINKS" leave_out
}

leave_out() {
    linked="$linked ! -path ./${1%%"$TAB"*}"
}
