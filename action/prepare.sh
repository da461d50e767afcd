#!/bin/sh
# Finds Python, and says where everything of this use of the action goes.
set -eu

refuse() {
    echo "::error title=Rollback Ops::$1"
    exit 1
}

python=$(command -v "${ROLLBACK_PYTHON_PATH:-python3}") || refuse 'There is no such Python: look at the input python-path.'
"$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    refuse 'Python 3.11 or later is needed: name one in the input python-path, or leave it empty to have one set up.'
exec "$python" -I -S "$GITHUB_ACTION_PATH/action/prepare.py"
