# Lists the trees of releases on a host, and the programs that run from them. It changes nothing. "$1" is the root to look at;
# empty: every usual place. Each line is a fact, its parts separated by tabs. Names that hold a tab or a newline are
# left out: no release has such a name.
LC_ALL=C
TAB=$(printf '\t')
NL='
'

fact() {
    [ "$#" -gt 0 ] || return 0
    line=
    for part; do
        case $part in *"$TAB"* | *"$NL"*) return 0 ;; esac
        line=$line${line:+$TAB}$part
    done
    printf '%s\n' "$line"
}

# tree ROOT: the root of a tree, when a link in it leads to a directory that is at least two levels below the root.
tree() {
    real=$(readlink -f -- "$1") && [ -d "$real" ] || return 0
    for link in "$1"/current "$1"/*; do
        [ -L "$link" ] || continue
        live=$(readlink -f -- "$link") && [ -d "$live" ] || continue
        case ${live#"$real"/} in
        "$live" | shared/*) ;;
        */*)
            fact tree "$1" "${link##*/}" "${live#"$real"/}"
            contents "$1" "$live"
            return 0
            ;;
        esac
    done
}

# contents ROOT LIVE: the files by which the deployment tool is recognized, and the entries of the live release.
contents() {
    for mark in revisions.log repo .dep/releases_log .dep shared; do
        [ -e "$1/$mark" ] && fact mark "$mark"
    done
    for entry in "$2"/* "$2"/.env; do
        if [ -L "$entry" ]; then
            fact linked "${entry##*/}" "$(readlink -f -- "$entry")"
        elif [ -e "$entry" ]; then
            fact entry "${entry##*/}"
        fi
    done
}

# listening: the ports that accept connections (proc(5): state 0A), with the user and the inode of each socket.
listening() {
    sed -n 's/^ *[0-9]*: [0-9A-F]*:\([0-9A-F]*\) [0-9A-F]*:[0-9A-F]* 0A [^ ]* [^ ]* [^ ]* *\([0-9]*\) *[0-9]* \([0-9]*\) .*/\1 \2 \3/p' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        while read -r port user inode; do fact port "$port" "$user" "$inode"; done
}

# processes: each process with its user, its directory, its control group, and its sockets as far as we may see them.
processes() {
    for process in /proc/[0-9]*; do
        user=$(stat -c %u -- "$process" 2>/dev/null) || continue
        cwd=$(readlink -- "$process/cwd" 2>/dev/null) || cwd=
        group=$(sed -n 's/^0:://p; s/^[0-9]*:name=systemd://p' "$process/cgroup" 2>/dev/null | tail -n 1)
        # shellcheck disable=SC2012
        sockets=$(ls -l -- "$process/fd" 2>/dev/null | sed -n 's/.* socket:\[\([0-9]*\)\]$/\1/p' | tr '\n' ' ')
        fact process "${process#/proc/}" "$user" "$cwd" "$group" "$sockets"
    done
}

# units KIND COMMAND...: the properties of every service unit of systemd. No value of an environment is shown: it may be a secret.
units() {
    kind=$1
    shift
    "$@" show '*.service' --property=Id,ActiveState,WorkingDirectory,ExecStart,EnvironmentFiles,User 2>/dev/null |
        while IFS= read -r line; do fact "$kind" "$line"; done
}

# programs: the programs of supervisord, from its files.
programs() {
    for file in /etc/supervisor/supervisord.conf /etc/supervisord.conf /etc/supervisor/conf.d/* /etc/supervisord.d/*; do
        [ -r "$file" ] && sed -n 's/^ *\(\[[a-z]*:[^]]*\]\|directory *=.*\|command *=.*\)$/\1/p' "$file"
    done 2>/dev/null | while IFS= read -r line; do fact supervisor "$line"; done
}

# apps: the processes of pm2, where its daemon runs: any command of pm2 would start it. No environment is shown.
apps() {
    daemon=
    { read -r daemon <"$HOME/.pm2/pm2.pid"; } 2>/dev/null
    [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null && command -v pm2 >/dev/null || return 0
    pm2 jlist 2>/dev/null | node -e '
const list = require("fs").readFileSync(0, "utf8").split("\n").find(line => /^\[(\{|\]$)/.test(line))
for (const { name, pm2_env: e } of JSON.parse(list || "[]")) console.log([name, e.pm_cwd, e.pm_exec_path].join("\t"))
' | while IFS=$TAB read -r name cwd file; do fact pm2 "$name" "$cwd" "$file"; done
}

look() {
    if [ -n "$1" ]; then
        tree "$1"
    else
        for place in /srv/* /opt/* /var/www/* /home/* /home/*/* /var/lib/*; do tree "$place"; done
    fi
    units systemd systemctl
    [ -n "${XDG_RUNTIME_DIR-}" ] && units systemd-user systemctl --user
    programs
    apps
    listening
    processes
    fact end
}

look "$1"
