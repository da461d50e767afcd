# Where the link current leads: into which release, and to which place in it.

# Set live_state, live_name, live_place (empty, or /public where current leads to that directory of the release) and
# live_path, the text of the link.
look_at_current() {
    live_state=missing live_name='' live_place='' live_path=''
    if [ -L "$current" ]; then
        live_path=$(readlink -- "$current")
        case $live_path in *"$TAB"* | *"$NL"*) live_path='?' ;; esac
        if [ -d "$current" ]; then
            really "$current"
            live_state=elsewhere
        else
            where_leads "$live_path"
            live_state=dangling
        fi
        name_it "$real"
        [ -z "$live_name" ] || [ "$live_state" = dangling ] || live_state=release
    elif [ -e "$current" ]; then
        live_state=directory
    fi
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

# Set wanted: what a release lacks. It must have the place that current leads to, too.
is_complete() {
    lines "$RO_REQUIRES" has "$1" && { wanted=${live_place#/} && [ -d "$1$live_place" ]; }
}
