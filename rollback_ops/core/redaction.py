"""Secrets in free text (log lines, answers, messages), put out of sight.

It errs on the side of hiding: a harmless word after ``password:`` is hidden too. Every pattern looks at a bounded
number of characters again at most, so that the time is linear in the length of the text, whoever wrote it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from typing import Any

_MASK = "***"
# A part of a known secret that is shorter is no secret, and hiding it would make texts unreadable.
_SHORTEST = 4

_NAME = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key"
    r"|signing[_-]?key|encryption[_-]?key|client[_-]?secret|credentials?|session[_-]?id)s?(?:[_-][A-Za-z0-9_-]{0,20}+)?"
)
# In quotes to their end; in escaped ones (JSON within JSON) likewise; otherwise to the next space or quote.
_VALUE = (
    r"""(?:(\\["']|["'])(?:(?<=\\.)[^"'\\\r\n]*+|(?<=")(?:\\.|[^"\\\r\n])*+|(?<=')(?:\\.|[^'\\\r\n])*+)|[^\s"']++)"""
)


def _keep(match: re.Match[str]) -> str:
    """What stands before the secret stays, an opening quote too."""
    return "".join(group or "" for group in match.groups()) + _MASK


def _hide(match: re.Match[str]) -> str:
    return _MASK


def _line_by_line(match: re.Match[str]) -> str:
    """A block keeps its lines, so that what stands on the next one stays where it is."""
    return "\n".join(_MASK for _ in match[0].split("\n"))


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern), replace)
    for pattern, replace in (
        # A private key, to its end or to the text's
        (
            r"(?s)-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
            r".*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
            _line_by_line,
        ),
        # Authorization: Bearer …, in a header, in JSON, in a curl command; Cookie: …
        (
            r"(?i)(authorization\\?[\"']?\s{0,5}+[:=]\s{0,5}+\\?[\"']?"
            r"(?:(?:basic|bearer|digest|token|negotiate|apikey)\s{1,5}+)?+)[^\s\"'\\]++",
            _keep,
        ),
        (r"(?i)(cookie:\s{0,5}+)[^\r\n\"']++", _keep),
        (r"(?i)(\bbearer\s{1,5}+)[^\s\"'\\,;]{6,}+", _keep),
        (r"(\b[Bb]asic\s{1,5}+)(?![a-z]{1,30}+\b)[A-Za-z0-9+/_=-]{8,}+", _keep),
        # password=… · "token": "…" · API_KEY: … · --password …
        (rf"(?i)({_NAME}\\?[\"']?\s{{0,5}}+(?::=|=>|[:=])\s{{0,5}}+){_VALUE}", _keep),
        (rf"(?i)((?<![\w-])--[a-z-]{{0,30}}?{_NAME}\s{{1,5}}+){_VALUE}", _keep),
        (rf"(?i)(<{_NAME}>)[^<\r\n]++", _keep),
        # scheme://user:password@host, also where the text ends before the @; scheme://token@host
        (r"(://[^\s/@:\"']{0,100}+:)(?!\d{1,5}+(?:[/?#\s]|\Z))[^\s\"']{1,300}(?=@)", _keep),
        (r"(://[^\s/@:\"']{1,100}+:)(?!\d{1,5}+…?\Z)[^\s/@\"'?#,;)\]}>]{1,300}+\Z", _keep),
        (r"(://)[^\s/@:\"']{16,300}+(?=@)", _keep),
        # Addresses that are secrets
        (
            r"(?i)((?:hooks\.slack(?:-gov)?\.com|discord(?:app)?\.com/api|webhook\.office\.com|outlook\.office(?:365)?\.com"
            r"|logic\.azure\.com(?::\d{1,5}+)?|/hooks)/)[^\s\"'<>]++",
            _keep,
        ),
        # Tokens that show what they are
        (
            r"(?<![A-Za-z0-9_-])(?:gh[a-z]_|github_pat_|glpat-|gldt-|xox[a-z]-|xapp-|npm_|pypi-|dop_v1_|hf_|sk[_-]"
            r"|[rs]k_(?:live|test)_|AIza|SG\.|AGE-SECRET-KEY-)[A-Za-z0-9_.-]{8,}+",
            _hide,
        ),
        (r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{8,}+", _hide),
        (r"(?<![\w-])eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+){1,4}+", _hide),
    )
)


class Hidden:
    """What is hidden in every text, beside what shows by itself to be a secret."""

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._patterns: tuple[str, ...] = ()
        self._expressions: tuple[re.Pattern[str], ...] = ()

    def add(self, secrets: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        """``patterns`` are regular expressions whose time is linear in the length of the text."""
        self._secrets |= set(secrets)
        self._patterns = tuple(dict.fromkeys((*self._patterns, *patterns)))
        known = "|".join(map(re.escape, _forms(self._secrets)))
        self._expressions = tuple(re.compile(each) for each in (known, *self._patterns) if each)

    def mask(self, text: str) -> str:
        for expression in self._expressions:
            text = expression.sub(_line_by_line, text)
        return text


_everywhere = Hidden()
# Hide these in every text of this process from now on.
remember = _everywhere.add


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with ``***`` in the place of every secret in it.

    ``secrets`` are values that are known to be secret. They are hidden wherever they stand: whole, each line of one
    that has several, and as Base64. Those that were given to ``remember`` are hidden too.
    """
    if not text:
        return text
    text = _everywhere.mask(text)
    known = _forms(secrets)
    if known:
        text = re.sub("|".join(map(re.escape, known)), _line_by_line, text)
    for pattern, replace in _RULES:
        text = pattern.sub(replace, text)
    return text


def masked(value: Any, secrets: Iterable[str] = ()) -> Any:
    """A JSON document with every text in it masked."""
    known = tuple(secrets)
    if isinstance(value, str):
        return mask(value, known)
    if isinstance(value, dict):
        return {key: masked(each, known) for key, each in value.items()}
    return [masked(each, known) for each in value] if isinstance(value, list) else value


def _forms(secrets: Iterable[str]) -> list[str]:
    """Every text that gives a known secret away, the longest first."""
    forms = set()
    for secret in secrets:
        lines = [line.strip() for line in secret.splitlines()]
        encoded = [
            base64.b64encode(text.encode(errors="surrogateescape")).decode().rstrip("=")
            for text in {secret, secret.strip()}
        ]
        forms.update([secret.strip(), *lines, *encoded])
    return sorted((form for form in forms if len(form) >= _SHORTEST), key=lambda form: (-len(form), form))


class Redactor:
    """Hides secrets in text: those that show what they are, known ``secrets``, and what ``patterns`` match.

    One belongs to one run: another run in the same process has its own.
    """

    def __init__(self, secrets: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self._known = Hidden()
        self._known.add(secrets, patterns)

    def __call__(self, text: str) -> str:
        """The text with ``***`` in the place of every secret in it."""
        if not text:
            return text
        text = self._known.mask(text)
        for pattern, replace in _RULES:
            text = pattern.sub(replace, text)
        return text

    def document(self, value: Any) -> Any:
        """A JSON document with every text in it redacted. Keys stay as they are."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {key: self.document(each) for key, each in value.items()}
        return [self.document(each) for each in value] if isinstance(value, list) else value
