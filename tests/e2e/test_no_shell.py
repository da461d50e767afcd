"""Data never reaches a shell: a command in every field that crosses to a host is refused, or kept as text."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import SECOND, THIRD, WHY, quick
from tests.support.untouched import refusal, untouched

Deploy = Callable[..., Deployed]
ROLLBACK = ("rollback", "prod", *WHY, "--json")
CANARY = "canary-7f3a"
# With relative names, so that they can be the names of files too.
HOSTILE = (
    f"$(touch {CANARY})",
    f"`touch {CANARY}`",
    f";touch {CANARY};",
    f"x\ntouch {CANARY}\n",
    f"'; touch {CANARY}; '",
    f'"; touch {CANARY}; "',
    f"-x$(touch {CANARY})",
    f"a\t$(touch {CANARY})\\",
    f"|touch {CANARY}&",
    f"${{x:-$(touch {CANARY})}}",
)
ONE = HOSTILE[0]
# All of them in one line, for what may be one line of text.
LINE = " ".join(text.replace("\n", " ").replace("\t", " ") for text in HOSTILE)


@pytest.fixture
def service(rollback_ops: RollbackOps, deploy: Deploy) -> Iterator[Deployed]:
    """After the test, no canary exists, here or on a host."""
    deployed = deploy(owner="deploy")
    rollback_ops.settings(quick(deployed))
    yield deployed
    found = deployed.host.run(f"find / -xdev -name {CANARY} 2>/dev/null", check=False).stdout
    assert found == ""
    assert not list(rollback_ops.directory.rglob(CANARY))


def done(ended: Ended) -> Mapping[str, Any]:
    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    return ended.document


# --- what people and workflows give --------------------------------------------------------------------------


def test_what_is_typed_is_data(rollback_ops: RollbackOps, service: Deployed) -> None:
    with untouched(service):
        for text in HOSTILE[::3]:
            assert refusal(rollback_ops(*ROLLBACK, f"--backup={text}"))
            assert rollback_ops(*ROLLBACK, f"--if-current={text}").document["outcome"] == "nothing_to_do"
        for option in ("--service", "--host", "--trigger", "--config"):
            assert rollback_ops(*ROLLBACK, f"{option}={ONE}").code == 64
        assert rollback_ops("rollback", ONE, *WHY).code == 64
        assert rollback_ops("seal", "prod", ONE).code == 1


def test_what_is_kept_on_the_record_is_kept_as_it_is(rollback_ops: RollbackOps, service: Deployed) -> None:
    variables = {
        "GITHUB_ACTOR": LINE,
        "GITHUB_SERVER_URL": f"https://{ONE}",
        "GITHUB_REPOSITORY": HOSTILE[1],
        "GITHUB_RUN_ID": HOSTILE[4],
        "GITHUB_RUN_ATTEMPT": HOSTILE[5],
        "USER": ONE,
    }
    record = done(rollback_ops("rollback", "prod", "--reason", LINE, "--json", "--record", f"{ONE}.json", **variables))
    assert (record["reason"], record["actor"]) == (LINE, LINE)
    assert ONE in record["run_url"]
    journal = service.host.read(f"{service.root}/.rollback/journal.jsonl").splitlines()
    assert json.loads(journal[0])["reason"] == LINE
    (told,) = rollback_ops("history", "list", "--json").document["records"]
    assert told["actor"] == LINE


def test_variables_are_data(rollback_ops: RollbackOps, service: Deployed) -> None:
    names = ("HOST", "SERVICE", "TRIGGER", "CONFIG", "EMERGENCY", "LOCAL", "DRY_RUN", "ENVIRONMENTS__PROD__HOSTS")
    with untouched(service):
        for name in names:
            assert rollback_ops(*ROLLBACK, **{f"ROLLBACK_{name}": ONE}).code == 64, name
        assert rollback_ops(*ROLLBACK, ROLLBACK_SSH_KEY=ONE).code == 64
        assert rollback_ops(*ROLLBACK, ROLLBACK_KNOWN_HOSTS=ONE).code == 64


# --- settings ------------------------------------------------------------------------------------------------
# Those that could reach a shell are refused when they are read: tests/unit/config/test_settings_shell.py.


def test_settings_that_may_be_any_text_stay_text(rollback_ops: RollbackOps, service: Deployed) -> None:
    url = f"http://127.0.0.1:{service.port}/health/?a={{release}}&b=$(touch%20{CANARY})"
    health = {"kind": "http", "url": url, "text": "", "headers": {"X-A": ONE}}
    logs = {"kind": "logs", "file": "service.log", "patterns": [LINE], "ignore": [*HOSTILE[:3], LINE]}
    rollback_ops.settings(quick(service, checks={"health": health, "logs": logs}))
    service.host.run(f"touch {service.root}/service.log")
    done(rollback_ops(*ROLLBACK))


def test_what_is_put_into_a_command_is_a_name_that_needs_no_quotes(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    """{release} in a command of the user's own: only such names are ever chosen as no shell reads anything into."""
    service = deploy(owner="deploy", releases={"backup_1:a@b~c=d,e+f-g.h": "healthy", "backup_2": "healthy"})
    ask = {"kind": "command", "run": "test {release} = \"$(basename $(pwd -P))\" && test '{release}' = {release}"}
    rollback_ops.settings(quick(service, checks={"asks": {**ask, "phase": "before"}, "asked": ask}))
    assert done(rollback_ops(*ROLLBACK))["to"]["release"] == "backup_1:a@b~c=d,e+f-g.h"


# --- what is found on the host -------------------------------------------------------------------------------


def test_names_of_directories_are_data(rollback_ops: RollbackOps, service: Deployed) -> None:
    names = [f"backup_{text}" for text in HOSTILE] + list(HOSTILE)
    made = " ".join(shlex.quote(f"./{name}") for name in names)
    service.host.run(f'cd {service.releases_directory} && mkdir {made} && for d in {made}; do mkdir "$d/x"; done')
    rollback_ops.settings(quick(service, pattern="*"))
    listed = rollback_ops("list", "prod", "--json").document["hosts"][0]["releases"]
    problems = {release["name"]: release["problem"] for release in listed}
    assert len(problems) == 3 + len(names)
    assert sum(problem != "" for problem in problems.values()) == len(names)
    assert done(rollback_ops(*ROLLBACK))["to"]["release"] == SECOND


FOUND: dict[str, str] = {
    "REVISION": "printf '%s\\n' {text} >backups/prod/{release}/REVISION",
    "Deployer's link": "ln -sfn -- {text} release",
    "a link in the release": "ln -sfn -- {text} backups/prod/{release}/config.json",
    "mark": "mkdir -p {state}/marks; printf %s {text} >{state}/marks/{release}.good",
    "name of a mark": "mkdir -p {state}/marks; >{state}/marks/{text}.bad",
    "lease": "printf '%s\\t' {text} {text} {text} {text} {text} {text} >{state}/lease",
    "open": "printf '%s\\t%s\\t%s\\n' {text} {text} {text} | tee .rollback/open >{state}/open",
    "name of a run": "mkdir -p {state}/runs/{text}",
    "claim": "mkdir -p .rollback/other@prod; printf '%s\\n' {text} >.rollback/other@prod/current",
    "journal": "printf '%s\\n' {text} >.rollback/journal.jsonl",
    "watched": "printf '%s\\n' {text} >{state}/watched",
    "answer of the service": "printf %s {text} >backups/prod/{release}/behaviour",
}


@pytest.mark.parametrize(
    "text", [ONE, *(pytest.param(text, marks=pytest.mark.long) for text in (HOSTILE[3], HOSTILE[5]))]
)
def test_what_files_and_links_hold_is_data(rollback_ops: RollbackOps, service: Deployed, text: str) -> None:
    said = {"text": shlex.quote(text), "release": SECOND, "state": service.state}
    made = "; ".join(line.format(**said) for line in FOUND.values())
    service.host.run(f"cd {service.root} && {{ {made}; }} && chown -hR deploy: .")
    assert rollback_ops("list", "prod").code == 0
    assert rollback_ops("history", "list").code == 0
    assert done(rollback_ops(*ROLLBACK))["to"]["release"] == SECOND
    assert rollback_ops("history", "list", "--json").document["records"]


def test_where_current_leads_to_is_data(rollback_ops: RollbackOps, service: Deployed) -> None:
    for text in HOSTILE[::4]:
        service.host.run(f"cd {service.root} && ln -sfn -- {shlex.quote(text)} current && chown -h deploy current")
        assert "current" in refusal(rollback_ops(*ROLLBACK))
    assert done(rollback_ops(*ROLLBACK, "--backup", SECOND))["to"]["release"] == SECOND


def test_a_manifest_that_names_commands_is_a_manifest_that_does_not_hold(
    rollback_ops: RollbackOps, service: Deployed
) -> None:
    rollback_ops("seal", "prod", SECOND)
    manifest = f"{service.state}/manifests/{SECOND}"
    sums = "".join(f"{'0' * 64} *./{text}\n" for text in HOSTILE)
    service.host.run(f"cat >{manifest}", stdin=sums.encode())
    record = done(rollback_ops(*ROLLBACK))
    assert record["to"]["release"] not in (SECOND, THIRD)
