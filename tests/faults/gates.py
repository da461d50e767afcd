"""Gates: they stop a transaction at the boundaries of its steps, without a change to the program.

Wrappers stand in ``/usr/local/bin`` of a host, in front of the tools that the program runs. One of them waits, before
the tool does anything, when the command line is the one that a test asked for. Each gate stops one command, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.support.lab.host import LabHost

_PLACE = "/var/lib/gate"
_TOOLS = ("flock", "ln", "mv", "rm", "sync", "timeout", "setsid", "systemd-run", "date")

# Of several patterns, each but the last has to come by first. The clock of this machine is everybody's: a host
# whose clock was set back has a `date` that says so, which is all that the program asks.
_WRAPPER = f"""#!/bin/sh
tool=${{0##*/}} place={_PLACE}
if [ "$tool" = date ] && [ -e $place/yesterday ]; then exec /usr/bin/date -d yesterday "$@"; fi
if {{ read -r pattern; read -r later; }} 2>/dev/null <$place/armed || [ -n "${{pattern:-}}" ]; then
    case $tool:$* in
    $pattern)
        if [ -n "${{later:-}}" ]; then
            /usr/bin/mv $place/armed $place/past 2>/dev/null && /usr/bin/sed 1d $place/past >$place/next &&
                /usr/bin/mv $place/next $place/armed
        elif /usr/bin/mv $place/armed $place/reached 2>/dev/null; then
            until [ -e $place/open ]; do /usr/bin/sleep 0.02; done
        fi
        ;;
    esac
fi
exec "/usr/bin/$tool" "$@"
"""

# A word that only the command of a check has, which is run in the verification.
ASKED = "is-it-asked"
_STARTED, _CLOSED = "timeout:*systemctl restart*", "[mr][vm]:*/open*"

# Each has the name of the next step, in the order of a transaction.
BOUNDARIES: Mapping[str, tuple[str, ...]] = {
    "launch": ("s[ey][ts]*:*worker*",),  # the order is written; systemd-run, or setsid
    "worker": ("flock:-w 5 8",),
    "lock": ("flock:-w 1 9",),
    "lease": ("mv:*/lease.*",),
    "prepare": ("ln:*",),
    "begin": ("sync:*/journal.jsonl*",),  # the intent is journaled, and stands open
    "stop": ("timeout:*systemctl stop*",),
    "switch": ("mv:-fT *current*",),  # the service is down
    "links": ("mv:-fT *config.json*",),
    "start": (_STARTED,),
    "state": (_STARTED, "timeout:*systemctl show*"),  # the service runs
    "end": (_STARTED, "date:*"),
    "close": (_STARTED, "sync:*/journal.jsonl*"),  # the end is journaled
    "verify": (f"timeout:*{ASKED}*",),  # the first question of the verification
    "record": (_CLOSED, "flock:-w 2 9"),  # the transaction is over, and was verified
    "release": (_CLOSED, "flock:-w 2 9", "sync:*/journal.jsonl*"),
}
# Boundaries at which no worker exists: only the session that the runner opened.
WITHOUT_WORKER = frozenset({"launch", "verify", "record", "release"})


class Gates:
    """The gates of one host."""

    def __init__(self, host: LabHost) -> None:
        self._place = host.path(_PLACE)
        install = f"mkdir -p {_PLACE} && chmod 777 {_PLACE} && cd /usr/local/bin && cat >gate"
        links = " && ".join(f"ln -f gate {tool}" for tool in _TOOLS)
        host.run(f"{install} && chmod 755 gate && {links}", stdin=_WRAPPER.encode())

    def arm(self, boundary: str, after: Sequence[str] = ()) -> None:
        """Stop the next command of a boundary, once the commands of ``after`` have come by."""
        for left in ("reached", "open", "past", "next", "yesterday"):
            (self._place / left).unlink(missing_ok=True)
        (self._place / "new").write_text("".join(f"{pattern}\n" for pattern in (*after, *BOUNDARIES[boundary])))
        (self._place / "new").rename(self._place / "armed")

    @property
    def reached(self) -> bool:
        return (self._place / "reached").exists()

    def open(self) -> None:
        """Let the waiting command go on, and stop no other one."""
        (self._place / "armed").unlink(missing_ok=True)
        (self._place / "open").touch()

    def set_clock_back(self) -> None:
        """Set the clock of the host to yesterday, until the next gate is armed."""
        (self._place / "yesterday").touch()
