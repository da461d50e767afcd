# Why releases are marked, and marks that a person sets.

# mark RUN RELEASE good|bad|clear REASON: what a person says of a release.
mark() {
    run=$1 mark_reason=$4
    safe_name "$2" && [ -d "$releases/$2" ] && [ -z "$(guarded)" ] && own_directory "$marks" || return 1
    case $3 in
        good | bad) set_mark "$3" "$2" ;;
        clear) rm -f -- "$marks/$2.good" "$marks/$2.bad" "$old_marks/$2.good" "$old_marks/$2.bad" ;;
        *) return 64 ;;
    esac
}

# Print of a marked release the run that marked it, whose name begins with the time, and what the person said.
show_mark() {
    [ -n "$mark" ] || return 0
    marked_by='' mark_reason=''
    { IFS= read -r marked_by && IFS= read -r mark_reason; } 2>/dev/null <"$place/$1.$mark"
    say marked "$1" "$marked_by" "$mark_reason"
}
