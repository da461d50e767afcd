"""A rollback has exactly one deployment, whatever GitHub answers, and recording it ends within its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import responses

from rollback_ops.core.record import Record
from rollback_ops.integrations.github.api import Deployment
from rollback_ops.integrations.github.deployments import (
    EARLIER_NOT_RECORDED,
    NOT_MARKED_INACTIVE,
    NOT_RECORDED,
    DeploymentRecorder,
    RecordingResult,
    unrecorded,
)
from tests.support.github_web import (
    DEPLOYMENTS,
    LEFT_SHA,
    OLD_SHA,
    PAGE_OF_A_PROXY,
    PLACE,
    REDACT,
    SHA,
    TOKEN,
    deployment,
    sent,
    statuses,
)
from tests.support.records import USUAL, record

RUNS = "https://github.com/acme/bot/actions/runs/"
RUN = f"{RUNS}77/attempts/1"
WITHIN = 10.0
# Two lookups are made at the same time, in any order.
OF_ROLLBACKS, OF_WHAT_WAS_LEFT = (
    responses.matchers.query_param_matcher({name: value}, strict_match=False)
    for name, value in (("task", "rollback"), ("sha", LEFT_SHA))
)


def rollback(**words: Any) -> Record:
    ours = {
        "run_url": RUN,
        "from": {"release": "b3", "revision": LEFT_SHA},
        "to": {"release": "b2", "revision": OLD_SHA},
    }
    return record(**ours | words)


def file(told: Record | None = None, earlier: list[Record] | None = None, **words: Any) -> RecordingResult:
    """File it as a rollback does: prepared when it begins."""
    told = told or rollback()
    recorder = DeploymentRecorder(PLACE, REDACT, **words)
    recorder.prepare(told)
    filed = recorder.record(told, WITHIN, (lambda: earlier) if earlier is not None else None)
    assert not any(secret in str(filed) for secret in ("SECRET", "<", "https://github"))
    return filed


def not_recorded(filed: RecordingResult) -> str:
    """Why there is no deployment; nothing else is a warning."""
    (why,) = filed.warnings
    assert filed.deployment.id is None
    assert why.startswith(NOT_RECORDED)
    return why.removeprefix(NOT_RECORDED)


class GitHub:
    """A stand-in for GitHub: deployments newest first, and the state of each."""

    def __init__(self, web: responses.RequestsMock) -> None:
        self.web = web

    def has(self, *deployments: dict[str, Any], **states: str) -> None:
        """``of_7="success"`` is the state of deployment 7."""
        self.web.get(DEPLOYMENTS, json=list(deployments))
        for name, state in states.items():
            self.web.get(statuses(int(name.removeprefix("of_"))), json=[{"state": state}])

    def has_rollbacks(self, *lists: list[dict[str, Any]]) -> None:
        """The results of the lookups of rollbacks, one after the other."""
        for found in lists:
            self.web.get(DEPLOYMENTS, match=[OF_ROLLBACKS], json=found)

    def takes(self, number: int = 7) -> None:
        self.web.post(DEPLOYMENTS, json=deployment(number), status=201)
        self.takes_statuses(number)

    def takes_statuses(self, *numbers: int) -> None:
        for number in numbers:
            self.web.post(statuses(number), json={"state": "any"}, status=201)

    def created(self) -> list[dict[str, Any]]:
        return [document for path, document in sent(self.web) if path.endswith("/deployments")]

    def states(self, number: int = 7) -> list[str]:
        return [document["state"] for path, document in sent(self.web) if path.endswith(f"/{number}/statuses")]


@pytest.fixture
def github(web: responses.RequestsMock) -> GitHub:
    return GitHub(web)


def ours(number: int = 7, **words: Any) -> dict[str, Any]:
    return deployment(number, payload={"id": USUAL["id"]}, **words)


# --- what is filed ---------------------------------------------------------------------------------------


def test_a_rollback_is_recorded_with_its_outcome_and_passes_through_its_states(github: GitHub) -> None:
    github.has()
    github.takes()
    filed = file(environment_url="https://bot.example.org")
    assert (filed.deployment.id, filed.warnings) == (7, ())
    assert filed.deployment.url == "https://api.github.com/repos/acme/bot/deployments/7"
    (asked,) = github.created()
    assert (asked["ref"], asked["payload"]["ref_is"]) == (OLD_SHA, "release")
    assert (asked["payload"]["outcome"], asked["payload"]["id"]) == ("succeeded", USUAL["id"])
    assert github.states() == ["in_progress", "success"]
    assert {document.get("environment_url") for _, document in sent(github.web)[1:]} == {"https://bot.example.org"}


def test_recording_a_finished_rollback_takes_three_requests(github: GitHub) -> None:
    github.has()
    github.takes()
    file()
    assert len(sent(github.web)) == 3


@pytest.mark.parametrize(
    "words", [{"outcome": "refused", "hosts": []}, {"dry_run": True}, {"outcome": "nothing_to_do", "hosts": []}]
)
def test_a_run_that_changed_nothing_is_not_recorded(github: GitHub, words: dict[str, Any]) -> None:
    told = rollback(**words)
    assert DeploymentRecorder(PLACE, REDACT).record(told, WITHIN) == RecordingResult()
    assert DeploymentRecorder(None, REDACT).record(told, WITHIN) == RecordingResult()
    assert len(github.web.calls) == 0


def test_without_a_token_a_warning_says_that_nothing_was_recorded() -> None:
    recorder = DeploymentRecorder(None, REDACT)
    recorder.prepare(rollback())
    (why,) = recorder.record(rollback(), WITHIN).warnings
    assert why.startswith(NOT_RECORDED)
    assert "GITHUB_TOKEN" in why


@pytest.mark.parametrize("to", [{"release": "b2", "revision": OLD_SHA}, {"release": "b2"}], ids=["unknown", "none"])
def test_without_a_revision_that_github_knows_the_workflows_commit_is_the_ref(
    github: GitHub, to: dict[str, str]
) -> None:
    github.has()
    if "revision" in to:
        github.web.post(DEPLOYMENTS, json={"message": f"No ref found for: {OLD_SHA}"}, status=422)
    github.takes()
    assert file(rollback(to=to)).warnings == ()
    assert (github.created()[-1]["ref"], github.created()[-1]["payload"]["ref_is"]) == (SHA, "workflow")
    assert github.states() == ["in_progress", "success"]


def test_a_deployment_that_github_rejects_is_a_warning(github: GitHub) -> None:
    github.has()
    github.web.post(DEPLOYMENTS, json={"message": "Validation Failed"}, status=422)
    assert file() == RecordingResult(
        warnings=(f"{NOT_RECORDED}GitHub rejected the request as invalid (422: Validation Failed)",)
    )
    assert [asked["ref"] for asked in github.created()] == [OLD_SHA, SHA]


# --- once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["object", "text"])
def test_a_deployment_that_exists_is_not_created_again(github: GitHub, form: str) -> None:
    there = ours() if form == "object" else ours() | {"payload": f'{{"id": "{USUAL["id"]}"}}'}
    github.has(deployment(8), there, of_7="success", of_8="failure")
    filed = file()
    assert (filed.deployment.id, filed.warnings) == (7, ())
    assert sent(github.web) == []


@pytest.mark.parametrize("state", ["in_progress", "", "error"])
def test_a_deployment_that_was_left_unfinished_is_closed(github: GitHub, state: str) -> None:
    github.has(ours(), of_7=state)
    github.takes_statuses(7)
    assert file().deployment.id == 7
    assert (github.created(), github.states()) == ([], ["success"])


UNANSWERED: list[Any] = [
    pytest.param({"body": requests.ReadTimeout(TOKEN)}, id="timeout"),
    pytest.param({"body": requests.ConnectionError(TOKEN)}, id="cut"),
    # What stands before GitHub had no answer in time.
    pytest.param({"json": {"message": "Server Error"}, "status": 502}, id="502"),
    pytest.param({"body": "<html>Gateway Time-out</html>", "status": 504}, id="504"),
]
ANSWERED: list[Any] = [
    pytest.param({"json": {"message": "Unavailable"}, "status": 503}, id="503"),
    pytest.param({"body": PAGE_OF_A_PROXY, "status": 200}, id="html"),
]


def lost(github: GitHub, answer: dict[str, Any], looks: int) -> None:
    """Lose the answer to the request, and show its deployment from this look on."""
    github.has_rollbacks([], *[[]] * (looks - 1), [ours()])
    github.has()
    github.web.post(DEPLOYMENTS, **answer)
    github.takes()


@pytest.mark.parametrize("answer", [*UNANSWERED, *ANSWERED])
def test_a_lost_answer_leads_to_no_second_deployment(github: GitHub, answer: dict[str, Any]) -> None:
    lost(github, answer, looks=1)
    assert file().deployment.id == 7
    assert (len(github.created()), github.states()) == (1, ["in_progress", "success"])


@pytest.mark.parametrize("answer", UNANSWERED)
def test_a_request_that_github_is_still_at_work_on_leads_to_no_second_deployment(
    github: GitHub, answer: dict[str, Any]
) -> None:
    lost(github, answer, looks=2)
    assert file().deployment.id == 7
    assert (len(github.created()), github.states()) == (1, ["in_progress", "success"])


@pytest.mark.parametrize("answer", UNANSWERED)
def test_a_request_without_an_answer_is_not_sent_again_by_this_run(github: GitHub, answer: dict[str, Any]) -> None:
    github.has()
    github.web.post(DEPLOYMENTS, **answer)
    github.takes()
    assert not_recorded(file())
    assert len(github.created()) == 1


@pytest.mark.parametrize("answer", ANSWERED)
def test_a_request_that_was_not_carried_out_is_repeated_after_a_lookup(github: GitHub, answer: dict[str, Any]) -> None:
    github.has()
    github.web.post(DEPLOYMENTS, **answer)
    github.takes()
    assert file().deployment.id == 7
    requests_made = [call.request.method for call in github.web.calls]
    first, second = (number for number, method in enumerate(requests_made) if method == "POST" and number < 5)
    assert "GET" in requests_made[first:second]
    assert len(github.created()) == 2


def test_nothing_is_created_when_the_lookup_before_fails(github: GitHub) -> None:
    github.web.get(DEPLOYMENTS, json={"message": "Server Error"}, status=500)
    assert "500" in not_recorded(file())
    assert sent(github.web) == []


def test_a_deployment_that_failed_at_the_start_is_tried_again_at_the_end(github: GitHub) -> None:
    slow = {"json": {"message": "Slow down"}, "status": 429}
    github.web.get(DEPLOYMENTS, match=[OF_WHAT_WAS_LEFT], **slow)
    github.web.get(DEPLOYMENTS, match=[OF_ROLLBACKS], **slow)
    github.has_rollbacks([])
    github.takes()
    filed = file()
    assert filed.deployment.id == 7
    (why,) = filed.warnings
    assert why.startswith(NOT_MARKED_INACTIVE)
    assert "(429)" in why


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "Bad credentials"),
        (403, "API rate limit exceeded"),
        (403, "Resource not accessible by integration"),
        (404, "Not Found"),
        (409, "Conflict"),
        (429, "Slow down"),
    ],
)
def test_a_refused_request_is_not_sent_again(github: GitHub, status: int, said: str) -> None:
    github.has()
    github.web.post(DEPLOYMENTS, json={"message": said}, status=status)
    why = not_recorded(file())
    assert str(status) in why
    assert ("`permissions: deployments: write`" in why) == (said == "Resource not accessible by integration")
    assert len(github.created()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"json": {"message": "Server Error"}, "status": 500},
        {"body": PAGE_OF_A_PROXY, "content_type": "text/html"},
        {"body": requests.ReadTimeout(TOKEN)},
    ],
    ids=["500", "html", "timeout"],
)
def test_a_deployment_without_its_final_state_counts_as_not_recorded(github: GitHub, answer: dict[str, Any]) -> None:
    github.has()
    github.web.post(DEPLOYMENTS, json=deployment(7), status=201)
    github.web.post(statuses(7), json={"state": "any"}, status=201)
    github.web.post(statuses(7), **answer)
    assert not_recorded(file())


def test_two_rollbacks_of_one_job_have_a_deployment_each(github: GitHub) -> None:
    github.has(deployment(9, payload={"id": "the-first", "key": "77/1/bot/prod"}), of_9="success")
    github.takes()
    assert file().deployment.id == 7
    assert [asked["payload"]["id"] for asked in github.created()] == [USUAL["id"]]


# --- the superseded deployment ---------------------------------------------------------------------------


def left(number: int, **words: Any) -> dict[str, Any]:
    return deployment(number, sha=LEFT_SHA, task="deploy", **words)


@pytest.mark.parametrize("revision", [LEFT_SHA, LEFT_SHA[:7], LEFT_SHA.upper()], ids=["whole", "short", "capitals"])
def test_the_deployment_of_the_release_that_was_left_becomes_inactive(github: GitHub, revision: str) -> None:
    github.has(left(5), left(4), of_5="success", of_4="success")
    github.takes()
    github.takes_statuses(5)
    assert file(rollback(**{"from": {"release": "b3", "revision": revision}})).warnings == ()
    assert (github.states(5), github.states(4)) == (["inactive"], [])


def test_the_deployment_of_a_job_in_progress_stays_as_it_is(github: GitHub) -> None:
    github.has(left(6), left(5), of_6="in_progress", of_5="success")
    github.takes()
    github.takes_statuses(5)
    file()
    assert (github.states(6), github.states(5)) == ([], ["inactive"])


@pytest.mark.parametrize(
    ("there", "told", "words"),
    [
        (left(5, environment="test"), {}, {}),
        (deployment(5, sha=OLD_SHA), {}, {}),
        (left(5), {"from": {"release": "b3"}}, {}),
        (left(5), {"from": {"release": "b3", "revision": "ddd"}}, {}),
        (left(5), {"from": {"release": "b3", "revision": "main"}}, {}),
        (left(5), {"outcome": "partial"}, {}),
        (left(5), {"outcome": "verification_failed"}, {}),
        (left(5), {"outcome": "restored"}, {}),
        (left(5), {"outcome": "cancelled"}, {}),
        (left(5), {}, {"whole": False}),
    ],
)
def test_a_deployment_that_may_still_be_live_on_a_host_stays_as_it_is(
    github: GitHub, there: dict[str, Any], told: dict[str, Any], words: dict[str, Any]
) -> None:
    github.has(there, of_5="success")
    github.takes()
    filed = file(rollback(**told), **words)
    assert (filed.deployment.id, filed.warnings) == (7, ())
    assert github.states(5) == []


def test_the_deployment_of_a_release_that_a_host_still_runs_stays_as_it_is(github: GitHub) -> None:
    left_alone = {**USUAL["hosts"][0], "host": "h2", "outcome": "nothing_to_do", "to": {"release": "b3"}}
    github.has(left(5), of_5="success")
    github.takes()
    assert file(rollback(hosts=[*USUAL["hosts"], left_alone])).warnings == ()
    assert github.states(5) == []


def test_the_release_that_hosts_left_in_the_end_counts_and_not_the_one_of_the_plan(github: GitHub) -> None:
    planned = rollback(**{"from": {"release": "b4", "revision": SHA}})
    github.has(deployment(4, sha=SHA), left(5), of_4="success", of_5="success")
    github.takes()
    github.takes_statuses(4, 5)
    recorder = DeploymentRecorder(PLACE, REDACT)
    recorder.prepare(planned)
    assert recorder.record(rollback(), WITHIN).warnings == ()
    assert (github.states(4), github.states(5)) == ([], ["inactive"])


@pytest.mark.parametrize("state", ["inactive", "failure", "error", "pending", "queued", ""])
def test_a_deployment_that_was_not_live_is_not_made_inactive(github: GitHub, state: str) -> None:
    github.has(left(5), of_5=state)
    github.takes()
    assert file().warnings == ()
    assert github.states(5) == []


def test_nothing_is_made_inactive_when_the_rollback_itself_is_not_recorded(github: GitHub) -> None:
    github.has(left(5), of_5="success")
    github.web.post(DEPLOYMENTS, json={"message": "no"}, status=403)
    assert len(file().warnings) == 1
    assert github.states(5) == []


def test_a_deployment_that_could_not_be_made_inactive_is_a_warning(github: GitHub) -> None:
    github.has(left(5), of_5="success")
    github.takes()
    github.web.post(statuses(5), json={"message": "no"}, status=403)
    filed = file()
    assert filed.deployment.id == 7
    (why,) = filed.warnings
    assert why.startswith(NOT_MARKED_INACTIVE)
    assert "(403: no)" in why


# --- what earlier runs missed ----------------------------------------------------------------------------

NOW = datetime(2024, 1, 8, tzinfo=UTC)


def run(number: int, days_ago: float = 1.0, **words: Any) -> Record:
    began = (NOW - timedelta(days=days_ago)).isoformat()
    return rollback(id=f"r{number}", run_url=f"{RUNS}{number}/attempts/1", started_at=began, **words)


def known(**payload_of: Any) -> Deployment:
    return Deployment(3, "", OLD_SHA, "prod", payload_of or None)


def test_the_five_oldest_runs_without_a_deployment_are_recorded_first() -> None:
    runs = [run(number, days_ago=number / 10) for number in range(1, 9)]
    there = [known(id="r8"), known(id="r7"), known(), known(id=["r6"])]
    assert [each.id for each in unrecorded(runs, there, rollback(), RUNS, NOW)] == ["r6", "r5", "r4", "r3", "r2"]


@pytest.mark.parametrize(
    "words",
    [
        {"run_url": None},
        {"run_url": "https://github.com/acme/other/actions/runs/1"},
        {"run_url": "https://github.com/acme/bot-2/actions/runs/1"},
        {"environment": "test"},
        {"service": "another"},
        {"dry_run": True},
        {"outcome": "refused"},
        {"days_ago": 7.0},
        {"days_ago": -1.0},
        {"days_ago": 0.01, "outcome": "cancelled", "hosts": []},
        {"id": USUAL["id"]},
    ],
)
def test_runs_of_others_old_runs_and_runs_that_changed_nothing_are_not_recorded(words: dict[str, Any]) -> None:
    plain = {name: value for name, value in words.items() if name != "days_ago"}
    candidate = run(1, words.get("days_ago", 1.0)).model_copy(update=plain)
    assert unrecorded([run(1)], [], rollback(), RUNS, NOW) == [run(1)]
    assert unrecorded([candidate], [], rollback(), RUNS, NOW) == []


def test_a_run_without_an_end_is_recorded_once_it_must_be_over() -> None:
    assert unrecorded([run(1, 1, outcome="cancelled", hosts=[])], [], rollback(), RUNS, NOW)


def test_a_run_that_could_not_be_recorded_is_recorded_by_the_next_one(github: GitHub) -> None:
    recently = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    before = run(5).model_copy(update={"started_at": recently, "outcome": "failed"})
    github.has(deployment(3, payload={"id": "r4"}))
    github.takes()
    assert file(earlier=[rollback(), before, run(4).model_copy(update={"started_at": recently})]).warnings == ()
    assert [asked["payload"]["id"] for asked in github.created()] == [USUAL["id"], "r5"]
    assert sorted(github.states()) == ["failure", "in_progress", "in_progress", "success"]


# --- time ------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(web: responses.RequestsMock) -> Iterator[GitHub]:
    """A GitHub that does not answer as long as the test lasts."""
    over = threading.Event()

    def answer(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        over.wait(30)
        return 500, {}, ""

    web.add_callback(responses.GET, DEPLOYMENTS, callback=answer)
    yield GitHub(web)
    over.set()


def test_a_slow_github_is_given_up_in_time(slow: GitHub) -> None:
    recorder = DeploymentRecorder(PLACE, REDACT)
    began = time.monotonic()
    recorder.prepare(rollback())
    assert time.monotonic() - began < 10
    filed = recorder.record(rollback(), 0.3)
    assert time.monotonic() - began < 20
    assert not_recorded(filed)
    assert sent(slow.web) == []


def test_a_slow_journal_does_not_prevent_the_deployment(github: GitHub) -> None:
    github.has()
    github.takes()
    over = threading.Event()

    def read() -> list[Record]:
        over.wait(30)
        return []

    filed = DeploymentRecorder(PLACE, REDACT).record(rollback(), 1.0, read)
    over.set()
    assert filed.deployment.id == 7
    assert [why.startswith(EARLIER_NOT_RECORDED) for why in filed.warnings] == [True]


def test_a_defect_in_the_recorder_does_not_fail_the_rollback(github: GitHub) -> None:
    github.has()
    github.takes()

    def read() -> list[Record]:
        raise ZeroDivisionError(TOKEN)

    filed = DeploymentRecorder(PLACE, REDACT).record(rollback(), WITHIN, read)
    assert filed.deployment.id == 7
    assert filed.warnings == (f"{EARLIER_NOT_RECORDED}failed (ZeroDivisionError)",)


def test_an_earlier_rollback_that_is_not_credible_is_not_recorded(github: GitHub) -> None:
    recently = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    github.has()
    github.takes()
    earlier = [run(4).model_copy(update={"started_at": recently}), run(5).model_copy(update={"started_at": recently})]
    only_r5 = lambda found: [each for each in found if each.id == "r5"]  # noqa: E731
    assert DeploymentRecorder(PLACE, REDACT).record(rollback(), WITHIN, lambda: earlier, only_r5).warnings == ()
    assert [asked["payload"]["id"] for asked in github.created()] == [USUAL["id"], "r5"]
