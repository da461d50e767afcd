"""command and tcp checks, before anything is stopped and after."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import (
    PATIENT,
    SECOND,
    THIRD,
    WHY,
    checks,
    listing,
    pid,
    quick,
    released,
)

Deploy = Callable[..., Deployed]


def test_a_check_before_that_fails_refuses_and_the_service_never_notices(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    service.host.run(f"echo broken >{service.releases_directory}/{SECOND}/settings.json")
    run = "echo looking at {release} in $(basename $PWD); python3 -m json.tool settings.json"
    config = {"kind": "command", "run": run, "phase": "before"}
    rollback_ops.settings(quick(service, checks={"config": config}))
    files, process = listing(service), pid(service)

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (1, "refused")
    detail = ended.document["hosts"][0]["detail"]
    assert all(words in detail for words in ("config", SECOND, "exit status 1"))
    assert f"looking at {SECOND} in {SECOND}" in detail
    assert "Expecting value" in detail
    assert (listing(service), pid(service), released(service)) == (files, process, THIRD)
    assert rollback_ops("check", "prod").code == 1

    assert rollback_ops("rollback", "prod", "--emergency").code == 0
    assert released(service) == SECOND


def test_a_check_before_that_hangs_is_ended_and_refuses(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    hanging = {"kind": "command", "run": "sleep 60", "phase": "before", "timeout": "500ms"}
    rollback_ops.settings(quick(service, checks={"hanging": hanging}))
    ended = rollback_ops("rollback", "prod", *WHY)
    assert ended.code == 1
    assert "0.5 s" in ended.out
    assert released(service) == THIRD


def test_tcp_and_command_checks_prove_a_service(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    answers = f"curl -fsS http://127.0.0.1:{service.port}/health | grep -o '{{release}}'"
    rollback_ops.settings(
        quick(
            service,
            checks={
                "port": {"kind": "tcp", "address": f"127.0.0.1:{service.port}"},
                "outside": {"kind": "tcp", "address": f"{service.host.address}:{service.port}", "from": "runner"},
                "answers": {"kind": "command", "run": answers},
            },
        )
    )
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert ended.code == 0, ended.err
    found = checks(ended.document)
    assert {outcome for outcome, _ in found.values()} == {"passed"}
    assert found.keys() == {"process", "port", "outside", "answers"}
    assert found["answers"][1] == SECOND


@pytest.mark.parametrize(
    ("check", "detail"),
    [
        ({"kind": "tcp", "address": "127.0.0.1:9"}, "127.0.0.1:9"),
        ({"kind": "command", "run": "echo not yet; exit 3"}, "exit status 3: not yet"),
        ({"kind": "command", "run": "sleep 9", "timeout": "200ms"}, "0.2 s"),
        ({"kind": "command", "run": "test $(basename $(pwd -P)) = elsewhere"}, "exit status 1"),
    ],
)
def test_a_check_that_does_not_pass_fails_the_verification_and_says_why(
    rollback_ops: RollbackOps, deploy: Deploy, check: dict[str, str], detail: str
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service, checks={"mine": {**check, "fail_fast": True}}, verify=PATIENT))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (ended.code, ended.document["outcome"]) == (2, "verification_failed")
    assert checks(ended.document)["mine"][0] == "failed"
    assert detail in checks(ended.document)["mine"][1]
    assert released(service) == SECOND
