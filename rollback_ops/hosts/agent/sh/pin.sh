# Keeps known good releases from a clean-up that deletes the directories which were changed longest ago.

# pin: give the newest times to the live release and to those that were found good last, RO_PIN in all, in this order.
# Their identity, and the time when they became live, do not change. A rollback does not depend on it.
pin() {
    [ "$RO_PIN" != 0 ] && cd -- "$marks" 2>/dev/null || return 0
    look_at_current
    set --
    # The newest mark first. Names of releases have no blanks and no wildcards.
    # shellcheck disable=SC2046
    for name in $live_name $(ls -1t -- *.good 2>/dev/null); do
        name=${name%.good}
        case " $* " in *" $name "*) continue ;; esac
        ! is_pinnable "$name" || set -- "$name" "$@"
        [ "$#" -lt "$RO_PIN" ] || break
    done
    for name; do
        touch -c -- "$releases/$name" 2>/dev/null || :
        # Longer than a tick of the clock of file systems, so that no two have the same time.
        sleep 0.02
    done
}

# Whether it is live or known good, and something else than the time of its directory says when it was deployed.
is_pinnable() {
    is_whole "$1" || return
    identify "$1"
    mark_of "$1"
    [ "$mark" != bad ] && { [ "$mark" = good ] || [ "$1" = "$live_name" ]; } && ! noted "$marks/$1.left" || return
    live_since_of "$1"
    case $live_since in '' | 0) [ -n "$born" ] || find_born "$1"; case $born in created:*) ;; *) return 1 ;; esac ;; esac
}

# The survey's part: what `pin` cannot do here. These tools delete releases by name, or by their own log.
show_pin() {
    [ "$RO_PIN" != 0 ] || return 0
    by=''
    [ ! -e "$RO_ROOT/revisions.log" ] || by=Capistrano
    [ ! -d "$RO_ROOT/.dep" ] || by=Deployer
    [ ! -e "$releases/$live_name/.mina_git_revision" ] || by=Mina
    [ -z "$by" ] || say note pin-by-name "$by"
}

# show_unpinnable RELEASE UID: only its owner, and root, may set its time.
show_unpinnable() {
    case $RO_PIN/$1/$uid in 0/* | */0) return ;; */"$live_name"/"$2") ;; */"$live_name"/*) say note pin-not-owner "$releases/$1" ;; esac
}
