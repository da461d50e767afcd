"""Libraries without what they import for others, and with it where a version of them needs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import fabric
import invoke
import pydantic_core
import pytest

from tests.support.sshd import Sshd

USES = "\n\nclass Loader(yaml.SafeLoader):\n    pass\n"
SHOWS = (
    "import sys, rollback_ops.hosts.ssh as ssh; ssh.import_fabric(); import unittest.mock, fabric.connection as used;"
    "print(*used.Context.__mro__[1].__module__.split('.')[:1], 'invoke.vendor.yaml' in sys.modules, unittest.mock.Mock)"
)


@pytest.mark.parametrize(("more", "parses"), [("", False), (USES, True)], ids=["as it is", "one that uses its parser"])
def test_fabric_is_imported_with_every_version_of_invoke(more: str, parses: bool, tmp_path: Path) -> None:
    shutil.copytree(Path(invoke.__file__).parent, tmp_path / "invoke")
    with (tmp_path / "invoke" / "config.py").open("a") as config:
        config.write(more)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    run = [sys.executable, "-B", "-c", SHOWS]
    ended = subprocess.run(run, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["invoke", str(parses), "<class", "'unittest.mock.Mock'>"], ended.stderr


@pytest.mark.parametrize("more", ["CoreConfig.__required_keys__", "import zoneinfo; zoneinfo.ZoneInfo('UTC')"])
def test_a_version_of_pydantic_that_needs_what_is_left_out_is_imported_whole(more: str, tmp_path: Path) -> None:
    shutil.copytree(Path(pydantic_core.__file__).parent, tmp_path / "pydantic_core")
    with (tmp_path / "pydantic_core" / "core_schema.py").open("a") as schema:
        schema.write(f"\n{more}\n")
    shown = "bool(Settings.model_json_schema()), zoneinfo.ZoneInfo"
    code = f"from rollback_ops.config import Settings; import zoneinfo; print({shown})"
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    run = [sys.executable, "-B", "-c", code]
    ended = subprocess.run(run, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["True", "<class", "'zoneinfo.ZoneInfo'>"], ended.stderr


# Between the first packet and the answer of the survey, each millisecond of imports counts, too.
UNUSED = ("rollback_ops.core.fleet_plan", "rollback_ops.engine.meters", "invoke.program", "fabric.group", "shutil")
UNWANTED = ("fabric", "invoke", "paramiko.sftp_client", "tempfile", "zoneinfo", "platform", "importlib.metadata")
BEFORE_THE_FIRST_PACKET = f"""
import sys, typing_extensions
used = typing_extensions.TypedDict
import rollback_ops.commands.context, rollback_ops.hosts.ssh.transport
print([name for name in {UNWANTED!r} if name in sys.modules])
from rollback_ops.hosts.ssh import import_fabric
import_fabric()
import rollback_ops.cli.output.terminal, rollback_ops.commands.rollback
print([name for name in {UNUSED!r} if name in sys.modules])
import fabric, zoneinfo, tempfile, typing
print(fabric.Connection.__name__, zoneinfo.ZoneInfo.__name__, tempfile.mkdtemp.__name__)
print(typing.is_typeddict(typing.TypedDict("T", {{}})), typing_extensions.TypedDict is used)
"""


def test_what_is_not_needed_before_the_first_packet_is_imported_later_and_then_it_is_the_real_one() -> None:
    run = [sys.executable, "-c", BEFORE_THE_FIRST_PACKET]
    ended = subprocess.run(run, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines() == ["[]", "[]", "Connection ZoneInfo mkdtemp", "True True"], ended.stderr


# The clock jumps while Fabric is imported: as if that took 100 s.
SLOW = "import time\nreal = time.monotonic\ntime.monotonic = lambda: real() + 100\n"
LOGS_IN = """
import sys, time
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.identity import LoginIdentity
from rollback_ops.hosts.ssh.transport import SshTransport
address, key, known = sys.argv[1:]
host = SshTransport(address, (), LoginIdentity.from_text(open(key).read()), KnownHosts.from_text(known), 60.0)
began = time.monotonic()
host.connect()
host.close()
print(time.monotonic() - began > 100)
"""


def test_the_time_to_import_fabric_is_not_the_hosts(sshd: Sshd, client_keys: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(Path(fabric.__file__).parent, tmp_path / "fabric")
    with (tmp_path / "fabric" / "connection.py").open("a") as module:
        module.write(SLOW)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    words = [sys.executable, "-B", "-c", LOGS_IN, sshd.address, str(client_keys["ed25519"]), sshd.known_hosts()]
    ended = subprocess.run(words, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert ended.stdout == "True\n", ended.stderr
