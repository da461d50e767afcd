# The program that runs on a host. POSIX sh, coreutils and util-linux: nothing to install there.
#
# It is only definitions up to its last line, so a copy that was cut on its way does nothing at all.
# The settings stand in front of it as RO_* assignments (hosts/program.py). What it prints is lines of
# tab-separated fields, between "rollback-ops 1 OPERATION" and "end" (hosts/wire.py reads them).
# shellcheck shell=sh

set -u
umask 077
LC_ALL=C
export LC_ALL
TAB='	'
NL='
'

: "${RO_ROOT:?}" "${RO_RELEASES:?}" "${RO_PATTERN:?}" "${RO_CURRENT:?}" "${RO_MANAGER:?}"
: "${RO_STOP:?}" "${RO_KILL:?}" "${RO_RESET:?}" "${RO_START:?}" "${RO_RUNNING:?}" "${RO_STOPPED:?}" "${RO_STATE:?}"
: "${RO_STOP_LIMIT:?}" "${RO_START_LIMIT:?}" "${RO_TOTAL_LIMIT:?}"
: "${RO_LOGS:=:}" "${RO_NEEDS:=}" "${RO_LINKS:=}" "${RO_REQUIRES:=}" "${RO_WATCHED:=}" "${RO_TRUSTED:=}"

releases=$RO_ROOT/$RO_RELEASES
current=$RO_ROOT/$RO_CURRENT
store=$RO_ROOT/.rollback
journal=$store/journal.jsonl
marks=$store/marks/$RO_RELEASES
manifests=$store/manifests/$RO_RELEASES
# What stat says of who can change a file, as distrust takes it.
OWNED=%u$TAB%U$TAB%G$TAB%A
lease_seconds=10
kept_runs=20

# What the manager's command lines, and questions, may use.
ROOT=$RO_ROOT
LOGS=$RO_LOGS
CURRENT=$current
SUDO=
# Our effective user, without a process for it.
while read -r key _ uid _; do [ "$key" != Uid: ] || break; done </proc/self/status
[ "$uid" = 0 ] || SUDO='sudo -n'
export ROOT CURRENT SUDO LOGS

# --- words, time ------------------------------------------------------------------------------------

say() {
    old_ifs=$IFS
    IFS=$TAB
    printf '%s\n' "$*"
    IFS=$old_ifs
}

# Hundredths of a second since the host was booted: no process, and no step when the clock is set.
now() {
    read -r uptime _ </proc/uptime
    now=${uptime%.*}${uptime#*.}
}

# Sets seconds, from hundredths. Without a process: some of this runs while the service is down.
seconds() {
    hundredths=$(($1 % 100))
    [ "$hundredths" -ge 10 ] || hundredths=0$hundredths
    seconds=$(($1 / 100)).$hundredths
}

prefixed() {
    while IFS= read -r line || [ -n "$line" ]; do
        printf '%s\t%s\n' "$1" "$line"
    done
}

# The names that we are ready to hand to other programs. hosts/wire.py holds the same rule.
safe_name() {
    case $1 in
        '' | [!A-Za-z0-9_]* | *[!A-Za-z0-9._+:@~=,-]*) return 1 ;;
    esac
    [ "${#1}" -le 128 ]
}

# --- survey: read everything, change nothing ---------------------------------------------------------

look_at_current() {
    live_state=missing live_name='' live_path=''
    if [ -L "$current" ]; then
        live_path=$(readlink -- "$current")
        case $live_path in *"$TAB"* | *"$NL"*) live_path='?' ;; esac
        if [ -d "$current" ]; then
            really "$current"
            live_state=elsewhere
        else
            real=$(readlink -m -- "$current" 2>/dev/null) || real=''
            live_state=dangling
        fi
        name_it "$real"
        [ -z "$live_name" ] || [ "$live_state" = dangling ] || live_state=release
    elif [ -e "$current" ]; then
        live_state=directory
    fi
}

# Sets live_name, from where current really leads: empty where that is no release.
name_it() {
    live_name=''
    really "$releases"
    if [ -n "$real" ] && [ "${1%/*}" = "$real" ] && safe_name "${1##*/}"; then live_name=${1##*/}; fi
}

# Sets real: where a directory really is, or nothing. Without a process, as some of this runs while the service is down.
really() {
    real='' here=$PWD
    if cd -P -- "$1" 2>/dev/null; then
        real=$PWD
        cd -- "$here" || cd /
    fi
}

revision_of() {
    revision=''
    if [ -f "$1/REVISION" ] && [ -r "$1/REVISION" ]; then
        IFS= read -r revision <"$1/REVISION" || :
        case $revision in *[!A-Za-z0-9._/+-]*) revision='' ;; esac
    fi
}

is_empty() {
    set -- "$1"/* "$1"/.[!.]*
    for entry; do
        if [ -e "$entry" ] || [ -L "$entry" ]; then return 1; fi
    done
}

# As far as can be told while the service is down: without a process.
is_whole() {
    [ ! -L "$releases/$1" ] && [ -d "$releases/$1" ] && ! is_empty "$releases/$1" && lines "$RO_REQUIRES" has "$releases/$1"
}

# Why the host would not run this release, as a word that wire.py explains; empty when it would.
problem_of() {
    problem=''
    if [ -L "$1" ]; then
        problem='link'
    elif [ ! -d "$1" ]; then
        problem=not-a-directory
    elif [ ! -r "$1" ] || [ ! -x "$1" ]; then
        problem=unreadable
    elif is_empty "$1"; then
        problem=empty
    elif [ "$1" = "$deploying" ] && [ "$1" != "$live_name" ]; then
        problem=being-deployed
    else
        lines "$RO_REQUIRES" has "$1" || problem="lacks $wanted"
    fi
}

has() {
    wanted=$2
    [ -e "$1/$2" ]
}

# lines TEXT COMMAND [ARGUMENT…]: run the command once for each line, until it fails.
lines() {
    rest=$1
    shift
    while [ -n "$rest" ]; do
        item=${rest%%"$NL"*}
        case $rest in *"$NL"*) rest=${rest#*"$NL"} ;; *) rest='' ;; esac
        "$@" "$item" || return 1
    done
}

mark_of() {
    mark=''
    if [ -e "$marks/$1.bad" ]; then
        mark=bad
    elif [ -e "$marks/$1.good" ]; then
        mark=good
    fi
}

list_releases() {
    cd -- "$releases" 2>/dev/null || return 0
    # shellcheck disable=SC2086 # the pattern is a glob
    set -- $RO_PATTERN
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then return 0; fi
    # Deployer keeps a link named "release" to what it has not finished deploying.
    deploying=''
    [ ! -L "$RO_ROOT/release" ] || deploying=$(basename -- "$(readlink -- "$RO_ROOT/release")")
    odd=''
    for name; do safe_name "$name" || odd=yes; done
    for name in ${odd:+"$@"}; do
        shift
        if safe_name "$name"; then set -- "$@" "$name"; else say odd "$(printf '%s' "$name" | od -An -v -tx1 | tr -d ' \n')"; fi
    done
    [ "$#" -gt 0 ] || return 0
    [ "$sizes" != yes ] || du -sk -- "$@" 2>/dev/null | prefixed size
    facts=$(stat -c "%n$TAB%Y$TAB$OWNED" -- "$@" 2>/dev/null)
    ifs=$IFS
    IFS=$NL
    set -f
    # shellcheck disable=SC2086 # a line each
    set -- $facts
    set +f
    for fact; do
        IFS=$TAB
        # shellcheck disable=SC2086 # a field each, without wildcards
        show_release $fact
    done
    IFS=$ifs
}

# show_release NAME MODIFIED UID USER GROUP MODE
show_release() {
    problem_of "$1"
    distrust "$3" "$4" "$5" "$6"
    [ -n "$problem" ] || problem=$distrust
    revision_of "$1"
    mark_of "$1"
    sealed=''
    [ ! -e "$manifests/$1" ] || sealed=yes
    say release "$1" "$problem" "$revision" "$mark" "$sealed"
    say modified "$1" "$2"
}

# Sets lease_run, lease_owner, lease_url, lease_since, and left: hundredths of a second until it expires.
# `read` takes several tabs for one, so what may be empty stands last in every line that it reads.
read_lease() {
    lease_run='' lease_owner='' lease_url='' lease_since='' lease_boot='' lease_until='' left=0
    [ -r "$store/lease" ] || return 0
    IFS=$TAB read -r lease_run lease_boot lease_until lease_since lease_owner lease_url <"$store/lease" || :
    now
    boot_id
    if [ "$lease_boot" = "$boot" ] && [ "$lease_until" -gt "$now" ] 2>/dev/null; then
        left=$((lease_until - now))
    fi
}

show_lease() {
    read_lease
    if [ "$left" -gt 0 ] || lock_is_held; then
        seconds "$left"
        say lease "$lease_run" "$lease_owner" "$lease_url" "$lease_since" "$seconds"
    fi
}

show_unfinished() {
    [ -r "$store/open" ] || return 0
    IFS=$TAB read -r open_run open_target open_source <"$store/open" || return 0
    lock_is_held || say unfinished "$open_run" "$open_source" "$open_target"
}

# Asked with a shared lock: two that ask at once must not take each other for a holder.
lock_is_held() {
    [ -r "$store/lock" ] && ! flock -s -n "$store/lock" true
}

# Sets boot.
boot_id() {
    read -r boot </proc/sys/kernel/random/boot_id
}

blockers() {
    for tool in flock timeout setsid mv ln mkfifo readlink sync stat; do
        command -v "$tool" >/dev/null || say blocker no-tool "$tool"
    done
    [ -d "$RO_ROOT" ] || { say blocker no-root "$RO_ROOT"; return; }
    [ -d "$releases" ] || say blocker no-releases "$releases"
    if [ "$RO_MANAGER" = custom ] && [ ! -d "$current" ]; then say blocker no-place-to-run "$current"; fi
    writable "$RO_ROOT"
    [ "${current%/*}" = "$RO_ROOT" ] || writable "${current%/*}"
    # Somebody else may have begun to use it: root, on a host where this user cannot become root.
    for place in "$store" "$store/runs" "$store/lock" "$journal"; do
        [ ! -e "$place" ] || writable "$place"
    done
    guarded
    room
    lines "$RO_LINKS" link_has_source
    [ "$uid" = 0 ] || lines "$RO_NEEDS" may_sudo
}

writable() {
    if [ -w "$1" ]; then return; fi
    case $uid,$(findmnt -n -o OPTIONS -T "$1" 2>/dev/null), in
        0,* | *,ro,*) say blocker read-only "$1" ;;
        *) say blocker not-writable "$1" "$(id -un)" ;;
    esac
}

# What we run, and where we write (as root, perhaps), must not have been put there by just anybody.
guarded() {
    set -- "$RO_ROOT/."
    for place in "$releases" "${current%/*}"; do
        while [ "${#place}" -gt "${#RO_ROOT}" ]; do
            set -- "$@" "$place/."
            place=${place%/*}
        done
    done
    if [ -e "$store" ] || [ -L "$store" ]; then set -- "$@" "$store" "$store"/*; fi
    root_uid=''
    while IFS=$TAB read -r owner_uid owner group mode place; do
        root_uid=${root_uid:-$owner_uid}
        distrust "$owner_uid" "$owner" "$group" "$mode"
        [ -z "$distrust" ] || say blocker untrusted "${place%/.}" "$distrust"
    done <<END
$(stat -c "$OWNED$TAB%n" -- "$@" 2>/dev/null)
END
}

# distrust UID USER GROUP MODE: sets distrust, why somebody else may have put it there; empty when nobody could.
# Trusted are root, who we are, the owner of the root directory, the own group (of the same name) of a file's owner,
# and RO_TRUSTED.
distrust() {
    distrust=''
    case " 0 $uid $root_uid , $RO_TRUSTED " in
        *" $1 "* | *,*" $2 "* | *,*" %$3 "*) ;;
        *) distrust="belongs to $2, who is not trusted" ;;
    esac
    case $4 in
        l*) ;;
        ????????w*) distrust='can be written to by everybody' ;;
        ?????w*)
            case " ${2#UNKNOWN} root $RO_TRUSTED " in
                *" $3 "* | *" %$3 "*) ;;
                *) distrust="can be written to by the group $3, which is not trusted" ;;
            esac
            ;;
    esac
}

room() {
    stat -f -c '%a %S %d %c' -- "$RO_ROOT" 2>/dev/null | while read -r blocks size inodes all; do
        [ "$((blocks * size))" -ge 1048576 ] || say blocker disk-full "$RO_ROOT"
        if [ "$all" -gt 0 ] && [ "$inodes" -lt 16 ]; then say blocker no-inodes "$RO_ROOT"; fi
    done
}

link_has_source() {
    [ -e "$RO_ROOT/${1#*"$TAB"}" ] || say warning no-link-source "$RO_ROOT/${1#*"$TAB"}"
}

may_sudo() {
    set -f
    # shellcheck disable=SC2086 # a command line made of plain words
    sudo -n -l -- $1 >/dev/null 2>&1 || say blocker no-sudo "$1" "$(id -un)"
    set +f
}

show_state() {
    # systemctl says no more than it is asked; what others say has to be bounded.
    case $RO_MANAGER in
        systemd*) STATE=$(timeout 5 sh -c "$RO_STATE" 2>&1 </dev/null) ;;
        *) STATE=$(timeout 5 sh -c "$RO_STATE" 2>&1 </dev/null | head -c 60000) ;;
    esac
    printf '%s\n' "$STATE" | prefixed state
}

survey() {
    sizes=${1:-no}
    look_at_current
    revision=''
    [ "$live_state" != release ] || revision_of "$releases/$live_name"
    say live "$live_state" "$live_name" "$live_path" "$revision"
    blockers
    show_lease
    show_unfinished
    show_state
    list_releases
}

# --- inspect: what can be asked of a release before anything is stopped -------------------------------

# inspect NAME [TIMEOUT COMMAND]…
inspect() {
    name=$1
    shift
    if ! safe_name "$name" || [ ! -d "$releases/$name" ]; then
        say manifest failed "it is gone"
        return
    fi
    if [ -e "$manifests/$name" ]; then
        if wrong=$(cd -- "$releases/$name" && sha256sum -c --quiet --strict "$manifests/$name" 2>/dev/null); then
            say manifest ok
        else
            say manifest failed "$(printf '%s\n' "$wrong" | head -n 3 | tr '\t\n' '  ')"
        fi
    fi
    cd -- "$releases/$name" || return
    questions "$@"
}

# questions [TIMEOUT COMMAND]…: all at once; each answers with its exit status and its last lines.
questions() {
    number=0
    while [ "$#" -gt 1 ]; do
        question "$number" "$1" "$2" &
        number=$((number + 1))
        shift 2
    done
    wait
}

question() {
    now
    asked=$now
    answer=$(answer_to "$2" "$3" | tail -c 4000 | tail -n 12)
    now
    printf '%s\n' "${answer%"$NL"*}" | prefixed "said$TAB$1"
    seconds $((now - asked))
    say answered "$1" "${answer##*"$NL"}" "$seconds"
}

# What the command leaves in the background goes with it: the answer would not end before that does.
answer_to() {
    timeout -k 1 "$1" sh -c "umask 022$NL$2" 2>&1 </dev/null &
    status=0
    wait "$!" || status=$?
    kill -KILL "-$!" 2>/dev/null
    printf '\n%s' "$status"
}

# --- switch: the transaction --------------------------------------------------------------------------

# switch RUN TARGET SOURCE BREAK-LOCK OWNER RUN-URL INTENT [RELINK [RESET]]: start the worker, and tell how it gets on.
switch() {
    run=$1
    safe_name "$run" || return 64
    dir=$store/runs/$run
    if ! { { [ -d "$store/runs" ] || mkdir -p -- "$store/runs"; } && mkdir -- "$dir" && printf '' >"$dir/progress" &&
        printf '%s\n' "$RO_SELF" >"$dir/program" && printf '%s\n' "$7" >"$dir/intent" &&
        printf '%s\n' "$2" "$3" "$4" "$5" "$6" "${8:-yes}" "${9:-yes}" >"$dir/order"; } 2>/dev/null; then
        say result refused '' '' "cannot write to $store"
        return
    fi
    launch
    forget_old_runs
    tell_all
}

# The worker must not depend on the session that it is started from. A unit of its own is best: systemd
# itself then finishes what a killed worker left. KillMode=process spares a service that a custom start
# command left running in the worker's control group.
launch() {
    mode=control-group
    [ "$RO_MANAGER" != custom ] || mode=process
    # A program that is not started costs nothing.
    unless_done="[ -e $dir/done ] || exec"
    if [ "$uid" = 0 ] && [ -d /run/systemd/system ] && command -v systemd-run >/dev/null &&
        systemd-run --quiet --no-block --collect --unit="rollback-ops-$run" -p "KillMode=$mode" \
            -p "RuntimeMaxSec=$RO_TOTAL_LIMIT" -p "TimeoutStopSec=$RO_TOTAL_LIMIT" -p "ExecStopPost=/bin/sh -c \"$unless_done /bin/sh $dir/program aftermath $run\"" \
            /bin/sh "$dir/program" worker "$run" </dev/null >/dev/null 2>&1; then
        return
    fi
    # shellcheck disable=SC2016 # the inner shell expands these
    setsid sh -c 'sh "$1" worker "$2"; eval "$3" sh "$1" aftermath "$2"' rollback-ops "$dir/program" "$run" "$unless_done" \
        </dev/null >/dev/null 2>&1 &
}

forget_old_runs() {
    set -- "$store"/runs/*
    while [ "$#" -gt "$kept_runs" ]; do
        rm -rf -- "$1"
        shift
    done
}

# follow RUN: print the progress from its beginning until the result is there.
follow() {
    run=$1
    dir=$store/runs/$run
    safe_name "$run" || return 64
    # Who makes the directory decides: an order that a bad line delivers after this is refused by `switch`.
    mkdir -p -- "$store/runs" 2>/dev/null
    if mkdir -- "$dir" 2>/dev/null || [ ! -d "$dir" ]; then
        say result refused '' '' "this host never began it"
        return
    fi
    tell_all
}

tell_all() {
    open_progress
    ring_now_and_then </dev/null >/dev/null 2>&1 &
    tell_progress <"$dir/progress"
    kill "$!"
}

tell_progress() {
    quiet=0
    while :; do
        if IFS= read -r line; then
            printf '%s\n' "$line"
            case $line in "result$TAB"*) return ;; esac
            quiet=0
            continue
        fi
        quiet=$((quiet + 1))
        # The worker holds the file "alive" while it lives; between two workers there may be a moment.
        if [ "$quiet" -ge 5 ] && flock -s -n "$dir/alive" true; then
            say result unknown '' '' "the program on the host was ended before its end"
            return
        fi
        read -r _ <&4
    done
}

# Who follows is woken by a bell, a named pipe: to look again every few milliseconds costs a process each time.
open_progress() {
    [ -p "$dir/bell" ] || mkfifo -- "$dir/bell"
    exec 3>>"$dir/progress" 4<>"$dir/bell"
}

tell() {
    say "$@" >&3
    printf '\n' >&4
}

# A worker that was killed rings no more.
ring_now_and_then() {
    while sleep 1 && kill -0 "$$"; do printf '\n' >&4; done
}

worker() {
    run=$1
    resumed=${2:-}
    dir=$store/runs/$run
    exec 8>>"$dir/alive" 9>>"$store/lock" >>"$dir/log" 2>&1 </dev/null
    open_progress
    # What a killed worker was just running, or somebody who asks, may hold it for a moment more.
    flock -w 5 8 || exit 0
    printf '%s\n' "$$" >"$dir/pid"
    { IFS= read -r target && IFS= read -r source && IFS= read -r break_lock && IFS= read -r owner && IFS= read -r run_url && IFS= read -r relink && IFS= read -r reset; } <"$dir/order"
    [ -z "$resumed" ] || break_lock=no reset=yes
    [ "$relink" = yes ] || RO_LINKS=''
    take_lock || return 0
    if [ -z "$resumed" ]; then
        look_at_current
        objection
        if [ -n "$objection" ]; then
            drop_lease
            result refused "$objection"
            return
        fi
        begin || return 0
    elif is_done; then
        finish switched 'finished after an interruption'
        return
    else
        prepare
    fi
    transaction
}

is_done() {
    downtime=''
    look_at_current
    [ "$live_state" = release ] && [ "$live_name" = "$target" ] && is "$RO_RUNNING"
}

# When a worker is killed, this finishes what it began: forward, to the target.
aftermath() {
    dir=$store/runs/$1
    ! grep -q "^result$TAB" "$dir/progress" || return 0
    open_run=''
    { [ ! -r "$store/open" ] || IFS=$TAB read -r open_run _ <"$store/open"; }
    if [ "$open_run" = "$1" ]; then
        worker "$1" resumed
        return
    fi
    open_progress
    run=$1
    if [ -e "$dir/ended" ]; then
        tell_end
    elif [ -e "$dir/begun" ]; then
        lost_lease
    else
        drop_lease
        result refused "the program was ended before it began"
    fi
}

# The journal knows how it ended; only the word of it was lost with the worker.
tell_end() {
    holds_lease || { lost_lease; return; }
    ended=$(sed -n "s/^{\"event\":\"end\",\"id\":\"${run%.*}\",\"outcome\":\"\([a-z_]*\)\".*/\1/p" "$journal" | tail -n 1)
    renew_lease
    result "${ended:-unknown}" "the program was ended before it could tell how this ended"
}

step() {
    name=$1 outcome=$2 begun=$3
    now
    seconds $((now - begun))
    tell step "$name" "$outcome" "$seconds" "${4:-}"
    note "{\"event\":\"step\",\"id\":\"${run%.*}\",\"step\":\"$name\",\"outcome\":\"$outcome\",\"seconds\":$seconds}"
}

# result OUTCOME REASON [DOWNTIME]
result() {
    really "$current"
    name_it "$real"
    tell result "$1" "$live_name" "${3:-}" "$2"
    printf '' >"$dir/done"
}

note() {
    printf '%s\n' "$1" >>"$journal"
}

event() {
    note "{\"event\":\"$1\",\"id\":\"${run%.*}\",\"outcome\":\"$2\",\"at\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}"
}

# The lock is a kernel lock for as long as the worker lives, and then a lease that the verification keeps
# renewing: a dead owner's is free at once or in seconds, a live owner's never.
take_lock() {
    held=''
    since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    flock -w 1 9 || held=yes
    read_lease
    if [ -n "$held" ] || { [ "$left" -gt 0 ] && ! is_ours; }; then
        holder="${lease_owner:-another run} since ${lease_since:-an unknown time} (run ${lease_run:-unknown})"
        if [ -n "$resumed" ]; then
            lost_lease
            return 1
        elif [ "$break_lock" != yes ]; then
            result refused "locked by $holder"
            return 1
        fi
        break_in "$holder" || { result refused "the lock of $holder could not be broken"; return 1; }
    fi
    # What was begun is finished also where nothing can be written: its lease is still there.
    write_lease || [ -n "$resumed" ] || { result refused "cannot write to $store"; return 1; }
}

# The new lease comes first: a worker that finds that the lease is no longer its own changes nothing more.
break_in() {
    tell step break-lock warning 0.00 "taken from $1"
    [ ! -e "$store/lease" ] || cp -p -- "$store/lease" "$dir/broken-lease"
    other_run=$lease_run
    write_lease
    [ -n "$held" ] || return 0
    end_other "$other_run"
    if flock -w 5 9; then return; fi
    # It goes on, then, and must not take itself for one that lost.
    mv -f -- "$dir/broken-lease" "$store/lease" || drop_lease
    return 1
}

# Only what is still a worker of that run: its number may have been given to something else. What it is just running
# holds the lock as well.
end_other() {
    if safe_name "$1" && [ -r "$store/runs/$1/pid" ] && read -r other <"$store/runs/$1/pid" &&
        grep -qF -e "$1" "/proc/$other/cmdline"; then
        children=''
        { read -r children <"/proc/$other/task/$other/children"; } 2>/dev/null
        # shellcheck disable=SC2086 # numbers
        kill -KILL "$other" $children
    fi
}

write_lease() {
    now
    boot_id
    say "$run" "$boot" $((now + lease_seconds * 100)) "$since" "${owner:-?}" "$run_url" >"$store/lease.$run" &&
        mv -f -- "$store/lease.$run" "$store/lease"
}

# Under the lock, as dropping it is: what was let go or broken meanwhile must not come back.
renew_lease() {
    (
        flock -n 9 && holds_lease || exit 0
        read_lease
        since=$lease_since owner=$lease_owner run_url=$lease_url
        write_lease
    ) 9>>"$store/lock"
}

holds_lease() {
    lease_run=''
    [ ! -r "$store/lease" ] || IFS=$TAB read -r lease_run _ <"$store/lease"
    is_ours
}

# One run may take several transactions (RUN, RUN.2, …): they share its lease.
is_ours() {
    [ "${lease_run%.*}" = "${run%.*}" ]
}

drop_lease() {
    ! holds_lease || rm -f -- "$store/lease"
}

# Everything that can be refused is refused here, with the lock held and before anything is stopped.
objection() {
    objection=''
    # Whose lock was broken while it worked may have switched current already.
    if { [ "$live_path" != "$source" ] && [ -z "$held" ]; } || [ "$live_state" = directory ]; then
        objection="current has changed since it was looked at: it is now ${live_path:-$live_state}"
    elif ! safe_name "$target" || ! is_whole "$target"; then
        objection="$target is no longer a complete release"
    else
        prepare || objection="cannot make a link at $link_place"
        if [ -n "$objection" ] && [ -d "$link_place" ] && [ ! -L "$link_place" ]; then objection="$objection: it is a directory"; fi
        [ -z "$objection" ] || unprepare
    fi
}

# Makes ready, while the service still runs, all that the switch then only has to put in place.
prepare() {
    link_place=$current
    make_link "$(link_text)" "$current" && lines "$RO_LINKS" prepare_link
}

unprepare() {
    rm -f -- "$current.rollback-$run"
    lines "$RO_LINKS" unprepare_link
}

unprepare_link() {
    link_parts "$1"
    rm -f -- "$link_place.rollback-$run"
}

# current keeps the style that it has: relative links stay relative (where nothing on the way is a link itself).
link_text() {
    relative=$RO_RELEASES/$target above=$RO_CURRENT
    while [ "$above" != "${above#*/}" ]; do relative=../$relative above=${above#*/}; done
    case $live_path in /* | '' | '?') relative='' ;; esac
    if [ -n "$relative" ] && [ -d "${current%/*}/$relative" ]; then
        printf '%s' "$relative"
    else
        printf '%s' "$releases/$target"
    fi
}

# A link is made under another name first; rename(2) then puts it in its place in one step.
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

prepare_link() {
    link_parts "$1"
    if link_is_right || [ ! -e "$link_source" ]; then return 0; fi
    if [ -d "$link_place" ] && [ ! -L "$link_place" ]; then return 1; fi
    if [ -f "$link_place" ] && [ ! -L "$link_place" ]; then
        mkdir -p -- "$dir/replaced" && cp -p -- "$link_place" "$dir/replaced/" || return 1
    fi
    # A release that was removed just now must not come back as a directory with nothing but a link.
    [ -d "$releases/$target" ] || return 1
    { [ -d "${link_place%/*}" ] || (umask 022 && mkdir -p -- "${link_place%/*}"); } && make_link "$link_source" "$link_place"
}

relink() {
    link_parts "$1"
    [ ! -L "$link_place.rollback-$run" ] || place_link "$link_place"
}

begin() {
    if ! { IFS= read -r intent <"$dir/intent" && end_last_line && note "$intent" && say "$run" "$target" "$source" >"$store/open" &&
        sync -- "$journal" "$store/open" && printf '' >"$dir/begun"; }; then
        unprepare
        drop_lease
        result refused "cannot write to $store"
        return 1
    fi
}

# After a crash the journal may end in the middle of a line, or in zeros.
end_last_line() {
    [ -s "$journal" ] || return 0
    last=$(tail -c 1 -- "$journal" && printf .)
    [ "$last" = "$NL." ] || printf '\n' >>"$journal"
}

transaction() {
    downtime='' began_at=${live_name:+$releases/$live_name}
    now
    down_since=$now
    [ "$reset" != yes ] || manage "$RO_RESET" 5
    holds_lease || { lost_lease; return; }
    if ! stop_service; then
        put_back "it could not be stopped"
        return
    fi
    holds_lease || { lost_lease; return; }
    if is_moved; then
        put_back "current was moved by somebody else in the meantime"
        return
    fi
    if ! switch_current; then
        put_back "current could not be switched"
        return
    fi
    holds_lease || { lost_lease; return; }
    relink_all
    holds_lease || { lost_lease; return; }
    note_log_ends
    if start_service && is_whole "$target"; then
        finish switched ''
    elif ! is_whole "$target" && switch_back; then
        put_back "$target is no longer a complete release"
    else
        finish not_started "$target does not start"
    fi
}

# Our own files are nobody else's to read; what the service makes is.
manage() {
    timeout -k 1 "$2" sh -c "umask 022$NL$1" 3>&- 4>&- 8>&- 9>&-
}

is() {
    timeout 5 sh -c "$1" >/dev/null 2>&1 3>&- 4>&- 8>&- 9>&-
}

stop_service() {
    now
    begun=$now
    down_since=$now
    if manage "$RO_STOP" "$RO_STOP_LIMIT"; then
        step stop ok "$begun"
        return
    fi
    # A host with a service that misbehaves may be slow itself.
    manage "$RO_KILL" 4
    manage "$RO_RESET" 2
    if within 300 "$RO_STOPPED"; then
        step stop warning "$begun" "it did not stop by itself and was killed"
    else
        step stop failed "$begun"
        return 1
    fi
}

# within HUNDREDTHS COMMAND: ask until the answer is yes.
within() {
    now
    until_then=$((now + $1))
    until is "$2"; do
        now
        [ "$now" -lt "$until_then" ] || return 1
        sleep 0.05
    done
}

# Somebody deploys: what they started would go on running while current says something else.
is_moved() {
    [ -n "$began_at" ] && [ -d "$current" ] && ! [ "$current" -ef "$began_at" ]
}

switch_current() {
    now
    begun=$now
    # Somebody may have cleaned up since it was looked at.
    if is_whole "$target" && place_link "$current"; then
        step switch ok "$begun"
    else
        step switch failed "$begun"
        return 1
    fi
}

relink_all() {
    [ -n "$RO_LINKS" ] || return 0
    now
    begun=$now
    if lines "$RO_LINKS" relink; then step links ok "$begun"; else step links warning "$begun" "$link_place"; fi
}

# Somebody took the target away just now: nothing else is left to run than what ran before.
switch_back() {
    holds_lease && stop_service && make_link "$source" "$current" && place_link "$current"
}

# Where the logs that are watched end, so that nothing of the old release is taken for the new one's.
note_log_ends() {
    [ -n "$RO_WATCHED" ] || return 0
    {
        printf 'run %s\n' "$run"
        lines "$RO_WATCHED" log_end
    } >"$store/watched"
}

# Device and inode (- for no file), size, checksum of the bytes before the end, time, path: checks/logs.py reads on there.
log_end() {
    end=$(stat -L -c '%d:%i %s' -- "$1" 2>/dev/null) || end='- 0'
    size=${end#* }
    length=$((size > 256 ? 256 : size))
    sum=$(dd if="$1" bs=1 skip=$((size - length)) count="$length" 2>/dev/null | sha256sum)
    printf '%s\n' "$end ${sum%% *} $(date +%s) $1"
}

start_service() {
    now
    begun=$now
    if bring_up && started; then
        now
        seconds $((now - down_since))
        downtime=$seconds
        step start ok "$begun"
    else
        step start failed "$begun"
        return 1
    fi
}

bring_up() {
    manage "$RO_START" "$RO_START_LIMIT" ||
        { is_limited && manage "$RO_RESET" 5 && manage "$RO_START" "$RO_START_LIMIT"; }
}

# systemd refuses what was started too often, by whomever: nothing was known of that when it looked well.
is_limited() {
    [ "$reset" != yes ] || return 1
    case $(timeout 5 sh -c "$RO_STATE" 2>/dev/null </dev/null) in *start-limit-hit*) ;; *) return 1 ;; esac
}

# systemctl has waited for its units, and a verification looks at them right after. It does not in an emergency,
# nor when nobody is there any more.
started() {
    case $RO_MANAGER in systemd*) [ "$break_lock$resumed" = no ] || comes_up ;; *) comes_up ;; esac
}

# Running, or at least on its way: a service that stays stopped for two seconds is not coming.
comes_up() {
    now
    patience=$((now + 200))
    until is "$RO_RUNNING"; do
        now
        [ "$now" -lt "$((begun + RO_START_LIMIT * 100))" ] || return 1
        if ! is "$RO_STOPPED"; then
            patience=$((now + 200))
        elif [ "$now" -ge "$patience" ]; then
            return 1
        fi
        sleep 0.05
    done
}

put_back() {
    holds_lease || { lost_lease; return; }
    unprepare
    if is "$RO_RUNNING" || { manage "$RO_START" "$RO_START_LIMIT" && comes_up; }; then
        finish put_back "$1"
    else
        finish failed "$1, and what was there does not run"
    fi
}

lost_lease() {
    event lost-lease unknown
    result unknown "another run took over"
}

finish() {
    # What stands open, and the lease, are another run's by now.
    holds_lease || { lost_lease; return; }
    case $1 in switched | put_back) ;; *) manage "$RO_LOGS" 5 2>&1 </dev/null | tail -n 20 | prefixed log >&3 ;; esac
    event "end" "$1"
    sync -- "${current%/*}" "$journal"
    mv -f -- "$store/open" "$dir/ended"
    write_lease
    # The verification's first look, without another operation.
    [ "$1" != switched ] || show_state >&3
    result "$1" "$2" "$downtime"
}

# --- after the transaction ----------------------------------------------------------------------------

# ask RUN [TIMEOUT COMMAND]…: how the service is; keeps RUN's lease alive.
ask() {
    run=$1
    shift
    if [ -n "$run" ] && holds_lease; then renew_lease; fi
    show_state
    # What a question may use besides what a manager's command line may.
    RUN=$run
    export RUN STATE
    cd -- "$current" 2>/dev/null || cd /
    questions "$@"
}

# record RUN LINE [MARK RELEASE]…: the last word on a run.
record() {
    run=$1 last_word=$2
    shift 2
    # Where this run changed something, that was looked at before.
    [ -d "$store/runs/$run" ] || [ -z "$(guarded)" ] || return 1
    [ -d "$marks" ] || mkdir -p -- "$marks" || return 1
    written=0
    while [ "$#" -ge 2 ]; do
        set_mark "$1" "$2" || written=1
        shift 2
    done
    (
        flock -w 2 9
        [ -z "$last_word" ] || { { [ -e "$store/runs/$run/ended" ] || end_last_line; } && note "$last_word" && sync -- "$journal"; } || written=1
        drop_lease
        exit "$written"
    ) 9>>"$store/lock"
}

set_mark() {
    safe_name "$2" || return 0
    case $1 in
        good) { [ ! -e "$marks/$2.bad" ] || rm -f -- "$marks/$2.bad"; } && printf '%s\n' "$run" >"$marks/$2.good" ;;
        bad) printf '%s\n' "$run" >"$marks/$2.bad" ;;
    esac
}

# What a crash left in the journal must not be in the way of the lines that are whole: a half line is
# ended (cut does that), and zeros and lines that nobody could read are left out.
history() {
    [ -r "$journal" ] || return 0
    tail -c 8000000 -- "$journal" | tr -d '\000' | cut -b 1-60000 | sed -n "/./s/^/journal$TAB/p"
}

# seal NAME: a manifest of every file, for inspect to compare with. Where a link belongs, a rollback puts it.
seal() {
    safe_name "$1" && [ -z "$(guarded)" ] && cd -- "$releases/$1" || return 1
    mkdir -p -- "$manifests" || return 1
    linked=''
    lines "$RO_LINKS" leave_out
    # shellcheck disable=SC2086 # words without blanks or wildcards
    if find . -type f $linked -print0 | sort -z | xargs -0 -r sha256sum -b >"$manifests/$1.new" && [ -s "$manifests/$1.new" ]; then
        mv -f -- "$manifests/$1.new" "$manifests/$1"
        say sealed "$1" "$(wc -l <"$manifests/$1")"
    else
        rm -f -- "$manifests/$1.new"
        return 1
    fi
}

leave_out() {
    linked="$linked ! -path ./${1%%"$TAB"*}"
}

# Where the files belong to root and this user may become root, all of it is done as root.
become_root() {
    [ "$uid" != 0 ] && [ ! -w "$RO_ROOT" ] && [ "$RO_MANAGER" != systemd-user ] && sudo -n -l -- sh -c true >/dev/null 2>&1
}

# converse TOKEN: several operations in one session, each in a shell of its own. What a login shell costs, and
# reading this program, is then paid for once. A request is a line with its length, and so many bytes: the words,
# quoted, and the token. One that was cut on its way does not end with the token, and nothing of it is done.
# A short one on one line is read without a process, which takes a byte at a time: its length is "line".
converse() {
    while IFS= read -r length; do
        if [ "$length" = line ]; then IFS= read -r request || return; else request=$(head -c "$length"); fi
        case $request in *" $1") ;; *) return ;; esac
        (
            eval "set -- ${request%" $1"}"
            main "$@"
        ) </dev/null
        status=$?
        say ''
        say over "$1" "$status"
    done
}

main() {
    case ${1:-} in
        converse) converse "$2" ;;
        survey | inspect | switch | follow | ask | record | history | seal)
            if become_root; then
                # shellcheck disable=SC2016 # the inner shell expands these
                printf '%s\n' "$RO_SELF" | sudo -n -- sh -c 'RO_SELF=$(cat); eval "$RO_SELF"' rollback-ops "$@"
                exit
            fi
            # A login message may have left the line unfinished.
            say ''
            say rollback-ops 1 "$1"
            "$@"
            say end "$?"
            ;;
        worker | aftermath) "$@" ;;
        *) exit 64 ;;
    esac
}

main "$@"
