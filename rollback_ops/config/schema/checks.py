"""The tables of checks, one class for each kind."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rollback_ops.config.schema.section import Section
from rollback_ops.config.types import (
    CheckLine,
    CheckUrl,
    Command,
    Endpoint,
    ExpectedJson,
    ExpectedText,
    HeaderName,
    HeaderValue,
    Limit,
    LinePatterns,
    LogFile,
    PageUrl,
    Seconds,
)
from rollback_ops.core.model import AutomaticTrigger


class CheckSettings(Section):
    """Keys that every kind of check has. A key that is not set takes the service's value (``Verify``)."""

    interval: Limit | None = None
    min_healthy_time: Seconds | None = None
    healthy_deadline: Limit | None = None
    success_threshold: int | None = Field(None, ge=1, le=100)
    failure_threshold: int | None = Field(None, ge=1, le=100)
    fail_fast: bool = False
    trigger: AutomaticTrigger | None = None


class HttpCheck(CheckSettings):
    kind: Literal["http"]
    url: CheckUrl
    source: Literal["host", "runner"] = Field("host", alias="from")
    status: int = Field(200, ge=100, le=599)
    final: tuple[Annotated[int, Field(ge=100, le=599)], ...] = ()
    text: ExpectedText = ""
    fields: dict[str, ExpectedJson] = Field(default_factory=dict, alias="json")
    headers: dict[HeaderName, HeaderValue] = {}
    max_latency: Limit | None = None
    timeout: Limit = 2.0

    @model_validator(mode="after")
    def _expected_status_is_not_final(self) -> Self:
        if self.status in self.final:
            raise ValueError(f"has its expected status ({self.status}) in final, whose statuses fail the check at once")
        return self


class TcpCheck(CheckSettings):
    kind: Literal["tcp"]
    address: Endpoint
    source: Literal["host", "runner"] = Field("host", alias="from")
    timeout: Limit = 2.0

    @model_validator(mode="after")
    def _socket_is_on_the_host(self) -> Self:
        if self.address.startswith("/") and self.source == "runner":
            raise ValueError('has a socket as its address, and only the host can reach it: remove from = "runner"')
        return self


class ProcessCheck(CheckSettings):
    kind: Literal["process"]


class CommandCheck(CheckSettings):
    kind: Literal["command"]
    run: CheckLine
    phase: Literal["before", "after"] = "after"
    timeout: Limit = 10.0


class LogsCheck(CheckSettings):
    """A check of log lines. Without ``file`` and ``command``, it reads systemd's journal.

    ``patterns`` and ``ignore``: None means the defaults of ``log_patterns``.
    """

    kind: Literal["logs"]
    file: LogFile = ""
    command: CheckLine = ""
    patterns: LinePatterns | None = None
    ignore: tuple[CheckLine, ...] | None = None
    timeout: Limit = 5.0

    @model_validator(mode="after")
    def _one_log(self) -> Self:
        if self.file and self.command:
            raise ValueError("has both file and command, but a check reads one log: split it into two checks")
        return self


# The keys that each source of a metric needs; it takes no others of these.
_KEYS_OF_SOURCE = {
    "prometheus": ("url", "errors", "total"),
    "log": ("file", "errors", "total"),
    "journal": ("errors", "total"),
    "command": ("run",),
}
_OF_LATENCY = ("url", "latency")
# With "control" there are no counts from before, so these ticks must show how much errors come in bursts.
_LEAST_TICKS = {"control": 8, "before": 2}


class MetricCheck(CheckSettings):
    """A check of counts of events, and of the bad ones among them, which ``guard`` and ``verify`` watch for a while.

    ``errors`` and ``total`` are series of Prometheus, or patterns of lines; ``latency`` are the buckets of a histogram
    of Prometheus. Only differences count. ``after_rollback``: also watched after a rollback.
    """

    kind: Literal["metric"]
    source: Literal["prometheus", "log", "journal", "command"]
    baseline: Literal["control", "before"] = "control"
    url: PageUrl = ""
    file: LogFile = ""
    run: Command = ""
    errors: CheckLine = ""
    total: CheckLine = ""
    latency: CheckLine = ""
    after_rollback: bool = False
    alpha: float = Field(0.01, ge=0.0001, le=0.2)
    floor: float = Field(0.001, ge=0, le=0.5)
    tick: Limit = 15.0
    warm_up: Seconds = 60.0
    window: Limit = 600.0
    timeout: Limit = 5.0

    @model_validator(mode="after")
    def _only_what_the_source_takes(self) -> Self:
        of_latency = self.source == "prometheus" and self.latency
        needed = _OF_LATENCY if of_latency else _KEYS_OF_SOURCE[self.source]
        for key in ("url", "file", "run", "errors", "total", "latency"):
            if (key in needed) != bool(getattr(self, key)):
                said = f"lacks {key}" if key in needed else f"has {key}"
                also = ", or url and latency" if self.source == "prometheus" and not of_latency else ""
                raise ValueError(f'{said}: source = "{self.source}" takes {", ".join(needed)}{also}')
        for key in CheckSettings.model_fields:
            if key in self.model_fields_set:
                raise ValueError(f"has {key}, which a metric does not take: use tick, warm_up and window")
        return self

    @model_validator(mode="after")
    def _baseline_can_be_had(self) -> Self:
        if self.source != "prometheus":
            if self.baseline == "before":
                raise ValueError('has baseline = "before", which only source = "prometheus" can provide')
            return self
        queries = ("latency",) if self.latency else ("errors", "total")
        filled = [key for key in queries if "{release}" in getattr(self, key)]
        if self.baseline == "control" and len(filled) < len(queries):
            raise ValueError(f'lacks {{release}} in {" or ".join(queries)}: baseline = "control" compares two releases')
        if self.baseline == "before" and filled:
            raise ValueError(f'has {{release}} in {filled[0]}: baseline = "before" compares the service with itself')
        return self

    @model_validator(mode="after")
    def _past_can_be_had(self) -> Self:
        if self.after_rollback and self.baseline != "before":
            raise ValueError('has after_rollback, which needs baseline = "before": no host runs another release then')
        return self

    @model_validator(mode="after")
    def _window_has_ticks(self) -> Self:
        least = _LEAST_TICKS[self.baseline]
        if self.window < least * self.tick:
            raise ValueError(
                f"has a window ({self.window:g}s) that is shorter than {least} ticks ({self.tick:g}s each)"
            )
        return self


# The checks with one answer for each question; metrics are watched.
AskedCheck = HttpCheck | TcpCheck | ProcessCheck | LogsCheck | CommandCheck
Check = Annotated[AskedCheck | MetricCheck, Field(discriminator="kind")]
