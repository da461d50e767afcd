"""A host's comparison of two releases: names of files, dependencies, and keys of settings without their values."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_ops.core.comparison import Files, Keys, LockFile
from tests.support.agent_sandbox import Sandbox

SECRET = "h6Tz9"


@pytest.fixture(params=["dash", "busybox"])
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Sandbox:
    return Sandbox(tmp_path, str(request.param))


def write(made: Sandbox, release: str, **texts: str) -> None:
    for name, text in texts.items():
        place = made.releases / release / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def both(made: Sandbox, path: str, left: str, target: str) -> None:
    write(made, "r3", **{path: left})
    write(made, "r2", **{path: target})


def test_sealed_releases_are_compared_by_their_manifests(made: Sandbox) -> None:
    write(made, "r3", **{"lib/new.py": "1", "lib/both.py": "1", "lib/same.py": "1"})
    write(made, "r2", **{"old.py": "1", "lib/both.py": "2", "lib/same.py": "1"})
    assert not made.host.compare("r3", "r2").files.known
    for name in ("r2", "r3"):
        made.host.seal(name)
    found = made.host.compare("r3", "r2").files
    assert (found.source, found.added, found.removed) == ("manifests", ("old.py",), ("lib/new.py",))
    assert set(found.changed) == {"app", "lib/both.py"}


def test_a_damaged_manifest_is_said_and_the_directories_are_compared(made: Sandbox) -> None:
    for name in ("r2", "r3"):
        made.host.seal(name)
    (made.state / "manifests/r3").write_text("not a manifest\n")
    found = made.host.compare("r3", "r2").files
    assert (found.known, "damaged" in found.why) == (False, True)
    assert made.host.compare("r3", "r2", 20.0).files == Files(changed=("app",), source="directories")


def test_dependencies_come_whole_where_they_differ(made: Sandbox) -> None:
    both(made, "requirements.txt", "a==2\n", "a==1\n")
    both(made, "web/yarn.lock", "same", "same")
    write(made, "r3", **{"node_modules/x/package-lock.json": "{}", "go.sum": "x"})
    found = made.host.compare("r3", "r2")
    assert set(found.locks) == {LockFile("requirements.txt", "a==2\n", "a==1\n"), LockFile("go.sum", "x", None)}
    assert found.settings == ()


FORMS = {
    "config.json": (
        f'{{"db": {{"password": "{SECRET}", "port": 1}}, "gone": "{SECRET}"}}',
        '{"db": {"password": "x\\": \\"y", "port": 1}, "back": [1, {"x": null}]}',
        Keys("config.json", added=("back", "back.x"), removed=("gone",), changed=("db.password",)),
    ),
    "config.toml": (
        f'gone = "{SECRET}"\n[db]\npassword = """\n{SECRET} = 1\n"""\nports = [1,\n 2]\n',
        "[db]\npassword = 'x'\nports = [1,\n 3]\n[[db.hosts]]\nname = 'x'\n",
        Keys("config.toml", added=("db.hosts.name",), removed=("gone",), changed=("db.password", "db.ports")),
    ),
    "config/database.yml": (
        f'prod: &prod\n  password: {SECRET}\n  key: |\n    {SECRET}: 1\n\n    x\n  url: "a: b" # c\n  gone: 1\n'
        "hosts:\n- a\n- name: b\n  port: 1\n",
        'prod: &prod\n  password: x\n  key: |\n    x\n  url: "a: b" # c\n'
        "hosts:\n- a\n- name: b\n  port: 2\nback: {a: 1}\n",
        Keys(
            "config/database.yml",
            added=("back",),
            removed=("prod.gone",),
            changed=("hosts.port", "prod.key", "prod.password"),
        ),
    ),
    ".env": (
        f'export A=1\nKEY="-----BEGIN\n{SECRET}==\n{SECRET}=x\n-----END"\nGONE={SECRET}\n',
        "export A=1\nKEY=\"x\"\nBACK='1'\n",
        Keys(".env", added=("BACK",), removed=("GONE",), changed=("KEY",)),
    ),
    "app.ini": (
        f"[main]\nuser = a\npass: {SECRET}\n  {SECRET} = 1\n[o]\ngone={SECRET}\n",
        "[main]\nuser = a\npass: x\n[o]\nback=1\n",
        Keys("app.ini", added=("o.back",), removed=("o.gone",), changed=("main.pass",)),
    ),
}


@pytest.mark.parametrize("path", FORMS)
def test_settings_come_as_names_of_keys_and_without_any_value(made: Sandbox, path: str) -> None:
    left, target, keys = FORMS[path]
    both(made, path, left, target)
    found = made.host.compare("r3", "r2")
    assert found.settings == (keys,)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("x.json", f'{{"a": "1"}} // "{SECRET}": 1'),
        ("x.toml", f"a = 1\n-----BEGIN\n{SECRET} = 1\n"),
        ("x.yaml", f'a: "b\n  {SECRET}: 1"\n'),
        ("x.yml", f"a: b\n  {SECRET}\n"),
        (".env", f"A=-----BEGIN\n{SECRET}==\n-----END\n"),
        ("x.ini", f"a=1\\\n{SECRET}=1\n"),
        ("x.conf", f"server {{ {SECRET}; }}\n"),
        ("x.json", '{"a": 1'),
    ],
)
def test_a_file_that_is_not_understood_names_no_key(made: Sandbox, path: str, text: str) -> None:
    both(made, path, text, "")
    found = made.host.compare("r3", "r2")
    assert found.settings == (Keys(path, readable=False),)
    assert SECRET not in repr(found)


def test_links_lead_nowhere(made: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text(f"A={SECRET}\n")
    (made.releases / "r3/secret.env").symlink_to(tmp_path / "shadow")
    (made.releases / "r3/requirements.txt").symlink_to(tmp_path / "shadow")
    found = made.host.compare("r3", "r2")
    assert (found.settings, found.locks) == ((), ())
