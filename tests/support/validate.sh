#!/bin/sh
# The form of the action and of the workflows, by GitHub's published schemas: validate.sh DIRECTORY FILE … installs the
# validator into the directory. Its schemas are older than two keys of GitHub's, which it does not get to see:
# `queue: max` of concurrency groups, and `deployment: false` of environments.
set -eu

if ! command -v npm >/dev/null 2>&1; then
    echo "note: npm is not installed here: the form of the workflows is not validated" >&2
    [ "${CI-}" != true ]
    exit
fi
tools=$1 pinned=$(dirname "$0")/validator
shift
mkdir -p "$tools/.github/workflows" "$tools/docs/workflows"
if ! cmp -s "$pinned/package-lock.json" "$tools/package-lock.json" || ! [ -e "$tools/node_modules/.bin/action-validator" ]; then
    cp "$pinned/package.json" "$pinned/package-lock.json" "$tools"
    npm ci --loglevel=error --ignore-scripts --no-audit --no-fund --prefix "$tools"
fi
for file in "$@"; do
    shown=$tools/$file
    sed -E '/^ *(queue: max|deployment: false)$/d' "$file" >"$shown"
    "$tools/node_modules/.bin/action-validator" "$shown"
done
