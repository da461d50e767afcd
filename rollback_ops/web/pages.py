"""Writes pages. Every text that a template prints is redacted, brought onto one line, bounded and escaped here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from rollback_ops.core import summary
from rollback_ops.core.errors import UsageError
from rollback_ops.core.text import one_line, short
from rollback_ops.web import frame as frames
from rollback_ops.web import moments
from rollback_ops.web.chart import chart_of, evidence_chart
from rollback_ops.web.frame import Frame
from rollback_ops.web.view import HistoryView, Now, NumbersView, RecordView

if TYPE_CHECKING:
    from types import CodeType

    from jinja2 import BytecodeCache, Environment
    from jinja2.bccache import Bucket

# Characters of one text. A page shows what people and hosts wrote; it does not quote all of it.
_LONGEST = 600
# Characters of a label inside a picture.
_LABEL = 20
_SIGNS = {"good": "✓", "bad": "✗", "warning": "!", "plain": "·"}
INSTALL = "pip install '.[dashboard]'"


def libraries_missing() -> UsageError:
    """Return the error of a Python that lacks the libraries of the dashboard."""
    hint = f"Run {INSTALL} in a clone of rollback-ops, with the pip of its environment (docs/dashboard.md)."
    return UsageError("the dashboard needs libraries that are not installed", hint)


@cache
def _compiled() -> BytecodeCache:
    """Return where the environments of this process keep their templates, so that each is compiled once."""
    from jinja2 import BytecodeCache

    codes: dict[str, CodeType] = {}

    class Memory(BytecodeCache):
        def load_bytecode(self, bucket: Bucket) -> None:
            if bucket.key in codes:
                bucket.code = codes[bucket.key]

        def dump_bytecode(self, bucket: Bucket) -> None:
            if bucket.code:
                codes[bucket.key] = bucket.code

    return Memory()


class Pages:
    """Renders the screens. ``redact`` hides secrets in every text. Raises ``UsageError`` where Jinja2 is missing.

    A template of another module extends ``base.html`` (blocks: title, main, scripts) and is rendered by ``render``.
    """

    def __init__(self, redact: Callable[[str], str] = lambda text: text) -> None:
        self._redact = redact
        _ = self._environment

    def now(self, view: Now, frame: Frame) -> str:
        return self.render("now.html", frame, now=view)

    def history(self, view: HistoryView, frame: Frame) -> str:
        return self.render("history.html", frame, history=view, chart=chart_of(view.entries))

    def record(self, view: RecordView, frame: Frame) -> str:
        return self.render("record.html", frame, view=view)

    def section(self, view: RecordView, frame: Frame) -> str:
        """Return the section of a record alone, for a page that holds several. It is escaped already."""
        from markupsafe import Markup

        return Markup(self.render("record_part.html", frame, view=view))  # noqa: S704 - a template escaped it

    def numbers(self, view: NumbersView, frame: Frame) -> str:
        return self.render("numbers.html", frame, numbers=view)

    def render(self, template: str, frame: Frame, **values: Any) -> str:
        """Render a template of ``web/templates``. A value that it lacks is an error, and never an empty text."""
        return self._environment.get_template(template).render(frame=frame, **values)

    @cached_property
    def _environment(self) -> Environment:
        try:
            from jinja2 import Environment, PackageLoader, StrictUndefined
        except ImportError:
            raise libraries_missing() from None
        made = Environment(
            loader=PackageLoader("rollback_ops.web", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=self._printed,
            bytecode_cache=_compiled(),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters |= {
            "moment": moments.shown,
            "machine": moments.machine,
            "epoch": moments.seconds_of,
            "link": frames.safe_url,
            "sign": _SIGNS.__getitem__,
            "short": lambda text: short(text, _LABEL),
            "words": lambda word: word.replace("_", " "),
            "share": lambda share: f"{share:.1%}",
            "seconds": lambda seconds: f"{seconds:.2f} s",
        }
        made.globals |= {
            "held": summary.held,
            "target_label": summary.target_label,
            "anchor": frames.anchor,
            "evidence_chart": evidence_chart,
        }
        return made

    def _printed(self, value: Any) -> Any:
        from markupsafe import Markup

        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        return one_line(self._redact(value), _LONGEST)
