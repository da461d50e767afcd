"""Text from people, and files on a runner, are not obeyed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.act.act import Workflows
from tests.support.act.callers import REASON, Bot, filed, states
from tests.support.github_api.server import GitHubApi
from tests.support.markdown_reader import headings, kinds, links, spans
from tests.support.receiver import Receiver
from tests.support.scene import SECOND, THIRD

ONE_LINE = (
    "$(touch canary) `touch canary`; touch canary & | touch canary ${{ secrets.SSH_KEY }} $HOME '\" \\ %0A::error::no "
    "::set-output name=outcome::succeeded ##[error]no </details></summary> <img src=x onerror=alert(1)> "
    "[here](javascript:alert(1)) | | --- <!channel> <!here> @here @everyone @acme/operators <@U123> 🔥 \u202e \u200b"
)
MANY = """
::set-output name=to::canary
::add-mask::succeeded
::stop-commands::x
EOF
to=canary
```
# Heading\r::notice::no
"""


def test_a_hostile_reason_is_text_wherever_it_comes(
    caller: Workflows, bot: Bot, api: GitHubApi, team: Receiver
) -> None:
    service = bot()
    ran = caller(reason=ONE_LINE)
    assert (ran.code, service.live(), states(api)) == (0, SECOND, ["in_progress", "success"])
    assert ran.record["reason"] == filed(api)["payload"]["reason"] == ONE_LINE
    assert not list(caller.directory.rglob("canary"))
    assert not service.host.run("find / -xdev -name canary").stdout
    assert [one for one in ran.journal.annotations if one.kind == "error"] == []
    assert ran.journal.outputs("rollback")["to"] == SECOND
    assert kinds(ran.journal.summary) & {"html_inline", "html_block", "fence", "code_block", "image"} == set()
    assert all(link.startswith("https://github.com/acme/bot/") for link in links(ran.journal.summary))
    assert any(span.startswith("$(touch canary)") and "<!channel>" in span for span in spans(ran.journal.summary))
    (message,) = team.documents
    for call in ("<!channel>", "<!here>", "@here", "@everyone", "<@U123>"):
        assert call not in json.dumps(message, ensure_ascii=False), call


@pytest.mark.long
def test_a_hostile_reason_of_five_thousand_characters_is_cut_and_obeyed_by_nobody(
    caller: Workflows, bot: Bot, api: GitHubApi, team: Receiver
) -> None:
    service = bot()
    ran = caller(reason=(ONE_LINE + MANY) * 10, trigger="deploy-failed")
    assert (ran.code, service.live(), states(api)) == (0, SECOND, ["in_progress", "success"])
    record = ran.record
    assert len(record["reason"]) == 1000
    assert record["warnings"]
    outputs = ran.journal.outputs("rollback")
    assert (outputs["to"], outputs["outcome"]) == (SECOND, "succeeded")
    assert {one.kind for one in ran.journal.annotations} <= {"warning", "notice"}
    assert "Heading" not in headings(ran.journal.summary)
    assert not list(caller.directory.rglob("canary"))
    assert len(team.documents) == 1


@pytest.mark.parametrize("name", [pytest.param("command", marks=pytest.mark.long), "backup"])
def test_what_else_can_be_written_into_an_input_is_refused_and_obeyed_by_nobody(
    caller: Workflows, bot: Bot, api: GitHubApi, name: str
) -> None:
    service = bot()
    hostile = "x'; touch canary; $(touch canary) `touch canary`\n::set-output name=to::canary\n::error title=forged::no"
    ran = caller(**{"reason": REASON, name: hostile})
    assert (ran.journal.job, service.live(), api.repository.deployments) == ("failure", THIRD, [])
    assert not list(caller.directory.rglob("canary"))
    assert not service.host.run("find / -xdev -name canary").stdout
    assert {one.title.lower().replace(" ", "-").partition(":")[0] for one in ran.journal.annotations} == {
        "rollback-ops"
    }
    assert "canary" not in ran.journal.outputs("rollback").values()


def test_a_polluted_runner_is_none_of_our_concern(caller: Workflows, bot: Bot, api: GitHubApi, tmp_path: Path) -> None:
    service = bot()
    poison = tmp_path / "poison"
    touch = f"open({str(tmp_path / 'canary')!r}, 'a').write(__file__)\n"
    for name in ("sitecustomize", "usercustomize", "typing", "json", "rollback_ops", "pip", "fabric", "requests"):
        caller.write(f"{name}.py", touch)
        (poison / name).parent.mkdir(exist_ok=True)
        (poison / f"{name}.py").write_text(touch)
    caller.write("setup.cfg", "[install]\nprefix=/nowhere\n")
    shell = poison / "shell"
    shell.write_text(f"echo a shell >>{tmp_path / 'canary'}\n")
    caller.environment |= {
        "PYTHONPATH": f"{poison}:.",
        "PYTHONHOME": "/nowhere",
        "PYTHONSTARTUP": str(poison / "json.py"),
        "PYTHONUSERBASE": str(poison),
        "PYTHONWARNINGS": "error",
        "PYTHONINSPECT": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
        "VIRTUAL_ENV": str(poison),
        "CONDA_PREFIX": str(poison),
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_USER": "1",
        "PIP_TARGET": str(poison),
        "PIP_CONSTRAINT": "/nowhere",
        "PIP_NO_INDEX": "1",
        "UV_PYTHON": "/nowhere",
        "UV_INDEX_URL": "http://127.0.0.1:9/",
        "BASH_ENV": str(shell),
        "ENV": str(shell),
        "CDPATH": "/",
        "FABRIC_RUN_HIDE": "x",
        "INVOKE_RUN_SHELL": "/nowhere",
        "ROLLBACK_TRIGGER": "",
        "SSH_AUTH_SOCK": str(poison / "agent"),
    }
    ran = caller(reason=REASON + " 🔥")
    assert (ran.code, service.live(), states(api)) == (0, SECOND, ["in_progress", "success"])
    assert ran.record["reason"].endswith("🔥")
    assert not (tmp_path / "canary").exists()
