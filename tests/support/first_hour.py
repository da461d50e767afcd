"""The host, the settings and the deployment of docs/first-hour.md, for its test and for ``make outputs``."""

from __future__ import annotations

import re

from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.plan import Plan
from tests.support.pages import blocks
from tests.support.project import PROJECT

PAGE = PROJECT / "docs/first-hour.md"
HOST = "shop1.example.org"
OLD, TARGET, LIVE, BAD = "20261120091200", "20261121164500", "20261123090000", "20261124101500"


def settings(address: str) -> str:
    return blocks(PAGE, "toml")[0].replace(HOST, address)


def lay_out(host: LabHost) -> Deployed:
    """Start the service of the page on a host where ``deploy`` may do nothing through sudo yet."""
    host.run("rm /etc/sudoers.d/deploy")
    releases = dict.fromkeys((OLD, TARGET, LIVE), "healthy")
    return Deployed(host, Plan("shop", 8080, layout="releases", owner="deploy", releases=releases))


def allow(host: LabHost, refused: str) -> None:
    """Give ``deploy`` the rights for which a ``check`` that was refused prints the line, which the page shows."""
    (line,) = re.findall(r"`(deploy ALL=[^`]*)`", refused)
    assert f"`{line}`" in PAGE.read_text()
    host.write("/etc/sudoers.d/rollback-ops", f"{line}\n", mode=0o440)


def deploy_a_bad_release(shop: Deployed) -> None:
    shop.host.run(
        f"cd {shop.root} && cp -a releases/{LIVE} releases/{BAD} && echo unhealthy >releases/{BAD}/behaviour &&"
        f" ln -s {shop.root}/releases/{BAD} new && mv -T new current && chown -hR deploy: . && systemctl restart shop"
    )
