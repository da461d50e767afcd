# The link `current` and the links inside a release: made under another name, then renamed into place.

# Make all links under other names while the service still runs. The switch then only renames them.
prepare() {
    link_place=$current
    set_link_text
    make_link "$link_text" "$current" && lines "$RO_LINKS" prepare_link
}

prepare_link() {
    link_parts "$1"
    if link_is_right || [ ! -e "$link_source" ]; then return 0; fi
    if [ -d "$link_place" ] && [ ! -L "$link_place" ]; then return 1; fi
    if [ -f "$link_place" ] && [ ! -L "$link_place" ]; then
        mkdir -p -- "$dir/replaced" && cp -p -- "$link_place" "$dir/replaced/" || return 1
    fi
    # A release that was removed just now must not come back as a directory with nothing but a link.
    [ -d "$releases/$target" ] || return 1
    [ -e "$dir/times" ] || keep_time "$releases/$target" "$dir/times" || :
    { [ -d "${link_place%/*}" ] || (umask 022 && mkdir -p -- "${link_place%/*}"); } && make_link "$link_source" "$link_place"
}

unprepare() {
    rm -f -- "$current.rollback-$run"
    lines "$RO_LINKS" unprepare_link
}

unprepare_link() {
    link_parts "$1"
    [ ! -L "$link_place.rollback-$run" ] || { rm -f -- "$link_place.rollback-$run" && put_time_back "$releases/$target" "$dir/times"; }
}

# Set link_text, the new text of current: relative where it was relative, if that leads to the target.
set_link_text() {
    relative=$RO_RELEASES/$target$live_place above=$RO_CURRENT
    while [ "$above" != "${above#*/}" ]; do relative=../$relative above=${above#*/}; done
    case $live_path in /* | '' | '?') relative='' ;; esac
    link_text=$releases/$target$live_place
    if [ -n "$relative" ] && [ -e "${current%/*}/$relative" ]; then link_text=$relative; fi
}

# make_link TEXT PLACE: make a link beside its place. place_link puts it there in one step, with rename(2).
make_link() {
    ln -sfn -- "$1" "$2.rollback-$run"
}

place_link() {
    mv -fT -- "$1.rollback-$run" "$1"
}

link_parts() {
    link_place=$releases/$target/${1%%"$TAB"*}
    link_source=$RO_ROOT/${1#*"$TAB"}
}

link_is_right() {
    [ -L "$link_place" ] && [ "$(readlink -- "$link_place")" = "$link_source" ]
}

relink() {
    link_parts "$1"
    [ ! -L "$link_place.rollback-$run" ] || { place_link "$link_place" && put_time_back "$releases/$target" "$dir/times"; }
}
