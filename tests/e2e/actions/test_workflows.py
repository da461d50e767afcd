"""The project's own workflows, as they are in ``.github/workflows`` but for what act does not know."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.act.act import Workflows
from tests.support.act.callers import REASON, Bot, filed, states
from tests.support.command import RollbackOps
from tests.support.github_api.server import GitHubApi
from tests.support.lab.deploy import Deployed
from tests.support.lab.lab import Lab
from tests.support.lab.plan import revision
from tests.support.project import PROJECT
from tests.support.receiver import Receiver
from tests.support.scene import FIRST, SECOND, THIRD, at_once, listing, pid, quick, released

# Each deployed release is this one with a behaviour of its own.
DEPLOY = """#!/bin/sh
set -eu
release={releases}/$2
ssh -F none -i {key} -o UserKnownHostsFile={known} -o IdentitiesOnly=yes -o BatchMode=yes root@{address} "
    set -e
    cp -R {releases}/{newest} $release && echo {behaviour} >$release/behaviour && {before}
    ln -s $release {root}/new && mv -T {root}/new {root}/current && systemctl restart {unit} && {after}
"
"""


@pytest.fixture
def own(caller: Workflows, action: Path, lab: Lab) -> Workflows:
    """The repository of the action itself, with its secrets under the names that the workflows know."""
    shutil.copytree(action, caller.repository, dirs_exist_ok=True)
    caller.secrets = {
        "ROLLBACK_SSH_KEY": lab.private_key,
        "ROLLBACK_KNOWN_HOSTS": lab.known_hosts,
        "ROLLBACK_WEBHOOK_URL": caller.secrets["WEBHOOK_URL"],
    }
    return caller


def use(own: Workflows, name: str) -> list[str]:
    return own.workflow((PROJECT / ".github/workflows" / name).read_text())


def test_a_person_lists_checks_and_rolls_back(own: Workflows, bot: Bot, api: GitHubApi, team: Receiver) -> None:
    service = bot()
    assert use(own, "manual-rollback.yml") == ["deployment: false", "queue: max"]
    ran = own(environment="prod", reason=REASON)
    assert (ran.code, service.live(), released(service)) == (0, SECOND, SECOND)
    listed, checked, rolled_back = "1", "2", "3"
    assert all(name in ran.journal.said(f"{listed}/rollback") for name in (FIRST, SECOND, THIRD))
    assert "can be done" in ran.journal.said(f"{checked}/rollback")
    assert ran.journal.outputs(rolled_back)["outcome"] == "succeeded"
    assert (ran.record["trigger"], ran.record["actor"], ran.record["reason"]) == ("workflow", "alice", REASON)
    assert states(api) == ["in_progress", "success"]
    assert [path.name for path in ran.artifacts.iterdir()] == ["rollback-prod-4711-1"]
    assert REASON in ran.journal.summary
    (message,) = team.documents
    assert REASON in json.dumps(message)


@pytest.mark.long
def test_a_dry_run_by_a_person_changes_and_files_nothing(own: Workflows, bot: Bot, api: GitHubApi) -> None:
    service = bot()
    use(own, "manual-rollback.yml")
    before = (listing(service), pid(service))
    ran = own(environment="prod", reason=REASON, dry_run="true", backup=FIRST)
    assert (ran.code, (listing(service), pid(service)), api.repository.deployments) == (0, before, [])
    assert ran.journal.outputs("3")["to"] == FIRST


def deployment(service: Deployed, lab: Lab, here: Path, behaviour: str, before: str = ":", after: str = ":") -> str:
    known = here / "known_hosts"
    known.write_text(lab.known_hosts)
    return DEPLOY.format(
        releases=service.releases_directory,
        newest=THIRD,
        root=service.root,
        unit=service.units[0],
        address=service.host.address,
        key=lab.key_file,
        known=known,
        behaviour=behaviour,
        before=before,
        after=after,
    )


def test_what_is_held_is_not_deployed(own: Workflows, bot: Bot, lab: Lab, rollback_ops: RollbackOps) -> None:
    service = bot()
    rollback_ops.settings(quick(service))
    assert rollback_ops("hold", "prod", "--reason", "wait for the fix").code == 0
    use(own, "deploy-example.yml")
    own.write("deploy.sh", deployment(service, lab, own.directory, "healthy"))
    ran = own(environment="prod")
    assert (ran.journal.job, service.live()) == ("failure", THIRD)
    assert "wait for the fix" in ran.journal.said("1/rollback")
    assert rollback_ops("list", "prod", "--json").document["hosts"][0]["armed"] is None


@pytest.mark.parametrize(
    ("deployed", "outcomes", "trigger"),
    [
        pytest.param({"behaviour": "healthy"}, {"guard": "success", "last": ""}, "", marks=pytest.mark.long),
        ({"behaviour": "unhealthy"}, {"guard": "failure", "last": ""}, "verification-failed"),
        ({"behaviour": "healthy", "after": "false"}, {"guard": "", "last": "success"}, "deploy-failed"),
        pytest.param(
            {"behaviour": "healthy", "before": "false"}, {"guard": "", "last": "success"}, "", marks=pytest.mark.long
        ),
    ],
    ids=["healthy", "unhealthy", "broken off after the switch", "broken off before the switch"],
)
def test_a_deployment_undoes_itself_once(
    own: Workflows,
    bot: Bot,
    lab: Lab,
    api: GitHubApi,
    team: Receiver,
    deployed: dict[str, str],
    outcomes: dict[str, str],
    trigger: str,
) -> None:
    service = bot(at_once)
    use(own, "deploy-example.yml")
    own.write("deploy.sh", deployment(service, lab, own.directory, **deployed))
    (own.repository / "deploy.sh").chmod(0o755)
    ran = own(environment="prod")
    guard, last = "guard", "6"
    assert {"guard": ran.journal.result(guard), "last": ran.journal.result(last)} == outcomes, (
        ran.journal.failed,
        ran.journal.text,
    )
    assert (service.live() == THIRD) == (ran.journal.job == "failure")
    assert released(service) == service.live()
    assert [one["payload"]["trigger"] for one in api.repository.deployments] == ([trigger] if trigger else [])
    if trigger:
        assert (filed(api)["sha"], states(api)[-1]) == (revision(3), "success")
        (message,) = team.documents
        assert trigger in json.dumps(message)
