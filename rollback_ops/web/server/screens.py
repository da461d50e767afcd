"""The screens that only show: *Now*, *History*, *Numbers*, *Record*, and the runs on the hosts."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from rollback_ops.core.record import Record
from rollback_ops.web.history import history_of
from rollback_ops.web.now import now_of
from rollback_ops.web.numbers import numbers_of
from rollback_ops.web.record import record_of
from rollback_ops.web.server import events
from rollback_ops.web.server.lookout import Seen
from rollback_ops.web.server.site import Site, about, html
from rollback_ops.web.view import Filter

# Seconds that a page waits for hosts before it says that they are still being asked.
_PATIENCE = 2.0


class Screens:
    """Pages that change nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def now(self, request: Request) -> Response:
        site = self._site
        if "again" in request.query_params:
            site.lookout.see(0.0, again=True)
            return RedirectResponse("/", HTTPStatus.SEE_OTHER)
        seen = site.lookout.see(_PATIENCE)
        if seen.snapshot is None:
            return self._without(seen, request)
        site.heed_settings()
        now, frame = now_of(seen.snapshot), site.frame(request)
        groups = site.operations.groups()
        page = site.pages.render("now.html", frame, now=now, going_on=site.runs.going_on, groups=groups)
        return html(page, incomplete=seen.looking)

    def history(self, request: Request) -> Response:
        seen, frame = self._seen(request), self._site.frame(request)
        if seen.snapshot is None:
            return self._without(seen, request)
        fields = ("environment", "service", "trigger", "outcome")
        wanted = Filter(*(request.query_params.get(field, "") for field in fields))
        return html(self._site.pages.history(history_of(seen.snapshot, wanted), frame))

    def numbers(self, request: Request) -> Response:
        seen, frame = self._seen(request), self._site.frame(request)
        if seen.snapshot is None:
            return self._without(seen, request)
        return html(self._site.pages.numbers(numbers_of(seen.snapshot.history.statistics), frame))

    def record(self, request: Request) -> Response:
        record = self._find(request.query_params.get("id", ""))
        if record is None:
            return self._site.told(request, HTTPStatus.NOT_FOUND, "There is no record with this id.")
        return html(self._site.pages.record(record_of(record), self._site.frame(request)))

    def log(self, request: Request) -> Response:
        """Ask the hosts for the traces of a run, and show them."""
        record = self._find(request.query_params.get("id", ""))
        if record is None:
            return self._site.told(request, HTTPStatus.NOT_FOUND, "There is no record with this id.")
        own = next((run for run in self._site.runs.all if run.record and run.record.id == record.id), None)
        traces = [self._site.operations.trace(part) for part in record.services or (record,)]
        return self._site.page(request, "log.html", record=record, traces=traces, own=own)

    def running(self, request: Request) -> Response:
        """Show the runs on the hosts of one service, whoever started them."""
        where = about(request)
        return self._site.page(request, "running.html", found=self._site.operations.follow(**where), about=where)

    def running_events(self, request: Request) -> Response:
        site, where, frame = self._site, about(request), self._site.frame(request)
        part = lambda found: site.pages.render("following.html", frame, found=found)  # noqa: E731
        follow = lambda: site.operations.follow(**where)  # noqa: E731
        return StreamingResponse(events.of_hosts(follow, part), media_type=events.TYPE)

    def _find(self, run: str) -> Record | None:
        """Return a record of this server's own runs, or of the last look at the hosts."""
        own = (each.record for each in self._site.runs.all if each.record)
        if found := next((record for record in own if record.id == run), None):
            return found
        snapshot = self._site.lookout.see(_PATIENCE).snapshot
        records = snapshot.history.records if snapshot else ()
        return next((record for record in records if record.id == run), None)

    def _seen(self, request: Request) -> Seen:
        """Return the last answers of the hosts, or, where the address asks for it, those of GitHub."""
        if request.query_params.get("source") == "github":
            return Seen(self._site.operations.of_github())
        return self._site.lookout.see(_PATIENCE)

    def _without(self, seen: Seen, request: Request) -> Response:
        """Answer before the first look has ended. Raises its problem, if it failed."""
        if seen.problem:
            raise seen.problem
        frame = self._site.frame(request)
        return html(self._site.pages.render("looking.html", frame), incomplete=True)
