"""The disk that all hosts share: built once from the machine's own package sources, kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

from tests.support.lab.errors import LabError

PACKAGES = (
    "systemd-sysv",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    "openssh-server",
    "sudo",
    "python3",
    "procps",
    "curl",
    "supervisor",
    "busybox",
)

# systemd-sysusers races at boot and leaves /run/nologin behind; the rest only wakes up idle hosts.
CUSTOMIZE = r"""
set -eu
root=$1
cat >"$root/etc/ssh/sshd_config.d/lab.conf" <<'EOF'
UseDNS no
MaxStartups 200:30:400
EOF
rm -f "$root"/etc/ssh/ssh_host_*
chroot "$root" useradd --create-home --uid 2000 --shell /bin/bash deploy
chroot "$root" useradd --create-home --uid 2001 --shell /bin/bash admin
chroot "$root" useradd --create-home --uid 2002 --shell /bin/bash plain
echo 'deploy ALL=(root) NOPASSWD: /usr/bin/systemctl, /usr/bin/supervisorctl' >"$root/etc/sudoers.d/deploy"
echo 'admin ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/admin"
chmod 0440 "$root"/etc/sudoers.d/deploy "$root"/etc/sudoers.d/admin
for unit in systemd-sysusers.service console-getty.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer \
    motd-news.timer dev-hugepages.mount sys-fs-fuse-connections.mount; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
chroot "$root" systemctl disable supervisor.service ssh.socket
chroot "$root" systemctl enable ssh.service
chroot "$root" systemctl set-default multi-user.target
"""

RECIPE = (
    "--mode=root",
    "--variant=minbase",
    "--keyring=/usr/share/keyrings",
    f"--include={','.join(PACKAGES)}",
    f"--customize-hook={CUSTOMIZE}",
)


def cache() -> Path:
    """The directory of the images: ``$ROLLBACK_OPS_CACHE``, else a folder of the user's cache."""
    chosen = os.environ.get("ROLLBACK_OPS_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "rollback-ops" / "lab"


def codename() -> str:
    """The machine's own distribution, whose packages and keys it already has the sources of."""
    release = Path("/etc/os-release").read_text()
    fields = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    return fields["VERSION_CODENAME"].strip('"')


def sources() -> str:
    """The machine's package sources for its distribution, as lines of a sources.list.

    Raises ``LabError`` when package lists were never fetched.
    """
    form = "$(ORIGIN)\tdeb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", form, "Identifier: Packages"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = {line.partition("\t")[2] for line in listed.splitlines() if line.startswith(("Debian\t", "Ubuntu\t"))}
    if not lines:
        raise LabError("apt knows no packages of this distribution yet: run `apt-get update`")
    return "\n".join(sorted(lines)) + "\n"


def image() -> Path:
    """The image's directory, building it (about 25 s) where there is none of this recipe yet."""
    name = f"{codename()}-{hashlib.sha256(repr(RECIPE).encode()).hexdigest()[:12]}"
    cache().mkdir(parents=True, exist_ok=True)
    directory = cache() / name
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            _build(directory)
    return directory


def _build(directory: Path) -> None:
    partial = directory.with_suffix(".partial")
    subprocess.run(["rm", "-rf", "--one-file-system", str(partial)], check=True)
    command = ["mmdebstrap", *RECIPE, codename(), str(partial), "-"]
    done = subprocess.run(command, input=sources(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"mmdebstrap could not build the image:\n{done.stderr[-4000:]}")
    partial.rename(directory)
