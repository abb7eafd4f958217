"""``docs/guia-de-produccion.md`` is true to the last command: each is run, in the order of the guide."""

from __future__ import annotations

import configparser
import re

import pytest

from tests.docs.document import GUIDE, ROOT, Command, commands_of, files_of
from tests.docs.server import Outcome, Server
from tests.log_scan import find_secrets

COMMANDS = commands_of(GUIDE)
FILES = files_of(GUIDE)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_of_the_guide_does_what_its_reader_expects(followed: dict[int, Outcome], command: Command):
    outcome = followed[command.line]

    assert outcome.status == 0, outcome.output
    assert "Traceback" not in outcome.output
    assert [found for found in find_secrets(outcome.output) if not found.startswith("e-mail")] == []


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_program_that_a_configuration_file_starts_starts_and_stops(
    guide_server: Server, followed: dict[int, Outcome], path: str
):
    file = configparser.ConfigParser(interpolation=None)
    file.optionxform = str  # type: ignore[assignment,method-assign]
    file.read_string(FILES[path])

    for section in file.sections():
        started = file[section].get("ExecStart") or file[section].get("command")
        if started:
            here = started.replace("/srv/reyes/sitio/.venv/bin/", "")
            outcome = guide_server.follow(Command(0, f"env PORT=0 {here}" if "gunicorn" in here else here))
            assert outcome.status == 0, outcome.output


def test_the_guide_names_every_variable_that_production_has_to_set():
    text = (ROOT / "reyes_estancias" / "settings.py").read_text()
    required = set(re.findall(r'env\.str\("(\w+)"\)', text))

    named = set(re.findall(r"`(\w+)(?:=[^`]*)?`", GUIDE.read_text()))

    assert required
    assert required <= named


def test_every_chapter_that_the_guide_links_to_exists():
    text = GUIDE.read_text()
    links = re.findall(r"\]\(#([^)]+)\)", text)
    anchors = [_anchor(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]

    assert links
    assert set(links) <= set(anchors)


@pytest.mark.parametrize(
    ("option", "initial"),
    [("max-jobs", 1000), ("max-memory", 400), ("soft-time-limit", 540), ("time-limit", 600)],
)
def test_a_value_that_the_guide_calls_initial_is_the_worker_s_own(
    guide_server: Server, followed: dict[int, Outcome], option: str, initial: int
):
    told = guide_server.run(Command(0, "python manage.py procrastinate worker --help")).output

    assert re.search(rf"--{option} .*?\(default:\s+{initial}\)", told, re.DOTALL)
    assert f"`--{option}`" in GUIDE.read_text()


def _anchor(title: str) -> str:
    """Source: how GitHub makes the anchors of headings."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
