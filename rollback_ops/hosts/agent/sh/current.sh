# Where the link current leads: into which release, and to which place in it.

# Set live_state, live_name, live_place (empty, or /public where current leads to that directory of the release),
# live_path, the text of the link, and live_kind: file where current leads to one, else directory.
look_at_current() {
    live_state=missing live_name='' live_place='' live_path='' live_kind=directory
    if [ -L "$current" ]; then
        live_path=$(readlink -- "$current")
        case $live_path in *"$TAB"* | *"$NL"*) live_path='?' ;; esac
        if [ -e "$current" ]; then
            find_live
            live_state=elsewhere
            [ -d "$current" ] || live_kind='file'
        else
            where_leads "$live_path"
            name_it "$real"
            live_state=dangling
        fi
        [ -z "$live_name" ] || [ "$live_state" = dangling ] || live_state=release
    elif [ -e "$current" ]; then
        live_state=directory
    fi
    case $live_state in missing | dangling) ! has_only_files || live_kind='file' ;; esac
}

# A link on the way to the live release stays as it is when current is switched.
show_way() {
    case $live_path in /*) way=$live_path ;; *) way=${current%/*}/$live_path ;; esac
    case $live_state,${way%/} in release,"$releases"/*/*) return ;; esac
    [ "$live_state" != release ] || [ ! -L "${way%/}" ] || say note over-a-link "$live_path"
}

# Set live_name and live_place: what current really leads to. Without a process where that is a directory.
find_live() {
    really "$current"
    [ ! -f "$current" ] || real=$(readlink -f -- "$current")
    name_it "$real"
}

# Whether the releases are files: there is one, and no directory.
has_only_files() {
    only=no
    # shellcheck disable=SC2086 # the pattern is a glob
    for name in "$releases"/$RO_PATTERN; do
        [ ! -d "$name" ] || return 1
        [ ! -f "$name" ] || only=yes
    done
    [ "$only" = yes ]
}

# Whether a release is what the live one is: a directory, or a file.
is_release() {
    case $live_place,$live_kind in ,file) [ -f "$1" ] ;; *) [ -d "$1" ] ;; esac
}

is_like_live() {
    case $live_kind in file) [ -f "$1" ] ;; *) [ -d "$1" ] ;; esac
}

# Go to where commands of the live release run: into it, or where it is a file, into the root.
enter_live() {
    cd -- "$current" 2>/dev/null || { [ -f "$current" ] && cd -- "$RO_ROOT"; } || cd /
}

# Set real: where a link beside current with this text leads, whether that is there or not.
where_leads() {
    case $1 in /*) way=$1 ;; *) way=${current%/*}/$1 ;; esac
    gone=''
    while [ -n "$way" ]; do
        really "$way"
        [ -z "$real" ] || break
        case $way in */) ;; *) gone=/${way##*/}$gone ;; esac
        way=${way%/*}
    done
    real=$real$gone
}

# Set live_name and live_place, from where current really leads: empty where that is in no release.
name_it() {
    live_name='' live_place='' leads=$1
    really "$releases"
    case $leads in *"$TAB"* | *"$NL"*) return ;; "${real:-/}"/*) leads=${leads#"$real"/} ;; *) return ;; esac
    if safe_name "${leads%%/*}"; then
        live_name=${leads%%/*}
        live_place=${leads#"$live_name"}
    fi
}

# Print the name of the release that current led into when this was its text.
release_behind() {
    where_leads "$1"
    name_it "$real"
    printf '%s' "$live_name"
}

# Set wanted: the path that a release lacks. It must also have the place that current leads to.
is_complete() {
    lines "$RO_REQUIRES" has "$1" && { wanted=${live_place#/} && is_like_live "$1$live_place"; }
}
