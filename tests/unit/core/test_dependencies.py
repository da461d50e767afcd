"""Which packages a rollback changes, by the files of package managers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.comparison import LockFile
from rollback_ops.core.dependencies import DependencyFile, Package, changes, is_lock

TWO = (Package("a", "2.0", "1.0"), Package("gone", "1.0", ""))


def packages(*versions: tuple[str, str]) -> str:
    return "version = 1\n" + "".join(f'[[package]]\nname = "{n}"\nversion = "{v}"\n' for n, v in versions)


def npm(**versions: str) -> str:
    return json.dumps({"packages": {"": {}} | {f"node_modules/{n}": {"version": v} for n, v in versions.items()}})


def old_npm(**versions: str) -> str:
    b = {"version": "1.0", "dependencies": {n: {"version": v} for n, v in versions.items()}}
    return json.dumps({"dependencies": {"b": b}})


def composer(**versions: str) -> str:
    first, *others = [{"name": n, "version": v} for n, v in versions.items()]
    return json.dumps({"packages": [first], "packages-dev": others})


TEXTS = {
    "requirements.txt": (
        "# c\n-r x.txt\nA[x]==2.0 ; python_version > '3' \\\n    --hash=sha256:aa\ngone==1.0\nsame>=1,<2\n",
        "a==1.0 --hash=sha256:bb\nsame>=1,<2\n",
    ),
    "web/requirements-dev.txt": ("a == 2.0\ngone==1.0", "a==1.0"),
    "uv.lock": (packages(("a", "2.0"), ("gone", "1.0")), packages(("a", "1.0"))),
    "poetry.lock": (packages(("a", "2.0"), ("gone", "1.0"), ("b", "1")), packages(("a", "1.0"), ("b", "1"))),
    "Cargo.lock": (packages(("a", "2.0"), ("gone", "1.0")), packages(("a", "1.0"))),
    "package-lock.json": (npm(a="2.0", gone="1.0"), npm(a="1.0")),
    "npm-shrinkwrap.json": (old_npm(a="2.0", gone="1.0"), old_npm(a="1.0")),
    "Pipfile.lock": (
        json.dumps({"default": {"a": {"version": "==2.0"}}, "develop": {"gone": {"version": "==1.0"}}}),
        json.dumps({"default": {"a": {"version": "==1.0"}}}),
    ),
    "composer.lock": (composer(a="2.0", gone="1.0"), composer(a="1.0")),
    "Gemfile.lock": (
        "GEM\n  specs:\n    a (2.0)\n      b (>= 1)\n    gone (1.0)\n\nDEPENDENCIES\n  a\n",
        "GEM\n  specs:\n    a (1.0)\n      b (>= 1)\n",
    ),
    "go.mod": (
        "module x\n\ngo 1.22\n\nrequire (\n\ta 2.0\n\tgone 1.0 // indirect\n)\n",
        "module x\n\nrequire a 1.0\nreplace (\n\ta 2.0\n)\n",
    ),
    "go.sum": ("a 2.0 h1:x=\na 2.0/go.mod h1:x=\ngone 1.0 h1:x=\n", "a 1.0 h1:x=\na 9.0/go.mod h1:x=\n"),
}


@pytest.mark.parametrize("path", TEXTS)
def test_packages_that_differ_are_named_with_both_versions(path: str) -> None:
    assert changes(LockFile(path, *TEXTS[path])) == DependencyFile(path, TWO)
    assert is_lock(path)


def test_a_file_that_one_release_does_not_have_adds_or_removes_all() -> None:
    assert changes(LockFile("uv.lock", packages(("a", "1")), None)).packages == (Package("a", "1", ""),)


def test_several_versions_of_one_package_are_told_together() -> None:
    left = packages(("a", "2"), ("a", "1"))
    assert changes(LockFile("Cargo.lock", left, packages(("a", "1")))).packages == (Package("a", "1, 2", "1"),)


def test_a_url_is_told_without_what_may_be_a_secret_in_it() -> None:
    text = "a @ https://user:s3cret@x.org/a.whl?token=s3cret#s3cret"
    (package,) = changes(LockFile("requirements.txt", text, None)).packages
    assert package == Package("a", "https://x.org/a.whl", "")


@pytest.mark.parametrize("text", ["{", '{"packages": {"node_modules/a": 1}}', '{"packages": 3}', "[" * 100_000, "1"])
def test_a_text_of_another_form_counts_as_changed(text: str) -> None:
    assert changes(LockFile("package-lock.json", text, "{}")) == DependencyFile("package-lock.json", readable=False)
    assert changes(LockFile("yarn.lock", text, "")) == DependencyFile("yarn.lock", readable=False)


@given(st.sampled_from(sorted(TEXTS)), st.text(max_size=200))
def test_no_text_is_too_odd(path: str, text: str) -> None:
    changes(LockFile(path, text, TEXTS[path][0]))
