# The functions of the pm2 manager. pm2.py writes the assignments of `releases` (the directory) and `units`
# in front of this.

# Any command of pm2 would start its daemon, and a survey must start nothing.
is_there() {
    daemon=''
    # The file has no line break at its end.
    { read -r daemon <"$HOME/.pm2/pm2.pid"; } 2>/dev/null
    [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null
}

# Print a line for each process of the units: app|NAME|ID|PID|STATUS|RESTARTS|STARTED|PLACE. PLACE is inside a release where
# pm2 would start the process from there again, whatever current leads to. Its other output may have secrets.
show() {
    command -v pm2 >/dev/null || { echo 'unknown|pm2 is not in the PATH of this login'; return; }
    is_there || { echo 'unknown|the daemon of pm2 does not run'; return; }
    # shellcheck disable=SC2016,SC2086 # JavaScript; names
    pm2 jlist 2>/dev/null | node -e '
const fs = require("fs"), [releases, ...units] = process.argv.slice(1)
const list = fs.readFileSync(0, "utf8").split("\n").find(line => /^\[(\{|\]$)/.test(line))
const fields = values => values.map(value => String(value ?? "").replace(/[|\s]/g, "?")).join("|")
let real = releases
try { real = fs.realpathSync(releases) } catch {}
const fixed = place => [releases, real].some(directory => String(place).startsWith(directory + "/"))
if (!list) console.log("unknown|pm2 jlist printed no list")
else {
  const missing = new Set(units)
  for (const { name, pm_id, pid, pm2_env: e } of JSON.parse(list)) {
    if (!units.includes(name)) continue
    missing.delete(name)
    const place = [e.pm_cwd, e.pm_exec_path].find(fixed)
    console.log(fields(["app", name, pm_id, pid, e.status, e.restart_time, e.pm_uptime, place]))
  }
  for (const name of missing) console.log("missing|" + name)
  console.log("listed")
}' "$releases" $units
}

# every PATTERN: whether each unit has a process, and each of them is in such a state.
every() {
    lines=$(show)
    case $lines in *listed) ;; *) return 1 ;; esac
    for name in $units; do
        case $lines in *"app|$name|"*) ;; *) return 1 ;; esac
    done
    ! printf '%s\n' "$lines" | grep '^app' | grep -qvE "^app(\|[^|]*){3}\|($1)\|"
}

# Without --update-env: the environment of this login is not that of the service.
restart() {
    is_there || { echo 'the daemon of pm2 does not run'; return 1; }
    # shellcheck disable=SC2086 # names
    pm2 restart $units --silent
}

stop() {
    is_there || return 1
    # shellcheck disable=SC2086 # names
    pm2 stop $units --silent
}

end() {
    is_there || return 1
    for name in $units; do pm2 sendSignal SIGKILL "$name" --silent || :; done
}

logs() {
    is_there || return 0
    for name in $units; do pm2 logs "$name" --lines 15 --nostream --raw; done 2>&1 | tail -n 30
}
