# Questions to a release or to the running service, and the manifest that a release is compared with.

# inspect NAME [TIMEOUT COMMAND]…
inspect() {
    name=$1
    shift
    if ! safe_name "$name" || [ ! -d "$releases/$name" ]; then
        say manifest failed "it is gone"
        return
    fi
    if [ -e "$manifests/$name" ]; then
        if wrong=$(cd -- "$releases/$name" && sha256sum -c --quiet --strict "$manifests/$name" 2>/dev/null); then
            say manifest ok
        else
            say manifest failed "$(printf '%s\n' "$wrong" | head -n 3 | tr '\t\n' '  ')"
        fi
    fi
    cd -- "$releases/$name" || return
    questions "$@"
}

# ask RUN [TIMEOUT COMMAND]…: how the service is; keeps RUN's lease alive.
ask() {
    run=$1
    shift
    if [ -n "$run" ] && holds_lease; then renew_lease; fi
    show_state
    # What a question may use besides what a manager's command line may.
    RUN=$run
    export RUN STATE
    cd -- "$current" 2>/dev/null || cd /
    questions "$@"
}

# questions [TIMEOUT COMMAND]…: all at once; each answers with its exit status and its last lines.
questions() {
    number=0
    while [ "$#" -gt 1 ]; do
        question "$number" "$1" "$2" &
        number=$((number + 1))
        shift 2
    done
    wait
}

question() {
    now
    asked=$now
    answer=$(answer_to "$2" "$3" | tail -c 4000 | tail -n 12)
    now
    printf '%s\n' "${answer%"$NL"*}" | prefixed "said$TAB$1"
    seconds $((now - asked))
    say answered "$1" "${answer##*"$NL"}" "$seconds"
}

# What the command leaves in the background goes with it: the answer would not end before that does.
answer_to() {
    timeout -k 1 "$1" sh -c "umask 022$NL$2" 2>&1 </dev/null &
    status=0
    wait "$!" || status=$?
    kill -KILL "-$!" 2>/dev/null
    printf '\n%s' "$status"
}

# seal NAME: a manifest of every file, for inspect to compare with. Where a link belongs, a rollback puts it.
seal() {
    safe_name "$1" && [ -z "$(guarded)" ] && cd -- "$releases/$1" || return 1
    mkdir -p -- "$manifests" || return 1
    linked=''
    lines "$RO_LINKS" leave_out
    # shellcheck disable=SC2086 # words without blanks or wildcards
    if find . -type f $linked -print0 | sort -z | xargs -0 -r sha256sum -b >"$manifests/$1.new" && [ -s "$manifests/$1.new" ]; then
        mv -f -- "$manifests/$1.new" "$manifests/$1"
        say sealed "$1" "$(wc -l <"$manifests/$1")"
    else
        rm -f -- "$manifests/$1.new"
        return 1
    fi
}

leave_out() {
    linked="$linked ! -path ./${1%%"$TAB"*}"
}
