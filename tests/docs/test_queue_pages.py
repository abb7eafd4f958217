"""The queue app's documentation says what the code says, and each block is run, parsed or looked through."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from procrastinate_tasks.coming_from_celery.counterparts import Fit, counterpart_of
from procrastinate_tasks.coming_from_celery.survey import look_through
from tests.docs.document import ROOT, commands_of
from tests.docs.tables import PACKAGE, PAGES, generated
from tests.tiny_project.readme import README, examples, python_blocks

DOCUMENTS = [README, *sorted(PAGES.rglob("*.md"))]
FENCES = {"python", "shell", "text", ""}
# Run by others, as they are: the package's tests install it, the newcomer follows Start.
OTHER_PROGRAMS = re.compile(
    r"(?:\.venv/bin/)?(?:pip install|python3? -m venv|python -m django start|createdb )"
)


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def shell_commands() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        yield from ((document, command.text) for command in commands_of(document))


@pytest.mark.parametrize(
    ("path", "text"), list(generated()), ids=lambda value: getattr(value, "name", "text")
)
def test_what_a_page_has_of_the_code_is_what_the_code_says(path: Path, text: str):
    assert path.read_text() == text, "python -m tests.docs.tables writes it"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_each_block_is_of_a_kind_that_is_tested(document: Path):
    fences = re.findall(r"^ *```(\w*)", document.read_text(), re.MULTILINE)

    assert set(fences) <= FENCES


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_each_python_block_says_its_file_and_so_is_executed(document: Path):
    blocks = [
        block
        for block in python_blocks(document)
        if not block.startswith("from procrastinate_tasks import (")
    ]

    assert [block.splitlines()[0] for block in blocks if not re.match(r"# [\w/]+\.py", block)] == []


def test_the_examples_of_the_guides_are_among_those_executed():
    assert {"shop/buying.py", "shop/deliveries.py", "shop/nightly.py", "stays/tasks.py"} <= {
        file for file, _ in examples()
    }


@pytest.mark.parametrize(("document", "command"), list(shell_commands()), ids=str)
def test_each_shell_line_is_one_that_its_program_takes(document: Path, command: str):
    line = re.sub(r"^(?:\.venv/bin/)?python (?:-W error )?manage\.py ", "manage.py ", command)
    if not line.startswith("manage.py "):
        assert OTHER_PROGRAMS.match(line), command
        return
    name, *arguments = shlex.split(line.removeprefix("manage.py "))
    parser = command_class(name).create_parser("manage.py", name)

    assert parser.parse_args(arguments)


def command_class(name: str) -> BaseCommand:
    app = get_commands()[name]
    return app if isinstance(app, BaseCommand) else load_command_class(app, name)


def test_the_worked_example_before_is_all_named_and_has_all_its_counterparts(tmp_path: Path):
    for block in python_blocks(PAGES / "guides" / "from-celery.md"):
        if path := re.match(r"# before/([\w/]+\.py)", block):
            (tmp_path / path[1]).parent.mkdir(exist_ok=True)
            (tmp_path / path[1]).write_text(block)

    survey = look_through(tmp_path)

    assert {"call.delay", "bound.retry", "schedule.entry", "setting.task_acks_late"} <= {
        use.key for use in survey.uses
    }
    assert [use for use in survey.uses if counterpart_of(use.key).fit is Fit.NONE] == []


def test_every_page_is_in_the_navigation():
    listed = re.findall(r"[\w/-]+\.md", (ROOT / "docs" / "mkdocs.yml").read_text())

    assert set(listed) == {path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md")}


def test_nothing_of_a_page_comes_from_another_server():
    drawn = [line for document in DOCUMENTS for line in document.read_text().splitlines() if "](http" in line]

    assert [line for line in drawn if "![" in line] == []
    assert "font: false" in (ROOT / "docs" / "mkdocs.yml").read_text()


@pytest.mark.parametrize("name", ["llms.txt", "AGENTS.md"])
def test_what_assistants_read_ships_and_names_only_what_there_is(name: str):
    text = (PACKAGE / name).read_text()

    imported = {
        word
        for names in re.findall(r"from procrastinate_tasks import ([\w, ]+)", text)
        for word in names.split(", ")
    }

    assert f'"{name}"' in (PACKAGE / "pyproject.toml").read_text()
    assert {"task", "periodic", "defer"} <= imported
    assert imported <= set(__import__("procrastinate_tasks").__all__)
