"""``docs/guia-de-produccion.md`` is true to the last command: each is run, in the order of the guide."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

import pytest

from tests.docs.document import GUIDE, ROOT, Command, commands_of, files_of
from tests.docs.server import Outcome, Server
from tests.log_scan import find_secrets

COMMANDS = commands_of(GUIDE)
FILES = files_of(GUIDE)


# The options whose first values the guide names, and what the worker takes without them.
INITIAL = {"max-jobs": 1000, "max-memory": 400, "soft-time-limit": 540, "time-limit": 600}


@pytest.mark.slow
def test_the_guide_can_be_followed_from_its_first_command_to_its_last(
    guide_server: Server, followed: dict[int, Outcome]
):
    """One test: whoever asks for a part has to follow it all, which takes minutes."""
    complaints = [
        f"{command}: {fault}" for command in COMMANDS for fault in faults_of(followed[command.line])
    ]
    assert COMMANDS
    assert not complaints, "\n".join(complaints)

    for command in programs():
        assert guide_server.follow(command).status == 0, command

    told = guide_server.run(Command(0, "python manage.py procrastinate worker --help")).output
    for option, initial in INITIAL.items():
        assert re.search(rf"--{option} .*?\(default:\s+{initial}\)", told, re.DOTALL), option
        assert f"`--{option}`" in GUIDE.read_text()


def faults_of(outcome: Outcome) -> Iterator[str]:
    """Yield what its reader would not have expected of a command."""
    if outcome.status != 0 or "Traceback" in outcome.output:
        yield f"ended with {outcome.status}: {outcome.output}"
    yield from (found for found in find_secrets(outcome.output) if not found.startswith("e-mail"))


def programs() -> Iterator[Command]:
    """Yield the programs that the guide's configuration files start, as they start here."""
    for text in FILES.values():
        file = configparser.ConfigParser(interpolation=None)
        file.optionxform = str  # type: ignore[assignment,method-assign]
        file.read_string(text)
        for section in file.sections():
            if started := file[section].get("ExecStart") or file[section].get("command"):
                here = started.replace("/srv/reyes/sitio/.venv/bin/", "")
                yield Command(0, f"env PORT=0 {here}" if "gunicorn" in here else here)


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


def _anchor(title: str) -> str:
    """Source: how GitHub makes the anchors of headings."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
