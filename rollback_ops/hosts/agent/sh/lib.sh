# Output, time and paths, for all other sections.

# say FIELD…: print one line of tab-separated fields. Fails if it cannot be written.
say() {
    old_ifs=$IFS
    IFS=$TAB
    printf '%s\n' "$*" || { IFS=$old_ifs; return 1; }
    IFS=$old_ifs
}

# Hundredths of a second since the host was booted: no process, and no step when the clock is set.
now() {
    read -r uptime _ </proc/uptime
    now=${uptime%.*}${uptime#*.}
}

# Set seconds, from hundredths. Without a process: some of this runs while the service is down.
seconds() {
    hundredths=$(($1 % 100))
    [ "$hundredths" -ge 10 ] || hundredths=0$hundredths
    seconds=$(($1 / 100)).$hundredths
}

# tagged TAG TEXT: print each line of the text behind the tag. Without a process, as a pipe to `prefixed` needs two.
tagged() {
    prefixed "$1" <<END
$2
END
}

prefixed() {
    while IFS= read -r line || [ -n "$line" ]; do
        printf '%s\t%s\n' "$1" "$line"
    done
}

# Whether a name may be given to other programs. protocol/fields.py has the same rule.
safe_name() {
    case $1 in
        '' | [!A-Za-z0-9_]* | *[!A-Za-z0-9._+:@~=,-]*) return 1 ;;
    esac
    [ "${#1}" -le 128 ]
}

# Set real: the path of a directory without links; empty if there is no directory. Without a process, as some of this runs while the service is down.
really() {
    real='' here=$PWD
    if cd -P -- "$1" 2>/dev/null; then
        real=$PWD
        cd -- "$here" || cd /
    fi
}

is_empty() {
    if [ -f "$1" ]; then [ ! -s "$1" ]; return; fi
    set -- "$1"/* "$1"/.[!.]*
    for entry; do
        if [ -e "$entry" ] || [ -L "$entry" ]; then return 1; fi
    done
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

# has RELEASE PATH: set wanted, the path with the release's name in it.
has() {
    wanted=$2
    case $2 in *'{release}'*) wanted=${2%%'{release}'*}${1##*/}${2#*'{release}'} ;; esac
    [ -e "$1/$wanted" ]
}

# Set boot.
boot_id() {
    read -r boot </proc/sys/kernel/random/boot_id
}

# manage COMMAND SECONDS [NAME…]: run a command line of the manager. The names follow it.
manage() {
    text=$1 within=$2
    shift 2
    [ "$#" = 0 ] || text="$text \"\$@\""
    timeout -k 1 "$within" sh -c "$prelude$NL$text" rollback-ops "$@" 3>&- 4>&- 8>&- 9>&-
}

# Whether a command line of the manager succeeds within 5 s.
is() {
    timeout 5 sh -c "$prelude$NL$1" >/dev/null 2>&1 3>&- 4>&- 8>&- 9>&-
}

# within HUNDREDTHS COMMAND: run a command line of the manager until it succeeds, for so many hundredths of a second.
within() {
    now
    until_then=$((now + $1))
    until is "$2"; do
        now
        [ "$now" -lt "$until_then" ] || return 1
        sleep 0.05
    done
}
