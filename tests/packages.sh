#!/bin/sh
# Install what the tests need of the system. This takes root on Debian or Ubuntu.
set -eu

missing=''
for pair in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap ip:iproute2 ssh:openssh-client \
    /usr/sbin/sshd:openssh-server dash:dash busybox:busybox-static supervisord:supervisor pg_ctlcluster:postgresql \
    getfacl:acl git:git npm:npm openssl:openssl pgrep:procps docker:docker.io podman:podman crun:crun; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "note: these packages are missing, and only root on Debian or Ubuntu can install them:$missing" >&2
    echo "note: tests that need them are skipped; pytest names them at the end" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of plain names
apt-get install -qq -y --no-install-recommends $missing
