# The identity of a release besides its name, because names are used again: its revision, else when its directory was
# created, else (if the host cannot tell that) the inode.

# identify NAME [CREATED INODE]: set revision, identity, and born where it is known. What stat says of the directory saves
# a process.
identify() {
    read_revision "$releases/$1"
    born=''
    [ "$#" = 1 ] || is_born "$2" "$3"
    if [ -n "$revision" ]; then
        identity=revision:$revision
        # Its notes and its seal stay its own.
        [ ! -e "$releases/$1/DIRTY_RELEASE" ] || revision=''
        return
    fi
    [ -n "$born" ] || find_born "$1"
    identity=$born
}

# find_born NAME: set born, which a directory keeps whatever is changed in it.
find_born() {
    both=$(stat -c '%.6W %i' -- "$releases/$1" 2>/dev/null)
    is_born "${both% *}" "${both#* }"
}

is_born() {
    case $1 in [1-9]*.*) born=created:$1 ;; *) born=inode:$2 ;; esac
}

# is_of IDENTITY: whether a note under this name belongs to the identified release. An earlier version
# did not note it.
is_of() {
    [ -z "$1" ] || [ "$1" = "$identity" ]
}

# forget_gone NAME: remove the notes of deleted releases. When NAME does not exist either, perhaps all releases are on a
# file system that is not mounted.
forget_gone() {
    [ -e "$releases/$1" ] || return 0
    set --
    for place in "$marks"/*.* "$lives"/* "$manifests"/*; do
        name=${place##*/}
        case $place in "$marks"/*) name=${name%.*} ;; esac
        if [ -e "$place" ] && [ ! -e "$releases/$name" ]; then set -- "$@" "$place"; fi
        case $place in "$manifests"/*) [ ! -e "$manifests/.$name" ] || [ -e "$releases/$name" ] || set -- "$@" "$manifests/.$name" ;; esac
    done
    [ "$#" = 0 ] || rm -f -- "$@"
}
