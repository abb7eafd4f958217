"""The queue app in a project that has nothing else, and beside Procrastinate's own worker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import procrastinate
from procrastinate.psycopg_connector import PsycopgConnector

from tests.acceptance.tiny import TinyProject, wait_until


def test_it_stands_alone(tiny: TinyProject):
    checked = tiny.run("check")
    migrations = tiny.run("makemigrations", "--check", "--dry-run")

    assert (checked.returncode, checked.stderr) == (0, checked.stderr)
    assert "no issues" in checked.stdout
    assert migrations.returncode == 0, migrations.stdout


def test_its_commands_answer(tiny: TinyProject):
    tiny.defer("notes.write", text="waits")

    tasks = tiny.run("jobs", "tasks", "--json")
    status = tiny.run("jobs", "status", "--json")

    assert {"notes.write", "notes.sleep"} <= {task["name"] for task in json.loads(tasks.stdout)}
    assert json.loads(status.stdout)["queues"][0]["ready"] == 1
    assert status.returncode == 1
    assert "no worker is alive" in status.stderr


def test_the_apps_in_the_wrong_order_are_refused_with_the_right_one(tiny: TinyProject):
    code = (
        "import django; from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['procrastinate_tasks', 'procrastinate.contrib.django']);"
        "django.setup()"
    )

    refused = tiny.python(code)

    assert refused.returncode == 1
    assert "'procrastinate.contrib.django' before 'procrastinate_tasks'" in refused.stderr


def test_a_plain_procrastinate_worker_runs_our_jobs_and_defers_jobs_for_ours(tiny: TinyProject):
    job_id = tiny.defer("notes.write", text="for the plain worker")
    plain = procrastinate.App(connector=PsycopgConnector(kwargs=connection_options(tiny)))
    written = []

    @plain.task(name="notes.write")
    def write(text: str) -> None:
        written.append(text)

    async def run() -> int:
        async with plain.open_async():
            await plain.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)
            return await plain.configure_task("notes.write").defer_async(text="for ours")

    back = asyncio.run(run())
    tiny.start_worker()
    wait_until(lambda: tiny.status_of(back) == "succeeded", what="our worker ran the plain client's job")

    assert written == ["for the plain worker"]
    assert tiny.status_of(job_id) == "succeeded"
    assert tiny.notes() == ["for ours"]


def test_a_plain_worker_on_the_project_s_app_retries_and_ends_jobs_and_ours_rescues_its(tiny: TinyProject):
    succeeding = tiny.defer("notes.write", text="by the plain worker")
    failing = tiny.defer("notes.fail", text="good")
    plain = tiny.start_procrastinate_s_worker()
    wait_until(lambda: tiny.status_of(failing) == "failed", what="it was retried and ended")
    wait_until(lambda: tiny.status_of(succeeding) == "succeeded", what="the other ended")
    hanging = tiny.defer("notes.sleep", seconds=3600)
    wait_until(lambda: tiny.status_of(hanging) == "doing", what="the plain worker runs it")
    tiny.rows("UPDATE procrastinate_jobs SET args = '{\"seconds\": 0}' WHERE id = %s", hanging)

    os.killpg(plain.pid, signal.SIGKILL)
    tiny.start_worker()

    wait_until(lambda: tiny.status_of(hanging) == "succeeded", what="ours took it over and ran it")
    assert tiny.value("SELECT attempts FROM procrastinate_jobs WHERE id = %s", failing) == 2
    assert tiny.outcomes(failing) == [], "what a plain worker ran leaves no attempt"
    assert tiny.outcomes(hanging) == ["crashed", "succeeded"]


def connection_options(tiny: TinyProject) -> dict[str, Any]:
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
    }
    return {option: tiny.environment[name] for option, name in names.items()}
