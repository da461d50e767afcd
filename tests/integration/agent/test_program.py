"""The program by itself: on this machine, under the shells that hosts have, without Python's half of the work."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

from rollback_ops.core.errors import BadAnswer, ConnectionLost, Refused
from rollback_ops.core.model import HostCommand, Live, Unit
from rollback_ops.hosts.agent import bundle
from tests.support.agent_sandbox import BAD, GOOD, RUN, Sandbox
from tests.support.lab.ground import wait_until
from tests.support.toolbox import tool

NASTY = (
    "a release",
    'a"quote',
    "a'quote",
    "a\nline",
    "a\ttab",
    "$(touch $HOME.canary)",
    "`touch .canary`",
    ";touch .canary",
    "-rf",
    "--help",
    "*",
    "x" * 200,
    "ünïcødé",
    "\U0001f984",
    "a\\b",
    "a\x1b[31mb",
    "{r1}",
)


@pytest.fixture(params=["dash", "busybox"])
def shell(request: pytest.FixtureRequest) -> str:
    """Both each time: this is the agent itself."""
    return str(request.param)


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, shell)


# --- the text ------------------------------------------------------------------------------------------


def test_a_program_that_was_cut_on_its_way_does_nothing_at_all(sandbox: Sandbox) -> None:
    before, size = sandbox.listing(), len(sandbox.text)
    for cut in [*range(0, size, 500), *range(size - len('main "$@"\n'), size - 2)]:
        ended = sandbox.execute(
            "switch", RUN, "r2", str(sandbox.releases / "r3"), "", "", "", "", text=sandbox.text[:cut]
        )
        # The beginning of a function's name may be a command, such as `w`.
        assert bundle.HEADING not in ended.stdout, cut
    assert sandbox.listing() == before


@pytest.mark.parametrize("operation", ["", "become_root", "worker_", "rm", "; touch /tmp/x"])
def test_an_operation_that_there_is_not_is_an_error_and_does_nothing(sandbox: Sandbox, operation: str) -> None:
    before = sandbox.listing()
    ended = sandbox.execute(operation)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert sandbox.listing() == before


def test_what_is_too_long_for_one_command_is_refused_and_not_cut(sandbox: Sandbox) -> None:
    with pytest.raises(Refused, match="too long"):
        sandbox.host.inspect("r2", [HostCommand("x" * 130_000, 1.0)])


# --- survey --------------------------------------------------------------------------------------------


def test_a_survey_of_which_a_part_was_killed_is_none(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, "dash")
    assert sandbox.switch()[0].outcome == "switched"
    sandbox.host.record(RUN, {}, '{"id":"another"}')
    with pytest.raises((BadAnswer, ConnectionLost)):
        sandbox.host_with(sandbox.killing("flock")).survey()


def test_a_survey_tells_what_is_there_and_changes_nothing(sandbox: Sandbox) -> None:
    (sandbox.releases / "r2" / "REVISION").write_text("5c6a1f\n")
    (sandbox.releases / "r1" / "REVISION").write_text("$(touch x)\n")
    (sandbox.releases / "r3" / "REVISION").write_bytes(b"\xef\xbb\xbf77aa01b (main)\r\n")
    (sandbox.state / "marks").mkdir(parents=True)
    (sandbox.state / "marks" / "r1.bad").touch()
    before = sandbox.listing()

    survey = sandbox.host.survey(sizes=True)

    assert sandbox.listing() == before
    assert [(r.name, r.problem, r.revision, r.mark, r.sealed) for r in survey.releases] == [
        ("r1", "", "", "bad", False),
        ("r2", "", "5c6a1f", "", False),
        ("r3", "", "77aa01b", "", False),
    ]
    modified = (sandbox.releases / "r2").stat().st_mtime
    assert survey.releases[1].modified == int(modified)
    assert all(r.size_kib and r.size_kib < 100 for r in survey.releases)
    assert survey.live == Live("release", "r3", str(sandbox.releases / "r3"), "77aa01b")
    assert survey.units == (Unit("rosey", "running"),)
    assert (survey.blockers, survey.warnings, survey.lease, survey.unfinished) == ((), (), None, None)


def test_names_that_no_release_may_have_are_told_as_data_and_never_executed(sandbox: Sandbox) -> None:
    for name in NASTY:
        (sandbox.releases / name).mkdir()
    (sandbox.releases / b"not\xffutf8".decode(errors="surrogateescape")).mkdir()
    before = sandbox.listing()

    survey = sandbox.host.survey(sizes=True)

    odd = {r.name for r in survey.releases if r.problem}
    assert odd == {repr(name[:128]) for name in NASTY} | {repr("not\ufffdutf8")}
    assert {r.name for r in survey.releases if not r.problem} == {"r1", "r2", "r3"}
    assert all("begins with a letter" in r.problem for r in survey.releases if r.name in odd)
    assert all(name.isprintable() for name in odd)
    assert sandbox.listing() == before


def test_what_cannot_be_run_is_told_with_its_reason(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell, requires=["app", "lib/core"])
    for name in ("r1", "r2", "r3"):
        (sandbox.releases / name / "lib").mkdir()
        (sandbox.releases / name / "lib" / "core").touch()
    (sandbox.releases / "a-link").symlink_to("r1")
    (sandbox.releases / "b-file").write_text("")
    (sandbox.releases / "c-empty").mkdir()
    sandbox.release("d-half")
    sandbox.release("e-deploying")
    (sandbox.root / "release").symlink_to("releases/e-deploying")
    found = {r.name: r.problem for r in sandbox.host.survey().releases}
    assert found == {
        "a-link": "it is a link, not a directory of its own",
        "b-file": "it is not a directory",
        "c-empty": "it is empty",
        "d-half": "it lacks lib/core",
        "e-deploying": "it is still being deployed",
        "r1": "",
        "r2": "",
        "r3": "",
    }


@pytest.mark.parametrize(
    ("target", "state", "name"),
    [
        ("releases/r2", "release", "r2"),
        ("./releases/../releases/r2/", "release", "r2"),
        ("by-way-of", "release", "r1"),
        ("releases/gone", "dangling", "gone"),
        ("gone", "dangling", ""),
        ("/usr", "elsewhere", ""),
        ("releases", "elsewhere", ""),
        ("releases/r1/sub", "release", "r1"),
        ("releases/gone/sub", "dangling", "gone"),
        ("releases/r1/gone/", "dangling", "r1"),
        ("current", "dangling", ""),
        ("releases/a name", "elsewhere", ""),
    ],
)
def test_current_is_what_it_leads_to(sandbox: Sandbox, target: str, state: str, name: str) -> None:
    (sandbox.root / "by-way-of").symlink_to("releases/r1")
    (sandbox.releases / "r1" / "sub").mkdir()
    (sandbox.releases / "a name").mkdir()
    sandbox.current.unlink()
    sandbox.current.symlink_to(target)
    live = sandbox.host.survey().live
    assert (live.state, live.name, live.path) == (state, name, target)


def test_no_current_and_a_directory_in_its_place_are_told_apart(sandbox: Sandbox) -> None:
    sandbox.current.unlink()
    assert sandbox.host.survey().live == Live("missing")
    sandbox.current.mkdir()
    assert sandbox.host.survey().live == Live("directory")


def test_without_current_custom_commands_have_no_place_to_run(sandbox: Sandbox) -> None:
    sandbox.current.unlink()
    (said,) = sandbox.host.survey().blockers
    assert said.startswith(f"{sandbox.current} leads to no release, where the custom commands run")


def test_a_host_without_the_service_says_what_is_missing(sandbox: Sandbox) -> None:
    shutil.rmtree(sandbox.releases)
    assert any(f" {sandbox.releases}:" in said for said in sandbox.host.survey().blockers)
    shutil.rmtree(sandbox.root)
    survey = sandbox.host.survey()
    (said,) = survey.blockers
    assert f" {sandbox.root}:" in said
    assert survey.releases == ()


@pytest.mark.parametrize("missing", ["flock", "timeout", "setsid"])
def test_a_host_that_lacks_a_command_says_which(sandbox: Sandbox, missing: str) -> None:
    sandbox.switch()
    for name in (
        "flock",
        "timeout",
        "setsid",
        "mv",
        "ln",
        "mkfifo",
        "readlink",
        "sync",
        "stat",
        "id",
        "cut",
        "tr",
        "sed",
        "head",
    ):
        if name != missing:
            (sandbox.tools / name).symlink_to(tool(name))
    (sandbox.tools / "od").symlink_to(tool("od"))
    sandbox.path = str(sandbox.tools)
    survey = sandbox.host.survey()
    # BusyBox may bring the command itself.
    built_in = sandbox.runs(f"PATH=; command -v {missing}")
    assert survey.blockers == (() if built_in else (f"the command {missing} is missing",))


def test_a_missing_source_of_a_link_is_a_warning(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell, links={"config.json": "config-prod.json"})
    assert sandbox.host.survey().warnings == (
        f"{sandbox.root}/config-prod.json is missing, and the release is to be linked to it",
    )


# --- switch, follow ------------------------------------------------------------------------------------


def test_a_switch_is_told_step_by_step_and_journaled(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell, links={"config.json": "config-prod.json"})
    (sandbox.root / "config-prod.json").write_text("{}")

    result, told = sandbox.switch(run_url="https://example.org/run", intent='{"event":"intent","reason":"$(id) `id`"}')

    assert (result.outcome, result.reason, result.live, result.log_tail) == ("switched", "", "r2", ())
    assert [(step.name, step.outcome) for step in told] == [
        ("stop", "ok"),
        ("switch", "ok"),
        ("links", "ok"),
        ("start", "ok"),
    ]
    assert tuple(told) == result.steps
    assert result.downtime is not None
    assert 0 <= result.downtime < 10
    assert sandbox.running() == sandbox.current.resolve().name == "r2"
    assert (sandbox.releases / "r2" / "config.json").readlink() == sandbox.root / "config-prod.json"
    events = [(e["event"], e.get("step", e.get("outcome", e.get("reason")))) for e in sandbox.journal()]
    assert events == [
        ("intent", "$(id) `id`"),
        ("step", "stop"),
        ("step", "switch"),
        ("step", "links"),
        ("step", "start"),
        ("end", "switched"),
    ]
    lease = sandbox.host.survey().lease
    assert lease is not None
    assert (lease.run, lease.owner, lease.run_url) == (RUN, "tester", "https://example.org/run")
    assert not list(sandbox.root.rglob("*.rollback-*"))


def test_progress_can_be_followed_again_from_its_beginning(sandbox: Sandbox) -> None:
    sandbox.switch()
    first, again = (sandbox.execute("follow", RUN) for _ in range(2))
    assert (first.returncode, first.stdout) == (0, again.stdout)
    lines = first.stdout.splitlines()
    assert lines[:2] == ["", "rollback-ops\t1\tfollow"]
    assert [line.split("\t")[:3] for line in lines if line.startswith("step")] == [
        ["step", "stop", "ok"],
        ["step", "switch", "ok"],
        ["step", "start", "ok"],
    ]
    assert lines[-2].startswith("result\tswitched\tr2\t")
    assert lines[-1] == "end\t0"


def test_a_run_that_the_host_never_began_was_refused(sandbox: Sandbox) -> None:
    assert "result\trefused\t\t\tthis host never began it\n" in sandbox.execute("follow", RUN).stdout


@pytest.mark.parametrize("run", ["", "..", "../x", "-rf", "a b", "$(id)", "a\nb"])
def test_a_run_is_named_like_a_release_or_not_at_all(sandbox: Sandbox, run: str) -> None:
    before = sandbox.listing()
    order = ("r2", str(sandbox.releases / "r3"), "no", "tester", "", "{}")
    for ended in (sandbox.execute("switch", run, *order), sandbox.execute("follow", run)):
        assert ended.stdout.splitlines()[-1] == "end\t64"
    assert sandbox.listing() == before


@pytest.mark.parametrize(
    ("target", "changes", "reason"),
    [
        ("r2", {"source": "/elsewhere"}, "current has changed since it was looked at: it is now {root}/releases/r3"),
        ("r2", {"source": ""}, "current has changed since it was looked at"),
        ("gone", {}, "gone is no longer a complete release"),
        ("empty", {}, "empty is no longer a complete release"),
        ("link", {}, "link is no longer a complete release"),
        ("..", {}, ".. is no longer a complete release"),
        ("../../etc", {}, "../../etc is no longer a complete release"),
        ("$(touch x)", {}, "$(touch x) is no longer a complete release"),
        ("", {}, "is no longer a complete release"),
    ],
)
def test_a_switch_looks_again_before_it_stops_anything(
    sandbox: Sandbox, target: str, changes: dict[str, str], reason: str
) -> None:
    (sandbox.releases / "empty").mkdir()
    (sandbox.releases / "link").symlink_to("r2")
    before = sandbox.listing()
    result, told = sandbox.switch(target, **changes)
    assert (result.outcome, told) == ("refused", [])
    assert reason.format(root=sandbox.root) in result.reason
    assert [entry for entry in sandbox.listing() if "/.rollback" not in entry[0]] == before
    assert sandbox.host.survey().lease is None


def test_a_directory_where_a_link_belongs_is_seen_before_anything_is_stopped(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell, links={"config": "config-prod"})
    (sandbox.root / "config-prod").touch()
    (sandbox.releases / "r2" / "config").mkdir()
    result, told = sandbox.switch()
    assert (result.outcome, told, sandbox.running()) == ("refused", [], "r3")
    assert result.reason == f"cannot make a link at {sandbox.releases}/r2/config: it is a directory"
    assert not list(sandbox.root.rglob("*.rollback-*"))


def test_what_is_held_by_somebody_else_is_not_touched(sandbox: Sandbox) -> None:
    sandbox.state.mkdir(parents=True)
    with (sandbox.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result, told = sandbox.switch()
        lease = sandbox.host.survey().lease
    assert (result.outcome, result.locked, told, sandbox.running()) == ("refused", True, [], "r3")
    assert result.reason.startswith("locked by another run since an unknown time")
    assert lease is not None
    assert sandbox.host.survey().lease is None
    # The same run begins anew: it is no transaction that follows one of its own.
    moved = sandbox.switch(run=f"{RUN}.again1", source=str(sandbox.releases / "r1"))[0]
    assert (moved.outcome, moved.locked, sandbox.running()) == ("refused", False, "r3")
    assert sandbox.switch(run=f"{RUN}.again2")[0].outcome == "switched"


def test_a_file_in_the_place_of_the_store_is_refused(sandbox: Sandbox) -> None:
    sandbox.store.write_text("")
    result, told = sandbox.switch()
    assert (result.outcome, result.reason, told) == ("refused", f"cannot write to {sandbox.store}", [])
    assert sandbox.running() == "r3"


def test_a_release_that_does_not_start_is_live_and_its_log_is_told(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell, commands={"start": "false"})
    result, told = sandbox.switch()
    assert (result.outcome, result.reason, result.live) == ("not_started", "r2 does not start", "r2")
    assert [(step.name, step.outcome) for step in told][-1] == ("start", "failed")
    assert result.log_tail == ("the log of r2",)
    assert sandbox.journal()[-1]["outcome"] == "not_started"


def test_a_service_that_cannot_be_stopped_stays_as_it_is(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell, commands={"stop": "false"})
    result, told = sandbox.switch()
    assert (result.outcome, result.reason, result.live) == ("put_back", "it could not be stopped", "r3")
    assert [(step.name, step.outcome) for step in told] == [("stop", "failed")]
    assert sandbox.running() == "r3"


def test_a_worker_that_is_killed_in_the_middle_is_finished_forward(shell: str, tmp_path: Path) -> None:
    held = 'cd "$ROLLBACK_ROOT"; rm -f running; touch stopping; until [ -e go ]; do sleep 0.02; done'
    sandbox = Sandbox(tmp_path, shell, commands={"stop": held})
    arguments = (RUN, "r2", str(sandbox.releases / "r3"), "no", "tester", "", "{}")
    words = ["sh", "-c", bundle.command(sandbox.text, "switch", *arguments)]
    with subprocess.Popen(words, env={"PATH": sandbox.path}, stdout=subprocess.PIPE, text=True) as following:
        wait_until((sandbox.root / "stopping").exists, 60, "the stop")
        subprocess.run(["kill", "-KILL", (sandbox.state / "runs" / RUN / "pid").read_text().strip()], check=True)
        (sandbox.root / "go").touch()
        said, _ = following.communicate(timeout=30)
    assert said.splitlines()[-2].startswith("result\tswitched\tr2\t")
    assert sandbox.running() == sandbox.current.resolve().name == "r2"
    assert sandbox.host.survey().unfinished is None


# --- inspect, ask --------------------------------------------------------------------------------------


def test_a_sealed_release_is_compared_with_its_manifest(sandbox: Sandbox) -> None:
    (sandbox.releases / "r2" / "a file\\ with signs").write_text("x")
    assert sandbox.host.inspect("r2").sealed is False
    assert sandbox.host.seal("r2") == 2
    assert (sandbox.host.inspect("r2").sealed, sandbox.host.inspect("r2").broken) == (True, "")
    assert [r.name for r in sandbox.host.survey().releases if r.sealed] == ["r2"]

    (sandbox.releases / "r2" / "app").write_text("half of it")
    assert sandbox.host.inspect("r2").broken == "./app: FAILED"
    (sandbox.releases / "r2" / "app").unlink()
    assert sandbox.host.inspect("r2").broken.startswith("./app: FAILED")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("echo >added", "./added: added"),
        ("mkdir -p deep && echo >'deep/a file'", "./deep/a file: added"),
        ("ln -sfn elsewhere link", "links or modes"),
        ("ln -s app another", "links or modes"),
        ("rm link", "links or modes"),
        ("rm link && echo >link", "./link: added"),
        ("chmod 600 app", "links or modes"),
        ("mv app app2", "./app: FAILED"),
    ],
)
def test_what_was_added_or_led_elsewhere_since_a_release_was_sealed_is_named(
    sandbox: Sandbox, change: str, words: str
) -> None:
    release = sandbox.releases / "r2"
    (release / "link").symlink_to("app")
    assert sandbox.host.seal("r2") == 1
    assert sandbox.host.inspect("r2").broken == ""
    subprocess.run(change, shell=True, check=True, cwd=release)
    assert words in sandbox.host.inspect("r2").broken


def test_a_manifest_of_an_earlier_version_still_holds_for_its_files(sandbox: Sandbox) -> None:
    sandbox.host.seal("r2")
    (manifest,) = [path for path in sandbox.root.glob(".rollback/**/manifests/**/r2") if path.is_file()]
    *files, _ = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(files))
    (sandbox.releases / "r2" / "added").write_text("unknown to it")
    assert sandbox.host.inspect("r2").broken == ""
    (sandbox.releases / "r2" / "app").write_text("half of it")
    assert sandbox.host.inspect("r2").broken == "./app: FAILED"


def test_a_file_name_of_two_lines_is_sealed_or_refused_and_never_half_known(sandbox: Sandbox) -> None:
    (sandbox.releases / "r2" / "a file\nof two lines").write_text("x")
    if sandbox.runs("PATH=; command -v sha256sum"):
        with pytest.raises(Refused):
            sandbox.host.seal("r2")
        assert sandbox.host.inspect("r2").sealed is False
    else:
        assert sandbox.host.seal("r2") == 2
        assert sandbox.host.inspect("r2").broken == ""


@pytest.mark.parametrize("release", ["gone", "..", "../..", "", "-x", "$(id)"])
def test_a_release_that_is_not_there_is_not_looked_into(sandbox: Sandbox, release: str) -> None:
    assert sandbox.host.inspect(release).broken == "it is gone"


def test_questions_are_asked_inside_the_release_all_at_once_and_each_within_its_time(sandbox: Sandbox) -> None:
    questions = [
        HostCommand("cat app; exit 3", 30.0),
        HostCommand("sleep 60", 0.2),
        HostCommand("no-such-command", 30.0),
        HostCommand("cat", 30.0),
        HostCommand("", 30.0),
        HostCommand("printf 'result\\tswitched\\nend\\t0\\n\\033[31mred'", 30.0),
        HostCommand("seq 1 100000", 30.0),
        HostCommand('touch "$0.canary"; exit $((6 * 7))', 30.0),
    ]
    answers = sandbox.host.inspect("r2", questions).answers
    assert [answers[n].status for n in range(len(questions))] == [3, 124, 127, 0, 0, 0, 0, 42]
    assert answers[0].lines == ("the program of r2",)
    assert answers[5].lines == ("result switched", "end 0", "[31mred")
    assert answers[6].lines[-1] == "100000"
    assert len(answers[6].lines) <= 12
    assert 0.2 <= answers[1].seconds < 30


def test_asking_tells_the_state_and_keeps_the_lease_of_its_run_only(sandbox: Sandbox) -> None:
    sandbox.switch()
    lease = sandbox.state / "lease"
    before = lease.read_text()
    observation = sandbox.host.ask("20240101T000000Z-ffffffff", [HostCommand("pwd -P", 5.0)])
    assert observation.units == (Unit("rosey", "running"),)
    assert observation.answers[0].lines == (str(sandbox.releases / "r2"),)
    assert (observation.live, observation.held) == ("r2", False)
    assert lease.read_text() == before
    observation = sandbox.host.ask(RUN)
    assert (observation.live, observation.held) == ("r2", True)
    assert lease.read_text().split("\t")[0] == RUN


# --- record, history, seal -----------------------------------------------------------------------------


def test_a_record_is_kept_literally_and_marks_are_made(sandbox: Sandbox) -> None:
    sandbox.switch()
    line = r"""{"reason":"it's \"$(touch x)\" `id` \\n %s \u0041 🦄; rm -rf /"}"""
    sandbox.host.record(RUN, {"r3": BAD, "r2": GOOD}, line)
    assert sandbox.host.journal()[-1] == line
    survey = sandbox.host.survey()
    assert {r.name: r.mark for r in survey.releases} == {"r1": "", "r2": "good", "r3": "bad"}
    assert survey.lease is None
    sandbox.host.record(RUN, {"r3": GOOD}, "")
    assert sandbox.host.survey().releases[2].mark == "good"
    assert sandbox.host.journal()[-1] == line


@pytest.mark.parametrize("name", ["..", "../x", "/etc/x", "-x", "a b", "$(id)"])
def test_what_is_no_name_is_not_marked(sandbox: Sandbox, name: str) -> None:
    sandbox.host.record(RUN, {name: BAD}, "")
    assert list((sandbox.state / "marks").rglob("*.bad")) == []


def test_a_record_that_cannot_be_kept_is_an_error_and_a_mark_is_not(sandbox: Sandbox) -> None:
    (sandbox.state / "marks").mkdir(parents=True)
    (sandbox.store / "journal.jsonl").mkdir()
    sandbox.host.record(RUN, {"r3": BAD}, "")
    with pytest.raises(Refused, match=r"here: \.rollback could not be written to"):
        sandbox.host.record(RUN, {"r3": BAD}, "{}")


@pytest.mark.parametrize("end", [b'{"half":', b"\0" * 4096, b"\0" * 100_000, b"\xff\xfe"])
def test_a_journal_that_was_damaged_is_read_and_written_on(sandbox: Sandbox, end: bytes) -> None:
    sandbox.store.mkdir()
    (sandbox.store / "journal.jsonl").write_bytes(b'{"whole":1}\n' + end)
    assert sandbox.host.journal()[0] == '{"whole":1}'
    sandbox.host.record(RUN, {}, '{"next":1}')
    assert sandbox.host.journal()[-1] == '{"next":1}'
    assert sandbox.switch()[0].outcome == "switched"
    assert sandbox.host.journal()[-1].startswith('{"event":"end"')


def test_a_line_of_the_journal_that_is_too_long_does_not_hide_the_others(sandbox: Sandbox) -> None:
    sandbox.store.mkdir()
    (sandbox.store / "journal.jsonl").write_bytes(b"x" * 200_000 + b'\n{"whole":1}\n')
    assert sandbox.host.journal()[-1] == '{"whole":1}'


def test_where_nothing_happened_yet_the_journal_is_empty(sandbox: Sandbox) -> None:
    assert list(sandbox.host.journal()) == []


@pytest.mark.parametrize("release", ["empty", "gone", "..", "", "$(id)"])
def test_what_has_no_files_cannot_be_sealed(sandbox: Sandbox, release: str) -> None:
    (sandbox.releases / "empty").mkdir()
    with pytest.raises(Refused, match="could not be sealed"):
        sandbox.host.seal(release)
    assert list(sandbox.store.rglob("*.new")) == []
