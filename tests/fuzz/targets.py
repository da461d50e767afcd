"""The parsers of text from others, each as a function of bytes: it returns, or it has a defect.

An error of ours with a line that a terminal can show is a way to return. ``make fuzz`` runs these under atheris,
``test_targets.py`` with a fixed set of inputs.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rollback_ops import checks
from rollback_ops.cli.output.history import history as shown_history
from rollback_ops.cli.output.text import result
from rollback_ops.config import HttpCheck, Service, Settings
from rollback_ops.config.load import load
from rollback_ops.config.reason import reason_for
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.config.resolve import resolve
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import CommandResult, HostCommand, SwitchOrder
from rollback_ops.core.plan import Selection, make_plan
from rollback_ops.core.ports import Stream
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import bundle, protocol
from rollback_ops.hosts.agent.client import AgentHost
from rollback_ops.hosts.lines import OutputReader
from rollback_ops.hosts.ssh.certificates import Certificate
from rollback_ops.hosts.ssh.config import OpenSshConfig
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.keys import load_key
from rollback_ops.hosts.transport import Completed
from tests.support.records import USUAL

Target = Callable[[bytes], None]

COMMANDS = {"start": "true", "stop": "true", "status": "true"}
SERVICES = {
    kind: Service.model_validate(
        {"root": "/srv/x", "manager": kind, "units": ["web"], **({"commands": COMMANDS} if kind == "custom" else {})}
    )
    for kind in managers.KINDS
}
OPERATIONS: dict[str, Callable[[AgentHost], Any]] = {
    "survey": lambda host: make_plan([host.survey()], Selection()),
    "inspect": lambda host: host.inspect("r1", [HostCommand("true", 1.0)]),
    "ask": lambda host: host.ask("run", [HostCommand("true", 1.0)]),
    "record": lambda host: host.record("run", {"r1": ("bad", "it fails")}, "{}"),
    "history": lambda host: read_journal(host.journal()),
    "seal": lambda host: host.seal("r1"),
    "switch": lambda host: host.switch(SwitchOrder("run", "/srv/x/releases/r2", "r1", "me", "{}"), lambda _: None),
}


class Speaker:
    """A machine that prints these bytes, whatever it is asked to run, in pieces of ``size``."""

    name = "bot1"

    def __init__(self, said: bytes, size: int) -> None:
        self._pieces = [said[at : at + size] for at in range(0, len(said), size)]

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        relay = OutputReader(on_line)
        relay.follow((("stdout", piece) for piece in self._pieces), timeout, self.name)
        return relay.completed(0)

    def converse(self, command: str, timeout: float) -> None:
        """One command after the other."""

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        raise ConnectionRefusedError

    def close(self) -> None:
        pass


class Peer:
    """A connection to somebody who says these bytes, and then nothing more."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def sendall(self, data: bytes, /) -> None:
        pass

    def recv(self, size: int, /) -> bytes:
        said, self._said = self._said[:size], self._said[size:]
        return said

    def settimeout(self, seconds: float | None, /) -> None:
        pass

    def close(self) -> None:
        pass


def tried(action: Callable[..., object], *arguments: object) -> Any:
    """Return the result of an action; None where it raises an error of ours, whose message must not be empty."""
    try:
        return action(*arguments)
    except RollbackOpsError as error:
        said = error
    assert said.message.strip()
    assert len(str(said)) < 20_000
    return None


def plain(shown: str) -> bool:
    """Whether this is one line in which nothing steers a terminal."""
    return not set(shown) & set("\n\r\0\x1b\x7f\x9b")


def heard(data: bytes) -> str:
    """As what hosts say is decoded."""
    return data.decode("utf-8", "replace")


def given(data: bytes) -> str:
    """As a variable of the environment is decoded."""
    return os.fsdecode(data)


def answers(data: bytes) -> None:
    """The answer of a host to each operation; the first byte selects the operation, and the size of the pieces."""
    names = list(OPERATIONS)
    which, size = (data[0] % len(names), 1 + data[0] // len(names) * 97) if data else (0, 1)
    said = b"rollback-ops\t1\t%s\n%s\nend\t0\n" % (names[which].encode(), data[1:])
    for kind in ("systemd", "custom"):
        host = AgentHost(Speaker(said, size), "true", partial(managers.parse, SERVICES[kind], "x"), switch_within=0.05)
        tried(OPERATIONS[names[which]], host)


def noise(data: bytes) -> None:
    """A host that prints anything at all."""
    host = AgentHost(Speaker(data, 1024), "true", lambda _: (), switch_within=0.05)
    for name, operation in OPERATIONS.items():
        # Whoever switched a host that makes no sense asks it again and again, until its time is up.
        if name != "switch":
            tried(operation, host)


def states(data: bytes) -> None:
    """The output of the managers."""
    for service in SERVICES.values():
        for unit in managers.parse(service, "x", heard(data)):
            assert plain(unit.detail)


def http(data: bytes) -> None:
    """The answer of a service to an http check."""
    check = HttpCheck.model_validate(
        {
            "kind": "http",
            "url": "http://a/{release}",
            "text": "",
            "json": {"release": "{release}", "a.b": [1, {"c": 0}]},
        }
    )
    built = checks.build({"c": check}, "r1")["c"]
    for said in (data, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)):
        found = built.probe(  # type: ignore[union-attr]
            lambda *_, said=said: Peer(said)
        )
        assert plain(found.detail)


def judges(data: bytes) -> None:
    """The answers of hosts to the questions of checks."""
    said = tuple(protocol.clean(line) for line in heard(data).split("\n"))
    look = {"kind": "command", "run": "true"}, {"kind": "logs"}, {"kind": "logs", "file": "x.log"}
    service = Service.model_validate({"root": "/x", "checks": {f"c{n}": check for n, check in enumerate(look)}})
    for status in (0, 1, 3, 4, 124, -1):
        for check in checks.build(service.checks, "r1").values():
            finding = check.judge((), CommandResult(status, 0.1, said))  # type: ignore[union-attr]
            assert plain(finding.detail)


def journals(data: bytes) -> None:
    """The journal of a host: entries that can be read can be shown, and written again."""
    records, unreadable = read_journal(heard(data).split("\n"))
    assert len(records) + unreadable <= data.count(b"\n") + 1
    list(itertools.chain.from_iterable(shown_history(records)[1]))
    for record in records:
        _written(record)


def records(data: bytes) -> None:
    """A record's document, of this version of the program or of another."""
    try:
        record = Record.model_validate_json(data)
    except ValueError:
        return
    _written(record)


def _written(record: Record) -> None:
    list(result(record))
    line = record.line()
    assert "\n" not in line
    assert Record.model_validate_json(line).id == record.id


def settings(data: bytes) -> None:
    """rollback.toml: what can be read and resolved can be told to a host."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rollback.toml")
        path.write_bytes(data)
        _told(tried(lambda: load(path, {})))


def variables(data: bytes) -> None:
    """ROLLBACK_* variables: a line each."""
    environ = dict(_variables(data))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rollback.toml")
        path.write_text('[services.x]\nroot = "/srv/x"\nunits = ["web"]\n[environments.prod]\nhosts = ["a"]\n')
        found = tried(lambda: load(path, environ))
    _told(found)
    request = tried(lambda: Request.build(environ, CommandOptions(environment="prod")))
    if request:
        tried(lambda: reason_for(request))
        found and tried(lambda: resolve(found, request))


def _variables(data: bytes) -> Iterator[tuple[str, str]]:
    for line in data.replace(b"\0", b"").split(b"\n"):
        name, _, value = os.fsdecode(line).partition("=")
        if name:
            yield name, value


def _told(found: Settings | None) -> None:
    if found is None:
        return
    for name, service in itertools.product(found.environments, found.services):
        job = tried(resolve, found, Request(name, service, local=True))
        manager = job and tried(managers.build, job.service, job.service_name)
        if manager:
            text = bundle.render(job.about, job.service, manager)
            tried(bundle.command, text, "survey", "no")


def known_hosts(data: bytes) -> None:
    """ROLLBACK_KNOWN_HOSTS."""
    trust = tried(lambda: KnownHosts.from_text(given(data)))
    if trust:
        trust.about("bot1").preferred(["ssh-ed25519"])


def keys(data: bytes) -> None:
    """ROLLBACK_SSH_KEY."""
    tried(lambda: load_key(given(data), "open sesame"))
    tried(lambda: Certificate.parse(given(data), "file").describe())


def openssh(data: bytes) -> None:
    """A person's ~/.ssh/config."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, ".ssh")
        home.mkdir()
        (home / "config").write_bytes(data)
        tried(lambda: OpenSshConfig.of_person(Path(folder), Path(folder)).about("bot1"))


def masks(data: bytes) -> None:
    """Free text in which secrets are looked for."""
    shown = Redactor(["correct horse battery staple"])(heard(data))
    assert "correct horse battery staple" not in shown


SEEDS: dict[str, tuple[bytes, ...]] = {
    "answers": (
        b"\0live\trelease\tr2\t/srv/x/releases/r2\tabc\nrelease\tr1\t\tabc\tgood\tyes\nmodified\tr1\t1700000000",
        b"\0live\tmissing\t\t\t\nlease\trun\tme\turl\tsince\t9.5\nunfinished\trun\tr1\tr2\nblocker\tno-root\t/x",
        b"\1manifest\tfailed\tapp: FAILED\nsaid\t0\thello\nanswered\t0\t0\t0.10",
        b"\3end\t1",
        b'\4journal\t{"event":"intent","id":"r","at":"2024-01-02T03:04:05Z"}',
        b"\5sealed\tr1\t4",
        b"\6step\tstop\tok\t0.1\t\nstate\tId=web.service\nlog\tgone\nresult\tswitched\tr1\t0.2\t",
    ),
    "states": (
        b"Id=web.service\nLoadState=loaded\nActiveState=active\nMainPID=12\nNRestarts=0\n",
        b"web RUNNING pid 5, uptime 0:00:01\nweb:a BACKOFF Exited too quickly",
        b"container|web|/x-web-1|abc|0|then|7|exited||1||/srv\nservices|web\nstatus=0",
    ),
    "http": (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n0\r\n\r\n', b'{"release":"r1"}'),
    "judges": (b"line CRITICAL x\nwhy it is gone\nfrom - 0 abc 1\nstatus 3",),
    "journals": (
        b'{"event":"intent","id":"r","service":"s","environment":"prod","mode":"standard","trigger":"manual",'
        b'"reason":"x","actor":"a","from":"b3","to":"b2","at":"2024-01-02T03:04:05Z"}\n{"event":"end","id":"r"}',
    ),
    "records": (json.dumps(USUAL).encode(), json.dumps(USUAL | {"schema_version": 7, "mood": "new"}).encode()),
    "settings": (
        b'[services.x]\nroot = "/srv/x"\nunits = ["w"]\nchecks.c = {kind = "process"}\n[environments.prod]\n',
    ),
    "variables": (b'ROLLBACK_SERVICES__X__ROOT=/a\nROLLBACK_ENVIRONMENTS={"e":{}}\nROLLBACK_HOST=a b\nGITHUB_ACTOR=x',),
    "known_hosts": (b"|1|c2FsdA==|aGFzaA== ssh-ed25519 AAAAC3NzaC1lZDI1NTE5\n@revoked *,!b ssh-rsa AAAA",),
    "keys": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",),
    "openssh": (b"Host b*\n  HostName %h.x\n  Port 2\n  ProxyJump a,b\nMatch host x exec y\nInclude *\nInclude *\n",),
    "masks": (
        b'password=x token: "y" https://u:p@h/ -----BEGIN RSA PRIVATE KEY----- ghp_aaaaaaaaa Authorization: Bearer z',
    ),
}


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        answers,
        noise,
        states,
        http,
        judges,
        journals,
        records,
        settings,
        variables,
        known_hosts,
        keys,
        openssh,
        masks,
    )
}
