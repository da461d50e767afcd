"""From another repository: ``uses: OWNER/rollback-ops@REF``."""

from __future__ import annotations

import json
from typing import Any

from tests.support.act.act import Workflows
from tests.support.act.callers import REASON, Bot, filed, states
from tests.support.github_api.server import GitHubApi
from tests.support.lab.plan import revision
from tests.support.markdown_reader import links
from tests.support.receiver import Receiver
from tests.support.scene import SECOND, THIRD, journal, released


def test_one_step_rolls_back_and_everybody_who_should_know_is_told(
    caller: Workflows, bot: Bot, api: GitHubApi, team: Receiver
) -> None:
    service = bot(environment={"url": "https://bot.example.org"})
    before = api.repository.create(
        {"ref": revision(3), "auto_merge": False, "required_contexts": [], "environment": "prod"}
    )
    api.repository.create_status(before["id"], {"state": "success"})
    ran = caller(reason=REASON)
    assert (ran.code, service.live(), released(service)) == (0, SECOND, SECOND)

    record = ran.record
    assert (record["outcome"], record["reason"], record["actor"]) == ("succeeded", REASON, "alice")
    assert record["warnings"] == []
    assert record["run_url"] == "https://github.com/acme/bot/actions/runs/4711/attempts/1"
    assert {line["id"] for line in journal(service)} == {record["id"]}

    deployment = filed(api)
    assert (deployment["sha"], deployment["environment"]) == (revision(2), "prod")
    assert deployment["payload"]["id"] == record["id"]
    assert states(api) == ["in_progress", "success"]
    last = api.repository.statuses(deployment["id"])[0]
    assert (last["log_url"], last["environment_url"]) == (record["run_url"], "https://bot.example.org")
    assert api.repository.states(before["id"]) == ["success", "inactive"]
    assert record["deployment"]["id"] == deployment["id"]

    outputs = ran.journal.outputs("rollback")
    assert (outputs["outcome"], outputs["exit-code"]) == ("succeeded", "0")
    assert (outputs["from"], outputs["to"]) == (THIRD, SECOND)
    assert outputs["deployment-id"] == str(deployment["id"])
    assert outputs["artifact-url"].startswith("https://github.com/acme/bot/actions/runs/4711/artifacts/")
    assert float(outputs["duration-seconds"]) == record["duration_seconds"]

    (artifact,) = ran.artifacts.iterdir()
    assert artifact.name == "rollback-prod-4711-1"
    assert REASON in ran.journal.summary
    assert SECOND in ran.journal.summary
    assert "https://github.com/acme/bot/deployments/prod" in links(ran.journal.summary)
    (message,) = team.documents
    assert REASON in json.dumps(message)


def test_nothing_secret_is_left_and_nothing_is_where_it_does_not_belong(
    caller: Workflows, bot: Bot, api: GitHubApi, team: Receiver
) -> None:
    bot()
    ran = caller(reason=REASON)
    secrets = [api.token, team.url, *caller.secrets["SSH_KEY"].splitlines()[1:-1]]
    left = [path for path in ran.left.rglob("*") if path.is_file()]
    assert [path.name for path in left if path.name == "rollback-record.json"] == ["rollback-record.json"]
    for path in [*left, *ran.artifacts.rglob("*.json")]:
        text = path.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], path
    shown: list[Any] = [
        ran.journal.summary,
        ran.journal.outputs("rollback"),
        api.repository.deployments,
        team.documents,
    ]
    assert not [secret for secret in secrets if secret in json.dumps(shown)]
    printed = ran.journal.said("rollback/rollback")
    assert not [secret for secret in secrets if secret in printed]
