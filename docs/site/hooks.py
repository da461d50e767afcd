"""Makes the documents a site: the README is its first page, and links to other files lead to the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
# OWNER is the account that publishes this copy: docs/install.md.
_REPOSITORY = "https://github.com/OWNER/rollback-ops/blob/main"
_OUTSIDE = re.compile(r"\]\((?:\.\./)(?P<path>[^)#]+)(?P<anchor>#[^)]*)?\)")
_WORKFLOWS = re.compile(r"\]\(workflows(?P<path>/[^)]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages to the navigation that mkdocs.yml does not name."""
    named = set(re.findall(r"[\w-]+\.md", str(config.nav)))
    others = sorted(page.name for page in (ROOT / "docs").glob("*.md") if page.name not in named)
    if config.nav is not None and others:
        config.nav.append({"More": others})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Make the README the first page."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"^\[!\[.*\n", "", text, flags=re.MULTILINE)
    text = text.replace("](docs/", "](")
    for path in re.findall(r"\]\((?!https?:|#)([\w./-]+)", text):
        if not (ROOT / "docs" / path).exists():
            _exists(ROOT / path)
            text = text.replace(f"]({path}", f"]({_REPOSITORY}/{path}")
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links out of docs/ to the repository. Raises ``FileNotFoundError`` for one that leads nowhere."""
    markdown = _WORKFLOWS.sub(lambda found: _link(f"docs/workflows{found['path'] or ''}", ""), markdown)
    return _OUTSIDE.sub(lambda found: _link(found["path"], found["anchor"] or ""), markdown)


def _link(path: str, anchor: str) -> str:
    _exists(ROOT / path)
    return f"]({_REPOSITORY}/{path}{anchor})"


def _exists(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"a document links to {path}, which does not exist")
