# Notes on releases: good, bad, or that a rollback left it, with the run and the reason. Each note is a file with a line
# for the run, one for the reason, and one for the identity of the release. A revision can be bad, too.

# Set noted_by and noted_why from a file; fails where it is not there, or is about another release of the same name.
noted() {
    [ -e "$1" ] || return 1
    noted_by='' noted_why='' noted_of=''
    { IFS= read -r noted_by && IFS= read -r noted_why && IFS= read -r noted_of; } 2>/dev/null <"$1"
    is_of "$noted_of"
}

# mark_of NAME: set mark, noted_by and noted_why. Of two notes, the later counts.
mark_of() {
    our_mark_of "$1"
    heed_deployer "$1"
}

# A note on the release itself counts before one on its revision.
our_mark_of() {
    for place in "$marks" "$old_marks"; do
        for mark in bad good; do ! noted "$place/$1.$mark" || return 0; done
    done
    mark=''
    ! is_bad_revision "$revision" || mark=bad
}

# Set noted_by, noted_why and bad_name: of which release it was said.
is_bad_revision() {
    safe_name "$1" && [ -e "$bad_revisions/$1" ] || return 1
    noted_by='' noted_why='' bad_name=''
    { IFS= read -r noted_by && IFS= read -r noted_why && IFS= read -r bad_name; } 2>/dev/null <"$bad_revisions/$1"
    return 0
}

# set_mark good|bad|left[=WHY] RELEASE, for run. The release was identified.
set_mark() {
    noted_why=''
    case $1 in *=*) noted_why=${1#*=} ;; esac
    set -- "${1%%=*}" "$2"
    case $1 in good | bad | left) ;; *) return 0 ;; esac
    tell_deployer "$1" "$2" || :
    [ "$1" != good ] || unmark "$2" bad left || return
    printf '%s\n' "$run" "$noted_why" "$identity" >"$marks/$2.$1" || return
    if [ "$1" != bad ] || ! safe_name "$revision"; then return 0; fi
    own_directory "$bad_revisions" && printf '%s\n' "$run" "$noted_why" "$2" >"$bad_revisions/$revision"
}

# unmark RELEASE WORD…: take these notes back, and that its revision is bad.
unmark() {
    name=$1
    shift
    for word; do
        shift
        for place in "$marks" "$old_marks"; do
            [ ! -e "$place/$name.$word" ] || set -- "$@" "$place/$name.$word"
        done
    done
    ! is_bad_revision "$revision" || set -- "$@" "$bad_revisions/$revision"
    [ "$#" = 0 ] || rm -f -- "$@"
}

# mark RUN RELEASE good|bad|clear REASON: set or clear the mark of a release, for a person.
mark() {
    run=$1
    safe_name "$2" && [ -e "$releases/$2" ] && [ -z "$(guarded)" ] && own_directory "$marks" || return 1
    forget_gone "$2"
    identify "$2"
    case $3 in
        good | bad) set_mark "$3=$4" "$2" && pin ;;
        clear)
            tell_deployer clear "$2" || :
            unmark "$2" good bad left
            ;;
        *) return 64 ;;
    esac
}

# Print why a release is marked, with the run that marked it, whose name begins with the time; and who left it.
show_mark() {
    [ -z "$mark" ] || say marked "$1" "$noted_by" "$noted_why"
    ! noted "$marks/$1.left" || say left "$1" "$noted_by" "$noted_why"
}

# The revisions that are bad, also of releases that are gone.
show_bad_revisions() {
    for place in "$bad_revisions"/*; do
        ! is_bad_revision "${place##*/}" || say bad-revision "${place##*/}" "$bad_name" "$noted_by" "$noted_why"
    done
}
