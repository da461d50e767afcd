"""``make fuzz``: every target under atheris for a while. ``python -m tests.fuzz.fuzz [SECONDS] [TARGET …]``.

SECONDS are for each target (default 60). What a target does not survive is kept in ``.fuzz/TARGET/`` and ends this
with 1; so does an input that takes longer than 10 s, or more than 1 GB.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PLACE = Path(".fuzz")
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")


def main(arguments: list[str]) -> int:
    seconds = int(arguments[0]) if arguments else 60
    from tests.fuzz.targets import TARGETS

    chosen = arguments[1:] or list(TARGETS)
    print(f"{'target':<14}{'inputs':>10}  result")
    lost = [name for name in chosen if not _survives(name, seconds)]
    return int(bool(lost))


def _survives(name: str, seconds: int) -> bool:
    corpus = PLACE / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=4096"]
    words = [sys.executable, "-m", "tests.fuzz.fuzz", "--one", name, *limits, f"-artifact_prefix={PLACE / name}/"]
    done = subprocess.run([*words, str(corpus)], capture_output=True, text=True, check=False)
    (PLACE / name / "log").write_text(done.stdout + done.stderr)
    runs = _DONE.findall(done.stderr)
    well = done.returncode == 0 and bool(runs)
    print(
        f"{name:<14}{runs[-1][0] if runs else '?':>10}  {'ok' if well else f'DEFECT, see {PLACE / name}/log'}",
        flush=True,
    )
    return well


def _fuzz(name: str, options: list[str]) -> None:
    """One target in this process, which atheris ends."""
    import atheris

    with atheris.instrument_imports(include=["rollback_ops"]):
        from tests.fuzz.targets import SEEDS, TARGETS

    corpus = Path(options[-1])
    for number, seed in enumerate(SEEDS.get(name, ())):
        (corpus / f"seed{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _fuzz(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main(sys.argv[1:]))
