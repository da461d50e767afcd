# The locks and marks of deployment tools: is a deployment under way, and which releases are bad?

# Set deploying: the release to which Deployer keeps a link named "release" until it is deployed.
find_deploying() {
    deploying=''
    if [ -L "$RO_ROOT/release" ] && [ -d "$RO_ROOT/release" ]; then
        deploying=$(readlink -- "$RO_ROOT/release")
        deploying=${deploying%/} deploying=${deploying##*/}
    fi
    [ "$deploying" != "$live_name" ] || deploying=''
}

# The locks are those of Deployer, of Mina, and of the plugins of Capistrano.
show_deploying() {
    find_deploying
    [ -z "$deploying" ] || show_since release
    for place in .dep/deploy.lock deploy.lock shared/deploy-lock.yml shared/capistrano.lock.yml capistrano.lock.yml; do
        [ ! -e "$RO_ROOT/$place" ] || show_since "$place"
    done
}

show_since() {
    say deploying "$1" "$(date -u -d "@$(stat -c %Y -- "$RO_ROOT/$1")" +%Y-%m-%dT%H:%M:%SZ)"
}

# heed_deployer RELEASE: set mark if Deployer marked it bad, or as changed by hand, and we have not marked it good since.
heed_deployer() {
    for word in BAD_RELEASE DIRTY_RELEASE; do
        if [ "$mark" = bad ] || [ ! -e "$releases/$1/$word" ]; then continue; fi
        [ "$mark" != good ] || [ ! "$place/$1.good" -nt "$releases/$1/$word" ] || continue
        mark=bad noted_by='' noted_why="Deployer's $word"
    done
}

# tell_deployer good|bad|clear RELEASE: write a mark for Deployer, whose own rollback reads only its own marks.
tell_deployer() {
    [ -d "$RO_ROOT/.dep" ] && [ -d "$releases/$2" ] || return 0
    word=$releases/$2/BAD_RELEASE
    case $1,$([ ! -e "$word" ] || echo there) in bad, | good,there | clear,there) ;; *) return 0 ;; esac
    keep_time "$releases/$2" "$state/times"
    if [ "$1" = bad ]; then
        # A link in its place is not followed.
        (set -C && umask 022 && date -u +%Y-%m-%dT%H:%M:%S+0000,rollback-ops >"$word") &&
            { [ "$uid" != 0 ] || chown -h -- "$(stat -c %u:%g -- "$releases/$2")" "$word"; }
    else
        rm -f -- "$word"
    fi
    put_time_back "$releases/$2" "$state/times"
    rm -f -- "$state/times"
}

# keep_time RELEASE FILE: keep the time of the last change in a file, for put_time_back. Some tools sort releases by it:
# they would take the changed one for the newest, go back to the release that was left, and delete the live one.
keep_time() {
    touch -r "$1" -- "$2"
}

put_time_back() {
    [ ! -e "$2" ] || touch -c -r "$2" -- "$1"
}
