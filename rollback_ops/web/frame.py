"""The frame of a page: its links, its nonce, and the rule for addresses that may become links."""

from __future__ import annotations

from collections.abc import Callable, Container
from urllib.parse import quote, urlsplit

from rollback_ops.core.frozen import frozen
from rollback_ops.core.text import fits_one_line


@frozen
class Links:
    """The addresses of the pages. ``record`` takes a run; ``rollback`` and ``running`` an environment and a service.
    ``change`` takes an action, an environment, and what it is about: ``service``, ``group``, ``number``.

    They return an empty address where there is no page. Then no link is shown.
    """

    now: str
    history: str
    numbers: str
    record: Callable[[str], str]
    rollback: Callable[[str, str], str]
    running: Callable[[str, str], str] = lambda *_: ""
    change: Callable[..., str] = lambda *_, **__: ""
    log: Callable[[str], str] = lambda _: ""


@frozen
class Frame:
    """The frame of one page. ``nonce`` allows its style and its scripts, and nothing else.

    ``live``: a server answers, so that pages may have forms and may follow what happens. ``policy`` is the content
    security policy for a page that no server sends; empty where a header has it.
    """

    nonce: str
    links: Links
    live: bool = False
    policy: str = ""


def anchor(run: str) -> str:
    """Return the id of the section of a record in a page that holds all of them."""
    return f"record-{run}"


def in_one_page(rollback: str, detailed: Container[str]) -> Links:
    """Return the links inside a page that holds everything. ``rollback``: where a rollback is started; may be empty.

    ``detailed``: the runs whose records have a section in the page.
    """

    def record(run: str) -> str:
        return f"#{quote(anchor(run), safe='')}" if run in detailed else ""

    return Links("#now", "#history", "#numbers", record, lambda *_: rollback)


def policy(nonce: str) -> str:
    """Return the policy of a page file: its own style, and nothing else: no script, no image, no form, no request."""
    return f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'"


def safe_url(url: str | None) -> str:
    """Return an address that may become a link: http or https with a host, on one line. Empty for every other one."""
    if not url or not fits_one_line(url) or len(url) > 2000:
        return ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    return url if usable else ""
