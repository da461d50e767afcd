# Processes of systemd's units that began before the start: the old release may still answer through them.

# Sets moment, in the clock of /proc/PID/stat: the start of a shell that is forked now.
mark_moment() {
    case $RO_MANAGER in systemd*) ;; *) return ;; esac
    moment=$(began /proc/self/stat && printf '%s' "$began")
}

# Sets began (hundredths of a second since the boot) and command. The name in parentheses may contain anything.
began() {
    began='' command=''
    { IFS= read -r stat <"$1"; } 2>/dev/null || return 1
    command=${stat#*\(}
    command=${command%)*}
    set -f
    # shellcheck disable=SC2086 # fields
    set -- ${stat##*) }
    set +f
    [ "$#" -gt 19 ] || return 1
    shift 19
    began=$1
}

# After the start, from STATE. Processes that the unit's own KillMode leaves alone are reported, and not ended.
old_processes() {
    old='' unit='' main='' group='' leaves=''
    [ -n "${moment:-}" ] || return 0
    lines "$STATE$NL$NL" of_unit
    [ -z "$old" ] || step processes warning "$begun" "$old"
}

of_unit() {
    case $1 in
        Id=*) unit=${1#*=} ;;
        MainPID=*) main=${1#*=} ;;
        ControlGroup=*) group=${1#*=} ;;
        KillMode=none | KillMode=process | SendSIGKILL=no) leaves=yes ;;
        '')
            look_for_old_ones
            unit='' main='' group='' leaves=''
            ;;
    esac
}

look_for_old_ones() {
    if [ -z "$leaves" ] || [ -z "$group" ]; then
        [ "${main:-0}" = 0 ] || look_at_process "$main"
        return
    fi
    # The first place is that of version 2 of control groups, the second that of version 1.
    for procs in "/sys/fs/cgroup$group/cgroup.procs" "/sys/fs/cgroup$group"/*/cgroup.procs "/sys/fs/cgroup/systemd$group/cgroup.procs"; do
        [ -r "$procs" ] || continue
        while read -r pid; do look_at_process "$pid"; done <"$procs"
    done
}

look_at_process() {
    if ! began "/proc/$1/stat" || [ "$began" -ge "$moment" ]; then return 0; fi
    case $command in *[!A-Za-z0-9._:/@+-]*) command='?' ;; esac
    how='still runs'
    if [ "$1" = "${main:-}" ] || may_answer "$1"; then
        how='may still answer'
        tell old "$unit" "$1" "$command"
        printf '%s\n' "$unit $1" >>"$dir/old"
    fi
    old="$old${old:+; }process $1 ($command) of $unit began before the start and $how"
}

# Whether a process has a socket on which others can reach it. Without the right to read it, the answer is not no.
may_answer() {
    descriptors=$(ls -l "/proc/$1/fd" 2>/dev/null) || return 0
    sockets=$(printf '%s\n' "$descriptors" | sed -n 's/.*socket:\[\([0-9]*\)\]$/\1/p' | tr '\n' '|')
    [ -n "$sockets" ] || return 1
    sockets="(${sockets%|})"
    # Listening (0A) or UDP (07); of a Unix socket: flag 10000, it accepts connections.
    cat "/proc/$1/net/tcp" "/proc/$1/net/tcp6" "/proc/$1/net/udp" "/proc/$1/net/udp6" "/proc/$1/net/unix" 2>/dev/null |
        grep -qE " 0(A|7) [0-9A-F:]+ [0-9A-F:]+ [0-9A-F]+ +[0-9]+ +[0-9]+ $sockets | 00010000 [0-9A-F]+ [0-9A-F]+ +$sockets( |\$)"
}
