#!/bin/sh
# Install what the tests need of the system. This takes root on Debian or Ubuntu.
set -eu

missing=''
for pair in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap ip:iproute2 ssh:openssh-client \
    /usr/sbin/sshd:openssh-server dash:dash busybox:busybox-static supervisord:supervisor pg_ctlcluster:postgresql \
    getfacl:acl git:git npm:npm openssl:openssl pgrep:procps docker:docker.io podman:podman crun:crun cap:capistrano mina:mina \
    rsync:rsync /usr/sbin/haproxy:haproxy prometheus:prometheus chromium:chromium; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done

# npm_install DIRECTORY NAME: packages with pinned versions, into the cache in which the images of the hosts are.
npm_install() {
    pinned=$(dirname "$0")/support/$1
    place=${ROLLBACK_OPS_CACHE:-$HOME/.cache/rollback-ops/lab}/$2
    if cmp -s "$pinned/package-lock.json" "$place/package-lock.json" && [ -d "$place/node_modules" ]; then return; fi
    mkdir -p "$place"
    cp "$pinned/package.json" "$pinned/package-lock.json" "$place"
    npm ci --loglevel=error --ignore-scripts --no-audit --no-fund --prefix "$place"
}

install_from_npm() {
    npm_install trees/shipit_project shipit
    npm_install pm2 pm2
}

if [ -z "$missing" ]; then
    install_from_npm
    exit
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "note: these packages are missing, and only root on Debian or Ubuntu can install them:$missing" >&2
    echo "note: tests that need them are skipped; pytest names them at the end" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Since Debian 13, docker.io is the daemon alone.
if apt-cache show docker-cli >/dev/null 2>&1; then missing=$(echo "$missing" | sed 's/docker\.io/docker-cli/'); fi
# shellcheck disable=SC2086 # a list of plain names
apt-get install -qq -y --no-install-recommends $missing
install_from_npm
