"""The forms beside the rollback: holds, marks, scheduled and interrupted rollbacks, and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from http import HTTPStatus
from typing import get_args

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from rollback_ops.core.errors import UsageError
from rollback_ops.web.server.actions import FormAddress, FormInput
from rollback_ops.web.server.forms import Action, FormSigner, RollbackForm, fields_of, problem_of
from rollback_ops.web.server.site import Site, to_run

_ACTIONS: tuple[Action, ...] = get_args(Action)
_TITLES: Mapping[Action, str] = {
    "rollback": "Roll back",
    "resume": "Finish what was interrupted in",
    "hold": "Hold deployments of",
    "lift": "Lift the holds of",
    "mark": "Mark a release of",
    "schedule": "Schedule a rollback of",
    "cancel": "Cancel a scheduled rollback of",
}


class ChangePages:
    """Pages that lead to a change other than the rollback of one service."""

    def __init__(self, site: Site, signer: FormSigner) -> None:
        self._site = site
        self._signer = signer

    def offer(self, request: Request) -> Response:
        asked = _asked(request)
        if asked is None:
            return self._site.told(request, HTTPStatus.NOT_FOUND, "There is no such form.", "Open one of the page Now.")
        return self._offer(request, asked)

    async def begin(self, request: Request) -> Response:
        """Begin the change of a form, unless it has begun: two clicks are one change."""
        return await run_in_threadpool(self._begin, request, await request.body())

    def _begin(self, request: Request, body: bytes) -> Response:
        site, given = self._site, fields_of(body)
        read = self._signer.read(given.get("form", ""))
        if read is None or (read[0].action == "rollback" and not read[0].group):
            return site.not_ours(request)
        form, fault = read
        if run := site.runs.of_form(form):
            return to_run(run)
        typed = FormInput(**{each.name: given.get(each.name, "").strip() for each in fields(FormInput)})
        problem = problem_of(form, fault, given.get("typed", ""))
        if not problem:
            try:
                return to_run(site.operations.change(site.runs, form, typed))
            except UsageError as error:
                problem = str(error)
        return self._offer(request, _again(form), problem, typed)

    def _offer(
        self, request: Request, asked: FormAddress, problem: str = "", typed: FormInput | None = None
    ) -> Response:
        """Show what a form would do now. ``problem``: why the last one did nothing."""
        site = self._site
        site.heed_settings()
        offer = site.operations.offer(asked)
        return site.page(
            request,
            "change.html",
            HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
            asked=asked,
            title=_TITLES[asked.action],
            offer=offer,
            # Markup: only letters, digits and a few signs, and one changed character would make it worthless.
            signed=Markup(self._signer.sign(offer.form)) if offer.form else "",  # noqa: S704
            problem=problem,
            typed=typed or FormInput(),
        )


def _asked(request: Request) -> FormAddress | None:
    """Return the names in an address. None: it is not that of a form."""
    query = request.query_params
    action = next((each for each in _ACTIONS if each == query.get("action")), None)
    if action is None or not query.get("environment") or (action == "rollback" and not query.get("group")):
        return None
    names = {key: query.get(key, "") for key in ("environment", "service", "group", "number")}
    return FormAddress(action, **names, emergency="emergency" in query)


def _again(form: RollbackForm) -> FormAddress:
    return FormAddress(form.action, form.environment, form.service, form.group, form.number, form.emergency)
