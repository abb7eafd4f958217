"""What a task or a view defers stands or falls with the rows it wrote, in real processes."""

from __future__ import annotations

import pytest

from tests.acceptance.tiny import TinyProject, wait_until

ENDED = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('succeeded', 'failed')"


@pytest.mark.parametrize("task_name", ["notes.save_defer_and_raise", "notes.save_defer_and_raise_async"])
def test_a_task_that_saves_defers_and_raises_leaves_neither_row_nor_job(tiny: TinyProject, task_name: str):
    tiny.defer(task_name, text="gone")

    tiny.start_worker("--concurrency", "2")
    wait_until(lambda: tiny.value(ENDED) == 1, what="the task has run")

    assert tiny.notes() == []
    assert tiny.value("SELECT count(*) FROM procrastinate_jobs") == 1
    assert tiny.value("SELECT exception_class FROM procrastinate_tasks_jobattempt").endswith("Broken")


def test_a_view_that_saves_defers_and_raises_leaves_neither_row_nor_job(tiny: TinyProject):
    printed = tiny.shell(
        "from tests.tiny_project.notes import tasks\n"
        "try: tasks.save_defer_and_raise('gone')\n"
        "except tasks.Broken: print('raised')"
    )

    assert printed == "raised"
    assert tiny.notes() == []
    assert tiny.value("SELECT count(*) FROM procrastinate_jobs") == 0


def test_a_job_deferred_by_an_asynchronous_task_runs(tiny: TinyProject):
    tiny.defer("notes.defer_async", text="from async")

    tiny.start_worker()

    wait_until(lambda: tiny.notes() == ["from async"], what="the deferred job has run")


def test_arguments_reach_no_log_line_of_a_worker_but_visible_ones_do(tiny: TinyProject):
    tiny.defer("notes.write_secret", text="4929-secret")
    tiny.defer("notes.write", text="plain-text")

    tiny.start_worker()
    wait_until(lambda: tiny.value(ENDED) == 2, what="both tasks have run")
    wait_until(lambda: "wrote=plain-text" in tiny.log_path.read_text(), what="the log is written")

    log = tiny.log_path.read_text()
    assert "4929-secret" not in log
    assert '"text": "plain-text"' in log
