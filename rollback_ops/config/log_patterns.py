"""Patterns of log lines that show a serious failure: those of the ``logs`` check, unless others are set.

They are extended regular expressions (``grep -E``), for bytes. A word like CRITICAL counts where a logger writes
its level, and not in the middle of a sentence, so that "0 CRITICAL errors" and "level set to CRITICAL" do not match.
"""

from __future__ import annotations

_LEVEL = "(CRITICAL|FATAL|PANIC|EMERGENCY)"
# The start of a word; the end of a colour (ESC [31m) is one too.
_START = r"(^|[^[:alnum:]_]|\[[0-9;]+m)"

PATTERNS = (
    # CRITICAL the disk is full · <2>CRITICAL … · [FATAL] … · CRITICAL:root:…
    rf"^(<[0-9]>)?([^[:alnum:]]|\[[0-9;]+m)*{_LEVEL}([^[:alnum:]_]|$)",
    # … - CRITICAL - … · app.CRITICAL: … · | FATAL | · FATAL [main] · "level":"CRITICAL"
    rf'{_START}{_LEVEL}( ?[]:|["[:cntrl:]]| --? )',
    # 12:00:00,123 CRITICAL … · 2024-01-01T12:00:00Z [main] FATAL …
    rf"[0-9][:.,][0-9]+(Z|[+-][0-9:]+)?[])|]*[[:space:]]+(\[[^]]*\] +)?{_LEVEL}([[:space:]]|$)",
    # level=fatal · "severity": "critical" · "level":60 (pino, bunyan)
    rf'{_START}(level(name)?|lvl|severity)"?(=|: ?)"?(crit(ical)?|fatal|panic|alert|emerg(ency)?)([^[:alnum:]]|$)',
    r'"level":60[,}]',
    # [crit] and [core:emerg], of nginx and Apache
    r"\[([a-z_0-9]+:)?(crit|alert|emerg)\]",
    # The last output of programs that end with an unhandled error
    r"Traceback \(most recent call last\)",
    r"^panic: |^fatal error: |thread '[^']*' panicked at|PHP Fatal error|Exception in thread ",
    r"[Uu]nhandled ([Pp]romise ?[Rr]ejection|[Rr]ejection|[Ee]xception)|[Uu]ncaught [Ee]xception",
    # Out of memory, in the words of Java, Node, the kernel and systemd
    r"(^|[^[:alnum:]])OutOfMemoryError|[Hh]eap out of memory|Out of memory: |OOM killer",
    r"[Ss]egmentation fault|segfault at |[Cc]ore dumped|code=dumped",
)

# A count of none: CRITICAL: 0, WARNING: 3
IGNORE = (r"(CRITICAL|FATAL)[A-Za-z _]*[:=] *0([],;)]|$| +[A-Z])",)

# A line whose level is warning or error, and not critical. For Python's ``re``.
WARNING = r"(?i)(?:^|[^A-Za-z0-9_])(?:warn(?:ing)?|err(?:or)?)(?:[^A-Za-z0-9_]|$)"
