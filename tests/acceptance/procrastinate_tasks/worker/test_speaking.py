"""What a worker says to whoever started it, a second Ctrl-C, and a worker that reloads."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pexpect
import pytest

from tests.acceptance.tiny import TinyProject, wait_until
from tests.ports import free_port
from tests.workers.workers import (
    ROOT,
    attempts_of,
    count_jobs,
    current_database_url,
    granted,
    insert_jobs,
    outcomes_of,
    query,
    started_worker,
    status_of,
    wait_for,
)

QUIET = {"DJANGO_SETTINGS_MODULE": "tests.tiny_project.quiet_settings"}


def test_without_any_logging_it_says_what_it_is_why_a_job_failed_and_why_it_stopped(tiny: TinyProject):
    job_id = tiny.defer("notes.fail", text="good")
    worker = tiny.start_worker("--processes", "2", "--concurrency", "3", **QUIET)
    wait_until(lambda: tiny.status_of(job_id) == "failed", what="the job fails")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0

    said = tiny.log_path.read_text()
    facts = {line[2:13].strip(): line[13:] for line in said.splitlines() if line.startswith("  ")}
    assert "\nQueue worker " in f"\n{said}"
    assert facts["database"].startswith(tiny.environment["PGDATABASE"])
    assert (facts["queues"], facts["runs"]) == ("all", "6 jobs at a time, in 2 processes")
    assert facts["limits"] == "soft 540 s, hard 600 s, default 20 per 1 s and 5 at a time"
    assert int(facts["tasks"]) > 5
    assert int(facts["schedules"]) == said.count(", next 20")
    assert f"Job failed, will be retried: notes.fail[{job_id}]: Broken: no [text]" in said
    assert f"Job failed: notes.fail[{job_id}]: Broken: no [text]" in said
    assert said.rstrip().endswith("Worker stopped with exit code 0: SIGTERM")
    assert "hidden-from-everybody" not in said


def test_with_a_project_s_logging_it_is_a_line_like_the_others(tiny: TinyProject):
    tiny.start_worker("--queues", "mail")
    wait_until(lambda: "Worker starts: " in tiny.log_path.read_text(), what="it speaks")

    (line,) = [line for line in tiny.log_lines() if line["message"].startswith("Worker starts: ")]
    assert "queues mail; runs 4 jobs at a time, in 1 process" in line["message"]
    assert "Queue worker " not in tiny.log_path.read_text()


@pytest.fixture
def terminal() -> pexpect.spawn:
    """A worker at a terminal, as a developer starts it."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.workers.settings",
        "DATABASE_URL": current_database_url(),
    }
    return pexpect.spawn(
        sys.executable,
        ["manage.py", "procrastinate", "worker"],
        cwd=str(ROOT),
        env=environment,
        encoding="utf-8",
        timeout=granted(20),
    )


def test_a_second_ctrl_c_at_a_terminal_means_now_and_costs_no_job(terminal: pexpect.spawn):
    jobs = [*insert_jobs("engine.sleep", {"seconds": 300}), *insert_jobs("engine.spin")]
    terminal.expect("Queue worker .* on Procrastinate")
    wait_for(lambda: count_jobs("doing") == 2)

    terminal.sendintr()
    terminal.expect("Ctrl-C again gives them back now")
    terminal.sendintr()
    terminal.expect("Worker stopped with exit code 0: SIGINT", timeout=granted(8))
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert terminal.exitstatus == 0
    assert [(status_of(job_id), attempts_of(job_id)) for job_id in jobs] == [("todo", 0)] * 2
    assert [outcome for job_id in jobs for outcome, *_ in outcomes_of(job_id)] == ["interrupted"] * 2


def test_elsewhere_than_at_a_terminal_a_second_sigint_changes_nothing(log: Path):
    (job_id,) = insert_jobs("engine.sleep", {"seconds": 3})

    with started_worker(log) as worker:
        wait_for(lambda: status_of(job_id) == "doing")
        for _ in range(3):
            worker.process.send_signal(signal.SIGINT)
        worker.wait()

    assert status_of(job_id) == "succeeded"


# --- Reload ---


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "reload_settings.py").write_text(
        "from tests.workers.settings import *\nPROCRASTINATE_IMPORT_PATHS = ['reload_tasks']\n"
    )
    write_task(tmp_path, "return 1")
    return tmp_path


def write_task(project: Path, body: str) -> None:
    """Write the task's file as an editor does, so that its time says so."""
    file = project / "reload_tasks.py"
    before = file.stat().st_mtime if file.exists() else 0.0
    file.write_text(
        "from procrastinate_tasks import task\n\n"
        f"@task(name='reload.answer')\ndef answer() -> int:\n    {body}\n"
    )
    os.utime(file, (before + 10, before + 10) if before else None)


def answer() -> str:
    (job_id,) = insert_jobs("reload.answer")
    wait_for(lambda: status_of(job_id) == "succeeded")
    return str(outcomes_of(job_id)[0][2])


def test_a_worker_reloads_on_save_and_waits_out_a_slip(log: Path, project: Path):
    environment = {"PYTHONPATH": f"{project}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    with started_worker(
        log, "--reload", settings_module="reload_settings", environment=environment, wait_until_up=False
    ) as worker:
        assert answer() == "1"

        write_task(project, "return 2")
        wait_for(lambda: "reload_tasks.py changed" in worker.read_log())
        wait_for(lambda: worker.read_log().count("Worker starts") == 2)
        assert answer() == "2"

        write_task(project, "return (")
        wait_for(lambda: "waits for a file to change" in worker.read_log())
        write_task(project, "return 3")
        assert answer() == "3"

        assert worker.stop() == 0


def test_a_reloading_worker_does_not_outlive_the_process_that_started_it(log: Path, project: Path):
    environment = {"PYTHONPATH": f"{project}:{ROOT}"}
    with started_worker(
        log, "--reload", settings_module="reload_settings", environment=environment, wait_until_up=False
    ) as worker:
        answer()
        worker.process.kill()
        wait_for(lambda: "its parent is gone" in worker.read_log())
        wait_for(lambda: sessions_of_workers() == 0)


def sessions_of_workers() -> int:
    ((count,),) = query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND (application_name LIKE 'worker %%' OR application_name LIKE 'queue child%%')"
    )
    return int(count)


def test_a_development_server_has_a_worker_beside_it(tiny: TinyProject):
    command = ["-m", "django", "runserver_with_worker", f"127.0.0.1:{free_port()}"]
    server = tiny._start(*command, DJANGO_SETTINGS_MODULE="tests.tiny_project.serving_settings")
    job_id = tiny.defer("notes.write", text="by the worker beside the server")

    wait_until(lambda: tiny.status_of(job_id) == "succeeded", what="the worker runs the job")
    wait_until(lambda: "development server at" in tiny.log_path.read_text(), what="the server starts")
    server.send_signal(signal.SIGTERM)

    server.wait(60)
    wait_until(lambda: tiny.rows("SELECT 1 FROM procrastinate_workers") == [], what="the worker has left")
