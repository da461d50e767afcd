"""docs/first-hour.md, followed step by step on a host that was set up as the page says."""

from __future__ import annotations

import shlex

from tests.support import first_hour
from tests.support.command import RollbackOps
from tests.support.first_hour import LIVE, TARGET
from tests.support.lab.host import LabHost
from tests.support.pages import command_lines

# The defaults, which the page uses, would make the test wait 20 seconds for an unhealthy release.
IMPATIENT = {
    "ROLLBACK_SERVICES__SHOP__VERIFY__MIN_HEALTHY_TIME": "0s",
    "ROLLBACK_SERVICES__SHOP__VERIFY__HEALTHY_DEADLINE": "12s",
}


def test_the_commands_of_the_first_hour_end_as_the_page_shows(fresh_host: LabHost, rollback_ops: RollbackOps) -> None:
    shop = first_hour.lay_out(fresh_host)
    rollback_ops.settings(first_hour.settings(fresh_host.address))
    ended: list[tuple[str, int, str]] = []
    for line in command_lines(first_hour.PAGE):
        words = shlex.split(line)[1:]
        if words[0] == "guard":
            first_hour.deploy_a_bad_release(shop)
        done = rollback_ops(*words, **IMPATIENT)
        ended.append((words[0], done.code, shop.live()))
        if len(ended) == 1:
            first_hour.allow(fresh_host, done.out)
    assert ended == [
        ("check", 1, LIVE),
        ("check", 0, LIVE),
        ("verify", 0, LIVE),
        ("rollback", 0, TARGET),
        ("rollback", 0, LIVE),
        ("list", 0, LIVE),
        ("guard", 2, LIVE),
        ("install", 0, LIVE),
    ]
