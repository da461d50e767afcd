"""Imports point one way, functions fit on a screen, and the map of the code shows every folder."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import rollback_ops
from rollback_ops.core.redaction import Redactor
from rollback_ops.hosts.agent.__main__ import text as agent

PACKAGE = Path(rollback_ops.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"
LONGEST_FUNCTION = 60
LONGEST_SECTION = 200


def name(module: Path) -> str:
    return str(module.relative_to(PACKAGE.parent))


def messages(module: Path) -> list[str]:
    """The texts with blanks in a module, without docstrings, and with a word in the place of what is filled in."""
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = []
    for node in nodes:
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        if id(node) not in docstrings and all(isinstance(part, ast.Constant | ast.FormattedValue) for part in parts):
            texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "it" for part in parts))
    return [text for text in texts if " " in text]


def test_no_message_looks_like_a_secret() -> None:
    assert [(name(module), text) for module in MODULES for text in messages(module) if Redactor()(text) != text] == []


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


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{name(module)}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_sections_of_the_agent_fit_in_a_head() -> None:
    sections = {path: path.read_text().count("\n") for path in PACKAGE.rglob("*.sh")}
    assert len(sections) > 30
    assert {name(path): lines for path, lines in sections.items() if lines > LONGEST_SECTION} == {}


def test_no_two_classes_have_one_name() -> None:
    names = Counter(
        node.name for module in MODULES for node in ast.parse(module.read_text()).body if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("product", ["sent", "installed"])
def test_no_function_of_the_agent_replaces_another_one_of_the_same_name(product: str) -> None:
    """The sections become one text, and a shell takes the last definition of a name without a word."""
    names = Counter(re.findall(r"^[ \t]*(\w+) *\(\)", agent(product), re.MULTILINE))
    assert len(names) > 80
    assert [name for name, count in names.items() if count > 1] == []


def test_every_folder_has_a_line_in_the_tree_of_the_contributors_map() -> None:
    """`CONTRIBUTING.md` shows the tree as lines of `folder/  what is in it`, indented by two spaces a level."""
    tree = re.search(r"^```text\nrollback_ops/\n(.*?)^```$", CONTRIBUTING.read_text(), re.MULTILINE | re.DOTALL)
    assert tree
    shown: list[str] = []
    for indent, folder in re.findall(r"^( +)([\w]+)/ ", tree[1], re.MULTILINE):
        level = len(indent) // 2
        shown.append("/".join([*(shown[-1].split("/")[: level - 1] if shown else []), folder]))
    there = {str(module.parent.relative_to(PACKAGE)) for module in MODULES} | {
        str(part.parent.relative_to(PACKAGE)) for part in PACKAGE.rglob("*.sh")
    }
    assert sorted(shown) == sorted(there - {"."})


def test_a_recipe_of_the_contributors_map_names_what_is_where_it_says() -> None:
    """`name` (`path`), `name` in `path`, or `path` (`name`): the file is there, and has the name."""
    text = CONTRIBUTING.read_text()
    pairs = re.findall(r"`([A-Za-z_]\w+)`,?\s+(?:\(|in )`([\w./-]+\.(?:py|sh))`", text)
    pairs += [(name, path) for path, name in re.findall(r"`([\w./-]+\.(?:py|sh))`\s+\(`(\w+)`", text)]
    assert len(pairs) > 10
    root = PACKAGE.parent
    wrong = [
        (name, path)
        for name, path in pairs
        if not any(
            name in file.read_text()
            for file in [*PACKAGE.rglob(path.replace("NAME", "*")), root / path]
            if file.is_file()
        )
    ]
    assert wrong == []
