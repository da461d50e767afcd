# The kernel lock of a running transaction, and the lease of a verification.

# A worker holds the kernel lock while it lives. Then the verification holds a lease and renews it. The lock of a dead
# owner is free at once, and its lease is over in seconds.
take_lock() {
    held=''
    since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    flock -w 1 9 || held=yes
    read_lease
    if follows && ! is_ours; then
        result superseded "another run took over${lease_run:+: ${lease_owner:-?} since ${lease_since:-an unknown time} (run $lease_run)}"
        return 1
    fi
    if [ -n "$held" ] || { [ "$left" -gt 0 ] && ! is_ours; }; then
        holder="${lease_owner:-another run} since ${lease_since:-an unknown time} (run ${lease_run:-unknown})"
        if [ -n "$resumed" ]; then
            lost_lease
            return 1
        elif [ "$break_lock" != yes ]; then
            tell locked
            result refused "locked by $holder"
            return 1
        fi
        break_in "$holder" || { result refused "the lock of $holder could not be broken"; return 1; }
    fi
    # A resumed transaction is finished even where nothing can be written: its lease is still there.
    write_lease || [ -n "$resumed" ] || { result refused "cannot write to $store"; return 1; }
}

# Write the new lease first: a worker that has lost its lease changes nothing more.
break_in() {
    tell step break-lock warning 0.00 "taken from $1"
    [ ! -e "$state/lease" ] || cp -p -- "$state/lease" "$dir/broken-lease"
    other_run=$lease_run
    write_lease
    [ -n "$held" ] || return 0
    end_other "$other_run"
    if flock -w 5 9; then return; fi
    # The other worker could not be ended: give its lease back.
    mv -f -- "$dir/broken-lease" "$state/lease" || drop_lease
    return 1
}

# end_other RUN: kill the worker of a run, and its child, which holds the lock too. Its process number may belong to
# another process by now.
end_other() {
    if safe_name "$1" && [ -r "$state/runs/$1/pid" ] && read -r other <"$state/runs/$1/pid" &&
        grep -qF -e "$1" "/proc/$other/cmdline"; then
        children=''
        { read -r children <"/proc/$other/task/$other/children"; } 2>/dev/null
        # shellcheck disable=SC2086 # numbers
        kill -KILL "$other" $children
    fi
}

# Ask with a shared lock: two who ask at the same time must not take each other for a holder.
lock_is_held() {
    [ -r "$state/lock" ] && ! flock -s -n "$state/lock" true
}

# Set lease_run, lease_owner, lease_url, lease_since, and left: hundredths of a second until it expires.
# `read` takes several tabs for one, so what may be empty stands last in every line that it reads.
read_lease() {
    lease_run='' lease_owner='' lease_url='' lease_since='' lease_boot='' lease_until='' left=0
    [ -r "$state/lease" ] || return 0
    IFS=$TAB read -r lease_run lease_boot lease_until lease_since lease_owner lease_url <"$state/lease" || :
    now
    boot_id
    if [ "$lease_boot" = "$boot" ] && [ "$lease_until" -gt "$now" ] 2>/dev/null; then
        left=$((lease_until - now))
    fi
}

write_lease() {
    now
    boot_id
    say "$run" "$boot" $((now + lease_seconds * 100)) "$since" "${owner:-?}" "$run_url" >"$state/lease.$run" &&
        mv -f -- "$state/lease.$run" "$state/lease"
}

# Whether the lease is less than a second old: then it is not written again.
is_fresh() {
    read_lease
    [ "$left" -ge $((lease_seconds * 100 - 100)) ]
}

# Renew the lease under the lock: one that was dropped or broken meanwhile must not come back.
renew_lease() {
    {
        if flock -n 9 && holds_lease; then
            read_lease
            since=$lease_since owner=$lease_owner run_url=$lease_url
            write_lease
        fi
    } 9>>"$state/lock"
}

holds_lease() {
    lease_run=''
    [ ! -r "$state/lease" ] || IFS=$TAB read -r lease_run _ <"$state/lease"
    is_ours
}

# One run may take several transactions (RUN, RUN.2, …): they share its lease.
is_ours() {
    [ "${lease_run%.*}" = "${run%.*}" ]
}

# Whether this transaction follows another one of the same run. It may change only what is still that run's own: a lease
# that expired and that nobody else took is. One that begins anew (RUN.again), as another run had the lock, follows none.
follows() {
    case $run in *.again*) return 1 ;; esac
    [ "${run%.*}" != "$run" ]
}

# An empty file is no lease, and needs no process.
drop_lease() {
    ! holds_lease || printf '' >"$state/lease"
}
