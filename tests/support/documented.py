"""Run the commands that the documents show, and put what they print into the documents: ``make outputs``.

As root: it boots the hosts ``bot1``, ``bot2`` and ``bot-test`` of docs/commands.md with the settings there, and runs
the story from its first command to its last; then ``shop1`` for docs/first-hour.md, and ``hello`` for docs/tutorial.md.
Times and process ids always differ; ``git diff`` shows what else does.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support import first_hour, tutorial
from tests.support.lab.deploy import PROGRAM
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.pages import command_lines
from tests.support.project import PROJECT

# These pages show other services, and have a story of their own.
_OF_OTHER_STORIES = (first_hour.PAGE, tutorial.PAGE)

HOSTS = {"bot1": "prod", "bot2": "prod", "bot-test": "test"}
ROOT = "/opt/rosey-bot"
RELEASES = {
    "backup_20261120_091200": "3f8e1c05d2",
    "backup_20261121_164500": "91b07aa46e",
    "backup_20261122_110300": "",
    "backup_20261123_090000": "c27d5e9b18",
}
DEPLOYED = "backup_20261127_004500"
UNIT = f"""\
[Service]
User=deploy
WorkingDirectory={ROOT}/current
ExecStart=/usr/bin/python3 -ISB {ROOT}/current/bot.py 8080
"""
BLOCK = re.compile(r"^```console\n\$ ([^\n]*)\n.*?^```$", re.MULTILINE | re.DOTALL)

# In the order in which a story makes sense of them. `deploy` is a deployment of a release that is unhealthy.
STORY = (
    "rollback-ops init deploy@bot1.example.org --config new.toml",
    "rollback-ops check prod --config typo.toml",
    "rollback-ops list prod --host deploy@bot1.example.org",
    "rollback-ops check prod",
    'rollback-ops rollback prod --to backup_20261121_1645 --reason "logins fail" --host deploy@bot1.example.org',
    'rollback-ops rollback prod --reason "logins fail since 14:05"',
    "rollback-ops verify prod --host deploy@bot1.example.org",
    "rollback-ops seal prod backup_20261121_164500",
    "rollback-ops rollback test --dry-run",
    "rollback-ops rollback test --emergency",
    "rollback-ops rollback test --to backup_20261120_091200 --reason 'chat is silent' --json 2>/dev/null"
    " | jq -c '{outcome, exit_code, from, to, warnings}'",
    "deploy",
    "rollback-ops guard test",
    'rollback-ops history log --env test --to backup_20261120_091200 --reason "by hand, SSH was down"',
    "rollback-ops history list",
    "rollback-ops history stats",
    "rollback-ops install prod",
    f'{ROOT}/.rollback/rollback --reason "logins fail since 14:05"',
)


def settings() -> str:
    commands = (PROJECT / "docs/commands.md").read_text()
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", commands, re.MULTILINE | re.DOTALL)
    return str(toml)


def lay_out(host: LabHost, environment: str) -> None:
    """Put the service of the documents on a host, and start it."""
    releases = f"{ROOT}/backups/{environment}"
    host.run(f"mkdir -p {releases}")
    host.write("/etc/systemd/system/cytube-bot.service", UNIT)
    host.write(f"{ROOT}/config-{environment}.json", f'{{"channel": "rosey", "environment": "{environment}"}}\n')
    for name, revision in RELEASES.items():
        host.run(f"mkdir {releases}/{name} && echo '{{}}' >{releases}/{name}/config.json")
        if revision:
            host.write(f"{releases}/{name}/bot.py", PROGRAM.decode())
            host.write(f"{releases}/{name}/behaviour", "healthy\n")
            host.write(f"{releases}/{name}/REVISION", f"{revision}\n")
        day, time = re.findall(r"\d+", name)
        host.run(f"touch -d '{day} {time[:2]}:{time[2:4]}' {releases}/{name}")
    host.run(
        f"ln -s {releases}/{name} {ROOT}/current && chown -hR deploy: {ROOT} &&"
        " systemctl daemon-reload && systemctl start cytube-bot"
    )


def make_live(host: LabHost, name: str) -> None:
    """Deploy a release in the way of a script."""
    host.run(
        f"cd {ROOT} && ln -s {ROOT}/backups/*/{name} new && mv -T new current && chown -h deploy: current &&"
        " systemctl restart cytube-bot"
    )


def deploy(host: LabHost) -> None:
    """Deploy a release that is unhealthy, in the environment ``test``."""
    releases = f"{ROOT}/backups/test"
    host.run(
        f"cd {ROOT} && cp -a {releases}/backup_20261120_091200 {releases}/{DEPLOYED} &&"
        f" echo unhealthy >{releases}/{DEPLOYED}/behaviour && ln -s {releases}/{DEPLOYED} new && mv -T new current &&"
        f" chown -hR deploy: {ROOT} && systemctl restart cytube-bot"
    )


class Desk:
    """The directory of a person who works with the hosts: SSH configuration, and known hosts."""

    def __init__(self, home: Path, lab: Lab, hosts: Mapping[str, LabHost], user: str) -> None:
        self.home, self._lab, self._hosts, self._user = home, lab, hosts, user
        self.settings = home / "rollback.toml"
        (home / ".ssh").mkdir(parents=True)
        names = (f"Host {name}.example.org\n  HostName {host.address}\n" for name, host in hosts.items())
        (home / ".ssh/config").write_text("".join(names) + f"Host *\n  IdentityFile {lab.key_file}\n")

    def know_the_hosts(self) -> None:
        (self.home / ".ssh/known_hosts").write_text(self._lab.known_hosts)

    def run(self, line: str) -> str:
        """Run a command line, and return what it prints, with the names of the documents."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        known = {"PATH": path, "HOME": str(self.home), "USER": self._user, "LANG": "C.UTF-8", "COLUMNS": "220"}
        done = subprocess.run(
            ["sh", "-c", line], cwd=self.home, env=known, stdout=-1, stderr=subprocess.STDOUT, text=True, check=False
        )
        return self.with_names(done.stdout)

    def with_names(self, text: str) -> str:
        for name, host in self._hosts.items():
            text = re.sub(rf"\b{re.escape(host.address)}\b", f"{name}.example.org", text)
        text = text.replace(str(self.home), f"/home/{self._user}").replace(f"@{socket.gethostname()}", "@laptop")
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


class Teller:
    """Tells the story once. ``printed`` has the output of each command."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self._hosts = dict(zip(HOSTS, lab.boot_all(HOSTS), strict=True))
        for name, host in self._hosts.items():
            lay_out(host, HOSTS[name])
        self._desk = Desk(home, lab, self._hosts, "ana")
        self._desk.settings.write_text(settings())
        (home / "typo.toml").write_text(settings().replace("units ", "unit ", 1))
        self.printed = {"rollback-ops check test": self._run("rollback-ops check test")}
        self._desk.know_the_hosts()
        self._verify_each_deployment()
        for line in STORY:
            if line == "deploy":
                deploy(self._hosts["bot-test"])
            else:
                self.printed[line] = self._run(line)

    def _verify_each_deployment(self) -> None:
        """Verify the older releases while they are live, as `guard` does after each deployment."""
        *older, last = (name for name, revision in RELEASES.items() if revision)
        for name in (*older, last):
            for host in self._hosts.values():
                make_live(host, name)
            for environment in dict.fromkeys(HOSTS.values()) if name in older else ():
                self._run(f"rollback-ops verify {environment}")

    def _run(self, line: str) -> str:
        return self._on_the_host(line) if line.startswith(ROOT) else self._desk.run(line)

    def _on_the_host(self, line: str) -> str:
        """Return the output of break-glass on ``bot1``, after the first release was made live again."""
        host = self._hosts["bot1"]
        self._run(f"rollback-ops rollback prod --to {list(RELEASES)[-1]} --reason 'back to the start'")
        host.run(f"rm -r {ROOT}/.rollback/*/marks")
        return self._desk.with_names(host.run(f"{line} 2>&1", user="deploy", check=False).stdout)


def tell_the_first_hour(lab: Lab, home: Path) -> list[str]:
    """Follow docs/first-hour.md. Returns what its commands print, in their order."""
    host = lab.boot("shop1")
    shop = first_hour.lay_out(host)
    desk = Desk(home, lab, {"shop1": host}, "you")
    desk.settings.write_text(first_hour.settings(first_hour.HOST))
    desk.know_the_hosts()
    printed = []
    for line in command_lines(first_hour.PAGE):
        if line.startswith("rollback-ops guard"):
            first_hour.deploy_a_bad_release(shop)
        printed.append(desk.run(line))
        if len(printed) == 1:
            first_hour.allow(host, printed[0])
    return printed


def tell_the_tutorial(lab: Lab, home: Path) -> list[str]:
    """Follow docs/tutorial.md. Returns what its commands print, in their order."""
    host = lab.boot("hello")
    tutorial.lay_out(host)
    desk = Desk(home, lab, {"hello": host}, "you")
    desk.know_the_hosts()
    printed = []
    for line in command_lines(tutorial.PAGE):
        printed.append(desk.run(line))
        if line.startswith("rollback-ops init"):
            tutorial.add_the_check(desk.settings)
    return printed


def fill(document: Path, printed: dict[str, str]) -> None:
    """Put what was printed into the blocks of a document that show the same command."""

    def block(found: re.Match[str]) -> str:
        line = found[1]
        return f"```console\n$ {line}\n{printed[line]}```" if line in printed else found[0]

    document.write_text(BLOCK.sub(block, document.read_text()))


def fill_in_order(document: Path, printed: Sequence[str]) -> None:
    """Put outputs into the blocks of a document that show a command of ours, in their order."""
    rest = iter(printed)

    def block(found: re.Match[str]) -> str:
        line = found[1]
        return f"```console\n$ {line}\n{next(rest)}```" if line.startswith("rollback-ops ") else found[0]

    document.write_text(BLOCK.sub(block, document.read_text()))


def main() -> None:
    with Lab() as lab, tempfile.TemporaryDirectory() as place:
        printed = Teller(lab, Path(place, "ana")).printed
        in_first_hour = tell_the_first_hour(lab, Path(place, "shop"))
        in_tutorial = tell_the_tutorial(lab, Path(place, "hello"))
    for document in sorted((PROJECT / "docs").glob("*.md")):
        if document not in _OF_OTHER_STORIES:
            fill(document, printed)
    fill_in_order(first_hour.PAGE, in_first_hour)
    fill_in_order(tutorial.PAGE, in_tutorial)


if __name__ == "__main__":
    main()
