# The state of this service and environment: marks, manifests, open transactions (also where earlier versions kept
# them), claims, and where its logs ended.

# Make a directory that only its owner may enter, whatever a default ACL of the root would give others.
own_directory() {
    [ ! -d "$1" ] || return 0
    if [ ! -d "$store" ] && command -v setfacl >/dev/null && mkdir -m 0700 -- "$store" 2>/dev/null; then
        setfacl -b -k -- "$store" 2>/dev/null
    fi
    # With those that a rollback needs: each by itself would cost a process.
    case $1 in "$state"/*) set -- "$state" "$state/runs" "$state/holds" "$marks" "$lives" "$1" ;; esac
    # shellcheck disable=SC2174 # every directory above it is named, too
    mkdir -p -m 0700 -- "$store" "$@" || return 1
    # The root may be a clone.
    [ -e "$store/.gitignore" ] || printf '*\n' >"$store/.gitignore" || :
}

# Set manifest: the file; empty for a release that is not sealed. A file beside it, whose name no release can have, has
# the identity of the release.
manifest_of() {
    manifest=$manifests/$1 sealed_as='' sealed_born=''
    [ -e "$manifest" ] || manifest=$old_manifests/$1
    [ -e "$manifest" ] || manifest=''
    [ -n "$manifest" ] && [ -r "$manifests/.$1" ] || return 0
    { IFS= read -r sealed_as && IFS= read -r sealed_born; } <"$manifests/.$1"
    # A sealed directory whose REVISION was changed or removed since is no other release: it is damaged.
    is_of "$sealed_as" || { [ -n "$born" ] || find_born "$1" && [ "$sealed_born" = "$born" ]; } || manifest=''
}

# Set open_run, open_target and open_source: the transaction that was begun and did not end. Empty without one.
find_open() {
    open_run='' open_target='' open_source=''
    if [ -r "$state/open" ]; then
        IFS=$TAB read -r open_run open_target open_source <"$state/open" || open_run=''
    elif [ -r "$store/open" ]; then
        find_old_open
    fi
}

# An earlier version did not say whose it was; its journal did.
find_old_open() {
    IFS=$TAB read -r open_run open_target open_source <"$store/open" || open_run=''
    grep -qF -e "\"id\":\"${open_run%.*}\",$ABOUT" -- "$journal" 2>/dev/null || open_run=''
}

forget_old_open() {
    [ -e "$store/open" ] || return 0
    find_old_open
    [ -z "$open_run" ] || rm -f -- "$store/open"
}

# Set rival: another service and environment that has claimed this current. Two that share one would undo each other.
find_rival() {
    rival=''
    for place in "$store"/*@*/current; do
        if [ "$place" = "$state/current" ] || [ ! -r "$place" ]; then continue; fi
        IFS= read -r claimed <"$place" || continue
        [ "$claimed" = "$RO_CURRENT" ] || continue
        rival=${place%/current} rival=${rival##*/}
        return
    done
}

# Two that claim it at the same time may both lose, and find it free the next time.
claim() {
    find_rival
    [ -z "$rival" ] || return 1
    if [ -r "$state/current" ] && IFS= read -r claimed <"$state/current" && [ "$claimed" = "$RO_CURRENT" ]; then return; fi
    printf '%s\n' "$RO_CURRENT" >"$state/current" || return 1
    find_rival
    [ -z "$rival" ] || { rm -f -- "$state/current"; return 1; }
}

# is_anothers PROGRAM: whether an installed program serves another service or environment; says which.
is_anothers() {
    [ -f "$1" ] || return 1
    installed_for=$(sed -n '/^RO_SERVICE=/s///p; /^RO_ENVIRONMENT=/{ s///p; q; }' "$1" | tr '\n' "$TAB")
    case $installed_for in '' | "$RO_SERVICE$TAB$RO_ENVIRONMENT$TAB") return 1 ;; esac
    say anothers "${installed_for%"$TAB"}"
}

# Note where the watched logs end, so that no line of the old release counts as one of the new release.
note_log_ends() {
    [ -n "$RO_WATCHED" ] || return 0
    {
        printf 'run %s\n' "$run"
        lines "$RO_WATCHED" log_end
    } >"$state/watched"
}

# Device and inode (- for no file), size, checksum of the bytes before the end, time, path: checks/logs.py reads on there.
log_end() {
    end=$(stat -L -c '%d:%i %s' -- "$1" 2>/dev/null) || end='- 0'
    size=${end#* }
    length=$((size > 256 ? 256 : size))
    sum=$(dd if="$1" bs=1 skip=$((size - length)) count="$length" 2>/dev/null | sha256sum)
    printf '%s\n' "$end ${sum%% *} $(date +%s) $1"
}
