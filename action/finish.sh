#!/bin/sh
# Always run, after a cancel too: completes the record, says whether it can be uploaded, removes what is temporary.
set -eu

if [ -d "$ACTION_LIBRARIES" ] && [ -e "$ROLLBACK_RECORD" ]; then
    "$ACTION_PYTHON" -I -S -X utf8 "$GITHUB_ACTION_PATH/action/launch.py" "$ACTION_LIBRARIES" finish ||
        echo '::warning title=Rollback Ops::The record on GitHub could not be completed. The next rollback completes it.'
fi
rm -rf "$TMPDIR"

# Only github.com and GHE.com support artifacts of this version; GitHub Enterprise Server does not.
case $ROLLBACK_UPLOAD_ARTIFACT:${GITHUB_SERVER_URL-} in
    true:https://github.com | true:https://*.ghe.com) ;;
    *) exit 0 ;;
esac
if [ -s "$ROLLBACK_RECORD" ]; then
    echo 'upload=true' >>"$GITHUB_OUTPUT"
fi
