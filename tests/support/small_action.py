"""The action with libraries that are installed in a second: how they come there matters, not what is in them."""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from pathlib import Path

from tests.support.project import PROJECT

# What the action imports to prove that the libraries work, as files of one wheel each.
_LIBRARIES = {
    "fabric": ("fabric/__init__.py", "fabric/connection.py"),
    "github": ("github/__init__.py",),
    "requests": ("requests/__init__.py",),
}
_PROGRAM = ("__init__.py", "commands/__init__.py", "commands/rollback.py", "commands/history.py")


def small_action(to: Path, wheels: Path) -> Path:
    """The action in a directory of its own; ``wheels`` will hold what its lock file names."""
    shutil.copytree(PROJECT / "action", to / "action", ignore=shutil.ignore_patterns("__pycache__"))
    for name in _PROGRAM:
        (to / "rollback_ops" / name).parent.mkdir(parents=True, exist_ok=True)
        (to / "rollback_ops" / name).touch()
    wheels.mkdir()
    lock = ""
    for library, files in _LIBRARIES.items():
        wheel = _wheel(wheels, library, files)
        lock += f"{library}==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    (to / "action/requirements.lock").write_text(lock)
    return to


def _wheel(directory: Path, library: str, files: tuple[str, ...]) -> Path:
    about = f"{library}-1.0.dist-info"
    texts = {
        **dict.fromkeys(files, ""),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {library}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    listed = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in texts.items())
    path = directory / f"{library}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**texts, f"{about}/RECORD": f"{listed}{about}/RECORD,,\n"}.items():
            wheel.writestr(name, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
