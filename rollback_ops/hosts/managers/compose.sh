# The functions of the Compose manager that only ask. Those that change something are in compose_change.sh.
# compose.py writes the assignments of `project`, `releases` (the directory), `units` and `patience` (seconds for a stop)
# in front of this.
said=$ROLLBACK_STATE/up

tool='docker compose'
! command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || tool=docker-compose

compose() {
    $tool -p "$project" "$@"
}

is_chosen() {
    case " ${units:-$1} " in *" $1 "*) ;; *) return 1 ;; esac
}

# list [-a]: set ids to the containers that run (or all of them), and places to the directories they were started from.
# It asks for labels and not for what a compose file says: containers of another release may still be there.
list() {
    ids='' places=''
    listed=$(docker ps "$@" --no-trunc --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False --format \
        '{{.ID}}|{{.Label "com.docker.compose.service"}}|{{.Label "com.docker.compose.project.working_dir"}}') || return
    while IFS='|' read -r id name place; do
        if [ -n "$id" ] && is_chosen "$name"; then ids="$ids $id" places="$places|$place"; fi
    done <<END
$listed
END
}

# Print a line for each container. The position of each field is also in compose.py.
containers() {
    list -a || return
    # shellcheck disable=SC2086 # ids
    [ -z "$ids" ] || docker inspect --type container --format \
        'container|{{index .Config.Labels "com.docker.compose.service"}}|{{.Name}}|{{.ID}}|{{.RestartCount}}|{{.State.StartedAt}}|{{.State.Pid}}|{{.State.Status}}|{{if .State.Health}}{{.State.Health.Status}}{{end}}|{{.State.ExitCode}}|{{index .Config.Labels "com.docker.compose.depends_on"}}|{{index .Config.Labels "com.docker.compose.project.working_dir"}}' $ids
}

# Set services to the chosen ones of the compose file in the working directory, without those that have no container
# (scale: 0). Fails where the file cannot be used, and why is in text.
read_file() {
    services='' found=''
    text=$(compose config 2>&1) || return
    for name in $(printf '%s\n' "$text" | sed -n '
/^[^ ]/{h;d;}
G
/\nservices:$/!d
s/\n.*//
s/^  "\{0,1\}\([A-Za-z0-9._-]*\)"\{0,1\}:$/\1/p
s/^    scale: 0$/-/p
s/^      replicas: 0$/-/p'); do
        if [ "$name" = - ]; then found=${found% *}; else found="$found $name"; fi
    done
    for name in $found; do ! is_chosen "$name" || services="$services $name"; done
}

last_line() {
    printf '%s\n' "$1" | tail -n 1
}

# Print what compose.py parses. A line "unknown" says why the state cannot be known: then nothing may be changed.
show() {
    lines=$(containers 2>&1) || { unknown "$(last_line "$lines")"; return; }
    [ -z "$lines" ] || printf '%s\n' "$lines"
    text="there is no release in $ROLLBACK_CURRENT"
    if cd "$ROLLBACK_CURRENT" && read_file; then
        printf 'services|%s\n' "${services# }"
    elif compose version >/dev/null 2>&1; then
        printf 'unusable|%s\n' "$(last_line "$text")"
    else
        unknown "$(last_line "$text")"
    fi
    is_alone && is_here
}

unknown() {
    printf 'unknown|%s|%s\n' "$project" "$1"
}

is_inside() {
    case $1/ in "$ROLLBACK_ROOT"/* | "$(cd -P "$ROLLBACK_ROOT" && pwd)"/*) ;; *) return 1 ;; esac
}

# Two roots with one project: each rollback would replace the containers of the other one.
is_alone() {
    while IFS='|' read -r _ _ _ _ _ _ _ _ _ _ _ place; do
        if [ -d "$place" ] && ! is_inside "$place"; then
            unknown "containers of it were started from $place: give each environment a project of its own, or start them again from current"
            return 1
        fi
    done <<END
$lines
END
}

# Containers of this service in another project would go on running beside the target.
is_here() {
    case $lines in *'|running|'*) return ;; '') set -- -a ;; esac
    docker ps "$@" --format '{{.Label "com.docker.compose.project"}}|{{.Label "com.docker.compose.project.working_dir"}}' |
        while IFS='|' read -r other place; do
            [ "$other" != "$project" ] || continue
            case $place in "$ROLLBACK_CURRENT" | "$releases"/*) ;; *) continue ;; esac
            unknown "its containers are those of the compose project $other: set project, or remove them"
            break
        done
}

# Whether each service that the live release has, and that is chosen, runs with all its containers.
is_running() {
    lines=$(containers) && cd "$ROLLBACK_CURRENT" && read_file || return
    seen=' '
    while IFS='|' read -r _ name _ _ _ _ _ state health code _; do
        case " $services " in *" $name "*) ;; *) continue ;; esac
        case $state,$health in
            running, | running,none | running,healthy) ;;
            exited,* | stopped,*) is_finished || return ;;
            *) return 1 ;;
        esac
        seen="$seen$name "
    done <<END
$lines
END
    for name in $services; do case $seen in *" $name "*) ;; *) return 1 ;; esac done
    [ "$seen" != ' ' ]
}

# A job that ended well: only another service that waits for that shows that it is one.
is_finished() {
    case $code,$lines in 0,*[\|,]"$name:service_completed_successfully:"*) ;; *) return 1 ;; esac
}

is_stopped() {
    ! is_starting && lines=$(containers) || return
    while IFS='|' read -r kind _ _ _ _ _ _ state _; do
        case $kind,$state in container,created | container,exited | container,stopped | container,dead | ,) ;; *) return 1 ;; esac
    done <<END
$lines
END
}

# Whether the last `up` goes on. Sets pid.
is_starting() {
    pid=''
    [ ! -s "$said.pid" ] || read -r pid <"$said.pid"
    [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "-p $project up "
}

# Whether the release in this directory can be started: asked before anything is stopped.
is_startable() {
    read_file || { printf '%s\n' "$text" | tail -n 2; return 1; }
    [ -n "$services" ] || { echo "its compose file has none of the services ${units:-at all}"; return 1; }
    # shellcheck disable=SC2086 # names
    images=$(compose config --images -- $services 2>/dev/null | sort -u) || return 126
    # shellcheck disable=SC2086 # images
    text=$(docker image inspect --format '{{.ID}}' $images 2>&1) && return
    missing=$(printf '%s\n' "$text" | grep -i 'no such image') || { last_line "$text"; return 126; }
    printf '%s\n' "$missing" | sed 's/^Error response from daemon: //'
    echo "run \`docker compose pull\` in $PWD"
    return 1
}
