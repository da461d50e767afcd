"""docs/first-hour.md, followed step by step on a host that was set up as the page says."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.plan import Plan
from tests.support.project import PROJECT

PAGE = (PROJECT / "docs/first-hour.md").read_text()
OLD, TARGET, LIVE, BAD = "20261120091200", "20261121164500", "20261123090000", "20261124101500"
# What nobody states in the settings of a first hour takes 20 seconds where a release is not well.
IMPATIENT = {
    "ROLLBACK_SERVICES__SHOP__VERIFY__MIN_HEALTHY_TIME": "0s",
    "ROLLBACK_SERVICES__SHOP__VERIFY__HEALTHY_DEADLINE": "5s",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def shop(fresh_host: LabHost) -> Deployed:
    """The service of the page, on a host where ``deploy`` may do nothing through sudo yet."""
    fresh_host.run("rm /etc/sudoers.d/deploy")
    releases = dict.fromkeys((OLD, TARGET, LIVE), "healthy")
    return Deployed(fresh_host, Plan("shop", 8080, layout="releases", owner="deploy", releases=releases))


def deploy_a_bad_release(shop: Deployed) -> None:
    shop.host.run(
        f"cd {shop.root} && cp -a releases/{LIVE} releases/{BAD} && echo unhealthy >releases/{BAD}/behaviour &&"
        f" ln -s {shop.root}/releases/{BAD} new && mv -T new current && chown -hR deploy: . && systemctl restart shop"
    )


def test_the_commands_of_the_first_hour_end_as_the_page_shows(shop: Deployed, rollback_ops: RollbackOps) -> None:
    settings, *_ = blocks("toml")
    rollback_ops.settings(settings.replace("shop1.example.org", shop.host.address))
    sudoers = next(block for block in blocks("text") if block.startswith("deploy ALL="))
    ended: list[tuple[str, int, str]] = []
    for block in blocks("console"):
        line = block.splitlines()[0]
        if not line.startswith("$ rollback-ops "):
            continue
        words = shlex.split(line)[2:]
        if words[0] == "guard":
            deploy_a_bad_release(shop)
        done = rollback_ops(*words, **IMPATIENT)
        ended.append((words[0], done.code, shop.live()))
        if len(ended) == 1:
            shop.host.write("/etc/sudoers.d/rollback-shop", sudoers, mode=0o440)
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
