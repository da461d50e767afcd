#!/bin/sh
# Makes the private environment: the libraries of the lock file, and nothing else.
set -eu
exec "$ACTION_PYTHON" -I "$GITHUB_ACTION_PATH/action/install.py"
