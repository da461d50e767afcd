"""The screen *Roll back*: the preview, the form that carries it out, and the run."""

from __future__ import annotations

from http import HTTPStatus

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from rollback_ops.core.errors import UsageError
from rollback_ops.web.record import record_of
from rollback_ops.web.server import events
from rollback_ops.web.server.forms import FormSigner, fields_of, problem_of
from rollback_ops.web.server.runs import Run
from rollback_ops.web.server.site import Site, about, to_run


class Rollbacks:
    """Pages that lead to a rollback, and show it."""

    def __init__(self, site: Site, signer: FormSigner) -> None:
        self._site = site
        self._signer = signer

    def preview(self, request: Request) -> Response:
        return self._offer(request, **about(request), emergency="emergency" in request.query_params)

    async def begin(self, request: Request) -> Response:
        """Begin the rollback of a form, unless it has begun: two clicks are one rollback."""
        return await run_in_threadpool(self._begin, request, await request.body())

    def run(self, request: Request) -> Response:
        run = self._site.runs.numbered(request.path_params["number"])
        if run is None:
            hint = "A run is shown by the server that started it. Its record is in the history."
            return self._site.told(request, HTTPStatus.NOT_FOUND, "There is no such run.", hint)
        ended = run.done.is_set()
        view = record_of(run.record) if run.record else None
        if ended:
            self._site.lookout.forget()
        return self._site.page(request, "run.html", run=run, ended=ended, told=run.since(0), view=view)

    def run_events(self, request: Request) -> Response:
        site, frame = self._site, self._site.frame(request)
        run = site.runs.numbered(request.path_params["number"])
        if run is None:
            # The browser does not connect again.
            return Response(status_code=HTTPStatus.NO_CONTENT)
        line = lambda told: site.pages.render("told.html", frame, told=told)  # noqa: E731
        return StreamingResponse(events.of_run(run, line, events.last_heard(request.headers)), media_type=events.TYPE)

    def _begin(self, request: Request, body: bytes) -> Response:
        site, fields = self._site, fields_of(body)
        read = self._signer.read(fields.get("form", ""))
        if read is None or read[0].action != "rollback" or read[0].group:
            return site.not_ours(request)
        form, fault = read
        reason = fields.get("reason", "")
        if run := site.runs.of_form(form):
            return to_run(run)
        problem = problem_of(form, fault, fields.get("typed", ""))
        if not problem:
            try:
                return to_run(site.operations.start(site.runs, form, reason))
            except UsageError as error:
                problem = str(error)
        where = {"environment": form.environment, "service": form.service}
        return self._offer(request, **where, emergency=form.emergency, problem=problem, reason=reason)

    def _offer(
        self, request: Request, environment: str, service: str, *, emergency: bool, problem: str = "", reason: str = ""
    ) -> Response:
        """Show what a rollback would do now, with its form. ``problem``: why the last form did nothing."""
        site = self._site
        site.heed_settings()
        previewed = site.operations.preview(environment, service, emergency=emergency)
        return site.page(
            request,
            "rollback.html",
            HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
            found=previewed.found,
            form=previewed.form,
            # Markup: only letters, digits and a few signs, and one changed character would make it worthless.
            signed=Markup(self._signer.sign(previewed.form)) if previewed.form else "",  # noqa: S704
            about={"environment": environment, "service": service},
            emergency=emergency,
            problem=problem,
            reason=reason,
            going_on=[run for run in site.runs.going_on if _is_about(run, environment, service)],
        )


def _is_about(run: Run, environment: str, service: str) -> bool:
    return (run.form.environment, run.form.service) == (environment, service)
