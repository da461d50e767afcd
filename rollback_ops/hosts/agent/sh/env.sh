# The agent: POSIX sh, coreutils and util-linux (or BusyBox), nothing to install on the host.
#
# bundle.py joins the sections. Everything up to the last line is a definition, so a copy that was cut on its way does
# nothing. The settings stand in front of this section as RO_* assignments. Output is lines of tab-separated fields
# between "rollback-ops 1 OPERATION" and "end"; protocol.py reads them.

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
: "${RO_LOGS:=:}" "${RO_NEEDS:=}" "${RO_LINKS:=}" "${RO_REQUIRES:=}" "${RO_WATCHED:=}" "${RO_TRUSTED:=}"

releases=$RO_ROOT/$RO_RELEASES
current=$RO_ROOT/$RO_CURRENT
store=$RO_ROOT/.rollback
journal=$store/journal.jsonl
# All but the journal belongs to one service in one environment. No name of either has an @ in it.
state=$store/$RO_SERVICE@$RO_ENVIRONMENT
marks=$state/marks
# When the last transaction started the service: managers/since.py reads it.
RO_STARTED=$state/started
export RO_STARTED
lives=$state/live
manifests=$state/manifests
# By revision, of releases that may be gone.
bad_revisions=$state/bad-revisions
# Where earlier versions kept both, for all services of a root. They hold until something newer is written.
old_marks=$store/marks/$RO_RELEASES
old_manifests=$store/manifests/$RO_RELEASES
# What says so in a line of the journal.
ABOUT="\"service\":\"$RO_SERVICE\",\"environment\":\"$RO_ENVIRONMENT\""
# What stat says of who can change a file, as distrust takes it.
OWNED=%u$TAB%U$TAB%g$TAB%G$TAB%A
lease_seconds=10
kept_runs=20

# What the manager's command lines, and questions, may use.
ROOT=$RO_ROOT
LOGS=$RO_LOGS
CURRENT=$current
SUDO=
ROLLBACK_STATE=$state
# Our effective user, without a process for it.
while read -r key _ uid _; do [ "$key" != Uid: ] || break; done </proc/self/status
[ "$uid" = 0 ] || SUDO='sudo -n'
export ROOT CURRENT SUDO LOGS ROLLBACK_STATE
