"""The output of act about a run, as the facts that a person would see on the run's page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_ANNOTATIONS = ("error", "warning", "notice")


@dataclass(frozen=True)
class Annotation:
    kind: str
    title: str
    text: str


class Journal:
    """``lines`` are those of ``act --json``. A step is named by its id, one of the action's own as ``id/inner``."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.events: list[dict[str, Any]] = list(_events(lines))

    @property
    def text(self) -> str:
        """The log, with the runner's commands as they were written; GitHub shows nobody what is to be masked."""
        return "".join(event.get("raw") or event["msg"] for event in self.events if self._is_said(event))

    def said(self, step: str) -> str:
        """The output of a step, without its commands."""
        return "".join(event["msg"] for event in self._of(step) if event.get("raw_output"))

    def commands(self, step: str, *kinds: str) -> list[dict[str, Any]]:
        """The runner commands of a step, as act understood them."""
        return [event for event in self._of(step) if event.get("raw") and (not kinds or event["command"] in kinds)]

    @property
    def annotations(self) -> list[Annotation]:
        return [
            Annotation(event["command"], event["kvPairs"].get("title", ""), event["arg"])
            for event in self.events
            if event.get("command") in _ANNOTATIONS and event.get("raw")
        ]

    @property
    def summary(self) -> str:
        """The job's summary: what each step left in its file."""
        written = (event for event in self.events if event.get("command") == "summary")
        return "".join(event["content"] for event in written if len(event["stepID"]) > 1)

    def outputs(self, step: str) -> dict[str, str]:
        return {event["name"]: event["arg"] for event in self._of(step) if event.get("command") == "set-output"}

    def result(self, step: str) -> str:
        """``success`` or ``failure``; empty for a step that was skipped."""
        return "".join(event["stepResult"] for event in self._main(step))

    def seconds(self, step: str) -> float:
        return float(sum(event["executionTime"] for event in self._main(step))) / 1e9

    @property
    def failed(self) -> list[str]:
        """The steps that failed, the inner ones first."""
        failed = (event for event in self.events if event.get("stepResult") == "failure" and "stepID" in event)
        return ["/".join(event["stepID"]) for event in failed]

    @property
    def job(self) -> str:
        """``success`` or ``failure``, of all jobs."""
        found = {event["jobResult"] for event in self.events if "jobResult" in event}
        return "success" if found == {"success"} else "failure"

    def _of(self, step: str) -> list[dict[str, Any]]:
        return [event for event in self.events if "/".join(event.get("stepID", ())) == step]

    def _main(self, step: str) -> list[dict[str, Any]]:
        return [event for event in self._of(step) if event.get("stage") == "Main" and "stepResult" in event]

    @staticmethod
    def _is_said(event: dict[str, Any]) -> bool:
        return bool(event.get("raw_output") or (event.get("raw") and event["command"] != "add-mask"))


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("{"):
            found = json.loads(line)
            yield {**found, "msg": found.get("msg", "")}
