"""``manage.py jobs`` at a terminal and in a pipe, as a process of its own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from procrastinate_tasks.command_line.output import ExitCode, fitted, shortened
from tests.workers.workers import current_database_url

REPOSITORY = Path(__file__).parents[4]

pytestmark = pytest.mark.django_db


def started(*arguments: str, stdout: int, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "jobs", *arguments],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.workers.settings",
            "DATABASE_URL": current_database_url(),
            **environment,
        },
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def in_a_terminal(*arguments: str, columns: int) -> list[str]:
    """Return the lines a verb shows at a terminal of so many columns."""
    ours, theirs = pty.openpty()
    process = started(*arguments, stdout=theirs, COLUMNS=str(columns))
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:  # the terminal's other end is closed: that is how it ends here
        pass
    os.close(ours)
    _out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    return shown.decode().splitlines()


def test_a_table_fits_the_terminal_and_marks_what_is_cut():
    lines = in_a_terminal("tasks", columns=70)

    assert len(lines) > 5
    assert max(map(len, lines)) <= 70
    assert any("…" in line for line in lines)


def test_a_pipe_gets_the_whole_table():
    process = started("tasks", stdout=subprocess.PIPE, COLUMNS="70")
    out, _errors = process.communicate(timeout=60)

    assert max(len(line) for line in out.decode().splitlines()) > 70
    assert "…" not in out.decode()


@pytest.mark.parametrize("arguments", [("tasks",), ("tasks", "--json"), ("limits",)])
def test_a_reader_who_leaves_first_hears_nothing(arguments: tuple[str, ...]):
    with started(*arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()

    assert (process.returncode, errors) == (ExitCode.READER_LEFT, b"")


def test_the_status_is_shown_again_and_again_until_ctrl_c():
    with started("watch", "--every", "0.1", stdout=subprocess.PIPE, PYTHONUNBUFFERED="1") as process:
        assert process.stdout is not None
        headings = 0
        while headings < 6:  # two tables a time
            line = process.stdout.readline()
            assert line, "it ended by itself"
            headings += line.isupper() and b"  " in line.strip()
        process.send_signal(signal.SIGINT)
        try:
            _rest, errors = process.communicate(timeout=60)
        finally:
            process.kill()

    assert (process.returncode, errors) == (0, b"")


def test_the_widest_columns_give_way_first():
    assert fitted([3, 40, 20], room=43) == [3, 20, 20]
    assert fitted([8, 40], room=1) == [6, 6]
    assert fitted([3, 4], room=80) == [3, 4]


def test_a_cut_text_says_so():
    assert shortened("payments", 6) == "payme…"
    assert shortened("payments", 8) == "payments"
