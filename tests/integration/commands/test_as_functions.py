"""Commands as functions: one process runs them for two settings, and neither run sees anything of the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollback_ops.commands import check, finish, guard, history, install, rollback, seal, verify
from rollback_ops.commands.context import Context, load_settings, open_context
from rollback_ops.commands.list import list_releases
from rollback_ops.commands.result import RunResult
from rollback_ops.config import Settings
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.tasks import Cancellation
from tests.support.fakes import Listener
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK

RELEASES = {"b1": "healthy", "b2": "healthy", "b3": "healthy"}


@dataclass
class Shop:
    """One service on this machine, with settings and a secret of its own."""

    service: OwnService
    settings: Settings
    environ: Mapping[str, str]

    @property
    def secrets(self) -> Secrets:
        return Secrets.read(self.environ)

    def options(self, **typed: object) -> CommandOptions:
        return CommandOptions(environment="prod", local=True, **typed)  # type: ignore[arg-type]

    def open(self, **typed: object) -> Context:
        return open_context(self.settings, self.environ, self.options(**typed), self.secrets)

    def run(self, **typed: object) -> RunResult:
        return rollback.rollback(self.open(**typed), Listener(), Cancellation())


def shop(folder: Path, name: str, running: ExitStack) -> Shop:
    service = running.enter_context(OwnService(folder / name, RELEASES))
    file = folder / f"{name}.toml"
    file.write_text(service.toml(verify=QUICK, mask=[f"{name}-[0-9]{{4}}"]))
    environ = {"ROLLBACK_WEBHOOK_URL": f"https://hooks.example.org/{name}/{name}secret", "HOME": str(folder)}
    return Shop(service, load_settings(str(file), environ), environ)


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[tuple[Shop, Shop]]:
    with ExitStack() as running:
        yield shop(tmp_path, "bakery", running), shop(tmp_path, "florist", running)


def test_every_command_returns_its_result_and_prints_nothing(
    shops: tuple[Shop, Shop], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for each in shops:
        releases = list_releases(each.open(), Cancellation())
        assert (releases.exit_code, list(releases.surveys)) == (0, ["localhost"])
        assert check.check(each.open(dry_run=True), Listener(), Cancellation()).record.to.release == "b2"
        assert verify.verify(each.open(), Cancellation()).exit_code == 0
        assert seal.seal(each.open(release="b2"), Cancellation()).seals["localhost"].release == "b2"
        assert install.install(each.open(), Cancellation()).hosts == {"localhost": "installed"}
        assert guard.guard(each.open(), Listener(), Cancellation()).record.outcome == "nothing_to_do"
        assert each.run(reason="slow").record.to.release == "b2"
        assert each.run(resume=True).record.outcome == "nothing_to_do"
        assert each.run(backup="b1", reason="slower").record.outcome == "succeeded"
        assert history.log(each.open(backup="b1", reason="by hand"), failed=False).hosts == ("localhost",)
        found = history.from_journals(each.settings, each.environ, each.options(), each.secrets)
        assert [record.service for record in found.records] == [each.service.root.name] * 3
        assert finish.finish({"ROLLBACK_RECORD": str(tmp_path / "none.json")}, each.secrets).record is None
    assert capfd.readouterr() == ("", "")


def test_a_run_redacts_its_own_secrets_and_patterns_and_no_others(shops: tuple[Shop, Shop]) -> None:
    bakery, florist = shops
    reason = "bakerysecret florist/floristsecret bakery-1234 florist-1234"
    first, second = bakery.run(reason=reason).record, florist.run(reason=reason).record
    assert first.reason == "bakerysecret florist/floristsecret *** florist-1234"
    assert second.reason == "bakerysecret *** bakery-1234 ***"
    assert (first.service, second.service) == ("bakery", "florist")
    assert {host.outcome for record in (first, second) for host in record.hosts} == {"succeeded"}
