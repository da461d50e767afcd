# The agent: POSIX sh, coreutils and util-linux (or BusyBox), nothing to install on the host.
#
# bundle.py joins the sections. Everything up to the last line is a definition, so a copy that was cut on its way does
# nothing. The settings stand in front of this section as RO_* assignments. Output is lines of tab-separated fields
# between "rollback-ops 1 OPERATION" and "end"; protocol/ reads them.

set -u
umask 077
LC_ALL=C
export LC_ALL
TAB='	'
NL='
'

: "${RO_SERVICE:?}" "${RO_ENVIRONMENT:?}"
: "${RO_ROOT:?}" "${RO_RELEASES:?}" "${RO_PATTERN:?}" "${RO_CURRENT:?}" "${RO_MANAGER:?}"
: "${RO_STOP:?}" "${RO_KILL:?}" "${RO_RESET:?}" "${RO_START:?}" "${RO_RUNNING:?}" "${RO_STOPPED:?}" "${RO_STATE:?}"
: "${RO_STOP_LIMIT:?}" "${RO_START_LIMIT:?}" "${RO_TOTAL_LIMIT:?}"
: "${RO_RELATED:=:}" "${RO_REVIVE:=:}" "${RO_RELOAD:=:}"
: "${RO_LOGS:=:}" "${RO_NEEDS:=}" "${RO_LINKS:=}" "${RO_REQUIRES:=}" "${RO_WATCHED:=}" "${RO_TRUSTED:=}"
: "${RO_FUNCTIONS:=}" "${RO_SCHEMA_CURRENT:=}" "${RO_SCHEMA_FILE:=}" "${RO_SCHEMA_MIGRATIONS:=}"
: "${RO_PIN:=0}" "${RO_DRAIN:=}" "${RO_UNDRAIN:=}" "${RO_TRAFFIC_LIMIT:=30}" "${RO_PORTS:=}"

releases=$RO_ROOT/$RO_RELEASES
current=$RO_ROOT/$RO_CURRENT
store=$RO_ROOT/.rollback
journal=$store/journal.jsonl
# All but the journal belongs to one service in one environment. No name of either has an @ in it.
state=$store/$RO_SERVICE@$RO_ENVIRONMENT
marks=$state/marks
lives=$state/live
manifests=$state/manifests
# Marks by revision, also of releases that were deleted.
bad_revisions=$state/bad-revisions
# Earlier versions kept marks and manifests here, for all services of a root. They count until newer ones are written.
old_marks=$store/marks/$RO_RELEASES
old_manifests=$store/manifests/$RO_RELEASES
# The service and the environment, as lines of the journal have them.
ABOUT="\"service\":\"$RO_SERVICE\",\"environment\":\"$RO_ENVIRONMENT\""
# The format of stat for distrust (trust.sh): who can change a file.
OWNED=%u$TAB%U$TAB%g$TAB%G$TAB%A
lease_seconds=10
kept_runs=20

# For the manager's command lines, and for questions.
ROLLBACK_ROOT=$RO_ROOT
ROLLBACK_CURRENT=$current
ROLLBACK_STATE=$state
ROLLBACK_SUDO=
# Our effective user, without a process for it.
while read -r key _ uid _; do [ "$key" != Uid: ] || break; done </proc/self/status
[ "$uid" = 0 ] || ROLLBACK_SUDO='sudo -n'
export ROLLBACK_ROOT ROLLBACK_CURRENT ROLLBACK_STATE ROLLBACK_SUDO
if [ -n "$RO_FUNCTIONS" ]; then export "ROLLBACK_FUNCTIONS=$RO_FUNCTIONS"; fi

# The variables of a login that the service's own commands get: the same ones in a check, in the worker and in break-glass.
LOGIN='HOME USER LOGNAME SHELL PATH LANG XDG_RUNTIME_DIR DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG'
# Precedes each of these commands. Other users may read the files that the service makes, and not the agent's.
prelude='umask 022; unset LC_ALL'
names=$(export -p)
set -f
ifs=$IFS
IFS=$NL
# A value with several lines may look like more variables: to unset one that is not there does no harm.
for name in $names; do
    case $name in 'export '*) name=${name#export } name=${name%%=*} ;; *) continue ;; esac
    case $name in '' | [0-9]* | *[!A-Za-z0-9_]*) continue ;; esac
    # bash does not allow the last five to be unset.
    case " $LOGIN ROLLBACK_ROOT ROLLBACK_CURRENT ROLLBACK_STATE ROLLBACK_SUDO ROLLBACK_FUNCTIONS PWD SHELLOPTS BASHOPTS UID EUID PPID " in
        *" $name "*) ;;
        *) prelude="$prelude $name" ;;
    esac
done
IFS=$ifs
set +f
# An empty variable counts as not set: so systemd's own LANG gives way to a login without one.
for name in $LOGIN; do
    eval "[ -n \"\${$name:-}\" ]" || prelude="$prelude $name"
done
