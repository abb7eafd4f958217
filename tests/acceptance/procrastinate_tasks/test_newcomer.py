"""Somebody follows *Start*, in an empty folder, from the page alone: the first job is done in a minute."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest
from django.conf import settings

from reyes_estancias.postgres.binaries import find_binaries
from tests.acceptance.procrastinate_tasks.package import lend_dependencies
from tests.acceptance.tiny import TinyProject, drop, of_the_server
from tests.docs.tables import PAGES

logger = logging.getLogger(__name__)

START = PAGES / "index.md"
MOST_SECONDS = 60.0
# The page appends to this file, which startproject has made; any other it creates.
APPENDED = "mysite/settings.py"


def blocks() -> list[tuple[str, str]]:
    """Return the page's blocks in their order, with their kinds."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", START.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def newcomer(
    wheel: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Return the environment of somebody whose Postgres lets them in, and whose pip finds the wheel."""
    server = settings.DATABASES["default"]
    own = {
        key: value for key, value in of_the_server(server).items() if not key.startswith(("PYTHON", "DJANGO"))
    }
    python = tmp_path_factory.mktemp("bin") / "python3"  # the one whose packages are lent to the newcomer
    python.symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    environment = {
        **own,
        "PATH": f"{python.parent}:{find_binaries().bindir}:{os.environ['PATH']}",
        "PIP_FIND_LINKS": str(wheel.parent),
        "PIP_NO_INDEX": "1",
    }
    yield environment
    drop(TinyProject(environment={**environment, "PGDATABASE": "postgres"}, log_path=tmp_path), "mysite")


def follow(kind: str, text: str, folder: Path, environment: dict[str, str]) -> str:
    """Do what a block says, and return what its last line printed."""
    if kind == "python":
        name = text.splitlines()[0].removeprefix("# ")
        with (folder / name).open("a" if name == APPENDED else "w") as file:
            file.write(text)
        return ""
    said = ""
    for line in text.splitlines():
        said = obey(line, folder, environment)
        if "-m venv" in line:
            lend_dependencies(folder / ".venv")
    return said


def obey(line: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {done.stdout}"
    return done.stdout


def machine_seconds() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_first_job_is_done_within_a_minute_from_the_start_page_alone(
    newcomer: dict[str, str], tmp_path: Path
):
    begun, said = machine_seconds(), ""

    for kind, text in blocks():
        said = follow(kind, text, tmp_path, newcomer)

    assert re.search(r"orders\.tasks\.send_receipt\b.*", said), said
    assert "Succeeded" in said
    used = machine_seconds() - begun
    logger.info("%.1f s of processor time, from an empty folder to the first job done", used)
    assert used < MOST_SECONDS


def test_the_page_shows_it_in_ten_lines():
    code = [line for kind, text in blocks() if kind == "python" for line in text.splitlines() if line.strip()]

    assert len(code) <= 10
