"""Two that would roll the same link back are refused in the settings, before any host is contacted."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_ops.config.load import load
from rollback_ops.core.errors import UsageError


def settings(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rollback.toml"
    path.write_text(text)
    return path


ONE = '[services.bot]\nroot = "{root}"\ncurrent = "{current}"\nunits = ["bot"]\n'
TWO = '[environments.test]\nhosts = ["{test}"]\n[environments.prod]\nhosts = ["{prod}"]\n'


@pytest.mark.parametrize(
    ("test", "prod"), [("h1", "h1"), ("h1", "root@h1:22"), ("[::1]", "[0:0::1]:22"), ("deploy@H1.", "h1")]
)
def test_two_environments_that_share_a_link_on_a_host_are_refused(tmp_path: Path, test: str, prod: str) -> None:
    text = ONE.format(root="/srv/bot", current="current") + TWO.format(test=test, prod=prod)
    with pytest.raises(UsageError) as refused:
        load(settings(tmp_path, text), {})
    for word in ("environments.test", "environments.prod", "services.bot", "/srv/bot/current"):
        assert word in refused.value.message


@pytest.mark.parametrize(
    ("root", "current", "prod"),
    [
        ("/srv/bot", "current", "h2"),
        ("/srv/bot", "current", "h1:2222"),
        ("/srv/{environment}", "current", "h1"),
        ("/srv/bot", "current-{environment}", "h1"),
        ("/srv/bot", "{environment}/current", "h1"),
    ],
)
def test_environments_with_a_link_of_their_own_each_are_fine(
    tmp_path: Path, root: str, current: str, prod: str
) -> None:
    found = load(settings(tmp_path, ONE.format(root=root, current=current) + TWO.format(test="h1", prod=prod)), {})
    assert set(found.environments) == {"test", "prod"}


@pytest.mark.parametrize(
    ("other", "link", "shared"),
    [
        ("/srv/bot", "current", True),
        ("/srv", "bot/current", True),
        ("/srv/bot", "current-web", False),
        ("/srv/web", "current", False),
    ],
)
def test_two_services_may_share_a_host_and_a_root_but_not_a_link(
    tmp_path: Path, other: str, link: str, shared: bool
) -> None:
    text = ONE.format(root="/srv/bot", current="current") + ONE.replace("bot", "web").format(root=other, current=link)
    path = settings(tmp_path, text + '[environments.prod]\nhosts = ["h1", "h2", "h3"]\n')
    if not shared:
        assert set(load(path, {}).services) == {"bot", "web"}
        return
    with pytest.raises(UsageError) as refused:
        load(path, {})
    assert refused.value.message.count("services.web") == 1


def test_services_of_environments_without_hosts_are_not_on_the_same_host(tmp_path: Path) -> None:
    text = ONE.format(root="/srv/bot", current="current") + "[environments.test]\n[environments.prod]\n"
    assert set(load(settings(tmp_path, text), {}).environments) == {"test", "prod"}
