"""``docs/architecture.md`` names every room of the tree, and nothing that is not there."""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import PACKAGES
from tests.docs.document import ROOT

PAGE = ROOT / "docs" / "architecture.md"
_BASES = [ROOT, ROOT / "procrastinate_tasks", ROOT / "payments"]
_PATH = re.compile(r"`([\w./]+(?:/|\.py|\.sql|\.toml))`")
_LINK = re.compile(r"\]\(([\w./-]+)\)")


def named_paths() -> set[str]:
    return set(_PATH.findall(PAGE.read_text(encoding="utf-8")))


def rooms() -> list[str]:
    """Return every folder of the packages with Python files in it."""
    return sorted(
        f"{init.parent.relative_to(ROOT)}/"
        for package in PACKAGES
        for init in (ROOT / package).rglob("__init__.py")
        if init.parent.name != "commands" and init.parent != ROOT / "procrastinate_tasks"
    )


@pytest.mark.parametrize("path", sorted(named_paths()))
def test_what_the_page_names_is_there(path: str):
    assert any((base / path).exists() for base in _BASES) or path in {"policies.py", "sql/"}


@pytest.mark.parametrize("link", _LINK.findall(PAGE.read_text(encoding="utf-8")))
def test_what_the_page_links_to_is_there(link: str):
    assert (PAGE.parent / link).exists()


@pytest.mark.parametrize("room", rooms())
def test_every_room_is_on_the_page(room: str):
    assert room in named_paths()


def test_the_pages_of_the_site_link_to_it():
    assert "](docs/architecture.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
