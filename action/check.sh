#!/bin/sh
# Checks the inputs before anything else is done. Messages do not repeat their text, which may come from anybody.
set -eu

wrong() {
    echo "::error title=Rollback Ops::$1"
    exit 64
}

case $ROLLBACK_COMMAND in
    rollback | shards | merge | list | check | verify | guard | preview | seal | resume | hold | gate | arm | confirm | advise | outlook | drill | 'history list' | 'history stats' | 'history log' | 'schedule add' | 'schedule list' | 'schedule cancel' | 'schedule run') ;;
    *) wrong 'command should be rollback, shards, merge, list, check, verify, guard, preview, seal, resume, hold, gate, arm, confirm, advise, outlook, drill, history list, history stats, history log, schedule add, schedule list, schedule cancel or schedule run' ;;
esac
[ -n "$ROLLBACK_ENVIRONMENT" ] || wrong 'environment is empty: name one of those in rollback.toml'
case $ROLLBACK_RECORD_DEPLOYMENT in
    true | false) ;;
    *) wrong 'record-deployment should be true or false' ;;
esac
case $ROLLBACK_UPLOAD_ARTIFACT in
    true | false) ;;
    *) wrong 'upload-artifact should be true or false' ;;
esac
