from __future__ import annotations

import hashlib
import runpy
import zipfile
from pathlib import Path

from tests.support.project import PROJECT

unpack = runpy.run_path(str(PROJECT / "action/wheels.py"))["unpack"]


def test_wheels_may_share_directories(tmp_path: Path) -> None:
    wheels, lock = tmp_path / "wheels", ""
    wheels.mkdir()
    for number in range(8):
        wheel = wheels / f"part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr(f"shared/deep/part{number}.py", "")
        lock += f"part{number}==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    assert unpack(lock, wheels, tmp_path / "made")
    assert len(list((tmp_path / "made/shared/deep").iterdir())) == 8
