#!/bin/sh
# Lays out a service with two releases on this machine, which is nothing but files: service.sh DIRECTORY
set -eu

mkdir -p "$1/releases/v1" "$1/releases/v2"
echo v1 >"$1/releases/v1/VERSION"
echo v2 >"$1/releases/v2/VERSION"
ln -s releases/v2 "$1/current"
cat >"$1/rollback.toml" <<TOML
[services.paper]
root    = "$1"
manager = "custom"

[services.paper.commands]
stop   = "true"
start  = "true"
status = "true"

[services.paper.checks.version]
kind = "command"
run  = "grep -qx {release} VERSION"

[services.paper.verify]
min_healthy_time = "0s"

[environments.here]
hosts = ["nobody@127.0.0.1:1"]

[environments.unreachable]
hosts = ["nobody@127.0.0.1:2"]
TOML
