"""Installs the libraries of the lock file into a directory of their own, which appears whole or not at all.

Needs the standard library only, of Python 3.11 or later, and pip. To be run with ``-I``.
"""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from contents import seal
from fetch import fetch
from wheels import locked_here, unpack

_HERE = Path(__file__).resolve().parent
_LOCK = _HERE / "requirements.lock"
_DAY = 86_400
# The parts of the program that take longest to compile. None needs much of what another one compiles.
_PARTS = (
    "github, requests",
    "rollback_ops.commands.rollback, rollback_ops.commands.history",
    "fabric.connection",
)
_LOCKED = ("--quiet", "--require-hashes", "--only-binary=:all:", "--no-deps", "--requirement")

# The machine decides which index is used and how it is reached, since the hashes decide which files are accepted.
# Other options of pip (user, target, require-virtualenv, constraint, no-index, …) were meant for something else.
_OF_THE_INDEX = (
    "index-url", "extra-index-url", "find-links", "trusted-host", "cert", "client-cert", "proxy", "keyring-provider",
    "timeout", "default-timeout", "retries", "cache-dir",
)  # fmt: skip
_OF_THE_MACHINE = (
    "HOME", "PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
_OURS = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INPUT": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}


def main() -> None:
    libraries, wheels = Path(os.environ["ACTION_LIBRARIES"]), Path(os.environ["ACTION_WHEELS"])
    libraries.parent.mkdir(parents=True, exist_ok=True)
    _sweep(libraries.parent)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=libraries.parent, ignore_cleanup_errors=True) as scratch:
        made = Path(scratch) / "libraries"
        try:
            _install(Path(scratch), wheels, made)
            _prove(made)
            seal(made)
        except subprocess.CalledProcessError:
            sys.exit("::error title=Rollback Ops::The libraries could not be installed. The lines above say why.")
        _put(made, libraries)


class _Pip:
    """pip of this Python, or of an empty virtual environment where it has none, with the settings of the index only."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._python = sys.executable
        if not find_spec("pip"):
            subprocess.run([sys.executable, "-I", "-m", "venv", scratch / "pip"], check=True, stdout=sys.stderr)
            self._python = str(scratch / "pip" / "bin" / "python")
        machine = {name: os.environ[name] for name in _OF_THE_MACHINE if name in os.environ}
        asked = {name: value for name, value in os.environ.items() if _option(name) in (*_OF_THE_INDEX, "config-file")}
        self.options = self._index(machine | asked)
        told = {"PIP_" + option.upper().replace("-", "_"): value for option, value in self.options.items()}
        self._environ = machine | _OURS | told

    def _index(self, environ: dict[str, str]) -> dict[str, str]:
        """Return the settings of the index in pip's files and variables, by the names of pip's options."""
        told = subprocess.run(
            self._command("config", "list"), env=environ, check=True, stdout=subprocess.PIPE, text=True
        )
        found = {}
        for section in ("global", "install", ":env:"):
            for line in told.stdout.splitlines():
                name, _, value = line.partition("=")
                option = name.removeprefix(f"{section}.")
                if option in _OF_THE_INDEX:
                    found[option] = " ".join(str(ast.literal_eval(value)).split())
        return found

    def run(self, *arguments: str | Path) -> None:
        subprocess.run(self._command(*arguments), env=self._environ, check=True, stdout=sys.stderr)

    def _command(self, *arguments: str | Path) -> list[str | Path]:
        return [self._python, "-I", "-m", "pip", *arguments]


def _option(variable: str) -> str:
    return variable.removeprefix("PIP_").lower().replace("_", "-") if variable.startswith("PIP_") else ""


def _install(scratch: Path, wheels: Path, made: Path) -> None:
    """Install from the wheels that a cache brought; where it brought none, or others, from the index."""
    lock = _LOCK.read_text(encoding="utf-8")
    if wheels.is_dir():
        if unpack(lock, wheels, made):
            return
        shutil.rmtree(wheels)
    pip = _Pip(scratch)
    try:
        fetch(locked_here(lock), pip.options, wheels)
    except (ImportError, OSError, ValueError) as error:
        sys.stderr.write(
            f"Downloading all libraries at once failed ({error}). pip downloads them one after the other.\n"
        )
        pip.run("download", *_LOCKED, _LOCK, "--dest", wheels)
    if not unpack(lock, wheels, made):
        pip.run("install", *_LOCKED, _LOCK, "--no-index", "--find-links", wheels, "--no-compile", "--target", made)


def _prove(made: Path) -> None:
    """Start the program in parts, at the same time, so that each processor compiles modules that a rollback needs."""
    starts = [f"import sys; sys.path += {[str(_HERE.parent), str(made)]!r}; import {part}" for part in _PARTS]
    processes = [subprocess.Popen([sys.executable, "-I", "-S", "-c", start]) for start in starts]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise subprocess.CalledProcessError(1, "a start of the program")


def _put(made: Path, libraries: Path) -> None:
    """Move the libraries into their place. Two jobs may do so at once: those of the first one stay."""
    try:
        made.rename(libraries)
    except OSError:
        if not libraries.is_dir():
            raise


def _sweep(store: Path) -> None:
    """Delete directories that killed jobs have left behind."""
    for left in store.glob(".making-*"):
        # Another job may just remove its own.
        with suppress(FileNotFoundError):
            if time.time() - left.lstat().st_mtime > _DAY:
                shutil.rmtree(left, ignore_errors=True)


main()
