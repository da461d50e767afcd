#!/bin/sh
# Becomes the program, since a cancel reaches this process only. The command line has only names that check.sh knows
# and, for history and schedule, which have no variable for it, the environment.
set -eu

case $ROLLBACK_COMMAND in
    'history list') set -- history list --env "$ROLLBACK_ENVIRONMENT" ;;
    'history stats') set -- history stats --env "$ROLLBACK_ENVIRONMENT" ;;
    'history log') set -- history log ;;
    'schedule add') set -- schedule add ;;
    'schedule list' | 'schedule cancel' | 'schedule run') set -- schedule "${ROLLBACK_COMMAND#* }" --env "$ROLLBACK_ENVIRONMENT" ;;
    *) set -- "$ROLLBACK_COMMAND" ;;
esac
exec "$ACTION_PYTHON" -I -S -X utf8 "$GITHUB_ACTION_PATH/action/launch.py" "$ACTION_LIBRARIES" "$@"
