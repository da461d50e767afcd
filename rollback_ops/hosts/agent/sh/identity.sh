# What a release is, besides its name: names are used again. Its revision, or, where it has none, when its directory was
# made, or, where the host cannot say that, the inode.

# identify NAME [CREATED INODE]: set revision and identity. What stat says of the directory saves a process.
identify() {
    revision_of "$releases/$1"
    if [ -n "$revision" ]; then
        identity=revision:$revision
        return
    fi
    [ "$#" -gt 1 ] || {
        both=$(stat -c '%.6W %i' -- "$releases/$1" 2>/dev/null)
        set -- "$1" "${both% *}" "${both#* }"
    }
    case $2 in [1-9]*.*) identity=created:$2 ;; *) identity=inode:$3 ;; esac
}

# is_of IDENTITY: whether what was noted under this name is about the release that was identified. An earlier version
# did not note it.
is_of() {
    [ -z "$1" ] || [ "$1" = "$identity" ]
}

# forget_gone NAME: forget what was noted of releases that are gone. Where NAME is gone too, perhaps all of them are on a
# file system that is not mounted.
forget_gone() {
    [ -d "$releases/$1" ] || return 0
    set --
    for place in "$marks"/*.* "$lives"/* "$manifests"/*; do
        name=${place##*/}
        case $place in "$marks"/*) name=${name%.*} ;; esac
        if [ -e "$place" ] && [ ! -e "$releases/$name" ]; then set -- "$@" "$place"; fi
        case $place in "$manifests"/*) [ ! -e "$manifests/.$name" ] || [ -e "$releases/$name" ] || set -- "$@" "$manifests/.$name" ;; esac
    done
    [ "$#" = 0 ] || rm -f -- "$@"
}
