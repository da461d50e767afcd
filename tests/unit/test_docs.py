"""What the documents say is true: commands, options, exit codes, settings, messages, links."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

import pytest
import typer
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from rollback_ops.cli.app import app
from rollback_ops.config import Service, Settings, schema
from rollback_ops.config.load import load, settings_path
from rollback_ops.config.request import TRIGGERS, Request
from rollback_ops.config.resolve import LAYOUTS, Job, resolve
from rollback_ops.config.secrets import Secrets
from rollback_ops.config.types import parse_duration
from rollback_ops.core.errors import Exit
from rollback_ops.core.model import Lease, Live, OpenTransaction, Release, Survey, Unit
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection, make_plan
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import protocol
from rollback_ops.integrations.github.deployments import UNCAUGHT, UNFILED, UNRETIRED
from rollback_ops.integrations.github.permission import permit
from tests.support.project import PROJECT

DOCUMENTS = sorted(str(p.relative_to(PROJECT)) for p in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")))
_NAMES = ("README.md", "CONTRIBUTING.md", "docs/ROLLBACK.md", "docs/SETTINGS.md")
README, CONTRIBUTING, ROLLBACK, SETTINGS = ((PROJECT / name).read_text() for name in _NAMES)
PROGRAM = "\n".join(path.read_text() for path in sorted((PROJECT / "rollback_ops/hosts/agent/sh").glob("*.sh")))

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
    """What stands under a heading, up to the next one of any level."""
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
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
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


def test_the_readme_shows_every_command() -> None:
    shown = {" ".join(words) for words in typed_in(README)} | {"demo"}
    assert [name for name in leaves() if not any(f"{line} ".startswith(f"{name} ") for line in shown)] == []


def test_the_table_of_options_is_what_the_commands_take() -> None:
    everywhere = set(leaves()) - {"demo"}
    documented = {
        tuple(codes(option)): everywhere if where == "all" else set(where.split(", "))
        for option, where, *_ in table(SETTINGS, "option")
    }
    taken: dict[tuple[str, ...], set[str]] = {}
    for name, command in leaves().items():
        for param in command.params:
            is_option = param.param_type_name == "option"
            taken.setdefault(tuple(param.opts) if is_option else (param.metavar.strip("[]"),), set()).add(name)
    assert documented == taken


def test_the_variables_in_the_table_of_options_are_heeded() -> None:
    base = {"ROLLBACK_ENVIRONMENT": "prod"}
    for option, _, variable, _ in table(SETTINGS, "option"):
        for name in codes(variable):
            value = "true" if name in ("ROLLBACK_EMERGENCY", "ROLLBACK_DRY_RUN", "ROLLBACK_LOCAL") else "log-error"
            if option == "`--config`":
                assert settings_path({name: value}) == Path(value)
            else:
                assert Request.build({**base, name: value}) != Request.build(base), name


def test_the_triggers_that_are_documented_are_the_ones_there_are() -> None:
    said = re.search(r"^Triggers: (.*?)\. ", SETTINGS, re.MULTILINE | re.DOTALL)
    assert said
    assert tuple(codes(said[1])) == TRIGGERS


def test_the_table_of_exit_codes_has_every_code_and_no_other() -> None:
    assert [int(code) for row in table(README, "code") for code in row[0].split(", ")] == list(Exit)


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
    '`kind = "command"`': schema.CommandCheck,
    "`[services.NAME.verify]`": schema.Verify,
    "`[services.NAME.limits]`": schema.Limits,
    "`[services.NAME.guard]`": schema.Guard,
    "`[services.NAME.notify]`": schema.Notify,
    "`[environments.NAME]`": schema.Environment,
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
    """What a field makes of a value; ``None`` where it does not take it."""
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
        assert (parse_duration(value) if is_duration(field) else value) == (
            list(expected) if isinstance(expected, tuple) else expected
        )
    elif default == "required":
        assert field.is_required()
    elif default == "none":
        assert field.default is None
    elif default == "by layout":
        assert all(codes(row[0])[0] in layout for layout in LAYOUTS.values())
    else:
        assert isinstance(field.default, schema.Section)
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
    assert all(getattr(read, name) for name in Secrets.__slots__)
    for row in table(README, "variable"):
        assert codes(row[0])[0] in variables


# --- the service of the README ---------------------------------------------------------------------------


def readme_job(tmp_path: Path, environment: str, **service: Any) -> Job:
    path = tmp_path / "rollback.toml"
    path.write_text(next(blocks(README, "toml")))
    settings = load(path, {})
    rosey = settings.services["rosey"].model_copy(update=service)
    changed = settings.model_copy(update={"services": {"rosey": rosey}})
    return resolve(changed, Request(environment=environment))


def test_the_settings_of_the_readme_work(tmp_path: Path) -> None:
    assert len(readme_job(tmp_path, "test").hosts) == 1
    prod = readme_job(tmp_path, "prod")
    assert (prod.service_name, len(prod.hosts), prod.service.releases) == ("rosey", 2, "backups/prod")


@pytest.mark.parametrize(
    ("manager", "tool", "unit"), [("systemd", "systemctl", "cytube-bot"), ("supervisor", "supervisorctl", "web")]
)
def test_the_sudoers_lines_of_the_readme_are_exactly_what_a_survey_asks_for(
    tmp_path: Path, manager: str, tool: str, unit: str
) -> None:
    service = readme_job(tmp_path, "prod", manager=manager, units=(unit,)).service
    allowed = re.findall(rf"/usr/bin/({tool} [^,`\n]+)", README)
    assert sorted(allowed) == sorted(managers.build(service, "rosey").needs)


def test_the_table_of_managers_has_every_manager() -> None:
    assert [codes(row[0])[0] for row in table(README, "`manager`")] == list(managers.KINDS)


# --- messages --------------------------------------------------------------------------------------------

HOST, OTHER = "deploy@bot1.example.org", "deploy@bot2.example.org"
BASE = "/opt/rosey-bot"
OLD, HALF, GOOD, LIVE = (f"backup_202611{when}" for when in ("20_091200", "22_110300", "21_164500", "23_090000"))
DETAILS = {
    "no-tool": ["flock"],
    "no-root": [BASE],
    "no-releases": [f"{BASE}/backups/prod"],
    "not-writable": [BASE, "deploy"],
    "read-only": [BASE],
    "disk-full": [BASE],
    "no-inodes": [BASE],
    "no-place-to-run": [f"{BASE}/current"],
    "untrusted": [f"{BASE}/.rollback", "belongs to mallory, who is not trusted"],
    "no-link-source": [f"{BASE}/config-prod.json"],
    "no-sudo": ["systemctl stop -- cytube-bot.service", "deploy"],
}


def answered(*lines: Sequence[str]) -> Survey:
    """What a survey makes of lines that the program on the host prints."""
    answer = protocol.Answer("survey")
    for line in (("rollback-ops", "1", "survey"), ("live", "release", LIVE, "there"), *lines, ("end", "0")):
        answer.feed("\t".join(line))
    return protocol.survey(HOST, answer.whole(), ())


@pytest.mark.parametrize("code", sorted(set(re.findall(r"say (?:blocker|warning) ([a-z-]+)", PROGRAM))))
def test_what_a_host_objects_to_is_in_the_troubleshooting(code: str) -> None:
    found = answered(("blocker", code, *DETAILS[code]))
    assert f"{found.blockers[0]}`" in ROLLBACK or f"{found.blockers[0]} ``" in ROLLBACK


@pytest.mark.parametrize("problem", sorted(set(re.findall(r"problem='?([a-z-]+)'?$", PROGRAM, re.MULTILINE))))
def test_what_is_wrong_with_a_release_is_among_the_reasons_of_the_readme(problem: str) -> None:
    (release,) = answered(("release", OLD, problem)).releases
    assert release.problem in [reason for row in table(README, "reason") for reason in codes(row[0])]


def test_a_name_that_is_not_taken_is_among_the_reasons_of_the_readme() -> None:
    (release,) = answered(("odd", b"a b".hex())).releases
    assert any(release.problem.startswith(reason) for row in table(README, "reason") for reason in codes(row[0]))


_ENDINGS = r"(?:(?:result|finish) (?:refused|unknown|failed|not_started)(?: '')*|put_back|objection=)"


@pytest.mark.parametrize("text", re.findall(_ENDINGS + ' ?"([^"]+)"', PROGRAM))
def test_what_the_program_on_a_host_refuses_or_fails_with_is_in_the_troubleshooting(text: str) -> None:
    for words in re.split(r"\$\{?[\w:-]+\}?", text):
        assert words.strip(" :,") in ROLLBACK


RELEASES = (Release(OLD), Release(GOOD), Release(LIVE))


def survey(host: str = HOST, **facts: Any) -> Survey:
    return Survey(**{"host": host, "releases": RELEASES, "live": Live("release", LIVE, "there"), **facts})


def lease(expires_in: float) -> Lease:
    run = "20261123T133249Z-23d607ef"
    return Lease(run, "ana@laptop", since="2026-11-23T13:32:49Z", expires_in=expires_in)


def unstartable() -> list[Unit]:
    service = Service.model_validate({"root": BASE, "units": ["cytube-bot"]})
    states = ("masked", "not-found", "bad-setting", "error")
    texts = [f"Id=cytube-bot.service\nLoadState={state}\nActiveState=active\n" for state in states]
    return [unit for text in texts for unit in managers.parse(service, "rosey", text)]


@pytest.mark.parametrize(
    ("surveys", "selection"),
    [
        ([survey(units=(Unit("cytube-bot.service", "missing"),))], Selection()),
        *(([survey(units=(unit,))], Selection()) for unit in unstartable()),
        ([survey(live=Live("missing"))], Selection()),
        ([survey(live=Live("dangling", path="backups/prod/gone"))], Selection()),
        ([survey(live=Live("elsewhere", path="/srv/elsewhere"))], Selection()),
        ([survey(live=Live("directory"))], Selection()),
        ([survey(lease=lease(9.0))], Selection()),
        ([survey(lease=lease(0.0))], Selection()),
        ([survey(releases=RELEASES[2:])], Selection()),
        ([survey()], Selection(backup=LIVE)),
        ([survey()], Selection(backup="backup_2026")),
        ([survey(releases=(*RELEASES, Release(HALF, problem="it lacks bot.py")))], Selection(backup=HALF)),
        ([survey(), survey(OTHER, releases=(RELEASES[0], RELEASES[2]))], Selection(backup=GOOD)),
    ],
)
def test_every_refusal_of_a_plan_is_in_the_troubleshooting(surveys: list[Survey], selection: Selection) -> None:
    refusal = make_plan(surveys, selection)
    assert isinstance(refusal, Refusal)
    for line in refusal.why.splitlines():
        assert f"`{line.removeprefix(f'{HOST}: ')}`" in ROLLBACK


@pytest.mark.parametrize(
    ("surveys", "selection"),
    [
        ([survey(), survey(OTHER, live=Live("release", GOOD, "there"))], Selection()),
        ([survey(releases=(Release(OLD), Release(GOOD, mark="bad"), Release(LIVE)))], Selection(backup=GOOD)),
        ([survey(unfinished=OpenTransaction("run", f"backups/prod/{LIVE}", GOOD))], Selection()),
        ([survey(lease=lease(9.0))], Selection(emergency=True)),
    ],
)
def test_the_warnings_of_a_plan_are_in_the_troubleshooting(surveys: list[Survey], selection: Selection) -> None:
    plan = make_plan(surveys, selection)
    assert isinstance(plan, Plan)
    (warning,) = plan.warnings
    assert any(said in warning for row in table(ROLLBACK, "warning") for said in codes(row[0]))


def test_what_github_may_be_in_the_way_of_is_in_the_troubleshooting() -> None:
    nobody = permit("admin", "ana", None, goes_on_unchecked=False).refusal
    assert nobody
    warnings = [UNFILED, UNRETIRED, UNCAUGHT, permit("admin", "ana", None, goes_on_unchecked=True).warning]
    said = [code for row in table(ROLLBACK, "warning") for code in codes(row[0])]
    assert all(any(code in warning for code in said) for warning in warnings)
    assert nobody.message.partition(":")[0] in section(ROLLBACK, "Permission")


def test_every_reason_for_which_a_release_is_not_chosen_is_in_the_readme() -> None:
    middle = survey(live=Live("release", GOOD, "there"))
    bad = survey(releases=(Release(OLD, mark="bad"), Release(GOOD, problem="it lacks bot.py"), Release(LIVE)))
    decisions = [
        make_plan([middle], Selection()),
        make_plan([middle, survey(OTHER, live=Live("release", OLD, "there"))], Selection()),
        make_plan([bad], Selection()),
        make_plan([survey(), survey(OTHER, releases=RELEASES[2:])], Selection()),
    ]
    reasons = {reason.removeprefix("… ") for row in table(README, "reason") for reason in codes(row[0])}
    for decision in decisions:
        assert not isinstance(decision, NothingToDo)
        for rejected in decision.rejected:
            assert any(reason in rejected.why for reason in reasons), rejected.why


# --- the map, links, and what must not be said -----------------------------------------------------------


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", without_blocks(path.read_text()), re.MULTILINE)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_leads_somewhere(document: str) -> None:
    here = PROJECT / document
    for target in re.findall(r"\]\(([^)]+)\)", without_blocks(here.read_text())):
        path, _, anchor = target.partition("#")
        if urlsplit(target).scheme:
            continue
        there = (here.parent / path).resolve() if path else here
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


KNOWN_SITES = {"localhost", "127.0.0.1", "cytu.be", "github.com", "keepachangelog.com", "semver.org"}
KNOWN_PLACES = ("/opt/rosey-bot", "/srv/elsewhere", "/etc/", "/usr/bin", "/health", "/slack", "/dev/null")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_no_site_and_no_path_but_those_of_its_examples(document: str) -> None:
    text = text_of(document)
    sites = set(re.findall(r"https?://([\w.-]+)", text))
    assert {site for site in sites if not site.endswith("example.org")} <= KNOWN_SITES
    paths = re.findall(r"""(?<![\w./~}\])>:…*-])/[a-z][\w.-]*/?[\w.-]*""", re.sub(r"https?://\S+", "", text))
    assert [path for path in paths if not path.startswith(KNOWN_PLACES)] == []
