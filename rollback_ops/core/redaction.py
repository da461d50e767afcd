"""Hides secrets in free text: log lines, answers, messages.

When in doubt it hides: a harmless word after ``password:`` is hidden too. No pattern reads more than a bounded number
of characters twice, so the time is linear in the length of the text, also for hostile text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from rollback_ops.core.text import with_texts

_MASK = "***"
# A shorter part of a known secret is not hidden: that would make texts unreadable.
_SHORTEST = 4

_NAME = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key"
    r"|signing[_-]?key|encryption[_-]?key|client[_-]?secret|credentials?|session[_-]?id)s?(?:[_-][A-Za-z0-9_-]{0,20}+)?"
)
# In quotes to their end; in escaped ones (JSON within JSON) likewise; otherwise to the next space or quote.
_VALUE = (
    r"""(?:(\\["']|["'])(?:(?<=\\.)[^"'\\\r\n]*+|(?<=")(?:\\.|[^"\\\r\n])*+|(?<=')(?:\\.|[^'\\\r\n])*+)|[^\s"']++)"""
)
# What may stand before the secret, however often: a scheme, as in the header Authorization (RFC 9110), or a name, as in
# "bearer token: …". A value always matches behind it, if need be the last of these words, so nothing is read twice.
_SCHEME = r"(?:basic|bearer|digest|token|negotiate|apikey)"
_BEFORE = rf"(?:{_SCHEME}[^\S\r\n]{{1,5}}+|{_NAME}[^\S\r\n]{{0,5}}+[:=][^\S\r\n]{{0,5}}+)*"


def _keep(match: re.Match[str]) -> str:
    """Replace the secret, and keep what stands before it, an opening quote too."""
    return "".join(group or "" for group in match.groups()) + _MASK


def _hide(match: re.Match[str]) -> str:
    return _MASK


def _line_by_line(match: re.Match[str]) -> str:
    """Replace each line of a block, so that the number of lines stays."""
    return "\n".join(_MASK for _ in match[0].split("\n"))


class _Rule(NamedTuple):
    """How one kind of secret looks: for Python, and for sed on a host (break-glass).

    ``pattern`` is compiled when the first text needs it (``_SIGNS``), so that no host waits for it. ``sed`` has
    extended regular expressions and what replaces a match. They see one line of bytes without control characters, and
    match where ``pattern`` does: a rule that hid another part of the text could hide the words by which a later rule
    finds its secret.
    """

    pattern: str
    replace: Callable[[re.Match[str]], str]
    sed: tuple[tuple[str, str], ...]


def _rule(
    pattern: str, replace: Callable[[re.Match[str]], str], expression: str, keeps: str = "", unless: str = ""
) -> _Rule:
    """Make a rule. ``unless``: for sed, which cannot look ahead: two groups, of which the second is spared."""
    hiding = (expression, keeps + _MASK)
    if not unless:
        return _Rule(pattern, replace, (hiding,))
    # Twice: of two in a row, one begins with the blank at which the other ends.
    spare = (unless, rf"\1{_SPARED}\2")
    return _Rule(pattern, replace, (spare, spare, hiding, (_SPARED, "")))


# Stands before what a rule spares. No text has this character.
_SPARED = "\x02"
_BLANKS = "[[:space:]]{0,5}"
_ERE_NAME = _NAME.replace("?:", "").replace("}+", "}")
_ERE_BEFORE = rf"({_SCHEME.replace('?:', '')}[[:space:]]{{1,5}}|{_ERE_NAME}{_BLANKS}[:=]{_BLANKS})*"
_NO_WORD = "(^|[^A-Za-z0-9_])"
# The bytes of the characters that Python's \s has beside those of ASCII.
_BLANKS_OF_UNICODE = "\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xaf]|\xe2\x81\x9f|\xe3\x80\x80"


def _value_after(head: str) -> str:
    """Return the expression for a value after ``head``: in escaped quotes, in quotes, or in none.

    One expression for all, so that sed finds the leftmost value first, as Python does.
    """
    escaped, double, single = r"""\\["'][^"'\\]*""", r""""([^"\\]|\\.)*""", r"""'([^'\\]|\\.)*"""
    bare = r"""(\\[^"'[:space:]]|\\$|[^"'\\[:space:]])[^"'[:space:]]*"""
    return f"({head})({escaped}|{double}|{single}|{bare})"


_RULES = (
    # A private key, to its end or to the text's
    _rule(
        r"(?s)-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
        r".*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        _line_by_line,
        "-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY( BLOCK)?-----.*",
    ),
    # Authorization: Bearer …, in a header, in JSON, in a curl command; Cookie: …
    _rule(
        r"(?i)(authorization\\?[\"']?\s{0,5}+[:=]\s{0,5}+\\?[\"']?"
        rf"{_BEFORE}\\?[\"']?)[^\s\"'\\]++",
        _keep,
        rf"""(authorization\\?["']?{_BLANKS}[:=]{_BLANKS}\\?["']?"""
        rf"""{_ERE_BEFORE}\\?["']?)[^[:space:]"'\\]+""",
        keeps=r"\1",
    ),
    _rule(r"(?i)(cookie:\s{0,5}+[\"']?)[^\r\n\"']++", _keep, rf"""(cookie:{_BLANKS}["']?)[^"']+""", keeps=r"\1"),
    # <password>…, before the rules that may take the tag for a value and end there
    _rule(rf"(?i)(<{_NAME}>)[^<\r\n]++", _keep, f"(<{_ERE_NAME}>)[^<]+", keeps=r"\1"),
    # password=… · "token": "…" · API_KEY: … · --password …; not what is behind the NOPASSWD of sudoers
    _rule(
        rf"(?i)((?!(?<=no)(?<!\Sno)passwd:\s){_NAME}\\?[\"']?\s{{0,5}}+(?::=|=>|[:=])\s{{0,5}}+{_BEFORE}){_VALUE}",
        _keep,
        _value_after(rf"""{_ERE_NAME}\\?["']?{_BLANKS}(:=|=>|[:=]){_BLANKS}{_ERE_BEFORE}"""),
        keeps=r"\1",
        unless="(^nopass|[[:space:]]nopass)(wd:[[:space:]])",
    ),
    _rule(
        rf"(?i)((?<![A-Za-z0-9_-])--[a-z-]{{0,30}}?{_NAME}\s{{1,5}}+{_BEFORE}){_VALUE}",
        _keep,
        _value_after(rf"(^|[^A-Za-z0-9_-])--[a-z-]{{0,30}}{_ERE_NAME}[[:space:]]{{1,5}}{_ERE_BEFORE}"),
        keeps=r"\1",
    ),
    # Bearer … and Basic …, after the rules whose names they would take for the secret: "invalid bearer token: …"
    _rule(
        r"(?i)((?<![A-Za-z0-9_])bearer\s{1,5}+)[^\s\"'\\,;]{6,}+",
        _keep,
        rf"""({_NO_WORD}bearer[[:space:]]{{1,5}})[^[:space:]"'\\,;]{{6,}}""",
        keeps=r"\1",
    ),
    _rule(
        r"((?<![A-Za-z0-9_])[Bb]asic\s{1,5}+)(?![a-z]{1,30}+(?![A-Za-z0-9_]))[A-Za-z0-9+/_=-]{8,}+",
        _keep,
        rf"({_NO_WORD}[Bb]asic[[:space:]]{{1,5}})[A-Za-z0-9+/_=-]{{8,}}",
        keeps=r"\1",
        unless=r"([Bb]asic[[:space:]]{1,5})([a-z]{1,30}([^A-Za-z0-9_]|$))",
    ),
    # scheme://user:password@host, also where the text ends before the @; scheme://token@host
    _rule(
        r"(://[^\s/@:\"']{0,100}+:)(?![0-9]{1,5}+(?:[/?#\s]|\Z))[^\s\"']{1,300}(?=@)",
        _keep,
        rf"""(://[^[:space:]/@:"']*:)[^{_SPARED}[:space:]"'][^[:space:]"']*@""",
        keeps=r"\1",
        unless=r"""(://[^[:space:]/@:"']*:)([0-9]{1,5}([/?#[:space:]]|$))""",
    ),
    _rule(
        r"(://[^\s/@:\"']{1,100}+:)(?![0-9]{1,5}+…?\Z)[^\s/@\"'?#,;)\]}>]{1,300}+\Z",
        _keep,
        r"""(://[^[:space:]/@:"']+:)([0-9]{6,}|[0-9]*[^]0-9/@"'?#,;)}>[:space:]][^]/@"'?#,;)}>[:space:]]*)$""",
        keeps=r"\1",
    ),
    _rule(r"(://)[^\s/@:\"']{16,300}+(?=@)", _keep, r"""(://)[^[:space:]/@:"']{16,}@""", keeps=r"\1"),
    # Addresses that are secrets
    _rule(
        r"(?i)((?:hooks\.slack(?:-gov)?\.com|discord(?:app)?\.com/api|webhook\.office\.com|outlook\.office(?:365)?\.com"
        r"|logic\.azure\.com(?::[0-9]{1,5}+)?|/hooks)/)[^\s\"'<>]++",
        _keep,
        r"((hooks\.slack(-gov)?\.com|discord(app)?\.com/api|webhook\.office\.com|outlook\.office(365)?\.com"
        r"""|logic\.azure\.com(:[0-9]{1,5})?|/hooks)/)[^[:space:]"'<>]+""",
        keeps=r"\1",
    ),
    # Tokens with a known prefix
    _rule(
        r"(?<![A-Za-z0-9_-])(?:gh[a-z]_|github_pat_|glpat-|gldt-|xox[a-z]-|xapp-|npm_|pypi-|dop_v1_|hf_|sk[_-]"
        r"|[rs]k_(?:live|test)_|AIza|SG\.|AGE-SECRET-KEY-)[A-Za-z0-9_.-]{8,}+",
        _hide,
        r"(^|[^A-Za-z0-9_-])(gh[a-z]_|github_pat_|glpat-|gldt-|xox[a-z]-|xapp-|npm_|pypi-|dop_v1_|hf_|sk[_-]"
        r"|[rs]k_(live|test)_|AIza|SG\.|AGE-SECRET-KEY-)[A-Za-z0-9_.-]{8,}",
        keeps=r"\1",
    ),
    _rule(
        r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{8,}+",
        _hide,
        "(^|[^A-Za-z0-9])(AKIA|ASIA)[A-Z0-9]{8,}",
        keeps=r"\1",
    ),
    _rule(
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+){1,4}+",
        _hide,
        r"(^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*){1,4}",
        keeps=r"\1",
    ),
)

# Every match of the rules has one of these, in small letters. A text without any needs no rule, and to compile them
# takes longer than a host needs for a key exchange.
_SIGNS = (
    *("-----begin", "authorization", "cookie", "pass", "pwd", "secret", "token", "key", "credential", "session"),
    *("bearer", "basic", "://", "hooks", "discord", ".office", "logic.azure", "gh", "glpat-", "gldt-", "xox", "xapp-"),
    *("github_pat_", "npm_", "pypi-", "dop_v1_", "hf_", "sk_", "sk-", "rk_", "aiza", "sg.", "akia", "asia", "eyj"),
    # Where the case does not matter, Python takes these for s and i.
    *("\u017f", "\u0131", "\u0130".lower()),
)


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]:
    return tuple((re.compile(rule.pattern), rule.replace) for rule in _RULES)


# No expression has this character, so it may stand between the parts of a command of sed.
_DELIMITER = "\x01"


def sed_script(patterns: Iterable[str] = ()) -> str:
    """Return a script for ``sed -E`` that hides what a ``Redactor`` hides, written for ``printf '%b'``.

    ``patterns`` are extended regular expressions (``mask_pattern.as_ere``), with bytes over 127 as Latin-1.
    """
    commands = [_command(pattern, _MASK, "g") for pattern in patterns]
    commands.append(_command(_BLANKS_OF_UNICODE, " ", "g"))
    for rule in _RULES:
        flags = "Ig" if rule.pattern.startswith("(?i)") else "g"
        commands += [_command(expression, replacement, flags) for expression, replacement in rule.sed]
    script = "\n".join(commands)
    return "".join(_for_printf(character) for character in script)


def _command(expression: str, replacement: str, flags: str) -> str:
    at = "@" if expression.endswith("@") else ""
    return _DELIMITER.join(("s", expression, replacement + at, flags))


def _for_printf(character: str) -> str:
    if character == "\\":
        return r"\\"
    return character if " " <= character <= "~" or character == "\n" else f"\\0{ord(character):03o}"


def _forms(secrets: Iterable[str]) -> list[str]:
    """Return every text that reveals a known secret, the longest first."""
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
    """Hides secrets in text: those of a known form, known ``secrets``, and what ``patterns`` match.

    A known secret is hidden wherever it stands: whole, each line of one that has several, and as Base64. ``patterns``
    are regular expressions whose time is linear in the length of the text. One belongs to one run.
    """

    def __init__(self, secrets: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        known = "|".join(map(re.escape, _forms(secrets)))
        self._expressions = tuple(re.compile(each) for each in dict.fromkeys((known, *patterns)) if each)

    def __call__(self, text: str) -> str:
        """Return the text with ``***`` in the place of every secret in it."""
        if not text:
            return text
        for expression in self._expressions:
            text = expression.sub(_line_by_line, text)
        lowered = text.lower()
        for sign in _SIGNS:
            if sign in lowered:
                break
        else:
            return text
        for pattern, replace in _compiled():
            text = pattern.sub(replace, text)
        return text

    def document(self, value: Any) -> Any:
        """Return a JSON document with every text in it redacted. Keys stay as they are."""
        return with_texts(value, self)
