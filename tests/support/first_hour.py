"""The host, the settings and the deployment of docs/first-hour.md, for its test and for ``make outputs``."""

from __future__ import annotations

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


def allow(host: LabHost) -> None:
    """Give ``deploy`` the rights that the page gives it."""
    sudoers = next(block for block in blocks(PAGE, "text") if block.startswith("deploy ALL="))
    host.write("/etc/sudoers.d/rollback-shop", sudoers, mode=0o440)


def deploy_a_bad_release(shop: Deployed) -> None:
    shop.host.run(
        f"cd {shop.root} && cp -a releases/{LIVE} releases/{BAD} && echo unhealthy >releases/{BAD}/behaviour &&"
        f" ln -s {shop.root}/releases/{BAD} new && mv -T new current && chown -hR deploy: . && systemctl restart shop"
    )
