"""``manage.py jobs`` on the day it is for: the database is down, and each verb says so in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from procrastinate_tasks.management.commands.jobs import VERBS

ROOT = Path(__file__).resolve().parents[3]
ARGUMENTS = {
    "show": ["1"],
    "why": ["1"],
    "stack": ["1"],
    "replay": ["1", "--yes", "--reason", "x"],
    "retry": ["1", "--reason", "x"],
    "run-now": ["1", "--reason", "x"],
    "release": ["1", "--reason", "x"],
    "cancel": ["1", "--yes", "--reason", "x"],
    "abort": ["1", "--yes", "--reason", "x"],
    "rescue": ["1"],
    "pause": ["default"],
    "resume": ["default"],
    "limit": ["default", "--concurrency", "5"],
}
MORE = {
    "schedule run": ["schedule", "run", "bookings.tasks.mark_expired_holds"],
    "retry by filter": ["retry", "--state", "failed", "--yes", "--reason", "x"],
    "retry as somebody": ["retry", "1", "--as", "ana"],
    "list as json": ["list", "--json"],
}
CALLS = {**{verb: [verb, *ARGUMENTS.get(verb, [])] for verb in VERBS}, **MORE}
# The first asks no database; the second shows it and goes on, as its own test says.
WITHOUT = {"tasks", "watch"}

# All in one process, which takes seconds to start: each call's exit code and what it said.
SCRIPT = """
import io, json, sys
import django
from django.core.management import CommandError, call_command
django.setup()
said = {}
for name, arguments in json.loads(sys.argv[1]).items():
    out = io.StringIO()
    try:
        call_command("jobs", *arguments, stdout=out)
        said[name] = (0, out.getvalue())
    except CommandError as error:
        said[name] = (error.returncode, out.getvalue() + str(error))
    except BaseException as error:
        said[name] = (type(error).__name__, repr(error))
print(json.dumps(said))
"""


def test_each_verb_says_so_in_one_line_with_exit_code_two():
    said = run({name: call for name, call in CALLS.items() if name not in WITHOUT})

    assert len(said) >= len(VERBS) - len(WITHOUT)
    assert {name: answer for name, answer in said.items() if not is_one_line(answer)} == {}


def test_on_the_terminal_it_is_one_line_without_a_traceback():
    done = start([sys.executable, "manage.py", "jobs", "status"])

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_watching_goes_on_and_says_each_time_that_nothing_can_be_asked():
    command = [sys.executable, "manage.py", "jobs", "watch", "--every", "0.1"]
    watching = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    with watching:
        try:
            assert watching.stdout is not None
            said = [watching.stdout.readline() for _ in range(4)]
            watching.send_signal(signal.SIGINT)
            assert watching.wait(timeout=60) == 0
        finally:
            watching.kill()

    assert ["nowhere" in line for line in said] == [False, True] * 2, said


def is_one_line(answer: tuple[object, str]) -> bool:
    code, text = answer
    return code == 2 and len(text.splitlines()) == 1 and "nowhere" in text


def run(calls: dict[str, list[str]]) -> dict[str, tuple[object, str]]:
    done = start([sys.executable, "-c", SCRIPT, json.dumps(calls)])
    assert done.returncode == 0, done.stderr
    return {name: (code, text) for name, (code, text) in json.loads(done.stdout).items()}


def start(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=240
    )


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": "postgres://nobody@/nothing?host=/nowhere",
    }
