"""Django's Tasks API, from a web process through a real worker to the result."""

from __future__ import annotations

import json
import signal
from typing import Any

from tests.acceptance.tiny import TinyProject, wait_until
from tests.workers.workers import forks_of, name_of, send

IMPORTS = "import json; from tests.tiny_project.notes import django_tasks as tasks\n"


def enqueue(tiny: TinyProject, call: str) -> str:
    return tiny.shell(f"{IMPORTS}print(tasks.{call}.id)")


def read(tiny: TinyProject, task_name: str, result_id: str) -> dict[str, Any]:
    """Read a result as another web process would."""
    code = (
        f"{IMPORTS}result = tasks.{task_name}.get_result({result_id!r})\n"
        "value = result.return_value if result.status == 'SUCCESSFUL' else None\n"
        "errors = [[error.exception_class.__name__, error.traceback] for error in result.errors]\n"
        "print(json.dumps({'status': result.status, 'value': value, 'errors': errors,"
        " 'workers': result.worker_ids, 'attempts': result.attempts}))"
    )
    answer: dict[str, Any] = json.loads(tiny.shell(code))
    return answer


def wait_for(tiny: TinyProject, *result_ids: str) -> None:
    wait_until(
        lambda: all(tiny.status_of(int(one)) in {"succeeded", "failed"} for one in result_ids),
        what="the tasks have run",
    )


def test_tasks_run_in_a_worker_that_never_heard_of_them_and_their_results_are_read_elsewhere(
    tiny: TinyProject,
):
    written = enqueue(tiny, "write.enqueue('sync')")
    awaited = enqueue(tiny, "write_async.enqueue(text='async')")
    failed = enqueue(tiny, "fail.enqueue('4929-secret')")

    tiny.start_worker("--concurrency", "2")
    wait_for(tiny, written, awaited, failed)

    assert sorted(tiny.notes()) == ["async", "sync"]
    for name, result_id in (("write", written), ("write_async", awaited)):
        result = read(tiny, name, result_id)
        assert (result["status"], result["attempts"], result["errors"]) == ("SUCCESSFUL", 1, [])
        assert tiny.value("SELECT count(*) FROM notes_note WHERE id = %s", result["value"]) == 1
        assert result["workers"][0].isdigit()
    result = read(tiny, "fail", failed)
    ((exception, traceback),) = result["errors"]
    assert (result["status"], exception) == ("FAILED", "Broken")
    assert "in fail" in traceback
    assert "4929-secret" not in traceback
    assert "4929-secret" not in tiny.log_path.read_text()
    assert '"django_task": "tests.tiny_project.notes.django_tasks.fail"' in tiny.log_path.read_text()


def test_a_running_task_says_so(tiny: TinyProject):
    result_id = enqueue(tiny, "sleep.enqueue(60)")

    tiny.start_worker()
    wait_until(lambda: tiny.status_of(int(result_id)) == "doing", what="the task has started")

    result = read(tiny, "sleep", result_id)
    assert (result["status"], result["attempts"]) == ("RUNNING", 1)


def test_a_task_whose_child_is_killed_runs_again_and_the_lost_run_is_an_error_of_the_result(
    tiny: TinyProject,
):
    result_id = enqueue(tiny, "kill_own_worker_once.enqueue()")

    tiny.start_worker()
    wait_for(tiny, result_id)

    result = read(tiny, "kill_own_worker_once", result_id)
    assert (result["status"], result["value"], result["attempts"]) == ("SUCCESSFUL", 2, 2)
    assert [exception for exception, _ in result["errors"]] == ["ChildLost"]


def test_a_run_whose_worker_was_killed_is_an_error_of_the_result(tiny: TinyProject):
    result_id = enqueue(tiny, "sleep.enqueue(60)")
    supervisor = tiny.start_worker()
    wait_until(lambda: tiny.status_of(int(result_id)) == "doing", what="the task has started")

    send([pid for pid in forks_of(supervisor.pid) if name_of(pid) == "queue worker"], signal.SIGKILL)
    wait_until(lambda: tiny.outcomes(int(result_id)) == ["interrupted"], what="the run was given back")

    wait_until(lambda: tiny.status_of(int(result_id)) == "doing", what="the task runs again")
    result = read(tiny, "sleep", result_id)
    ((exception, _),) = result["errors"]
    assert (exception, result["status"], result["attempts"]) == ("WorkerDied", "RUNNING", 2)


def test_a_task_enqueued_in_a_transaction_that_fails_never_runs(tiny: TinyProject):
    printed = tiny.shell(
        f"{IMPORTS}from django.db import transaction\n"
        "try:\n"
        "    with transaction.atomic():\n"
        "        tasks.write.enqueue('gone')\n"
        "        raise tasks.Broken\n"
        "except tasks.Broken: print('raised')"
    )

    assert printed == "raised"
    assert tiny.value("SELECT count(*) FROM procrastinate_jobs") == 0


def test_without_any_tasks_api_the_queue_app_works_and_its_backend_says_what_to_install(tiny: TinyProject):
    code = (
        "import sys; sys.modules['django_tasks'] = sys.modules['django.tasks'] = None\n"
        "import django; django.setup()\n"
        "from procrastinate.contrib.django import app; app.perform_import_paths()\n"
        "print(sorted(name for name in app.tasks if 'django_task' in name))\n"
        "from procrastinate_tasks.tasks_api.backend import ProcrastinateBackend\n"
        "ProcrastinateBackend('default', {})"
    )

    done = tiny.python(code)

    assert "install its backport, the package django-tasks" in done.stderr
    assert (done.returncode, done.stdout) == (1, "[]\n")
