#!/bin/sh
# What the tests need of the system, installed where that is possible: root on Debian or Ubuntu.
set -eu

missing=''
for pair in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap ip:iproute2 ssh:openssh-client \
    /usr/sbin/sshd:openssh-server dash:dash busybox:busybox-static supervisord:supervisor pg_ctlcluster:postgresql \
    git:git npm:npm; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "note: not installed here, and not installable without root on Debian or Ubuntu:$missing" >&2
    echo "note: the tests that need them are left out, and named at the end of the run" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of plain names
apt-get install -qq -y --no-install-recommends $missing
