"""The documents are true: commands, options, exit codes, settings keys, codes, included files and links.

Sentences are not compared, so that anybody can improve one.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from rollback_ops.cli.app import app
from rollback_ops.config import Settings, schema
from rollback_ops.config.asked import TRIGGERS
from rollback_ops.config.json_schema import json_schema
from rollback_ops.config.load import load, settings_path
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import LAYOUTS, Job, resolve
from rollback_ops.config.secrets import Secrets
from rollback_ops.config.types import parse_duration
from rollback_ops.core.errors import Exit
from rollback_ops.core.rollout import Amount
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import protocol
from tests.support.project import PROJECT

DOCUMENTS = sorted(
    str(path.relative_to(PROJECT))
    for path in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob(".github/**/*.md"))
)
_NAMES = ("README.md", "docs/commands.md", "docs/settings.md", "docs/hosts.md", "docs/troubleshooting.md")
README, COMMANDS, SETTINGS, HOSTS, TROUBLESHOOTING = ((PROJECT / name).read_text() for name in _NAMES)
LONGEST_README = 170

Row = list[str]


def text_of(document: str) -> str:
    return (PROJECT / document).read_text()


def blocks(text: str, *languages: str) -> Iterator[str]:
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language in languages:
            yield block


def without_blocks(text: str) -> str:
    return re.sub(r"^```\w+\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def section(text: str, heading: str) -> str:
    """Return the text under a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", without_blocks(text), re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading!r}"
    return found[1]


def table(text: str, first_column: str) -> list[Row]:
    """The rows of the table whose first column has this title."""
    lines = iter(text.splitlines())
    next(line for line in lines if line.startswith(f"| {first_column} |"))
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- commands and options --------------------------------------------------------------------------------


def leaves() -> dict[str, Any]:
    """Every command by its name, like ``history list``; the hidden one is for the action alone."""
    found: dict[str, Any] = {}
    for name, command in app.commands.items():
        if command.hidden:
            continue
        below = getattr(command, "commands", None)
        found |= {f"{name} {word}": inner for word, inner in below.items()} if below else {name: command}
    return found


def commands_in(line: str) -> Iterator[Row]:
    """The words behind each ``rollback-ops`` of a shell line."""
    lexer = shlex.shlex(re.sub(r"\d?>\S+", "", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: Row | None = None
    for word in (*lexer, ";"):
        if words is not None and set(word) <= set("();<>|&"):
            yield words
            words = None
        elif words is not None:
            words.append(word)
        elif word == "rollback-ops":
            words = []


def typed_in(text: str) -> Iterator[Row]:
    lines = [line[2:] for block in blocks(text, "console") for line in block.splitlines() if line.startswith("$ ")]
    lines += [line for block in blocks(text, "sh") for line in block.splitlines()]
    lines += [span for span in codes(without_blocks(text)) if span.startswith("rollback-ops ")]
    for line in lines:
        yield from commands_in(line)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_a_document_shows_can_be_typed(document: str) -> None:
    for words in typed_in(text_of(document)):
        name = next(name for name in leaves() if words[: len(name.split())] == name.split())
        leaves()[name].make_context(name, words[len(name.split()) :])


def test_the_page_of_commands_shows_every_command() -> None:
    shown = {" ".join(words) for words in typed_in(COMMANDS)} | {"demo"}
    assert [name for name in leaves() if not any(f"{line} ".startswith(f"{name} ") for line in shown)] == []


def test_the_table_of_options_is_what_the_commands_take() -> None:
    everywhere = {name for name, command in leaves().items() if any(param.name == "host" for param in command.params)}
    documented = {
        tuple(codes(option)): set(where.removeprefix("all, ").split(", ")) - {"all"}
        | (everywhere if where.startswith("all") else set())
        for option, where, *_ in table(COMMANDS, "option")
    }
    taken: dict[tuple[str, ...], set[str]] = {}
    for name, command in leaves().items():
        for param in command.params:
            is_option = param.param_type_name == "option"
            taken.setdefault(tuple(param.opts) if is_option else (param.metavar.strip("[]"),), set()).add(name)
    assert documented == taken


FLAGS = ("BAD", "EMERGENCY", "DRY_RUN", "LOCAL", "IGNORE_DEPLOY_LOCK", "LIFT", "ALLOW_BAD", "IGNORE_SCHEMA")


DURATIONS = ("ROLLBACK_WAIT", "ROLLBACK_FOR", "ROLLBACK_REHEARSE", "ROLLBACK_WINDOW", "ROLLBACK_MAX_DRILL_AGE")


def test_the_variables_in_the_table_of_options_are_heeded() -> None:
    base = {"ROLLBACK_ENVIRONMENT": "prod"}
    for option, _, variable, _ in table(COMMANDS, "option"):
        for name in codes(variable):
            value = "true" if name.removeprefix("ROLLBACK_") in FLAGS else "log-error"
            value = "2m" if name in DURATIONS else value
            value = "2" if name in ("ROLLBACK_SIZE", "ROLLBACK_SHARD") else value
            value = {"ROLLBACK_SINCE": "2026-11-27", "ROLLBACK_APPROVED": "a" * 12}.get(name, value)
            if option == "`--config`":
                assert settings_path({name: value}) == Path(value)
            else:
                assert Request.build({**base, name: value}) != Request.build(base), name


def test_the_triggers_that_are_documented_are_the_ones_there_are() -> None:
    said = re.search(r"^Triggers: (.*?)\. ", COMMANDS, re.MULTILINE | re.DOTALL)
    assert said
    assert tuple(codes(said[1])) == TRIGGERS


def test_the_table_of_exit_codes_has_every_code_and_no_other() -> None:
    rows = table(section(COMMANDS, "Exit codes"), "code")
    assert [int(code) for row in rows for code in row[0].split(", ")] == list(Exit)


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = {target for name in DOCUMENTS for target in re.findall(r"`make ([a-z]+)`", text_of(name))}
    assert {"demo", "test", "check", "bench"} <= named <= targets


# --- settings --------------------------------------------------------------------------------------------

SECTIONS: dict[str, type[schema.Section]] = {
    "`[services.NAME]`": schema.Service,
    "`[services.NAME.commands]`": schema.CustomCommands,
    "`[services.NAME.checks.CHECK]`": schema.CheckSettings,
    '`kind = "http"`': schema.HttpCheck,
    '`kind = "tcp"`': schema.TcpCheck,
    '`kind = "process"`': schema.ProcessCheck,
    '`kind = "logs"`': schema.LogsCheck,
    '`kind = "metric"`': schema.MetricCheck,
    '`kind = "command"`': schema.CommandCheck,
    "`[services.NAME.verify]`": schema.Verify,
    "`[services.NAME.limits]`": schema.Limits,
    "`[services.NAME.traffic]`": schema.Traffic,
    "`[services.NAME.guard]`": schema.Guard,
    "`[services.NAME.hold]`": schema.HoldSettings,
    "`[services.NAME.schema]`": schema.Schema,
    "`[services.NAME.notify]`": schema.Notify,
    "`[groups.NAME]`": schema.Group,
    "`[advisor]`": schema.Advisor,
    "`[environments.NAME]`": schema.Environment,
    "`[environments.NAME.regions.REGION]`": schema.Region,
    "`[environments.NAME.strategy]`": schema.Strategy,
}


def documented_keys() -> list[Any]:
    return [
        pytest.param(model, row, id=f"{heading.strip('`')} {codes(row[0])[0]}")
        for heading, model in SECTIONS.items()
        for row in table(section(SETTINGS, heading), "key")
    ]


def fields_of(model: type[schema.Section]) -> dict[str, FieldInfo]:
    """The keys of a section; what every check has is documented once."""
    common = schema.CheckSettings.model_fields if model is not schema.CheckSettings else {}
    paced = common if issubclass(model, schema.CheckSettings) else {}
    return {field.alias or name: field for name, field in model.model_fields.items() if name not in paced}


def taken(field: FieldInfo, value: object) -> object:
    """Return the value that a field makes of another; ``None`` where it does not take it."""
    try:
        return TypeAdapter(field.rebuild_annotation()).validate_python(value)
    except ValidationError:
        return None


def is_duration(field: FieldInfo) -> bool:
    return taken(field, "1500ms") == 1.5


def words_of(annotation: Any) -> list[str]:
    """The texts that a field is limited to, if it is."""
    choice = next((each for each in (annotation, *get_args(annotation)) if get_origin(each) is Literal), None)
    return [word for word in get_args(choice) if word]


def test_every_section_of_the_settings_is_documented() -> None:
    def below(section: type[schema.Section]) -> Iterator[type[schema.Section]]:
        for each in section.__subclasses__():
            yield from (each, *below(each))

    assert {each for each in below(schema.Section) if not issubclass(each, Settings)} == set(SECTIONS.values())


@pytest.mark.parametrize(("heading", "model"), SECTIONS.items(), ids=[heading.strip("`") for heading in SECTIONS])
def test_every_key_of_the_settings_is_documented_and_no_other(heading: str, model: type[schema.Section]) -> None:
    rows = table(section(SETTINGS, heading), "key")
    assert sorted(codes(row[0])[0] for row in rows) == sorted(fields_of(model))


@pytest.mark.parametrize(("model", "row"), documented_keys())
def test_the_default_and_the_form_of_a_key_are_the_ones_it_has(model: type[schema.Section], row: Row) -> None:
    field, default, form = fields_of(model)[codes(row[0])[0]], row[1], row[2]
    said = codes(default)
    if said:
        value = tomllib.loads(f"it = {said[0]}")["it"]
        expected = field.get_default(call_default_factory=True)
        value = parse_duration(value) if is_duration(field) else value
        assert (taken(field, value) if isinstance(expected, Amount) else value) == (
            list(expected) if isinstance(expected, tuple) else expected
        )
    elif default == "required":
        assert field.is_required()
    elif default == "none":
        assert field.default is None
    elif default == "by layout":
        assert all(codes(row[0])[0] in layout for layout in LAYOUTS.values())
    else:
        assert isinstance(field.get_default(call_default_factory=True), schema.Section)
    assert (form == "duration") == is_duration(field)
    if words := words_of(field.annotation):
        assert [word.strip('"') for word in codes(form)] == words


@pytest.mark.parametrize(("model", "row"), documented_keys())
def test_a_key_takes_the_placeholders_that_are_documented_and_no_other(model: type[schema.Section], row: Row) -> None:
    field = fields_of(model)[codes(row[0])[0]]
    for word in ("{environment}", "{release}"):
        texts = [f"/x/{word}", f"x/{word}", f"x-{word}", f"http://localhost/{word}", f"{word}:80"]
        values = [*texts, *([text] for text in texts), *({"x": text} for text in texts)]
        assert any(taken(field, value) is not None for value in values) == (f"`{word}`" in row[3]), word


def test_the_table_of_layouts_says_what_they_stand_for() -> None:
    said = {
        codes(name)[0]: {"releases": codes(releases)[0].strip('"'), "pattern": codes(pattern)[0].strip('"')}
        for name, releases, pattern in table(SETTINGS, "layout")
    }
    assert said == LAYOUTS


def test_the_secrets_are_read_from_the_variables_that_are_documented() -> None:
    variables = [codes(row[0])[0] for row in table(section(SETTINGS, "Variables"), "variable")]
    read = Secrets.read(dict.fromkeys(variables, "text"))
    assert all(getattr(read, each.name) for each in dataclasses.fields(Secrets))
    for row in table(HOSTS, "variable"):
        assert codes(row[0])[0] in variables


# --- the settings that the documents show ---------------------------------------------------------------


def complete_settings() -> list[Any]:
    """Every rollback.toml that a document shows from beginning to end."""
    return [
        pytest.param(block, id=document)
        for document in DOCUMENTS
        for block in blocks(text_of(document), "toml")
        if "[services." in block and "[environments." in block
    ]


@pytest.mark.parametrize("text", complete_settings())
def test_settings_that_a_document_shows_in_full_work(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rollback.toml"
    path.write_text(text)
    for environment in load(path, {}).environments:
        assert resolve(load(path, {}), Request(environment=environment)).hosts


@cache
def editor() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("text", complete_settings())
def test_an_editor_accepts_the_settings_that_a_document_shows(text: str) -> None:
    editor().validate(tomllib.loads(text))


@pytest.mark.parametrize(
    "wrong",
    ["[services.bot]\nroto = '/srv/bot'", "[services.bot]\nroot = '/srv/bot'\n[services.bot.limits]\nstop = '10 sec'"],
    ids=["a key", "a duration"],
)
def test_an_editor_shows_what_cannot_be_right(wrong: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        editor().validate(tomllib.loads(wrong))


def test_the_readme_and_the_first_hour_show_the_same_nine_lines() -> None:
    (shown,) = blocks(README, "toml")
    assert shown in list(blocks(text_of("docs/first-hour.md"), "toml"))
    assert len(shown.splitlines()) == 9


def example_job(tmp_path: Path, **service: Any) -> Job:
    path = tmp_path / "rollback.toml"
    path.write_text(next(blocks(COMMANDS, "toml")))
    settings = load(path, {})
    rosey = settings.services["rosey"].model_copy(update=service)
    changed = settings.model_copy(update={"services": {"rosey": rosey}})
    return resolve(changed, Request(environment="prod"))


@pytest.mark.parametrize(
    ("manager", "tool", "unit"), [("systemd", "systemctl", "cytube-bot"), ("supervisor", "supervisorctl", "web")]
)
def test_the_documented_sudoers_lines_are_exactly_what_a_survey_asks_for(
    tmp_path: Path, manager: str, tool: str, unit: str
) -> None:
    service = example_job(tmp_path, manager=manager, units=(unit,)).service
    allowed = re.findall(rf"/usr/bin/({tool} [^,`\n]+)", HOSTS)
    built = managers.build(service, "rosey")
    further = tuple(command.removeprefix("$ROLLBACK_SUDO ") for command in (built.revive, built.reload))
    assert sorted(line for line in allowed if not line.startswith(further)) == sorted(built.needs)
    assert {command for command in further if any(line.startswith(command) for line in allowed)} == set(further) - {":"}


def test_the_table_of_managers_has_every_manager() -> None:
    assert [codes(row[0])[0] for row in table(HOSTS, "`manager`")] == list(managers.KINDS)


# --- what hosts object to --------------------------------------------------------------------------------


def test_every_blocker_has_a_row_in_the_troubleshooting() -> None:
    rows = table(section(TROUBLESHOOTING, "What is wrong on a host"), "code")
    assert sorted(codes(row[0])[0] for row in rows) == sorted(protocol.BLOCKERS)


def test_every_problem_of_a_release_is_among_the_reasons() -> None:
    reasons = table(section(COMMANDS, "How a release is chosen"), "reason")
    said = [code for _, meaning in reasons for code in re.findall(r"code `([a-z-]+)`", meaning)]
    assert sorted(said) == sorted(protocol.PROBLEMS)


# --- included files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_workflow_in_a_document_is_one_of_the_files(document: str) -> None:
    files = {path.read_text() for path in (PROJECT / "docs/workflows").glob("*.yml")}
    assert [block for block in blocks(text_of(document), "yaml") if "jobs" in yaml.safe_load(block)] == [
        block for block in blocks(text_of(document), "yaml") if block in files
    ]


def test_every_workflow_to_copy_is_linked() -> None:
    linked = {name for document in DOCUMENTS for name in re.findall(r"workflows/([\w-]+\.yml)\)", text_of(document))}
    assert {path.name for path in (PROJECT / "docs/workflows").glob("*.yml")} <= linked


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) <= LONGEST_README


# --- links, and what must not be said -----------------------------------------------------------


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", without_blocks(path.read_text()), re.MULTILINE)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_leads_somewhere(document: str) -> None:
    here = PROJECT / document
    for target in re.findall(r"\]\(([^)]+)\)", without_blocks(here.read_text())):
        path, _, anchor = target.partition("#")
        # `../../actions` is the repository's page of runs, seen from its front page.
        if urlsplit(target).scheme or path.startswith("../../actions/"):
            continue
        there = (here.parent / path).resolve() if path else here
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


KNOWN_SITES = {
    "localhost",
    "127.0.0.1",
    "cytu.be",
    "docs.haproxy.org",
    "github.com",
    "keepachangelog.com",
    "multipass.run",
    "semver.org",
    "img.shields.io",
}
KNOWN_PLACES = (
    "/opt/rosey-bot",
    "/srv/shop",
    "/srv/api",
    "/srv/chat",
    "/srv/hello",
    "/srv/orders",
    "/srv/site",
    "/var/www",
    "/actuator/",
    "/up",
    # The word of a comment.
    "/rollback",
    "/home/ana",
    "/srv/elsewhere",
    "/etc/",
    "/migrations/",
    "/usr/bin",
    "/usr/local",
    "/bin/bash",
    "/bin/sh",
    "/health",
    "/slack",
    "/dev/null",
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_no_site_and_no_path_but_those_of_its_examples(document: str) -> None:
    text = text_of(document)
    sites = set(re.findall(r"https?://([\w.-]+)", text))
    assert {site for site in sites if not site.endswith("example.org")} <= KNOWN_SITES
    paths = re.findall(r"""(?<![\w./~}\])>:…*-])/[a-z][\w.-]*/?[\w.-]*""", re.sub(r"https?://\S+", "", text))
    assert [path for path in paths if not path.startswith(KNOWN_PLACES)] == []


# --- recipes ---------------------------------------------------------------------------------------------

RECIPES = dict(re.findall(r"^## (.*?)\n.*?```toml\n(.*?)^```", text_of("docs/recipes.md"), re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_whole_settings_that_its_manager_can_use(recipe: str, tmp_path: Path) -> None:
    file = tmp_path / "rollback.toml"
    file.write_text(RECIPES[recipe])
    job = resolve(load(file, {}), Request(environment="prod"))
    assert managers.build(job.service, job.service_name).start
    assert job.service.checks
    assert job.hosts


def test_there_is_a_recipe_for_each_usual_kind_of_service() -> None:
    assert len(RECIPES) == 7
