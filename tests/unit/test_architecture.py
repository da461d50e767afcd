"""The house keeps its floors, and its rooms stay small enough to see."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rollback_ops

PACKAGE = Path(rollback_ops.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE = 300
LONGEST_FUNCTION = 60


def name(module: Path) -> str:
    return str(module.relative_to(PACKAGE.parent))


def test_imports_point_one_way(tmp_path: Path) -> None:
    settings = PACKAGE.parent / ".importlinter"
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", settings, "--cache-dir", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PACKAGE.parent,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_the_package_was_found() -> None:
    assert len(MODULES) > 40


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_module_can_be_seen_at_once(module: Path) -> None:
    lines = len(module.read_text().splitlines())
    assert lines <= LONGEST_MODULE, f"{name(module)} has {lines} lines"


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_function_fits_on_a_screen(module: Path) -> None:
    long = {
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    }
    assert not long, name(module)


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_module_says_what_it_is_for(module: Path) -> None:
    tree = ast.parse(module.read_text())
    assert not tree.body or ast.get_docstring(tree), name(module)


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_only_the_terminal_and_the_documents_write_to_the_person(module: Path) -> None:
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and not any(keyword.arg == "file" for keyword in node.keywords)
    ]
    assert not calls, name(module)
