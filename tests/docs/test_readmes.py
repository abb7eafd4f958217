"""The first pages of the repository are short, and what they and the other documents lead to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.source import committed_files
from tests.docs.document import ROOT

# What the queue app's site checks by itself is left to it.
DOCUMENTS = [
    path
    for path in committed_files()
    if path.suffix == ".md" and not path.is_relative_to(ROOT / "docs" / "queue")
]
DEVELOPMENT = ROOT / "docs" / "development.md"
MAKEFILE = (ROOT / "Makefile").read_text()
MOST_LINES = 100


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def links_of(document: Path) -> list[str]:
    return re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", document.read_text())


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_each_link_leads_to_a_file_and_a_heading_that_are_there(document: Path):
    for link in links_of(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("folder", ["", "procrastinate_tasks"])
def test_a_readme_is_short_and_shows_a_picture_code_and_how_to_install(folder: str):
    text = (ROOT / folder / "README.md").read_text()

    assert len(text.splitlines()) <= MOST_LINES
    assert text.index("![") < text.index("```python")
    assert "pip install procrastinate-tasks" in text


def test_the_first_screen_has_both_commands():
    (commands,) = re.findall(
        r"^```shell\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )

    assert re.findall(r"^make [\w-]+", commands, re.MULTILINE) == ["make demo", "make test"]


def test_every_command_of_make_help_is_told_and_no_other_is_named():
    listed = set(re.findall(r"^## make ([\w-]+)", MAKEFILE, re.MULTILINE))
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    named = {
        path: set(re.findall(r"`make ([a-z-]+)", path.read_text()))
        for path in DOCUMENTS
        if path.name != "CHANGELOG.md"
    }

    assert listed - named[DEVELOPMENT] - named[ROOT / "README.md"] - {"demo", "test"} == set()
    assert {name_of(path): names - targets for path, names in named.items() if names - targets} == {}
